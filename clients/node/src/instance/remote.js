// What the instance is asked, over HTTP. Bounded in time and size; the room must not know what is made of the answers.

import { readAnswer } from '../token/answer.js';
import { isObject, isTexts } from '../token/json.js';

/**
 * A document, as it is or (without a text) as it was known.
 *
 * @typedef {{ text: Buffer | undefined, tag: string | null }} Document
 */

/** The largest document that is read, in bytes. */
const MOST_BYTES = 64 << 20;
/** How long the feed of what ended is waited for, in seconds: a connection that is cut without a word is noticed by then. */
const WAIT = 5;
/** What is compressed cannot be bounded by its length, and comes late. */
const PLAIN = { 'accept-encoding': 'identity' };
/** How long a stream may be silent before it is made anew, in milliseconds: it beats four times a second. */
export const SILENCE = 2000;

/** The instance did not answer, or not with what was asked for. */
export class RemoteError extends Error {
  /** @param {string} message @param {number} [status] */
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

export class Remote {
  #settings;
  #patience;
  /** How all is asked. */
  #options;
  /** What is open, to be ended with the service. @type {Set<AbortController>} */
  #open = new Set();

  /** @param {import('./settings.js').Complete} settings */
  constructor(settings) {
    this.#settings = settings;
    this.#patience = settings.patienceSeconds * 1000;
    const { dispatcher } = settings;
    this.#options = { redirect: /** @type {const} */ ('manual'), ...(dispatcher && /** @type {{}} */ ({ dispatcher })) };
  }

  /** Ends whatever is open. */
  close() {
    for (const controller of this.#open) controller.abort();
  }

  /** @returns {Promise<Buffer>} */
  async keys() {
    const headers = { 'cache-control': 'no-cache' };
    return this.#within(this.#patience, async (signal) => {
      const response = await this.#get(this.#public('/.well-known/jwks.json'), headers, signal);
      return bodyOf(response);
    });
  }

  /**
   * The feed of what ended, once it says something else than `tag` knows, or after a while.
   *
   * @param {string | null} tag
   * @returns {Promise<Document>}
   */
  async ended(tag) {
    /** @type {Record<string, string>} */
    const headers = tag === null ? {} : { 'if-none-match': tag };
    return this.#within(WAIT * 1000 + this.#patience, async (signal) => {
      const response = await this.#get(this.#public(`/oauth/revocations?wait=${WAIT}`), headers, signal, tag !== null);
      return { text: response.status === 304 ? undefined : await bodyOf(response), tag: response.headers.get('etag') };
    });
  }

  /**
   * Hears of changes after the last that is known, until the stream ends or is silent.
   *
   * @param {string | null} last
   * @param {(date: string | null) => void} began is told the time of the answer
   * @param {(piece: Uint8Array) => void} heard
   */
  async changes(last, began, heard) {
    const headers = { ...this.#inside(), accept: 'text/event-stream', ...(last === null ? {} : { 'last-event-id': last }) };
    await this.#within(this.#patience, async (signal, extend) => {
      const response = await this.#get(this.#internal('/v1/changes'), headers, signal);
      began(response.headers.get('date'));
      extend(SILENCE);
      for await (const piece of response.body ?? []) {
        extend(SILENCE);
        heard(piece);
      }
    });
  }

  /**
   * A verdict, up to which change it is true, and what time it was.
   *
   * @param {Record<string, unknown>} question
   */
  async verify(question) {
    return this.#within(this.#patience, async (signal) => {
      const response = await this.#post('/v1/verify', question, signal);
      const answer = readAnswer(parsed(await bodyOf(response)));
      if (!answer) throw new RemoteError('the answer is not what was asked for');
      return { answer, position: response.headers.get('x-claviger-position'), date: response.headers.get('date') };
    });
  }

  /**
   * Tells of uses that were judged here.
   *
   * @param {import('./usage.js').Report} report
   * @returns {Promise<readonly string[]>} credentials that nobody has: what was told of them is not counted
   */
  async report(report) {
    return this.#within(this.#patience, async (signal) => {
      const answer = parsed(await bodyOf(await this.#post('/v1/usage-reports', report, signal)));
      // What is in between may answer in place of the instance.
      if (!isObject(answer) || !isTexts(answer['ignored'])) throw new RemoteError('the answer is not what was asked for');
      return answer['ignored'];
    });
  }

  /** @param {string} path @param {object} body @param {AbortSignal} signal */
  async #post(path, body, signal) {
    const headers = { ...PLAIN, ...this.#inside(), 'content-type': 'application/json' };
    const options = { ...this.#options, method: 'POST', headers, body: JSON.stringify(body), signal };
    const response = await fetch(this.#internal(path), options);
    if (response.status !== 200) throw await refused(response);
    return response;
  }

  /**
   * That it is as it was known is an answer only to whoever knows it.
   *
   * @param {string} address
   * @param {Record<string, string>} headers
   * @param {AbortSignal} signal
   */
  async #get(address, headers, signal, isKnown = false) {
    const response = await fetch(address, { ...this.#options, headers: { ...PLAIN, ...headers }, signal });
    if (response.status === 200 || (isKnown && response.status === 304)) return response;
    throw await refused(response);
  }

  /** @returns {Record<string, string>} */
  #inside() {
    const token = this.#settings.internalToken;
    return token === undefined ? {} : { authorization: `Bearer ${token}` };
  }

  /** @param {string} path */
  #public(path) {
    return `${this.#settings.publicAddress ?? this.#settings.issuer}${path}`;
  }

  /** @param {string} path */
  #internal(path) {
    return `${this.#settings.internalAddress}${path}`;
  }

  /**
   * @template T
   * @param {number} time in milliseconds
   * @param {(signal: AbortSignal, extend: (time: number) => void) => Promise<T>} work
   * @returns {Promise<T>}
   */
  async #within(time, work) {
    const controller = new AbortController();
    const end = () => controller.abort(new RemoteError('it takes too long'));
    let timer = setTimeout(end, time);
    const extend = (/** @type {number} */ more) => {
      clearTimeout(timer);
      timer = setTimeout(end, more);
    };
    this.#open.add(controller);
    try {
      return await work(controller.signal, extend);
    } finally {
      clearTimeout(timer);
      this.#open.delete(controller);
      // Whatever is left of an answer is not waited for.
      controller.abort();
    }
  }
}

/** @param {Response} response */
async function refused(response) {
  await response.body?.cancel();
  return new RemoteError(`the answer has status ${response.status}`, response.status);
}

/** @param {Response} response */
async function bodyOf(response) {
  const pieces = [];
  let length = 0;
  for await (const piece of response.body ?? []) {
    length += piece.length;
    if (length > MOST_BYTES) throw new RemoteError('the answer is too long');
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** @param {Buffer} body @returns {unknown} */
function parsed(body) {
  try {
    return JSON.parse(body.toString());
  } catch {
    return undefined;
  }
}
