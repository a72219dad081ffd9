// DPoP proofs (RFC 9449): whether a text proves, for one request and now, that whoever sends it holds a private key. Whether the
// proof came before, and which key a credential is bound to, the room must not know.

import { proved, readJws } from './jws.js';
import { readKey } from './key.js';
import { sha256 } from './text.js';

/** A proof that holds, if it did not come before. @typedef {{ thumbprint: string, jti: string, endsAt: number }} Proof */

/** How far `iat` may lie in the past or, for clocks differ, ahead, in milliseconds: at its end it counts no more. */
const WINDOW = 60_000;
const LONGEST_JTI = 256;
/** The end of the year 9999. */
const LAST = 253_402_300_799;

/**
 * An address as proofs and requests are compared by it (RFC 9449, section 4.3): without query and fragment, and written in the
 * one way of RFC 3986, sections 6.2.2 and 6.2.3.
 *
 * @param {string} text
 */
export function proofUrl(text) {
  // Readers of URLs take other characters away.
  if (!/^[!-~]*$/.test(text) || text.includes('\\') || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  if ((url.protocol !== 'https:' && url.protocol !== 'http:') || url.username || url.password) return undefined;
  const path = withoutNeedlessEscapes(url.pathname);
  return path === undefined ? undefined : url.origin + path;
}

/** What needs no escape has none, and others are in capitals. Nothing, if one is cut short. @param {string} path */
function withoutNeedlessEscapes(path) {
  if (/%(?![0-9a-f]{2})/i.test(path)) return undefined;
  return path.replace(/%[0-9a-f]{2}/gi, (escape) => {
    const character = String.fromCharCode(Number.parseInt(escape.slice(1), 16));
    return /[A-Za-z0-9._~-]/.test(character) ? character : escape.toUpperCase();
  });
}

/**
 * Every test of RFC 9449, section 4.3, but whether it came before and whose key it is.
 *
 * @param {string} text
 * @param {{ method: string, url: string, credential: string, now: number }} expected
 * @returns {Promise<Proof | undefined>}
 */
export async function checkProof(text, expected) {
  const jws = readJws(text, 'dpop+jwt');
  const key = jws?.jwk && (await readKey(jws.jwk));
  const claims = key && (await proved(jws, key));
  if (!claims) return undefined;
  const { jti, htm, htu, ath } = claims;
  const url = proofUrl(expected.url);
  const isId = typeof jti === 'string' && jti !== '' && Buffer.byteLength(jti) <= LONGEST_JTI && jti.isWellFormed();
  const isHere = htm === expected.method && typeof htu === 'string' && url !== undefined && proofUrl(htu) === url;
  if (!isId || !isHere || ath !== sha256(expected.credential)) return undefined;
  if ('nonce' in claims && typeof claims['nonce'] !== 'string') return undefined;
  const endsAt = lastsUntil(claims, expected.now);
  return endsAt === undefined ? undefined : { thumbprint: key.thumbprint, jti, endsAt };
}

/**
 * @param {Record<string, unknown>} claims
 * @param {number} now
 */
function lastsUntil(claims, now) {
  const issued = milliseconds(claims['iat']);
  const begins = 'nbf' in claims ? milliseconds(claims['nbf']) : now;
  const ends = 'exp' in claims ? milliseconds(claims['exp']) : now;
  if (issued === undefined || begins === undefined || ends === undefined) return undefined;
  const isOver = now - issued >= WINDOW || now - ends >= WINDOW;
  const isForLater = issued - now >= WINDOW || begins - now >= WINDOW;
  return isOver || isForLater ? undefined : issued + WINDOW;
}

/** RFC 7519, section 2, `NumericDate`: seconds since 1970, with or without a fraction. @param {unknown} seconds */
function milliseconds(seconds) {
  return typeof seconds === 'number' && seconds >= 0 && seconds <= LAST ? Math.round(seconds * 1000) : undefined;
}
