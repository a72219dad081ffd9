// The change feed as it is received: messages out of bytes, and the names that void what is kept. Pure.

import { isCredentialId, isOrganizationId, isPrincipalId } from './id.js';
import { isObject } from './json.js';

/**
 * Whom a change concerns: an id, or `null` for everybody.
 *
 * @typedef {{ sequence: number, concerns: string | null, keys: boolean }} Change
 */
/**
 * With `more`, names are withheld that come in another.
 *
 * @typedef {{ reset: boolean, next: string, position: number, more: boolean, changes: Change[] }} Message
 */

/** The longest event that is taken. */
const LONGEST = 16 << 20;
/** How long a name is remembered, in milliseconds: longer than anything is kept. */
export const REMEMBERED = 90_000;
/** How many names are remembered. With more, all that is kept is void. */
const MOST_NAMES = 500_000;

/** What came is no event of the feed. */
export class NoMessage extends Error {
  constructor() {
    super('no event of the change feed');
  }
}

/** Server-sent events out of pieces of any length. */
export class Events {
  #utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  #received = '';
  #searched = 0;

  /**
   * Takes what came, and returns the messages that are complete. What is no message is one that cannot be trusted any more: the
   * connection is to be made anew.
   *
   * @param {Uint8Array} piece
   * @returns {Message[]}
   */
  take(piece) {
    try {
      this.#received += this.#utf8.decode(piece, { stream: true });
    } catch {
      throw new NoMessage();
    }
    const messages = [];
    let begin = 0;
    for (;;) {
      const end = this.#received.indexOf('\n\n', Math.max(begin, this.#searched));
      if (end < 0) break;
      const message = readEvent(this.#received.slice(begin, end));
      if (message) messages.push(message);
      begin = end + 2;
    }
    this.#received = this.#received.slice(begin);
    this.#searched = Math.max(this.#received.length - 1, 0);
    if (this.#received.length > LONGEST) throw new NoMessage();
    return messages;
  }
}

/** @param {string} event */
function readEvent(event) {
  const data = event.split('\n').find((line) => line.startsWith('data: '));
  return data === undefined ? undefined : readMessage(data.slice('data: '.length));
}

/** @param {string} text @returns {Message} */
function readMessage(text) {
  /** @type {unknown} */
  let message;
  try {
    message = JSON.parse(text);
  } catch {
    throw new NoMessage();
  }
  if (!isObject(message)) throw new NoMessage();
  // An instance of before does not say it.
  const { reset, next, position, more = false, changes } = message;
  const isMessage = typeof reset === 'boolean' && typeof next === 'string' && isNumber(position) && Array.isArray(changes);
  if (!isMessage || typeof more !== 'boolean') throw new NoMessage();
  return { reset, next, position, more, changes: changes.map(readChange) };
}

/** @param {unknown} value @returns {value is number} */
function isNumber(value) {
  return typeof value === 'number' && Number.isSafeInteger(value);
}

/** What is not understood may concern anybody. @param {unknown} change @returns {Change} */
function readChange(change) {
  if (!isObject(change) || !isNumber(change['sequence']) || typeof change['kind'] !== 'string') throw new NoMessage();
  const { sequence, kind, id } = change;
  const isKnown =
    (kind === 'credential' && isCredentialId(id)) ||
    (kind === 'principal' && isPrincipalId(id)) ||
    (kind === 'organization' && isOrganizationId(id));
  return { sequence, concerns: isKnown ? String(id) : null, keys: kind === 'signing_keys' };
}

/** What was named lately, and what that voids. */
export class Names {
  /** Counts the times at which all began anew; 0 before the first. */
  #beginning = 0;
  /** Up to where all was told, as was said last. */
  #position = 0;
  /** What was read at a lower position may have been voided by what nobody remembers. */
  #floor = 0;
  #everything = 0;
  /** Since when messages withhold names, if the last one did. @type {number | undefined} */
  #withheldSince;
  /** @type {Map<string, number>} */
  #sequences = new Map();
  /** In the order in which they came, from `#first` on. @type {[string, number, number][]} */
  #order = [];
  #first = 0;

  /**
   * Takes a message. Messages may come twice, and numbers in any order.
   *
   * @param {Message} message
   * @param {number} now in milliseconds of a clock that never jumps
   */
  take(message, now) {
    if (message.reset) {
      this.#beginning += 1;
      this.#floor = message.position;
      this.#everything = 0;
      this.#sequences.clear();
      this.#order = [];
      this.#first = 0;
      this.#withheldSince = undefined;
    }
    this.#position = message.position;
    this.#withheldSince = message.more ? (this.#withheldSince ?? now) : undefined;
    for (const { sequence, concerns } of message.changes) {
      // An answer about a token does not say by which key that was signed, so that keys concern everybody.
      if (concerns === null) {
        this.#everything = Math.max(this.#everything, sequence);
      } else {
        this.#sequences.set(concerns, Math.max(sequence, this.#sequences.get(concerns) ?? sequence));
        this.#order.push([concerns, sequence, now]);
      }
    }
    this.#forget(now);
  }

  /** @param {number} now */
  #forget(now) {
    for (let oldest = this.#order[this.#first]; oldest; oldest = this.#order[this.#first]) {
      const [concerns, sequence, at] = oldest;
      const tooMany = this.#order.length - this.#first > MOST_NAMES;
      if (!tooMany && now - at < REMEMBERED) break;
      // Forgotten before its time: what is older cannot be told from it.
      if (tooMany) this.#everything = Math.max(this.#everything, sequence);
      this.#floor = Math.max(this.#floor, sequence);
      this.#first += 1;
      if (this.#sequences.get(concerns) === sequence) this.#sequences.delete(concerns);
    }
    if (this.#first > 1000 && this.#first * 2 > this.#order.length) {
      this.#order = this.#order.slice(this.#first);
      this.#first = 0;
    }
  }

  /** To be noted before something is asked that will be kept: which beginning this is, and up to where all was told. */
  place() {
    return { beginning: this.#beginning, position: this.#position };
  }

  /** Since when there are names that were not told, if there are: what is kept may be void already. */
  get withheldSince() {
    return this.#withheldSince;
  }

  /**
   * Whether what was asked after this beginning, and answered at this position, may be kept at all.
   *
   * @param {number} beginning
   * @param {number} position
   */
  knowSince(beginning, position) {
    return beginning === this.#beginning && beginning > 0 && position >= this.#floor;
  }

  /**
   * Whether it still holds: nothing of it was named above its position since.
   *
   * @param {number} beginning
   * @param {number} position
   * @param {readonly string[]} concerned
   */
  hold(beginning, position, concerned) {
    const isNamed = (/** @type {string} */ id) => (this.#sequences.get(id) ?? position) > position;
    return beginning === this.#beginning && this.#everything <= position && !concerned.some(isNamed);
  }
}

/**
 * The position of an answer, if there is one: what its header says may be of a log that the node has not noticed to be another by
 * now, so that no more is believed than was told before it was asked for.
 *
 * @param {number} toldBefore
 * @param {string | null} header
 */
export function positionOf(toldBefore, header) {
  if (header === null || !/^-?\d{1,15}$/.test(header)) return undefined;
  return Math.min(toldBefore, Number(header));
}
