// The form of credentials that are no JWTs: `<brand>_<kind>_<32 base62 characters><6 of CRC-32>`. What has another is refused
// without asking anybody.

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const FORM = /^[a-z][a-z0-9]{1,15}_(?:key|testkey|pat|cs|at|ps|claim)_[0-9A-Za-z]{38}$/;
const CHECK_LENGTH = 6;

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte;
  for (let bit = 0; bit < 8; bit += 1) rest = rest & 1 ? (rest >>> 1) ^ 0xedb88320 : rest >>> 1;
  return rest;
});

/** CRC-32 (IEEE) of ASCII. Node has one of its own since version 22.2. @param {string} text */
function crc32(text) {
  let rest = 0xffffffff;
  for (let at = 0; at < text.length; at += 1) rest = (rest >>> 8) ^ (CRC_TABLE[(rest ^ text.charCodeAt(at)) & 0xff] ?? 0);
  return (rest ^ 0xffffffff) >>> 0;
}

/** @param {string} text */
function checkOf(text) {
  let rest = crc32(text);
  let check = '';
  for (let place = 0; place < CHECK_LENGTH; place += 1) {
    check = DIGITS[rest % 62] + check;
    rest = Math.floor(rest / 62);
  }
  return check;
}

/**
 * Whether a text could be a credential of some instance.
 *
 * @param {string} text
 */
export function isWellFormed(text) {
  return FORM.test(text) && checkOf(text.slice(0, -CHECK_LENGTH)) === text.slice(-CHECK_LENGTH);
}
