// Bytes as text: base64url in its one canonical form, and hashes of texts.

import { createHash } from 'node:crypto';

/**
 * The bytes of base64url without padding, white space or stray bits at its end (RFC 7515, section 2).
 *
 * @param {unknown} text
 */
export function decoded(text) {
  if (typeof text !== 'string') return undefined;
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : undefined;
}

/**
 * SHA-256 as base64url: what a credential is kept under, and what `ath` is of it (RFC 9449, section 4.2).
 *
 * @param {string | Uint8Array} value
 */
export function sha256(value) {
  return createHash('sha256').update(value).digest('base64url');
}

/**
 * Whether a text is a thumbprint: a SHA-256 as base64url.
 *
 * @param {unknown} text
 * @returns {text is string}
 */
export function isThumbprint(text) {
  return decoded(text)?.length === 32;
}
