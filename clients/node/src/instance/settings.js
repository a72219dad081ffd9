// What a service chooses.

import { isIP } from 'node:net';

/**
 * How to verify.
 *
 * @typedef {object} Settings
 * @property {string} issuer the instance's `public_url`: the issuer of its tokens, and where its keys and the feed of what ended
 *   are
 * @property {string} internalAddress where the internal listener is
 * @property {string} audience the identifier of the API that this service is
 * @property {string} [publicAddress] where the public listener is reached, if that is elsewhere
 * @property {string} [internalToken] what the internal listener wants, if it wants something
 * @property {string} [origin] the address under which clients reach this service, as proofs of possession name it
 *   (`https://api.acme.test`). Without, none holds
 * @property {number} [keysWithoutFeedSeconds] for how long API keys and tokens that are not JWTs count as they are known after
 *   the change feed fell silent. After that, and if they are not known, the instance is asked about every request. Default and
 *   least: 1 second, which the promise of two needs
 * @property {number} [tokensWithoutFeedSeconds] for how long JWTs count after the feed of what ended fell silent: by their
 *   signature and what was known last. After that requests with them are answered with 503. Default: 300 seconds; at least 20
 * @property {number} [cacheEntries] how many credentials are kept. Default: 100 000
 * @property {number} [patienceSeconds] how long an answer of the instance may take, and a request waits for it. Default: 2 seconds; 10
 *   at most
 * @property {number} [closeSeconds] how long `close` takes at most, in which the instance is told which uses were counted. Default: 5
 *   seconds; 60 at most
 * @property {object} [dispatcher] how the instance is connected to, if not as `fetch` does by itself: an `Agent` of undici, whose
 *   `connect.ca` has a private authority
 * @property {(message: string) => void} [log] is told when the instance cannot be heard, when it is heard again, and when uses are
 *   counted nowhere. Default: `console.warn`
 */

const DEFAULTS = {
  publicAddress: /** @type {string | undefined} */ (undefined),
  internalToken: /** @type {string | undefined} */ (undefined),
  origin: /** @type {string | undefined} */ (undefined),
  keysWithoutFeedSeconds: 1,
  tokensWithoutFeedSeconds: 300,
  cacheEntries: 100_000,
  patienceSeconds: 2,
  closeSeconds: 5,
  dispatcher: /** @type {object | undefined} */ (undefined),
  log: (/** @type {string} */ message) => console.warn(`claviger: ${message}`),
};
const NEEDED = ['issuer', 'internalAddress', 'audience'];
/** @type {[Numbered, number, number][]} */
const LIMITS = [
  ['keysWithoutFeedSeconds', 1, 1e6],
  ['tokensWithoutFeedSeconds', 20, 1e6],
  ['cacheEntries', 1, 1e6],
  ['patienceSeconds', 0.1, 10],
  ['closeSeconds', 0.1, 60],
];

/** @typedef {'keysWithoutFeedSeconds' | 'tokensWithoutFeedSeconds' | 'cacheEntries' | 'patienceSeconds' | 'closeSeconds'} Numbered */
/** @typedef {typeof DEFAULTS & { issuer: string, internalAddress: string, audience: string }} Complete */

/** The settings cannot be followed. */
export class WrongSettings extends Error {
  /** @param {string} setting @param {unknown} given @param {string} wanted */
  constructor(setting, given, wanted) {
    super(`${setting} is ${JSON.stringify(given) ?? String(given)}: ${wanted}`);
  }
}

/**
 * All settings, those that were left out as they are by default.
 *
 * @param {Settings} given
 * @returns {Complete}
 */
export function complete(given) {
  for (const name of Object.keys(given)) {
    // A misspelt limit would otherwise be none.
    const isKnown = NEEDED.includes(name) || Object.hasOwn(DEFAULTS, name);
    // Its value is not told: it may be a secret.
    if (!isKnown) throw new WrongSettings(name, '…', 'there is no such setting');
  }
  const chosen = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const settings = /** @type {Complete} */ ({ ...DEFAULTS, ...chosen });
  const { issuer, internalAddress, publicAddress, origin, audience, internalToken } = settings;
  if (typeof audience !== 'string' || audience === '')
    throw new WrongSettings('audience', audience, 'the identifier of your API is wanted');
  if (internalToken !== undefined && !(typeof internalToken === 'string' && /^[!-~]+$/.test(internalToken))) {
    throw new WrongSettings('internalToken', '…', 'a text of letters, digits and signs is wanted');
  }
  for (const [setting, address] of Object.entries({ issuer, internalAddress, publicAddress, origin })) {
    if (address === undefined && !NEEDED.includes(setting)) continue;
    const wanted = 'an address like https://keys.acme.test is wanted, without a slash at the end';
    if (typeof address !== 'string' || !isAddress(address)) throw new WrongSettings(setting, address, wanted);
  }
  // Keys and what ended come from there.
  for (const [setting, address] of Object.entries({ issuer, publicAddress })) {
    if (address !== undefined && !isSafe(address)) throw new WrongSettings(setting, address, 'https is wanted, or this machine');
  }
  for (const [setting, least, most] of LIMITS) {
    const value = settings[setting];
    const isSound = typeof value === 'number' && value >= least && value <= most;
    if (!isSound) throw new WrongSettings(setting, value, `a number from ${least} to ${most} is wanted`);
  }
  if (typeof settings.log !== 'function') throw new WrongSettings('log', settings.log, 'a function of a message is wanted');
  if (settings.dispatcher !== undefined && typeof Object(settings.dispatcher).dispatch !== 'function')
    throw new WrongSettings('dispatcher', '…', 'a Dispatcher of undici is wanted');
  return { ...settings, log: (message) => void tell(settings.log, message) };
}

/** A logger that fails changes nothing of what is known. @param {(message: string) => unknown} log @param {string} message */
async function tell(log, message) {
  try {
    // It may return a promise.
    await log(message);
  } catch {
    // Nobody is left to be told.
  }
}

/** @param {string} text */
function isAddress(text) {
  // Also where it stands in quotes, in a header.
  const isPlain = /^[!#-[\]-~]+$/.test(text) && !text.endsWith('/');
  return isPlain && URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
}

/** Whether nobody in between can answer instead. @param {string} address */
function isSafe(address) {
  const { protocol, hostname } = new URL(address);
  const isHere = hostname === 'localhost' || hostname === '[::1]' || (isIP(hostname) === 4 && hostname.startsWith('127.'));
  return protocol === 'https:' || isHere;
}
