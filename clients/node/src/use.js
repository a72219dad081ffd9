// What is asked of one use of a credential, as a service says it. What a service misspells must not be passed over: nobody would
// notice what is not asked.

import { permissionsOf } from './guard.js';
import { addressOf } from './token/network.js';

/**
 * What a service may say. What is left out is not asked, and was not shown.
 *
 * @typedef {object} Asked
 * @property {string | readonly string[]} [permissions] of which all are wanted
 * @property {readonly string[]} [objects] what it is about, of which all must be allowed. Without, a credential that is for some
 *   objects only is refused
 * @property {boolean} [whateverObject] lets one through that is for some objects only: ask `isFor`
 * @property {string | null} [clientIp] where it comes from. Without, or if it is no address, a credential that is for some
 *   networks only is refused
 * @property {string} [method] of the request, as a proof of possession names it
 * @property {string} [path] likewise
 * @property {string | null} [dpop] a proof of possession
 * @property {Uint8Array | null} [certificate] the certificate of the client as DER
 * @property {boolean} [testToo] lets credentials of the test environment through as well
 * @property {import('./claviger.js').Proved | undefined} [proved] what a guard before this one proved of the same request
 */

/** @typedef {ReturnType<typeof useOf>} Use */

const KNOWN = 'permissions objects whateverObject clientIp method path dpop certificate testToo proved'.split(' ');

/**
 * The same, complete. Whether its objects can be named is still to be asked: they are the client's to say.
 *
 * @param {Asked} asked
 */
export function useOf(asked) {
  const wrong = Object.keys(asked).find((name) => !KNOWN.includes(name));
  if (wrong !== undefined) throw new TypeError(`nobody can ask for ${JSON.stringify(wrong)}; there are ${KNOWN.join(', ')}`);
  if ('permissions' in asked && (asked.permissions ?? null) === null)
    throw new TypeError('permissions are no list: of none, an empty one is wanted');
  const { objects = [], whateverObject = false, testToo = false, clientIp, method, path, dpop, certificate, proved } = asked;
  if (!Array.isArray(objects)) throw new TypeError('objects are no list');
  if (typeof whateverObject !== 'boolean' || typeof testToo !== 'boolean')
    throw new TypeError('whateverObject and testToo are true or false');
  return {
    ...{ permissions: permissionsOf(asked.permissions ?? []), objects: /** @type {readonly string[]} */ ([...objects]) },
    ...{ whateverObject, environment: testToo ? null : /** @type {const} */ ('live'), clientIp: addressOf(clientIp)?.toString() ?? null, method: method ?? '', path: path ?? '' },
    ...{ dpop: dpop ?? null, certificate: certificate ?? null, proved },
  };
}
