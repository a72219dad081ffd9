// The names of things: TypeIDs, a prefix that says what is named and 26 characters that say which one.

const SUFFIX = '_[0-7][0-9a-hjkmnp-tv-z]{25}$';

/** @param {string} prefixes */
function ids(prefixes) {
  const form = new RegExp(`^(?:${prefixes})${SUFFIX}`);
  /** @param {unknown} value @returns {value is string} */
  return (value) => typeof value === 'string' && form.test(value);
}

export const isAccessTokenId = ids('at');
export const isCredentialId = ids('key|pat|csec|ckey|cert|fed');
export const isOrganizationId = ids('org');
export const isPrincipalId = ids('user|sa');
export const isServiceAccountId = ids('sa');
