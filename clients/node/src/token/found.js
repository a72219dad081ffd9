// The facts about a credential that a verdict depends on, whether a JWT or an answer of the verify call told them.

/**
 * What must be proved with a credential, by thumbprints: of a DPoP key, and of a client certificate.
 *
 * @typedef {{ key: string | null, certificate: string | null }} Confirmation
 */

/**
 * What a caller showed, beside the credential: nothing (`null`), what does not hold (`invalid`), or proof to hold what has a
 * thumbprint.
 *
 * @typedef {null | 'invalid' | { held: string }} Shown
 */

/**
 * @typedef {object} Found
 * @property {object} credential
 * @property {string} credential.id of an access token, of that which it was made from
 * @property {string} credential.kind `api_key`, `personal_access_token` or `access_token`
 * @property {string} credential.name
 * @property {string | null} credential.generation which of its secrets was presented; of a JWT none
 * @property {'live' | 'test'} credential.environment
 * @property {string[] | null} credential.objects the only ones that it is for; `null` is no limit
 * @property {import('./network.js').Network[] | null} credential.networks the only ones that it is for; `null` is no limit
 * @property {number | null} credential.expiresAt the first instant at which it no longer counts, in milliseconds since 1970
 * @property {Confirmation | null} credential.confirmation
 * @property {number} credential.epoch
 * @property {unknown} credential.metadata the owner's JSON object; of a JWT it is empty
 * @property {string | null} token the id of a JWT
 * @property {{ id: string, name: string, externalId: string | null }} principal
 * @property {{ id: string, slug: string, externalId: string | null }} organization
 * @property {Set<string>} permissions what it may do now
 * @property {string[]} audiences
 */

export {};
