// An instance as a service follows it, and the verdict on each credential.

import { X509Certificate } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';

import { isAboutState } from './refusal.js';
import { guarded, middleware } from './requests.js';
import { Bounded, NOT_KEPT_FOR, Opaque } from './instance/cache.js';
import { Clock, monotonic } from './instance/clock.js';
import { Following, KEYS_PAUSE } from './instance/following.js';
import { Remote, SILENCE } from './instance/remote.js';
import { Replays } from './instance/replays.js';
import { complete } from './instance/settings.js';
import { Places, Turns } from './instance/turns.js';
import { Usage } from './instance/usage.js';
import { checkProof } from './token/dpop.js';
import { positionOf } from './token/feed.js';
import { judge, judgeRights, readToken, refusalOf } from './token/judge.js';
import { isObjectName } from './token/object.js';
import { isWellFormed } from './token/opaque.js';
import { sha256 } from './token/text.js';
import { Unreachable } from './unreachable.js';
import { useOf } from './use.js';

/** @typedef {import('./token/found.js').Found} Found */
/** @typedef {import('./token/found.js').Shown} Shown */
/** @typedef {import('./refusal.js').Refusal} Refusal */
/** @typedef {import('./use.js').Asked} Asked */
/** @typedef {import('./use.js').Use} Use */

/**
 * What a request shows: of another that shows something else, nothing was proved.
 *
 * @typedef {{ credential: string, method: string, dpop: string | null, certificate: Shown }} Shows
 */

/**
 * What was proved of a request at some time: those who ask again judge from it, so that a proof is used, and a limit is spent, once.
 * `isAsked` is whether the instance said so of this use.
 *
 * @typedef {{ claviger: Claviger, shows: Shows, at: number, clientIp: string | null, found: Found, key: Shown, isAsked: boolean }}
 *   Proved
 */

/**
 * What is said of a credential: that it is valid, and what was proved; or why it does not count.
 *
 * @typedef {{ proved: Proved } | { refusal: Refusal, retryAfter?: number | undefined }} Checked
 */

/** For how long keys count that could not be read again, in milliseconds. */
const KEYS_COUNT_FOR = 3_600_000;
/** For how long what one guard proved counts for those behind it, in milliseconds. */
export const PROVED_FOR = 30_000;
/** How many questions are asked at once; who comes after them waits, and not for long. */
const MOST_QUESTIONS = 64;
/** For opaque credentials, of which the instance says what ended. */
const NOTHING_ENDED = { hasEnded: () => false };

/** An instance, followed until it is closed. */
export class Claviger {
  #settings;
  #remote;
  #clock = new Clock();
  #following;
  /** Tokens that keys proved, which count only as long as those are the instance's. */
  #tokens;
  #opaque;
  #replays = new Replays();
  #questions = new Places(MOST_QUESTIONS);
  #turns = new Turns();
  #usage;
  /** @type {Promise<void> | undefined} */
  #closing;

  /**
   * Begins to follow an instance, also while it is not there: until it is, no credential counts and requests are answered with
   * 503.
   *
   * @param {import('./instance/settings.js').Settings} settings
   */
  constructor(settings) {
    this.#settings = complete(settings);
    this.#tokens = /** @type {Bounded<{ found: Found, keys: import('./token/key.js').Keys }>} */ (
      new Bounded(this.#settings.cacheEntries)
    );
    this.#opaque = new Opaque(this.#settings.cacheEntries);
    this.#remote = new Remote(this.#settings);
    this.#following = new Following(this.#remote, this.#settings, this.#clock, this.#opaque.names);
    this.#usage = new Usage(this.#remote, this.#settings.log);
  }

  /**
   * Follows it no more, so that the process can end: from then on there is no verdict. What was counted is told before, if the
   * instance is there and takes it within `closeSeconds`; how many uses are lost `usesLost` says then.
   */
  close() {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close() {
    this.#following.close();
    await this.#usage.close(this.#settings.closeSeconds * 1000);
    this.#remote.close();
  }

  /** Tells the instance now which uses were judged here, as happens by itself every few seconds and at the end. */
  async reportUses() {
    await this.#usage.report();
  }

  /**
   * How many uses that were judged here are counted nowhere: too much waited while the instance was away, it did not take them, or it
   * does not know their credential.
   */
  get usesLost() {
    return this.#usage.lost;
  }

  /** Whether it is followed right now: keys are there, and both feeds are heard. */
  get isFollowed() {
    const { keys, changesHeard, endedHeard } = this.#following;
    return keys.size > 0 && changesHeard.within(SILENCE) && endedHeard.within(this.#settings.tokensWithoutFeedSeconds * 1000);
  }

  get issuer() {
    return this.#settings.issuer;
  }

  /**
   * A middleware for Express and whatever has requests and responses of `node:http`: it lets through whoever has these
   * permissions; of none, whoever has a credential for this API. The handler asks `identityOf(request)`.
   *
   * @template {import('node:http').IncomingMessage} R
   * @param {string | readonly string[]} permissions
   * @param {import('./guard.js').Options<R>} [options]
   */
  require(permissions, options = {}) {
    return middleware(this, permissions, options);
  }

  /**
   * The same before a handler that takes a `Request` and returns a `Response`, as that of `fetch`.
   *
   * @template {unknown[]} A
   * @param {string | readonly string[]} permissions
   * @param {(request: Request, ...rest: A) => Response | Promise<Response>} handler
   * @param {import('./guard.js').Options<Request>} [options]
   */
  guard(permissions, handler, options = {}) {
    return guarded(this, permissions, handler, options);
  }

  /**
   * What is said of one use of what was presented: the same as of a request. Fails with `Unreachable` if nothing can be said, and
   * with a `TypeError` if what is asked is not understood.
   *
   * @param {string} credential
   * @param {Asked} [asked] what is left out is not asked, and was not shown
   * @returns {Promise<Checked>}
   */
  async check(credential, asked = {}) {
    const use = useOf(asked);
    if (!use.objects.every(isObjectName)) return { refusal: 'invalid_object' };
    return this.#verdict(credential, use);
  }

  /** @param {string} credential @param {Use} use @returns {Promise<Checked>} */
  async #verdict(credential, use) {
    if (this.#closing) throw new Unreachable();
    // Three parts, the first of which is a JSON object.
    if (credential.startsWith('eyJ') && credential.includes('.')) return this.#checkToken(credential, use);
    return isWellFormed(credential) ? this.#checkOpaque(credential, use) : { refusal: 'malformed' };
  }

  /**
   * However many waits there are in it: nobody waits for longer than they chose.
   *
   * @template T
   * @param {(isOver: () => boolean) => Promise<T>} work
   * @returns {Promise<T>}
   */
  async #patiently(work) {
    let isOver = false;
    /** @type {NodeJS.Timeout | undefined} */
    let timer;
    const late = new Promise((/** @type {(value: never) => void} */ _, reject) => {
      timer = setTimeout(() => {
        isOver = true;
        reject(new Unreachable());
      }, this.#settings.patienceSeconds * 1000);
    });
    try {
      return await Promise.race([work(() => isOver), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** @param {string} token @param {Use} use @returns {Promise<Checked>} */
  async #checkToken(token, use) {
    const { endedHeard, keysHeard } = this.#following;
    const isHeard = endedHeard.within(this.#settings.tokensWithoutFeedSeconds * 1000) && keysHeard.within(KEYS_COUNT_FOR);
    if (!isHeard) throw new Unreachable();
    const hash = sha256(token);
    const known = this.#tokens.get(hash);
    let found = known?.keys === this.#following.keys ? known.found : undefined;
    if (!found) {
      const { read, keys } = await this.#patiently(() => this.#prove(token));
      if (typeof read === 'string') return { refusal: refusalOf(read) };
      this.#tokens.set(hash, { found: read, keys });
      found = read;
    }
    return this.#decided(found, this.#following.ended, showsOf(hash, use), token, use);
  }

  /** A token of a key that is not known may be of one that is new. @param {string} token */
  async #prove(token) {
    const attempt = async () => {
      const { keys } = this.#following;
      return { keys, read: await readToken(token, keys, this.#settings.issuer, this.#clock.now()) };
    };
    const first = await attempt();
    if (first.read !== 'unknown_key') return first;
    try {
      await this.#following.readKeys(KEYS_PAUSE);
    } catch {
      // It may be of a key that cannot be read.
      throw new Unreachable();
    }
    return attempt();
  }

  /** @param {string} credential @param {Use} use @returns {Promise<Checked>} */
  async #checkOpaque(credential, use) {
    // Without the address that a proof is for nobody can say that it holds, the instance included.
    if (use.dpop !== null && this.#urlOf(use) === undefined) return { refusal: 'proof_invalid' };
    const hash = sha256(credential);
    const shows = showsOf(hash, use);
    if (shows.certificate === 'invalid') return { refusal: 'proof_invalid' };
    const before = this.#provedBefore(shows, use);
    // What the instance tested is not tested here, the network among it.
    if (before?.isAsked && before.clientIp === use.clientIp) return answered(before, use);
    const isHeard = this.#following.areChangesHeard(this.#settings.keysWithoutFeedSeconds * 1000);
    const lookUp = () => (isHeard ? this.#opaque.known(hash, monotonic()) : 'asked');
    const known = lookUp();
    const conclude = (/** @type {{ found: Found } | import('./refusal.js').Refusal} */ known, isOver = () => false) =>
      typeof known === 'string' ? { refusal: known } : this.#decided(known.found, NOTHING_ENDED, shows, credential, use, isOver);
    if (known !== undefined && known !== 'asked') return conclude(known);
    return this.#patiently(async (isOver) => {
      // Of many who present the same at once, one asks.
      const facts = known ?? (await this.#turns.take(hash, async () => lookUp() ?? this.#askState(hash, credential, isOver)));
      return facts === 'asked' ? this.#ask(shows, credential, use, isOver) : conclude(facts, isOver);
    });
  }

  /**
   * @param {Found} found
   * @param {{ hasEnded(found: Found): boolean }} ended
   * @param {Shows} shows
   * @param {string} credential
   * @param {Use} use
   * @param {() => boolean} [isOver]
   * @returns {Promise<Checked>}
   */
  async #decided(found, ended, shows, credential, use, isOver = () => false) {
    const before = this.#provedBefore(shows, use);
    // Of what the instance said is not known here what proved it.
    const known = before?.isAsked ? undefined : before;
    const fresh = known || use.dpop === null ? undefined : await this.#proof(use.dpop, credential, use);
    // Who was answered already neither is counted nor spends a proof.
    if (isOver()) throw new Unreachable();
    const key = known ? known.key : keyOf(fresh);
    const { audience } = this.#settings;
    const { environment, permissions, objects, whateverObject, clientIp } = use;
    const now = this.#clock.now();
    const asked = { audience, environment, permissions, objects, whateverObject, clientIp, key, certificate: shows.certificate };
    const verdict = judge(found, ended, asked, now);
    // Only what matters is remembered: nobody else's proofs take its place.
    const isRepeated = verdict === 'valid' && fresh && fresh !== 'invalid' && !this.#replays.isFirst(fresh, now);
    const code = isRepeated ? 'proof_invalid' : verdict;
    // What a guard before this one let through was counted there.
    if (!before) this.#usage.count(found, code, permissions, clientIp, now);
    if (code !== 'valid') return { refusal: code };
    // It counts from when it was proved first.
    return { proved: { ...this.#proved(shows, use, found, key, false), ...(before && { at: before.at }) } };
  }

  /**
   * What a guard of the same instance proved of the same request just now, if the request shows the same.
   *
   * @param {Shows} shows
   * @param {Use} use
   */
  #provedBefore(shows, { proved }) {
    const isSame = proved?.claviger === this && monotonic() - proved.at < PROVED_FOR && isDeepStrictEqual(proved.shows, shows);
    return isSame ? proved : undefined;
  }

  /**
   * @param {Shows} shows
   * @param {Use} use
   * @param {Found} found
   * @param {Shown} key
   * @param {boolean} isAsked
   * @returns {Proved}
   */
  #proved(shows, { clientIp }, found, key, isAsked) {
    return { claviger: this, shows, at: monotonic(), clientIp, found, key, isAsked };
  }

  /** The proof of possession that came along. @param {string} dpop @param {string} credential @param {Use} use */
  async #proof(dpop, credential, use) {
    const url = this.#urlOf(use);
    if (url === undefined) return 'invalid';
    return (await checkProof(dpop, { method: use.method, url, credential, now: this.#clock.now() })) ?? 'invalid';
  }

  /** The address of a request as its client knows it. @param {Use} use */
  #urlOf({ path }) {
    const { origin } = this.#settings;
    return origin !== undefined && path.startsWith('/') ? origin + path : undefined;
  }

  /**
   * What is known of a credential as such, which spends nothing and is kept for all its uses.
   *
   * @param {string} hash
   * @param {string} credential
   * @param {() => boolean} isOver
   */
  async #askState(hash, credential, isOver) {
    return this.#questions.take(async () => {
      const first = await this.#askStateOnce(hash, credential, isOver);
      // Once: what is asked after the change was heard is no older than it, but for nodes that are behind for a moment.
      const told = first.isOvertaken ? await this.#askStateOnce(hash, credential, isOver) : first;
      return told.known;
    });
  }

  /**
   * @param {string} hash
   * @param {string} credential
   * @param {() => boolean} isOver
   * @returns {Promise<{ known: { found: Found } | import('./refusal.js').Refusal | 'asked', isOvertaken: boolean }>} and whether a
   *   change was heard of while the answer was on its way
   */
  async #askStateOnce(hash, credential, isOver) {
    // Nobody waits for it any more.
    if (isOver()) throw new Unreachable();
    const [{ beginning, position: told }, askedAt] = [this.#opaque.names.place(), monotonic()];
    const { answer, position: header } = await this.#verify({ credential, state_only: true });
    const { code, found, maxAge } = answer;
    if (code !== 'valid') {
      this.#opaque.keepRefusal(hash, code, askedAt);
      return { known: code, isOvertaken: false };
    }
    if (!found) throw new Unreachable();
    if (maxAge === undefined) {
      this.#opaque.keepAsked(hash, askedAt);
      return { known: 'asked', isOvertaken: false };
    }
    const position = positionOf(told, header);
    const entry = position === undefined ? undefined : { found, beginning, position };
    const isKept = entry !== undefined && this.#opaque.keep(hash, entry, maxAge, askedAt);
    // Else those who wait would ask one after the other.
    if (!isKept) this.#opaque.keepAsked(hash, monotonic(), NOT_KEPT_FOR);
    return { known: { found }, isOvertaken: entry !== undefined && !this.#opaque.holds(entry) };
  }

  /**
   * The verdict of the instance on one use, which it counts.
   *
   * @param {Shows} shows
   * @param {string} credential
   * @param {Use} use
   * @param {() => boolean} isOver
   * @returns {Promise<Checked>}
   */
  async #ask(shows, credential, use, isOver) {
    return this.#questions.take(async () => {
      if (isOver()) throw new Unreachable();
      const askedAt = monotonic();
      const { code, found, retryAfter } = (await this.#verify(this.#question(credential, use))).answer;
      if (code !== 'valid') {
        if (isAboutState(code)) this.#opaque.keepRefusal(shows.credential, code, askedAt);
        return { refusal: code, retryAfter };
      }
      if (!found) throw new Unreachable();
      return answered(this.#proved(shows, use, found, null, true), use);
    });
  }

  /** @param {Record<string, unknown>} question */
  async #verify(question) {
    try {
      const told = await this.#remote.verify(question);
      this.#clock.wasTold(told.date);
      return told;
    } catch {
      throw new Unreachable();
    }
  }

  /** @param {string} credential @param {Use} use */
  #question(credential, use) {
    const { environment, permissions, objects, clientIp, method, path, dpop, certificate } = use;
    /** @type {Record<string, unknown>} */
    const question = { credential, audience: this.#settings.audience, method, path, permissions };
    if (environment !== null) question['environment'] = environment;
    if (objects.length > 0) question['object'] = objects;
    if (clientIp !== null) question['client_ip'] = clientIp;
    if (dpop !== null || certificate !== null) {
      const proof = dpop === null ? {} : { dpop, url: this.#urlOf(use) };
      question['proof'] = certificate === null ? proof : { ...proof, client_certificate: pem(certificate) };
    }
    return question;
  }
}

/**
 * The answer may be about less than is asked here: environment, permissions and objects are held against it.
 *
 * @param {Proved} proved
 * @param {Use} use
 * @returns {Checked}
 */
function answered(proved, use) {
  const code = judgeRights(proved.found, use);
  return code === 'valid' ? { proved } : { refusal: code };
}

/** @param {undefined | 'invalid' | import('./token/dpop.js').Proof} proof @returns {Shown} */
function keyOf(proof) {
  return proof === undefined || proof === 'invalid' ? (proof ?? null) : { held: proof.thumbprint };
}

/** @param {string} credential its hash @param {Use} use @returns {Shows} */
function showsOf(credential, { method, dpop, certificate }) {
  return { credential, method, dpop, certificate: certificateOf(certificate) };
}

/** @param {Uint8Array | null} der @returns {Shown} */
function certificateOf(der) {
  if (der === null) return null;
  try {
    return { held: sha256(new X509Certificate(der).raw) };
  } catch {
    return 'invalid';
  }
}

/** @param {Uint8Array} der */
function pem(der) {
  return `-----BEGIN CERTIFICATE-----\n${Buffer.from(der).toString('base64')}\n-----END CERTIFICATE-----\n`;
}
