// Who may go on when many want to: one at a time of those who want the same, and so many at once of all.

/** Of those who want the same, one after the other. */
export class Turns {
  /** @type {Map<string, Promise<void>>} */
  #last = new Map();

  /**
   * @template T
   * @param {string} key
   * @param {() => Promise<T>} work
   */
  async take(key, work) {
    const mine = (this.#last.get(key) ?? Promise.resolve()).then(work);
    const done = mine.then(
      () => {},
      () => {},
    );
    this.#last.set(key, done);
    try {
      return await mine;
    } finally {
      if (this.#last.get(key) === done) this.#last.delete(key);
    }
  }
}

/** So many at once; who comes after them waits. */
export class Places {
  #free;
  /** @type {(() => void)[]} */
  #waiting = [];

  /** @param {number} places */
  constructor(places) {
    this.#free = places;
  }

  /**
   * @template T
   * @param {() => Promise<T>} work
   */
  async take(work) {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise((/** @type {(value: void) => void} */ resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free += 1;
    }
  }
}
