// On what something may be done: instances of things in the customer's API, written `type:id`. What two readers could take for
// two different objects is refused.

const LONGEST = 512;

/**
 * What stands after the type, if everything but the rules about `*` and segments is kept.
 *
 * @param {unknown} text
 */
function idOf(text) {
  if (typeof text !== 'string' || Buffer.byteLength(text) > LONGEST || !text.isWellFormed()) return undefined;
  const colon = text.indexOf(':');
  if (colon < 0 || !/^[a-z][a-z0-9_-]{0,63}$/.test(text.slice(0, colon))) return undefined;
  const id = text.slice(colon + 1);
  return /[\p{Cc}\p{White_Space}]/u.test(id) ? undefined : id;
}

/** @param {string} id */
function hasSoundSegments(id) {
  if (id.includes('*') || id.includes('\\') || /%2f|%5c/i.test(id)) return false;
  // An API that decodes its path late would read `%2e%2e` as `..`.
  return id.split('/').every((segment) => segment !== '' && segment.replace(/%2e/gi, '.') !== '..');
}

/**
 * Whether a text names one object.
 *
 * @param {unknown} text
 * @returns {text is string}
 */
export function isObjectName(text) {
  const id = idOf(text);
  return id !== undefined && hasSoundSegments(id);
}

/**
 * Whether a text is an entry of a limit: an object, or the beginning of one with a `*` directly after `:` or `/`.
 *
 * @param {unknown} text
 * @returns {text is string}
 */
function isPattern(text) {
  const id = idOf(text);
  if (id === undefined) return false;
  if (!id.endsWith('*')) return hasSoundSegments(id);
  return id === '*' || (id.endsWith('/*') && hasSoundSegments(id.slice(0, -2)));
}

/**
 * Whether a value is a limit. None is empty: "no limit" is its absence.
 *
 * @param {unknown} value
 * @returns {value is string[]}
 */
export function isObjectSet(value) {
  return Array.isArray(value) && value.length > 0 && value.every(isPattern);
}

/**
 * Whether any entry of a limit is this object, or has it below itself.
 *
 * @param {readonly string[]} limit
 * @param {string} object
 */
export function covers(limit, object) {
  return limit.some((entry) => (entry.endsWith('*') ? object.startsWith(entry.slice(0, -1)) : entry === object));
}
