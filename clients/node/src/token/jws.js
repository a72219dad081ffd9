// A compact JWS, taken apart and proved (RFC 7515, sections 3.1 and 5.2; RFC 8725). Keys and addresses of keys that stand in a
// header are never used and never asked for; `jwk` is handed out, for DPoP, which proves another thing with it.

import { compactVerify } from 'jose';

import { isObject, readObject } from './json.js';
import { algorithmOf } from './key.js';
import { decoded } from './text.js';

/** @typedef {{ text: string, alg: string, algorithm: import('./key.js').Algorithm, kid: string | undefined,
 *   jwk: Record<string, unknown> | undefined, payload: Buffer }} Jws */

/** The longest text that is looked at, unless somebody wants longer ones. */
const LONGEST = 8 * 1024;
/** The longest header, as base64url: room for an RSA key. */
const LONGEST_HEADER = 2 * 1024;
const LONGEST_KID = 256;

/**
 * Takes it apart and holds its header against what is understood and wanted.
 *
 * @param {string} text
 * @param {string} typ so that a token made for one purpose never serves another (RFC 8725, section 3.11)
 * @param {number} [longest] of a text that may be longer, most of it header
 * @returns {Jws | undefined}
 */
export function readJws(text, typ, longest) {
  if (text.length > (longest ?? LONGEST)) return undefined;
  const [header, payload, signature, ...more] = text.split('.', 4);
  if (!header || payload === undefined || !signature || more.length > 0) return undefined;
  if (header.length > (longest ?? LONGEST_HEADER)) return undefined;
  const [headerBytes, payloadBytes] = [decoded(header), decoded(payload)];
  if (!headerBytes || !payloadBytes || !decoded(signature)) return undefined;
  const members = readObject(headerBytes);
  // An extension would have to be understood.
  if (!members || 'crit' in members || 'b64' in members) return undefined;
  const { alg, kid, jwk } = members;
  const algorithm = algorithmOf(alg);
  const isText = (/** @type {string} */ name) => !(name in members) || typeof members[name] === 'string';
  if (typeof alg !== 'string' || !algorithm || !isText('typ') || !isText('kid')) return undefined;
  if ('jwk' in members && !isObject(jwk)) return undefined;
  // RFC 7515, section 4.1.9: a media type, whose `application/` may be left out, in any case of letters.
  if (
    String(members['typ'])
      .toLowerCase()
      .replace(/^application\//, '') !== typ
  )
    return undefined;
  if (typeof kid === 'string' && Buffer.byteLength(kid) > LONGEST_KID) return undefined;
  const known = typeof kid === 'string' ? kid : undefined;
  return { text, alg, algorithm, kid: known, jwk: isObject(jwk) ? jwk : undefined, payload: payloadBytes };
}

/**
 * What it says, if this key signed it and it is a JSON object that says each thing once.
 *
 * @param {Jws} jws
 * @param {import('./key.js').VerifyingKey} key
 * @param {boolean} [wholeNumbers] as of `readObject`
 * @returns {Promise<Record<string, unknown> | undefined>}
 */
export async function proved(jws, key, wholeNumbers) {
  if (key.algorithm !== jws.algorithm) return undefined;
  try {
    await compactVerify(jws.text, key.key, { algorithms: [jws.alg] });
  } catch {
    return undefined;
  }
  return readObject(jws.payload, wholeNumbers);
}
