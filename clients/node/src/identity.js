// Who a request comes from: what is told of every request that is let through.

import { covers, isObjectName } from './token/object.js';

export class Identity {
  #found;

  /** @param {import('./token/found.js').Found} found */
  constructor(found) {
    this.#found = found;
  }

  /** The id of the credential; of an access token, of that which it was made from. */
  get credential() {
    return this.#found.credential.id;
  }

  /** Which kind was presented: `api_key`, `personal_access_token` or `access_token`. */
  get kind() {
    return this.#found.credential.kind;
  }

  /** The id of whom it stands for. */
  get principal() {
    return this.#found.principal.id;
  }

  /** The id of the organization that it acts in. */
  get organization() {
    return this.#found.organization.id;
  }

  /** Whether it acts on test data. */
  get isTest() {
    return this.#found.credential.environment === 'test';
  }

  /** What it may do. */
  get permissions() {
    return [...this.#found.permissions].sort();
  }

  /** The owner's JSON object; of a JWT it is empty. */
  get metadata() {
    return this.#found.credential.metadata;
  }

  /** Whether it may do this. @param {string} permission */
  may(permission) {
    return this.#found.permissions.has(permission);
  }

  /** Whether it is for this object: to be asked where `whateverObject` was said. @param {string} object */
  isFor(object) {
    const { objects } = this.#found.credential;
    return isObjectName(object) && (objects === null || covers(objects, object));
  }
}
