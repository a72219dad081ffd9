// Proofs of possession that came already: each counts once. What is remembered here is this process's own; where a service runs
// more than once, a proof counts once in each.

/** How many are remembered; beyond, none holds. Only proofs of credentials that are good come here. */
const MOST = 200_000;

export class Replays {
  /** When they end, in the order in which they came, which is about that of their ends. @type {Map<string, number>} */
  #proofs = new Map();

  /**
   * Whether this proof came for the first time.
   *
   * @param {import('../token/dpop.js').Proof} proof
   * @param {number} now
   */
  isFirst({ thumbprint, jti, endsAt }, now) {
    for (const [proof, end] of this.#proofs) {
      if (end > now) break;
      this.#proofs.delete(proof);
    }
    const key = `${thumbprint} ${jti}`;
    if (this.#proofs.size >= MOST || this.#proofs.has(key)) return false;
    this.#proofs.set(key, endsAt);
    return true;
  }
}
