// Why a credential does not count: the codes of the verify call and one of our own, how HTTP tells them, and what people read.

/** @typedef {keyof typeof REFUSALS} Refusal */
/** @typedef {keyof typeof TOLD} Told */
/** @typedef {'valid' | Told} Code */

/**
 * Those of the verify call. By the code: the status, which is 401 where another credential or a proof would help (RFC 6750
 * `invalid_token`), 403 where this one may not (`insufficient_scope`), 429 where it must wait; and a message for people, with the
 * next step.
 *
 * @satisfies {Record<string, readonly [401 | 403 | 429, string]>}
 */
const TOLD = /** @type {const} */ ({
  malformed: [401, 'This is not a credential of this instance; check that it was copied completely.'],
  unknown: [401, 'No such credential; check that it belongs to this instance, or issue a new one.'],
  revoked: [401, 'The credential was revoked or replaced; use its successor or issue a new one.'],
  disabled: [401, 'The credential, its principal or its organization is disabled; ask an admin to enable it.'],
  pending_approval: [401, 'The credential waits for approval; ask an admin of the organization to approve it.'],
  expired: [401, 'The credential has expired; renew it or issue a new one.'],
  not_yet_valid: [401, 'The credential is not valid yet; wait until its start time.'],
  proof_required: [401, 'The credential is bound to a key or a certificate; prove that you hold it.'],
  proof_invalid: [401, 'The proof is not valid for this credential; use the key or the certificate that it is bound to.'],
  network_not_allowed: [403, 'The credential must not be used from this address; use an allowed network.'],
  audience_mismatch: [
    401,
    "The credential is not meant for this API, or not for this environment's data; use one that holds a permission of it there.",
  ],
  permission_missing: [403, 'The credential lacks a permission; ask an admin to grant it.'],
  object_required: [403, 'The credential is limited to objects; name the object in the check.'],
  object_not_allowed: [403, 'The credential is not allowed for this object; use one that covers it.'],
  quota_exceeded: [429, 'The quota is used up; wait for the next period or ask for more.'],
  rate_limited: [429, 'Too many requests; slow down and try again shortly.'],
});

export const REFUSALS = /** @type {const} */ ({
  ...TOLD,
  invalid_object: [
    400,
    'What the request is about cannot be named: an object has no `*`, no `..`, no empty part and no encoded slash.',
  ],
});

const ABOUT_STATE = new Set(['malformed', 'unknown', 'revoked', 'disabled', 'pending_approval', 'expired', 'not_yet_valid']);

/**
 * Whether the verify call says it.
 *
 * @param {unknown} code
 * @returns {code is Told}
 */
export function isRefusal(code) {
  return typeof code === 'string' && Object.hasOwn(TOLD, code);
}

/**
 * Whether it is about the credential as such, and not about this use of it.
 *
 * @param {Refusal} refusal
 */
export function isAboutState(refusal) {
  return ABOUT_STATE.has(refusal);
}
