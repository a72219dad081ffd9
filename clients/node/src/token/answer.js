// An answer of the verify call, and the facts that it holds for whoever decides alone.

import { isRefusal } from '../refusal.js';
import { isCount } from './claims.js';
import { isCredentialId, isOrganizationId, isPrincipalId } from './id.js';
import { hasOnly, isObject, isTexts } from './json.js';
import { readNetworks } from './network.js';
import { isObjectSet } from './object.js';
import { isPermission } from './permission.js';

/** @typedef {import('./found.js').Found} Found */

/**
 * The verdict on what was asked; the credential, if it is valid; for how many seconds it may be decided from these facts alone,
 * if it may; and when to try again, if a limit refused.
 *
 * @typedef {{ code: import('../refusal.js').Code, found: Found | undefined, maxAge: number | undefined, retryAfter: number |
 *   undefined }} Answer
 */

const KINDS = ['api_key', 'personal_access_token', 'access_token'];
const GENERATIONS = ['current', 'retiring', 'retired'];

/**
 * Reads the body of an answer with status 200, if it is one.
 *
 * @param {unknown} body
 * @returns {Answer | undefined}
 */
export function readAnswer(body) {
  if (!isObject(body)) return undefined;
  const { code, retry_after_seconds: retry, objects } = body;
  const retryAfter = isCount(retry) ? retry : undefined;
  // What is there must be understood: it may be all that is allowed.
  if (objects !== undefined && objects !== null && !isObjectSet(objects)) return undefined;
  if (code !== 'valid') return isRefusal(code) ? { code, found: undefined, maxAge: undefined, retryAfter } : undefined;
  // Without a word nobody knows whether it is for all of them.
  if (objects === undefined) return undefined;
  const cache = readCache(body['cache']);
  const found = readFound(body, objects, cache);
  return found && { code, found, maxAge: cache?.maxAge, retryAfter };
}

/**
 * What is not understood here may be a condition, so that such an answer is not decided from.
 *
 * @param {unknown} cache
 */
function readCache(cache) {
  if (!isObject(cache) || !hasOnly(cache, ['max_age_seconds', 'audiences', 'networks', 'epoch'])) return undefined;
  const { max_age_seconds: maxAge, audiences, epoch } = cache;
  const networks = cache['networks'] === null ? null : readNetworks(cache['networks']);
  if (!isCount(maxAge) || !isTexts(audiences) || networks === undefined || !isCount(epoch)) return undefined;
  return { maxAge, audiences, networks, epoch };
}

/**
 * @param {Record<string, unknown>} body
 * @param {string[] | null} objects
 * @param {ReturnType<typeof readCache>} cache
 * @returns {Found | undefined}
 */
function readFound(body, objects, cache) {
  const { credential, principal, organization, permissions, metadata } = body;
  if (!isObject(credential) || !isObject(principal) || !isObject(organization) || (metadata ?? undefined) === undefined)
    return undefined;
  const { id, kind, name, environment, generation = null } = credential;
  const expiresAt = credential['expires_at'] === null ? null : instantOf(credential['expires_at']);
  if (!isCredentialId(id) || typeof kind !== 'string' || !KINDS.includes(kind) || typeof name !== 'string') return undefined;
  if (!isTextOrNull(generation) || (generation !== null && !GENERATIONS.includes(generation))) return undefined;
  if ((environment !== 'live' && environment !== 'test') || expiresAt === undefined) return undefined;
  if (!Array.isArray(permissions) || !permissions.every(isPermission)) return undefined;
  const [externalId, organizationExternalId] = [principal['external_id'] ?? null, organization['external_id'] ?? null];
  if (!isPrincipalId(principal['id']) || typeof principal['name'] !== 'string' || !isTextOrNull(externalId)) return undefined;
  if (!isOrganizationId(organization['id']) || typeof organization['slug'] !== 'string') return undefined;
  if (!isTextOrNull(organizationExternalId)) return undefined;
  return {
    credential: {
      ...{ id, kind, name, generation, environment, objects, expiresAt, metadata },
      networks: cache?.networks ?? null,
      confirmation: null,
      epoch: cache?.epoch ?? 0,
    },
    token: null,
    principal: { id: principal['id'], name: principal['name'], externalId },
    organization: { id: organization['id'], slug: organization['slug'], externalId: organizationExternalId },
    permissions: new Set(permissions),
    audiences: cache?.audiences ?? [],
  };
}

/** @param {unknown} value @returns {value is string | null} */
function isTextOrNull(value) {
  return value === null || typeof value === 'string';
}

/** The milliseconds since 1970 of a time as RFC 3339 writes it. @param {unknown} text */
function instantOf(text) {
  if (typeof text !== 'string' || !/^\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/.test(text))
    return undefined;
  const instant = Date.parse(text);
  return Number.isNaN(instant) ? undefined : instant;
}
