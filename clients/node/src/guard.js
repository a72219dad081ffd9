// What stands before a service: finds the credential of a request, and says how a request is refused (RFC 6750, RFC 9457). The
// room must not know which framework asks.

import { STATUS_CODES } from 'node:http';

import { REFUSALS } from './refusal.js';
import { isPermission } from './token/permission.js';

/** @typedef {import('./refusal.js').Refusal} Refusal */
/**
 * @typedef {{ status: number, headers: Record<string, string>, body: { status: number, code: string, title: string, detail:
 *   string } }} Refused
 */
/** All values of a header. @typedef {(name: string) => readonly string[]} Headers */
/** @typedef {{ credential: string, dpop: string | null }} Presented */

/**
 * @template T
 * @typedef {T | Promise<T>} Told
 */
/**
 * What a request is asked for beside permissions, each by a function of the request.
 *
 * @template R
 * @typedef {object} Options
 * @property {(request: R) => Told<readonly string[]>} [objects] which objects it is about. Without, a credential that is for some
 *   objects only is refused
 * @property {boolean} [whateverObject] lets a credential through that is for some objects only: the handler asks `isFor`. One that
 *   the instance must be asked about each time, because it is limited or bound, is refused
 * @property {(request: R) => Told<string | undefined | null>} [clientIp] where it comes from. Without, a credential that is for some
 *   networks only is refused
 * @property {(request: R) => Told<string>} [path] the path by which clients reach it, as a proof of possession names it. Without, that
 *   which the request has
 * @property {(request: R) => Told<Uint8Array | undefined | null>} [certificate] the certificate of the client as DER, from your TLS.
 *   Without, a credential that is bound to one is refused
 * @property {boolean} [testToo] lets credentials of the test environment through as well: the handler asks `isTest`
 */

const FUNCTIONS = ['objects', 'clientIp', 'path', 'certificate'];
const SWITCHES = ['whateverObject', 'testToo'];
/** The longest credential that is looked at. */
const LONGEST = 8 * 1024;

/** A request that is refused without asking about its credential. */
export class NotAdmitted extends Error {
  /**
   * @param {'unauthenticated' | 'ambiguous_credentials' | 'unavailable' | Refusal} code
   */
  constructor(code, /** @type {number | undefined} */ retryAfter = undefined) {
    super(code);
    this.code = code;
    this.retryAfter = retryAfter;
  }
}

/** @type {Record<string, readonly [number, string]>} */
const OTHERS = {
  unauthenticated: [401, 'This needs a credential: Authorization: Bearer …'],
  ambiguous_credentials: [400, 'Present one credential, in one header.'],
  unavailable: [503, 'The credential cannot be verified right now; try again.'],
};

/**
 * The permissions that somebody must have.
 *
 * @param {string | readonly string[]} wanted
 */
export function permissionsOf(wanted) {
  const permissions = typeof wanted === 'string' ? [wanted] : [...wanted];
  for (const permission of permissions) {
    if (!isPermission(permission))
      throw new TypeError(`${JSON.stringify(permission)} is no permission: one is written like invoices:read`);
  }
  return permissions;
}

/** @param {object} options */
export function checkOptions(options) {
  const known = [...FUNCTIONS, ...SWITCHES];
  for (const [name, value] of Object.entries(options)) {
    if (!known.includes(name)) throw new TypeError(`there is no option ${JSON.stringify(name)}; there are ${known.join(', ')}`);
    const wanted = SWITCHES.includes(name) ? 'boolean' : 'function';
    if (value !== undefined && typeof value !== wanted) throw new TypeError(`the option ${name} is no ${wanted}`);
  }
}

/**
 * The credential of a request. Two of them, or two proofs, are nobody's.
 *
 * @param {Headers} headers
 * @returns {Presented}
 */
export function presented(headers) {
  const [authorization, key, dpop] = [one(headers, 'authorization'), one(headers, 'x-api-key')?.trim(), one(headers, 'dpop')];
  const [, scheme, shown] = authorization?.trim().match(/^(bearer|dpop) (.*)$/is) ?? [];
  const authorized = shown?.trim();
  if (authorized !== undefined && key !== undefined && authorized !== key) throw new NotAdmitted('ambiguous_credentials');
  const credential = authorized ?? key;
  if (credential === undefined) throw new NotAdmitted('unauthenticated');
  if (credential.length > LONGEST || !/^[!-~]+$/.test(credential)) throw new NotAdmitted('malformed');
  // RFC 9449, section 7.2: what is bound must not be taken as if it were not.
  if (scheme?.toLowerCase() === 'bearer' && dpop !== undefined) throw new NotAdmitted('proof_invalid');
  if (scheme?.toLowerCase() === 'dpop' && dpop === undefined) throw new NotAdmitted('proof_required');
  return { credential, dpop: dpop ?? null };
}

/** @param {Headers} headers @param {string} name */
function one(headers, name) {
  const values = headers(name);
  if (values.length > 1 || values.some((value) => !/^[\t -~]*$/.test(value))) throw new NotAdmitted('ambiguous_credentials');
  return values[0];
}

/**
 * How a request is refused.
 *
 * @param {NotAdmitted} refused
 * @param {string} issuer
 * @param {readonly string[]} permissions
 * @returns {Refused}
 */
export function answerOf(refused, issuer, permissions) {
  // A malformed text looks like an unknown one.
  const code = refused.code === 'malformed' ? 'unknown' : refused.code;
  const [status, detail] = OTHERS[code] ?? REFUSALS[/** @type {Refusal} */ (code)];
  /** @type {Record<string, string>} */
  const headers = { 'x-claviger-code': code, 'cache-control': 'no-store', 'content-type': 'application/problem+json' };
  const retryAfter = code === 'unavailable' ? 1 : refused.retryAfter;
  if (retryAfter !== undefined) headers['retry-after'] = String(retryAfter);
  const challenge = `Bearer realm="${issuer}"`;
  if (code === 'unauthenticated') headers['www-authenticate'] = challenge;
  else if (status === 401) headers['www-authenticate'] = `${challenge}, error="invalid_token"`;
  else if (status === 403)
    headers['www-authenticate'] = `${challenge}, error="insufficient_scope", scope="${permissions.join(' ')}"`;
  return { status, headers, body: { status, code, title: STATUS_CODES[status] ?? 'Error', detail } };
}
