// That there is no verdict, which is not a "no".

/** The instance did not answer, and what is known does not suffice: answer with 503. */
export class Unreachable extends Error {
  constructor() {
    super('the credential cannot be verified right now; try again');
  }
}
