// Where the time is read: a clock that never jumps for ages, and the instance's for what credentials say. A service whose own
// clock is off by minutes would otherwise take what has ended, or refuse what has not.

/** What is within this of the time that is known is taken for the same: answers take a while, and tell whole seconds. */
const TOLERATED = 3000;

/** For ages, in milliseconds. */
export function monotonic() {
  return performance.now();
}

/**
 * The time as the instance sees it. It goes on with the clock that never jumps: whoever sets the machine's clock changes nothing.
 */
export class Clock {
  #began = Date.now() - monotonic();

  /** Now, in milliseconds since 1970. */
  now() {
    return Math.floor(this.#began + monotonic());
  }

  /**
   * Notes what time the instance said it was, just now, as HTTP writes it.
   *
   * @param {string | null} date
   */
  wasTold(date) {
    const told = date === null ? Number.NaN : Date.parse(date);
    if (Math.abs(told - this.now()) > TOLERATED) this.#began = told - monotonic();
  }
}

/** When something was heard last; at first, never. */
export class Heard {
  #at = Number.NEGATIVE_INFINITY;

  now() {
    this.#at = monotonic();
  }

  /** @param {number} age in milliseconds */
  within(age) {
    return monotonic() - this.#at <= age;
  }
}
