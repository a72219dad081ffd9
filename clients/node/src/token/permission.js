// What may be done: permissions, which OAuth calls scopes.

const LONGEST = 128;

/**
 * @param {unknown} text
 * @returns {text is string}
 */
export function isPermission(text) {
  return typeof text === 'string' && text.length <= LONGEST && /^[A-Za-z0-9](?:[A-Za-z0-9_.:/-]*[A-Za-z0-9])?$/.test(text);
}

/**
 * The permissions of a scope (RFC 8693, section 4.2), if it is one.
 *
 * @param {unknown} text
 * @returns {Set<string> | undefined}
 */
export function readScope(text) {
  if (typeof text !== 'string') return undefined;
  const permissions = text.split(/[ \t\n\f\r]+/).filter((permission) => permission !== '');
  return permissions.every(isPermission) ? new Set(permissions) : undefined;
}
