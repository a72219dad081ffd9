// An instance as it is followed beside the requests: its keys, what ended, what changed. What cannot be heard is asked for again,
// with pauses that grow.

import { readEnded, Ended } from '../token/ended.js';
import { Events } from '../token/feed.js';
import { areSameKeys, readKeys } from '../token/key.js';
import { Heard, monotonic } from './clock.js';
import { RemoteError } from './remote.js';

/**
 * After other keys were named they are read at once, and again after these pauses: the node that is asked may not know of them
 * for a moment.
 */
const READ_KEYS_AGAIN = [300, 1000];
/** How often keys are read again though nothing says that there are others. */
const READ_KEYS_EVERY = 60_000;
/** How long whoever presents an unknown key waits for the next reading of keys at most: nobody can make us ask more often. */
export const KEYS_PAUSE = 5000;
/** Pauses between attempts: longer while they fail. */
const SHORTEST_PAUSE = 100;
const LONGEST_PAUSE = 1000;
/**
 * Between two questions what ended: this after news, and this after an answer without them that came at once, with as much by
 * chance.
 */
const AFTER_NEWS = 100;
const AFTER_NOTHING = 500;

/** For how long names may be withheld before nothing that is kept counts: some come in the next message. */
const WITHHELD_FOR = 1000;

export class Following {
  /** @type {import('../token/key.js').Keys} */
  keys = new Map();
  keysHeard = new Heard();
  ended = new Ended();
  endedHeard = new Heard();
  changesHeard = new Heard();

  #remote;
  #settings;
  #clock;
  #names;
  #closed = false;
  /** Of whoever reads keys, and when that was done last. @type {Promise<void>} */
  #readingKeys = Promise.resolve();
  #keysReadAt = Number.NEGATIVE_INFINITY;
  #areKeysRead = false;
  #areOtherKeysNamed = false;
  #wakeKeys = () => {};
  /** @type {Set<() => void>} */
  #sleepers = new Set();
  /** Of the feeds that cannot be heard. @type {Set<string>} */
  #silent = new Set();

  /**
   * @param {import('./remote.js').Remote} remote
   * @param {import('./settings.js').Complete} settings
   * @param {import('./clock.js').Clock} clock
   * @param {import('../token/feed.js').Names} names
   */
  constructor(remote, settings, clock, names) {
    this.#remote = remote;
    this.#settings = settings;
    this.#clock = clock;
    this.#names = names;
    void this.#always(() => this.#followKeys());
    void this.#always(() => this.#followEnded());
    void this.#always(() => this.#followChanges());
  }

  /**
   * Whatever it fails with that it did not expect: it begins anew. An instance that is followed no more would be away for good.
   *
   * @param {() => Promise<void>} follow
   */
  async #always(follow) {
    while (!this.#closed) {
      try {
        await follow();
      } catch {
        await this.#sleep(LONGEST_PAUSE);
      }
    }
  }

  /**
   * Whether changes were heard within so many milliseconds, all of them: names may be withheld for a moment.
   *
   * @param {number} age
   */
  areChangesHeard(age) {
    const since = this.#names.withheldSince;
    return this.changesHeard.within(age) && (since === undefined || monotonic() - since <= WITHHELD_FOR);
  }

  close() {
    this.#closed = true;
    for (const wake of this.#sleepers) wake();
  }

  /**
   * Reads the keys, unless that was done within `pause`: if it failed then, it fails now.
   *
   * @param {number} pause in milliseconds
   */
  async readKeys(pause) {
    const reading = this.#readingKeys.then(async () => {
      if (monotonic() - this.#keysReadAt < pause) {
        if (!this.#areKeysRead) throw new RemoteError('the keys could not be read');
        return;
      }
      this.#areKeysRead = false;
      try {
        const keys = await readKeys(await this.#remote.keys());
        if (!keys) throw new RemoteError('the answer is no set of keys');
        // What was proved by others is proved anew.
        if (!areSameKeys(this.keys, keys)) this.keys = keys;
        this.keysHeard.now();
        this.#areKeysRead = true;
      } finally {
        // Also after an error: whoever asks again at once gets the same.
        this.#keysReadAt = monotonic();
      }
    });
    this.#readingKeys = reading.catch(() => {});
    return reading;
  }

  async #followKeys() {
    let pause = SHORTEST_PAUSE;
    /** @type {number[]} */
    let again = [];
    while (!this.#closed) {
      try {
        await this.readKeys(0);
        this.#tell('the keys of the instance');
      } catch (error) {
        this.#tell('the keys of the instance', error);
        await this.#sleep(pause);
        pause = Math.min(pause * 2, LONGEST_PAUSE);
        continue;
      }
      pause = SHORTEST_PAUSE;
      if (!this.#areOtherKeysNamed) await this.#sleep(again.shift() ?? READ_KEYS_EVERY, (wake) => (this.#wakeKeys = wake));
      if (this.#areOtherKeysNamed) again = [...READ_KEYS_AGAIN];
      this.#areOtherKeysNamed = false;
    }
  }

  #nameOtherKeys() {
    this.#areOtherKeysNamed = true;
    this.#wakeKeys();
  }

  async #followEnded() {
    let pause = SHORTEST_PAUSE;
    /** @type {string | null} */
    let tag = null;
    while (!this.#closed) {
      const began = monotonic();
      try {
        const document = await this.#remote.ended(tag);
        const isNews = document.text !== undefined && (document.tag === null || document.tag !== tag);
        const received = monotonic();
        if (document.text !== undefined) await this.#takeEnded(document.text.toString('latin1'));
        // A long document takes its time, in which nobody else is served: as much is left to them.
        const afterNews = Math.max(AFTER_NEWS, monotonic() - received);
        tag = document.tag;
        this.endedHeard.now();
        this.#tell('the feed of what ended');
        pause = SHORTEST_PAUSE;
        await this.#sleep(isNews ? afterNews : Math.max(AFTER_NOTHING * (1 + Math.random()) - (monotonic() - began), 0));
      } catch (error) {
        this.#tell('the feed of what ended', error);
        await this.#sleep(pause);
        pause = Math.min(pause * 2, LONGEST_PAUSE);
      }
    }
  }

  /** @param {string} text */
  async #takeEnded(text) {
    const read = () => readEnded(text, this.keys, this.#settings.issuer, this.#clock.now());
    let document = await read();
    if (document === 'unknown_key') {
      await this.readKeys(KEYS_PAUSE);
      document = await read();
    }
    if (typeof document === 'string') throw new RemoteError(`the document does not count: ${document}`);
    this.ended.take(document, this.#clock.now());
  }

  async #followChanges() {
    let pause = SHORTEST_PAUSE;
    /** @type {string | null} */
    let last = null;
    while (!this.#closed) {
      const events = new Events();
      try {
        await this.#remote.changes(
          last,
          (date) => this.#clock.wasTold(date),
          (piece) => {
            for (const message of events.take(piece)) {
              this.#names.take(message, monotonic());
              if (message.reset || message.changes.some(({ keys }) => keys)) this.#nameOtherKeys();
              last = message.next;
              pause = SHORTEST_PAUSE;
              // Whatever was not told may concern what is kept.
              if (message.more) continue;
              this.changesHeard.now();
              this.#tell('the change feed');
            }
          },
        );
      } catch (error) {
        // It does not understand where we are: another version may not.
        if (error instanceof RemoteError && error.status === 400) last = null;
        this.#tell('the change feed', error);
      }
      await this.#sleep(pause);
      pause = Math.min(pause * 2, LONGEST_PAUSE);
    }
  }

  /**
   * Sleeps, unless it is woken.
   *
   * @param {number} time in milliseconds
   * @param {(wake: () => void) => void} [wakes]
   */
  async #sleep(time, wakes) {
    if (this.#closed) return;
    await new Promise((/** @type {(value: void) => void} */ resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#sleepers.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, time);
      this.#sleepers.add(wake);
      wakes?.(wake);
    });
  }

  /**
   * Tells once that something cannot be heard, and once that it is heard again.
   *
   * @param {string} what
   * @param {unknown} [error]
   */
  #tell(what, error) {
    if (this.#closed || this.#silent.has(what) === (error !== undefined)) return;
    if (error === undefined) {
      this.#silent.delete(what);
      this.#settings.log(`${what}: heard again`);
    } else {
      this.#silent.add(what);
      this.#settings.log(`${what}: ${reasonOf(error)}`);
    }
  }
}

/** @param {unknown} error */
function reasonOf(error) {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}
