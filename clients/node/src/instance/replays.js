// Proofs of possession that came already: each counts once. What is remembered here is this process's own; where a service runs
// more than once, a proof counts once in each.

/** How many are remembered; beyond, none holds. Only proofs of credentials that are good come here. */
const MOST = 200_000;

export class Replays {
  /** @type {Set<string>} */
  #proofs = new Set();
  /**
   * With when they end, in the order in which they came, which is about that of their ends, from `#first` on.
   *
   * @type {[string, number][]}
   */
  #order = [];
  #first = 0;

  /**
   * Whether this proof came for the first time.
   *
   * @param {import('../token/dpop.js').Proof} proof
   * @param {number} now
   */
  isFirst({ thumbprint, jti, endsAt }, now) {
    for (let oldest = this.#order[this.#first]; oldest && oldest[1] <= now; oldest = this.#order[this.#first]) {
      this.#proofs.delete(oldest[0]);
      this.#first += 1;
    }
    if (this.#first > 1000 && this.#first * 2 > this.#order.length) {
      this.#order = this.#order.slice(this.#first);
      this.#first = 0;
    }
    const key = `${thumbprint} ${jti}`;
    if (this.#proofs.size >= MOST || this.#proofs.has(key)) return false;
    this.#proofs.add(key);
    this.#order.push([key, endsAt]);
    return true;
  }
}
