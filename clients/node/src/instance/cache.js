// Opaque credentials in memory, by the hash of what was presented. An entry counts while it is young, nothing of it was named,
// and the feed is heard.

import { Names } from '../token/feed.js';

/** @typedef {import('../token/found.js').Found} Found */
/** @typedef {{ found: Found, beginning: number, position: number }} Entry */
/**
 * What is known: a valid credential, a refusal, or that nobody but the instance may decide.
 *
 * @typedef {Entry | import('../refusal.js').Refusal | 'asked'} Known
 */

/** The longest that anything is kept, in milliseconds. */
const LONGEST = 60_000;
/** For how long a refusal is remembered: it may be mended meanwhile. */
const REFUSED_FOR = 1000;
/** For how long everybody asks about what could not be kept, side by side. */
export const NOT_KEPT_FOR = 1000;
/** How many refusals are kept, apart from the rest: strangers push out nobody but each other. */
const MOST_REFUSALS = 1000;

/**
 * @template T
 * @typedef {{ key: string, entry: T, before: Place<T>, after: Place<T> }} Place
 */

/**
 * So many entries at most: whoever was not wanted for longest goes first. They are a ring in that order, for a `Map` finds its first
 * entry by passing over all that were deleted before it.
 *
 * @template T
 */
export class Bounded {
  /** @type {Map<string, Place<T>>} */
  #places = new Map();
  /** Stands between the last and the first. @type {Place<T>} */
  #ends = /** @type {any} */ ({});
  #most;

  /** @param {number} most */
  constructor(most) {
    this.#most = most;
    this.#ends.before = this.#ends.after = this.#ends;
  }

  /** @param {string} key */
  get(key) {
    const place = this.#places.get(key);
    if (!place) return undefined;
    this.#leave(place);
    this.#append(place);
    return place.entry;
  }

  /** @param {string} key @param {T} entry */
  set(key, entry) {
    this.delete(key);
    const place = { key, entry, before: this.#ends, after: this.#ends };
    this.#places.set(key, place);
    this.#append(place);
    if (this.#places.size > this.#most) this.delete(this.#ends.after.key);
  }

  /** @param {string} key */
  delete(key) {
    const place = this.#places.get(key);
    if (!place) return;
    this.#places.delete(key);
    this.#leave(place);
  }

  /** @param {Place<T>} place */
  #leave({ before, after }) {
    before.after = after;
    after.before = before;
  }

  /** @param {Place<T>} place */
  #append(place) {
    place.before = this.#ends.before;
    place.after = this.#ends;
    place.before.after = this.#ends.before = place;
  }
}

export class Opaque {
  names = new Names();
  /** @type {Bounded<{ known: Entry | 'asked', endsAt: number }>} */
  #entries;
  /** @type {Bounded<{ refusal: import('../refusal.js').Refusal, endsAt: number }>} */
  #refusals = new Bounded(MOST_REFUSALS);

  /** @param {number} entries */
  constructor(entries) {
    this.#entries = new Bounded(entries);
  }

  /**
   * What is known of it and still counts, as far as is known.
   *
   * @param {string} hash
   * @param {number} now
   * @returns {Known | undefined}
   */
  known(hash, now) {
    const refused = this.#refusals.get(hash);
    if (refused && now < refused.endsAt) return refused.refusal;
    const kept = this.#entries.get(hash);
    if (!kept) return undefined;
    if (now < kept.endsAt && (kept.known === 'asked' || this.holds(kept.known))) return kept.known;
    this.#entries.delete(hash);
    return undefined;
  }

  /**
   * Keeps what was answered, unless a change overtook it, or it is for this use alone: says whether it did.
   *
   * @param {string} hash
   * @param {Entry} entry
   * @param {number} maxAge in seconds
   * @param {number} askedAt
   */
  keep(hash, entry, maxAge, askedAt) {
    if (maxAge === 0 || !this.names.knowSince(entry.beginning, entry.position) || !this.holds(entry)) return false;
    this.#entries.set(hash, { known: entry, endsAt: askedAt + Math.min(maxAge * 1000, LONGEST) });
    return true;
  }

  /**
   * Keeps that it must be asked about with every use, for a while.
   *
   * @param {string} hash
   * @param {number} now
   */
  keepAsked(hash, now, time = LONGEST) {
    this.#entries.set(hash, { known: 'asked', endsAt: now + time });
  }

  /** @param {string} hash @param {import('../refusal.js').Refusal} refusal @param {number} now */
  keepRefusal(hash, refusal, now) {
    // What was known before is over, also once the refusal is forgotten.
    this.#entries.delete(hash);
    this.#refusals.set(hash, { refusal, endsAt: now + REFUSED_FOR });
  }

  /** Whether nothing of it was named since it was read. @param {Entry} entry */
  holds({ found: { credential, principal, organization }, beginning, position }) {
    return this.names.hold(beginning, position, [credential.id, principal.id, organization.id]);
  }
}
