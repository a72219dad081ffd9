// What ended lately: the signed feed for those who prove JWTs by themselves (`/oauth/revocations`).

import { isCount, isTime } from './claims.js';
import { isAccessTokenId, isCredentialId } from './id.js';
import { hasOnly, isObject } from './json.js';
import { CLOCKS_DIFFER } from './judge.js';
import { proved, readJws } from './jws.js';

/** @typedef {{ credentials: [string, number][], tokens: string[] }} Document */

/** The longest feed that is read: half a million names and more. */
const LONGEST = 64 << 20;

/**
 * For how long something counts that documents do not name any more, in milliseconds: longer than any token that it could end. A
 * document may be that of a node which knows less, or is late.
 */
const REMEMBERED = 65 * 60_000;
/** How often that is looked at. */
const LOOKED_AT_EVERY = 60_000;

/**
 * Reads a document, if the instance signed it and it counts now.
 *
 * @param {string} text
 * @param {import('./key.js').Keys} keys
 * @param {string} issuer
 * @param {number} now
 * @returns {Promise<Document | import('./judge.js').NotProved>}
 */
export async function readEnded(text, keys, issuer, now) {
  const jws = readJws(text, 'revocations+jwt', LONGEST);
  if (!jws) return 'malformed';
  const key = jws.kid === undefined ? undefined : keys.get(jws.kid);
  if (!key) return 'unknown_key';
  const claims = await proved(jws, key, true);
  if (!claims || claims['iss'] !== issuer || !isTime(claims['iat']) || !isTime(claims['exp'])) return 'forged';
  const second = Math.floor(now / 1000);
  if (claims['exp'] <= second || claims['iat'] > second + CLOCKS_DIFFER) return 'forged';
  return readRevocations(claims['revocations']) ?? 'forged';
}

/** @param {unknown} value @returns {Document | undefined} */
function readRevocations(value) {
  if (!isObject(value) || !hasOnly(value, ['credentials', 'tokens'])) return undefined;
  const { credentials, tokens } = value;
  if (!Array.isArray(credentials) || !Array.isArray(tokens) || !tokens.every(isAccessTokenId)) return undefined;
  /** @type {[string, number][]} */
  const read = [];
  for (const entry of credentials) {
    const isEntry = isObject(entry) && hasOnly(entry, ['cred', 'min_epoch']);
    if (!isEntry || !isCredentialId(entry['cred']) || !isCount(entry['min_epoch'])) return undefined;
    read.push([entry['cred'], entry['min_epoch']]);
  }
  return { credentials: read, tokens };
}

/** What ended lately, as the instance said in whatever document. */
export class Ended {
  /** @type {Map<string, { said: number, at: number }>} */
  #minEpochs = new Map();
  /** @type {Map<string, number>} */
  #tokens = new Map();
  #lookedAt = Number.NEGATIVE_INFINITY;

  /**
   * Adds what a document says. What none names for longer than any token lives is forgotten.
   *
   * @param {Document} document
   * @param {number} now
   */
  take({ credentials, tokens }, now) {
    for (const [credential, said] of credentials) {
      const known = this.#minEpochs.get(credential);
      if (known) {
        known.said = Math.max(known.said, said);
        known.at = now;
      } else {
        this.#minEpochs.set(credential, { said, at: now });
      }
    }
    for (const token of tokens) this.#tokens.set(token, now);
    if (now - this.#lookedAt < LOOKED_AT_EVERY) return;
    this.#lookedAt = now;
    for (const [credential, { at }] of this.#minEpochs) if (at <= now - REMEMBERED) this.#minEpochs.delete(credential);
    for (const [token, at] of this.#tokens) if (at <= now - REMEMBERED) this.#tokens.delete(token);
  }

  /** Whether this token is dead. @param {import('./found.js').Found} found */
  hasEnded({ credential, token }) {
    return credential.epoch < (this.#minEpochs.get(credential.id)?.said ?? 0) || (token !== null && this.#tokens.has(token));
  }
}
