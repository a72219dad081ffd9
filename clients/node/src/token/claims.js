// What an access token says when it is a JWT: the claims of RFC 9068, and Claviger's.
//
// The list is closed. A claim that is not known here may be a restriction that a later version makes, and whoever passed over it
// would allow what the token does not: so it is refused. Signature and time are not this room's to judge.

import { isAccessTokenId, isCredentialId, isOrganizationId, isPrincipalId, isServiceAccountId } from './id.js';
import { hasOnly, isObject, isTexts } from './json.js';
import { readNetworks } from './network.js';
import { isObjectSet } from './object.js';
import { readScope } from './permission.js';
import { isThumbprint } from './text.js';

/** @typedef {import('./found.js').Found} Found */
/** @typedef {import('./found.js').Confirmation} Confirmation */
/** @typedef {{ iss: string, iat: number, exp: number, found: Found }} Claims */

const KNOWN = [
  ...['iss', 'sub', 'aud', 'exp', 'iat', 'jti', 'client_id', 'scope', 'org', 'cred', 'epoch', 'env'],
  ...['objects', 'networks', 'cnf', 'authorization_details', 'status', 'act'],
];
const MOST_ACTORS = 8;
const MOST_OBJECTS_OF_DETAILS = 100;
/** The end of the year 9999. */
const LAST = 253_402_207_200;

/**
 * @param {Record<string, unknown>} claims
 * @returns {Claims | undefined}
 */
export function readClaims(claims) {
  if (!hasOnly(claims, KNOWN)) return undefined;
  const { iss, sub, jti, org, cred, epoch, env, objects, cnf } = claims;
  const audiences = typeof claims['aud'] === 'string' ? [claims['aud']] : claims['aud'];
  const given = (/** @type {string} */ name) => name in claims;
  const permissions = given('scope') ? readScope(claims['scope']) : new Set();
  const networks = given('networks') ? readNetworks(claims['networks']) : null;
  const confirmation = given('cnf') ? readConfirmation(cnf) : null;
  const [exp, iat] = [claims['exp'], claims['iat']];
  if (typeof iss !== 'string' || !isPrincipalId(sub) || !isAccessTokenId(jti) || !isServiceAccountId(claims['client_id']))
    return undefined;
  if (!isOrganizationId(org) || !isCredentialId(cred) || (env !== 'live' && env !== 'test')) return undefined;
  if (!isTexts(audiences) || audiences.length === 0 || !isTime(exp) || !isTime(iat) || !isCount(epoch)) return undefined;
  if (permissions === undefined || networks === undefined || confirmation === undefined) return undefined;
  if (given('objects') && !isObjectSet(objects)) return undefined;
  if (given('authorization_details') && !areDetails(claims['authorization_details'])) return undefined;
  if ((given('status') && !isStatus(claims['status'])) || (given('act') && !isActor(claims['act'], 1))) return undefined;
  return {
    iss,
    iat,
    exp,
    found: {
      credential: {
        id: cred,
        kind: 'access_token',
        name: '',
        generation: null,
        environment: env,
        objects: isObjectSet(objects) ? objects : null,
        networks,
        expiresAt: exp * 1000,
        confirmation,
        epoch,
        metadata: {},
      },
      token: jti,
      principal: { id: sub, name: '', externalId: null },
      organization: { id: org, slug: '', externalId: null },
      permissions,
      audiences,
    },
  };
}

/** @param {unknown} value @returns {value is number} */
export function isTime(value) {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= LAST;
}

/** @param {unknown} value @returns {value is number} */
export function isCount(value) {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

/**
 * A `cnf` claim (RFC 7800), if it names something that must be proved, and nothing that is not understood.
 *
 * @param {unknown} value
 * @returns {Confirmation | undefined}
 */
function readConfirmation(value) {
  if (!isObject(value) || !hasOnly(value, ['jkt', 'x5t#S256'])) return undefined;
  const members = Object.values(value);
  if (members.length === 0 || !members.every(isThumbprint)) return undefined;
  const { jkt = null, 'x5t#S256': certificate = null } = /** @type {Record<string, string>} */ (value);
  return { key: jkt, certificate };
}

/** RFC 9396. @param {unknown} value */
function areDetails(value) {
  if (!Array.isArray(value)) return false;
  const objects = value.map((detail) => {
    const isDetail = isObject(detail) && hasOnly(detail, ['type', 'objects']) && detail['type'] === 'objects';
    return isDetail && isObjectSet(detail['objects']) ? detail['objects'].length : Number.NaN;
  });
  const sum = objects.reduce((one, other) => one + other, 0);
  return sum >= 1 && sum <= MOST_OBJECTS_OF_DETAILS;
}

/** A place in a status list. @param {unknown} value */
function isStatus(value) {
  if (!isObject(value) || !hasOnly(value, ['status_list'])) return false;
  const list = value['status_list'];
  return isObject(list) && hasOnly(list, ['idx', 'uri']) && isCount(list['idx']) && typeof list['uri'] === 'string';
}

/** RFC 8693, section 4.1. @param {unknown} value @param {number} depth @returns {boolean} */
function isActor(value, depth) {
  if (!isObject(value) || !hasOnly(value, ['sub', 'act']) || !isPrincipalId(value['sub'])) return false;
  return !('act' in value) || (depth < MOST_ACTORS && isActor(value['act'], depth + 1));
}
