// Public keys as JWK (RFC 7517), read with suspicion, and sets of them by their ids.

import { calculateJwkThumbprint, importJWK } from 'jose';

import { isObject, readObject } from './json.js';
import { decoded } from './text.js';

/** @typedef {'ES256' | 'EdDSA' | 'RS256'} Algorithm */
/**
 * @typedef {{ algorithm: Algorithm, thumbprint: string, kid: string | undefined, key: import('jose').CryptoKey }} VerifyingKey
 */
/** @typedef {ReadonlyMap<string, VerifyingKey>} Keys */

/** Members of private and of shared keys (RFC 7518, section 6). */
const SECRET = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'];
const COORDINATE = 32;
const LONGEST_KID = 256;

/** Second coordinates of the points of Ed25519 of order 8 (RFC 8032), for which anybody can make signatures. */
const ORDER_8 = [
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
];

/**
 * From `alg` of a header or a key. Ed25519 has two names (RFC 9864, section 2.2).
 *
 * @param {unknown} text
 * @returns {Algorithm | undefined}
 */
export function algorithmOf(text) {
  if (text === 'Ed25519') return 'EdDSA';
  return text === 'ES256' || text === 'EdDSA' || text === 'RS256' ? text : undefined;
}

/**
 * The members that make the key, each in its one canonical form.
 *
 * @param {Record<string, unknown>} jwk
 * @returns {[Algorithm, Record<string, string>] | undefined}
 */
function publicMembers(jwk) {
  const bytes = (/** @type {string} */ member) => decoded(jwk[member]);
  const text = (/** @type {string} */ member) => String(jwk[member]);
  if (jwk['kty'] === 'EC' && jwk['crv'] === 'P-256') {
    const sound = bytes('x')?.length === COORDINATE && bytes('y')?.length === COORDINATE;
    return sound ? ['ES256', { kty: 'EC', crv: 'P-256', x: text('x'), y: text('y') }] : undefined;
  }
  if (jwk['kty'] === 'OKP' && jwk['crv'] === 'Ed25519') {
    const x = bytes('x');
    return x && hasLargeOrder(x) ? ['EdDSA', { kty: 'OKP', crv: 'Ed25519', x: text('x') }] : undefined;
  }
  if (jwk['kty'] === 'RSA') {
    const [n, e] = [bytes('n'), bytes('e')];
    return n && e && isSoundRsa(n, e) ? ['RS256', { kty: 'RSA', n: text('n'), e: text('e') }] : undefined;
  }
  return undefined;
}

/** Whether this can be a key of Ed25519: written canonically, and of no small order. @param {Buffer} key */
function hasLargeOrder(key) {
  if (key.length !== COORDINATE) return false;
  const y = Buffer.from(key);
  // The highest bit is the sign of the first coordinate.
  y[31] = (y[31] ?? 0) & 0x7f;
  if (ORDER_8.includes(y.toString('hex'))) return false;
  const number = BigInt(`0x${Buffer.from(y).reverse().toString('hex')}`);
  // 2²⁵⁵ − 20 is −1, the point of order 2; from 2²⁵⁵ − 19 on, numbers are written in two ways.
  return number > 1n && number < 2n ** 255n - 20n;
}

/** @param {Buffer} n @param {Buffer} e */
function isSoundRsa(n, e) {
  // No leading zeros: one key has one form and one thumbprint (RFC 7518, section 6.3.1.1).
  const [first, last, exponent] = [n[0] ?? 0, n.at(-1) ?? 0, e.at(-1) ?? 0];
  const bits = n.length * 8 - Math.clz32(first) + 24;
  const soundExponent = e.length <= 4 && (e[0] ?? 0) > 0 && exponent % 2 === 1 && !(e.length === 1 && exponent === 1);
  return first > 0 && last % 2 === 1 && bits >= 2048 && bits <= 8192 && soundExponent;
}

/**
 * Reads a JWK. Members that mean nothing here, such as `x5c`, are passed over.
 *
 * @param {unknown} jwk
 * @returns {Promise<VerifyingKey | undefined>}
 */
export async function readKey(jwk) {
  if (!isObject(jwk) || SECRET.some((member) => member in jwk)) return undefined;
  const [algorithm, members] = publicMembers(jwk) ?? [];
  const { use, key_ops, alg, kid } = jwk;
  const fits =
    ('use' in jwk ? use === 'sig' : true) &&
    ('key_ops' in jwk ? Array.isArray(key_ops) && key_ops.includes('verify') : true) &&
    ('alg' in jwk ? algorithmOf(alg) === algorithm : true) &&
    ('kid' in jwk ? typeof kid === 'string' && Buffer.byteLength(kid) <= LONGEST_KID : true);
  if (!algorithm || !members || !fits) return undefined;
  try {
    const key = await importJWK(members, algorithm);
    if (key instanceof Uint8Array) return undefined;
    const thumbprint = await calculateJwkThumbprint(members);
    return { algorithm, thumbprint, kid: typeof kid === 'string' ? kid : undefined, key };
  } catch {
    // No point of its curve.
    return undefined;
  }
}

/**
 * Reads a JWK Set, if it is one. Two keys of one name, and those that are not understood, are left out.
 *
 * @param {Uint8Array} text
 * @returns {Promise<Keys | undefined>}
 */
export async function readKeys(text) {
  const listed = readObject(text)?.['keys'];
  if (!Array.isArray(listed) || !listed.every(isObject)) return undefined;
  /** @type {Map<string, VerifyingKey>} */
  const keys = new Map();
  const twice = new Set();
  for (const key of await Promise.all(listed.map(readKey))) {
    if (key?.kid === undefined) continue;
    if (keys.has(key.kid)) twice.add(key.kid);
    keys.set(key.kid, key);
  }
  for (const kid of twice) keys.delete(kid);
  return keys;
}

/**
 * Whether two sets are the same, by what the keys are and not by their names alone.
 *
 * @param {Keys} some
 * @param {Keys} others
 */
export function areSameKeys(some, others) {
  return some.size === others.size && [...some].every(([kid, key]) => others.get(kid)?.thumbprint === key.thumbprint);
}
