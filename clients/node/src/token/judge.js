// The rules, as functions of values: what is known of a JWT by its text and the keys, and the verdict on one use of what is
// known.
//
// Everything here is held to `vectors/` at the repository's root, which the verifiers of all languages share. The room does no
// I/O and reads no clock.

import { readClaims } from './claims.js';
import { proved, readJws } from './jws.js';
import { contain } from './network.js';
import { covers } from './object.js';

/** @typedef {import('./found.js').Found} Found */
/** @typedef {import('./found.js').Shown} Shown */
/** @typedef {import('../refusal.js').Code} Code */

/** @typedef {{ audience: string, environment: 'live' | 'test' | null, permissions: readonly string[], objects: readonly string[],
 *   whateverObject: boolean, clientIp: string | null, key: Shown, certificate: Shown }} Asked */

/**
 * Why a text is no token of the instance: `unknown_key` may be a key that is new.
 *
 * @typedef {'malformed' | 'unknown_key' | 'forged'} NotProved
 */

/** How far the instance's clock may be ahead of ours, in seconds. */
export const CLOCKS_DIFFER = 60;
/** How long a token of the instance lives at most, in seconds. What ended is told for no longer than that. */
const LONGEST_LIFE = 3600;

/**
 * What an access token says (RFC 9068), if a key of the instance signed it. Whether its time is over is the verdict's to say.
 *
 * @param {string} text
 * @param {import('./key.js').Keys} keys
 * @param {string} issuer
 * @param {number} now in milliseconds since 1970, as every time here
 * @returns {Promise<Found | NotProved>}
 */
export async function readToken(text, keys, issuer, now) {
  const jws = readJws(text, 'at+jwt');
  if (!jws) return 'malformed';
  const key = jws.kid === undefined ? undefined : keys.get(jws.kid);
  if (!key) return 'unknown_key';
  const said = await proved(jws, key, true);
  const claims = said && readClaims(said);
  if (!claims || claims.iss !== issuer || claims.exp - claims.iat > LONGEST_LIFE) return 'forged';
  return claims.iat > Math.floor(now / 1000) + CLOCKS_DIFFER ? 'forged' : claims.found;
}

/**
 * What the verify call says of a text that proves nothing.
 *
 * @param {NotProved} reason
 */
export function refusalOf(reason) {
  return reason === 'malformed' ? 'malformed' : 'unknown';
}

/**
 * The verdict on one use. Validity is half open: dead at the instant of expiry.
 *
 * @param {Found} found
 * @param {{ hasEnded(found: Found): boolean }} ended
 * @param {Asked} asked
 * @param {number} now
 * @returns {Code}
 */
export function judge(found, ended, asked, now) {
  const { credential } = found;
  if (ended.hasEnded(found)) return 'revoked';
  if (credential.expiresAt !== null && now >= credential.expiresAt) return 'expired';
  const proof = judgeProof(credential.confirmation, asked.key, asked.certificate);
  if (proof !== 'valid') return proof;
  if (credential.networks && !(asked.clientIp !== null && contain(credential.networks, asked.clientIp)))
    return 'network_not_allowed';
  if (!found.audiences.some((own) => isSameAudience(own, asked.audience))) return 'audience_mismatch';
  return judgeRights(found, asked);
}

/**
 * The last part of it: whether the credential is for the data that is asked about, and may do what is asked, to what it is asked for.
 *
 * @param {Found} found
 * @param {Pick<Asked, 'environment' | 'permissions' | 'objects' | 'whateverObject'>} asked
 * @returns {Code}
 */
export function judgeRights({ permissions, credential: { environment, objects } }, asked) {
  if (asked.environment !== null && asked.environment !== environment) return 'audience_mismatch';
  if (!asked.permissions.every((permission) => permissions.has(permission))) return 'permission_missing';
  if (objects && asked.objects.length === 0 && !asked.whateverObject) return 'object_required';
  if (objects && !asked.objects.every((object) => covers(objects, object))) return 'object_not_allowed';
  return 'valid';
}

/**
 * All that it is bound to must be proved. A proof that does not hold refuses a bearer credential too: whoever sends one must not
 * believe it was checked. A DPoP proof is made for a credential that is bound to its key, so that one that is not was taken for
 * another (RFC 9449, section 7.2). A certificate comes with every request on its connection, and says nothing of the credential.
 *
 * @param {import('./found.js').Confirmation | null} boundTo
 * @param {Shown} key
 * @param {Shown} certificate
 * @returns {Code}
 */
function judgeProof(boundTo, key, certificate) {
  /** @type {[string | null, Shown][]} */
  const members = [
    [boundTo?.key ?? null, key],
    [boundTo?.certificate ?? null, certificate],
  ];
  if (members.some(([own, shown]) => own !== null && shown === null)) return 'proof_required';
  const isWrong = members.some(([own, shown]) => shown === 'invalid' || (own !== null && shown !== null && own !== shown.held));
  const isForAnother = !boundTo?.key && key !== null;
  return isWrong || isForAnother ? 'proof_invalid' : 'valid';
}

/**
 * Whether two texts name one API: they are compared as strings, but an empty path equals `/` (RFC 3986, section 6.2.3).
 *
 * @param {string} one
 * @param {string} other
 */
export function isSameAudience(one, other) {
  return one === other || withoutEmptyPath(one) === withoutEmptyPath(other);
}

/** @param {string} audience */
function withoutEmptyPath(audience) {
  return audience.replace(/^((?:(?!:\/\/).)*:\/\/[^/?#]*)\/(?=$|[?#])/s, '$1');
}
