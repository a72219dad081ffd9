// JSON that says each thing once. Of two members with one name some readers take the first and some the last, so that one text
// could mean two things (RFC 8725, section 2.4).

const MOST_MEMBERS = 100;
const DEEPEST = 127;

/** The texts in a JSON text. */
const TEXTS = /"[^"\\]*(?:\\.[^"\\]*)*"/g;

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads a JSON object in whose whole text no object has two members with one name, at any depth, and no text half a character.
 *
 * @param {Uint8Array} bytes
 * @param {boolean} [wholeNumbers] refuses numbers with a fraction or an exponent, which other readers take for no whole ones also
 *   where they are some
 * @returns {Record<string, unknown> | undefined}
 */
export function readObject(bytes, wholeNumbers = false) {
  try {
    const text = UTF8.decode(bytes);
    const value = JSON.parse(text);
    return isObject(value) && saysEachThingOnce(text) && isWritten(text, wholeNumbers) ? value : undefined;
  } catch {
    return undefined;
  }
}

/**
 * @param {unknown} value
 * @returns {value is Record<string, unknown>}
 */
export function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Whether an object has no members but these.
 *
 * @param {Record<string, unknown>} object
 * @param {readonly string[]} known
 */
export function hasOnly(object, known) {
  return Object.keys(object).every((name) => known.includes(name));
}

/**
 * @param {unknown} value
 * @returns {value is string[]}
 */
export function isTexts(value) {
  return Array.isArray(value) && value.every((entry) => typeof entry === 'string');
}

/**
 * Whether its texts are whole and, if that is wanted, its numbers.
 *
 * @param {string} text that is JSON
 * @param {boolean} wholeNumbers
 */
function isWritten(text, wholeNumbers) {
  // Half a pair of surrogates can only be written by its number.
  const isWhole = !text.includes('\\u') || (text.match(TEXTS) ?? []).every((each) => JSON.parse(each).isWellFormed());
  return isWhole && !(wholeNumbers && /[.E]|\de/.test(text.replace(TEXTS, '')));
}

/** @param {string} text that is JSON */
function saysEachThingOnce(text) {
  /** The names of the objects around, and nothing for lists. @type {(Set<string> | undefined)[]} */
  const around = [];
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (character === '{' || character === '[') {
      if (around.push(character === '{' ? new Set() : undefined) > DEEPEST) return false;
    } else if (character === '}' || character === ']') {
      around.pop();
    } else if (character === '"') {
      const end = endOfText(text, at);
      const names = around.at(-1);
      // Only a name stands before a colon.
      if (names && text[nextCharacter(text, end)] === ':') {
        const name = JSON.parse(text.slice(at, end));
        if (names.has(name) || names.size === MOST_MEMBERS) return false;
        names.add(name);
      }
      at = end - 1;
    }
  }
  return true;
}

/**
 * @param {string} text
 * @param {number} start
 */
function endOfText(text, start) {
  let at = start + 1;
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}

/**
 * @param {string} text
 * @param {number} at
 */
function nextCharacter(text, at) {
  let next = at;
  while (' \t\r\n'.includes(text[next] ?? 'x')) next += 1;
  return next;
}
