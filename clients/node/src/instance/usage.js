// Counting what is decided here, and telling the instance of it, in batches. What is not told yet is lost with the process, unless it
// closes first: ten seconds of uses at most, while the instance is there. Whatever is lost is counted, and told once. The room must
// not decide.

import { randomUUID } from 'node:crypto';

import { RemoteError } from './remote.js';

/** @typedef {import('../token/found.js').Found} Found */
/** @typedef {{ name: string, count: number }} Permission */
/**
 * Uses of one credential with one verdict within one hour, as the instance is told.
 *
 * @typedef {{ credential_id: string, generation: string | null, code: string, count: number, permissions: Permission[],
 *   last_used_at: string, last_used_from: string | null }} Used
 */
/** @typedef {{ id: string, uses: Used[] }} Report */
/**
 * @typedef {{ credential: string, generation: string | null, code: string, uses: number, permissions: Map<string, number>,
 *   last: number, from: string | null }} Count
 */
/** Uses by what is counted together. @typedef {Map<string, Count>} Counts */

/** How often what was counted is told at least, in milliseconds, so that a crash loses no more. */
const EVERY = 8000;
/** How many uses one report has. */
const MOST_USES = 100;
/** How many bytes one report has: the instance reads 64 KiB. */
const MOST_BYTES = 48 << 10;
/** The most that one item of a report counts. */
const MOST_COUNT = 1_000_000;
/** How many different uses are counted between two reports; what comes beyond is not. */
const MOST_COUNTED = 50_000;
/** How many permissions of one use are told. */
const MOST_PERMISSIONS = 50;
const HOUR = 3_600_000;

export class Usage {
  /** How many uses are counted nowhere. */
  lost = 0;

  #remote;
  #log;
  /** @type {Counts} */
  #counts = new Map();
  /**
   * What was counted before, and is told now. It becomes reports one by one: all at once would hold up everybody else.
   *
   * @type {Counts}
   */
  #taken = new Map();
  /** Those that the instance did not take yet. @type {Report[]} */
  #waiting = [];
  /** One reports at a time. */
  #reporting = Promise.resolve();
  /** @type {NodeJS.Timeout | undefined} */
  #timer;
  #isClosed = false;
  /** Whether it was told that no more are counted, since they were taken last. */
  #isFullTold = false;

  /**
   * @param {Pick<import('./remote.js').Remote, 'report'>} remote
   * @param {(message: string) => void} log
   */
  constructor(remote, log) {
    this.#remote = remote;
    this.#log = log;
    this.#reportLater();
  }

  /**
   * Counts one use of what is known.
   *
   * @param {Found} found
   * @param {string} code
   * @param {readonly string[]} permissions
   * @param {string | null} from
   * @param {number} now
   */
  count({ credential: { id, generation } }, code, permissions, from, now) {
    const key = `${id} ${generation} ${code} ${Math.floor(now / HOUR)}`;
    let count = this.#counts.get(key);
    if (!count) {
      if (this.#counts.size >= MOST_COUNTED || this.#isClosed) {
        this.#loseForWantOfRoom();
        return;
      }
      count = { credential: id, generation, code, uses: 0, permissions: new Map(), last: now, from };
      this.#counts.set(key, count);
    }
    count.uses += 1;
    count.last = Math.max(count.last, now);
    count.from = from ?? count.from;
    // Whoever asks for one twice asks for it once.
    for (const permission of new Set(permissions)) {
      const uses = count.permissions.get(permission);
      if (uses !== undefined || count.permissions.size < MOST_PERMISSIONS) count.permissions.set(permission, (uses ?? 0) + 1);
    }
  }

  /** Tells the instance what was counted. What it does not take now it is told the next time, in the same words. */
  report() {
    this.#reporting = this.#reporting.then(() => this.#reportAll());
    return this.#reporting;
  }

  /**
   * Tells it a last time, within so many milliseconds.
   *
   * @param {number} time
   */
  async close(time) {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    /** @type {NodeJS.Timeout | undefined} */
    let timer;
    const late = new Promise((/** @type {(value: void) => void} */ resolve) => (timer = setTimeout(resolve, time)));
    await Promise.race([this.report(), late]);
    clearTimeout(timer);
    this.#isClosed = true;
    const untold = [...this.#taken.values(), ...this.#counts.values()].reduce((sum, { uses }) => sum + uses, 0);
    this.#lose(this.#waiting.reduce((sum, { uses }) => sum + usesOf(uses), untold), 'they were not taken before the end');
    [this.#waiting, this.#taken, this.#counts] = [[], new Map(), new Map()];
    this.#isFullTold = false;
  }

  /** Those that were started together do not all come at once. */
  #reportLater() {
    const timer = setTimeout(
      async () => {
        await this.report();
        if (this.#timer === timer) this.#reportLater();
      },
      EVERY * (1 - Math.random() / 4),
    );
    this.#timer = timer;
  }

  async #reportAll() {
    await this.#reportWaiting();
    // While reports wait, what is counted meanwhile is counted together.
    if (this.#waiting.length > 0) return;
    [this.#taken, this.#counts, this.#isFullTold] = [this.#counts, new Map(), false];
    await this.#reportWaiting();
  }

  async #reportWaiting() {
    for (let report = this.#next(); report; report = this.#next()) {
      try {
        const ignored = await this.#remote.report(report);
        // After the end what waited was given up.
        if (this.#waiting[0] !== report) return;
        this.#waiting.shift();
        const ofNobody = report.uses.filter(({ credential_id: id }) => ignored.includes(id));
        this.#lose(usesOf(ofNobody), 'nobody has their credentials');
      } catch (error) {
        const status = error instanceof RemoteError ? (error.status ?? 0) : 0;
        if (this.#waiting[0] !== report || !REFUSED.includes(status)) return;
        // One use that is not taken takes no other with it.
        const halves = OF_CONTENT.includes(status) ? halvesOf(report) : [];
        this.#waiting.splice(0, 1, ...halves);
        if (halves.length === 0) this.#lose(usesOf(report.uses), `a report was refused with status ${status}`);
      }
    }
  }

  /** The report that is next, which waits until it is taken. */
  #next() {
    if (this.#waiting.length === 0 && this.#taken.size > 0) this.#waiting = [reportOf(this.#taken)];
    return this.#waiting[0];
  }

  #loseForWantOfRoom() {
    this.lost += 1;
    if (this.#isFullTold) return;
    this.#isFullTold = true;
    this.#log(`uses are counted nowhere: ${this.#isClosed ? 'it is closed' : 'the instance was not told of others for too long'}`);
  }

  /** @param {number} uses @param {string} reason */
  #lose(uses, reason) {
    if (uses === 0) return;
    this.lost += uses;
    this.#log(`uses are counted nowhere (${uses}): ${reason}`);
  }
}

/** Statuses of a report of which less may be taken. */
const OF_CONTENT = [413, 422];
/** Statuses of a report that nobody will take. Whatever else is said, also by a proxy, may pass: the report waits. */
const REFUSED = [400, 405, ...OF_CONTENT];

/** @param {readonly Used[]} told */
function usesOf(told) {
  return told.reduce((sum, { count }) => sum + count, 0);
}

/**
 * As much as the instance takes in one report, which is taken out of `counts`.
 *
 * @param {Counts} counts of which there is one at least
 * @returns {Report}
 */
function reportOf(counts) {
  /** @type {Used[]} */
  const uses = [];
  let bytes = 0;
  for (const [key, count] of counts) {
    const used = toldOf(count);
    bytes += Buffer.byteLength(JSON.stringify(used)) + 1;
    if (uses.length > 0 && (uses.length === MOST_USES || bytes > MOST_BYTES)) break;
    uses.push(used);
    // What one item cannot count the next report tells.
    if (used.count === count.uses) counts.delete(key);
    else subtract(count, used);
  }
  return { id: randomUUID(), uses };
}

/**
 * As one item, or its beginning.
 *
 * @param {Count} count
 * @returns {Used}
 */
function toldOf({ credential, generation, code, uses, permissions, last, from }) {
  const part = (/** @type {number} */ all) => Math.min(all, MOST_COUNT);
  return {
    ...{ credential_id: credential, generation, code, count: part(uses) },
    permissions: [...permissions].map(([name, all]) => ({ name, count: part(all) })),
    ...{ last_used_at: new Date(last).toISOString(), last_used_from: from },
  };
}

/** @param {Count} count @param {Used} told */
function subtract(count, told) {
  count.uses -= told.count;
  for (const { name, count: part } of told.permissions) {
    const left = (count.permissions.get(name) ?? 0) - part;
    if (left > 0) count.permissions.set(name, left);
    else count.permissions.delete(name);
  }
}

/** Both halves of what was refused as a whole, under other names; none of what cannot be halved. @param {Report} report */
function halvesOf({ uses }) {
  const middle = Math.floor(uses.length / 2);
  const halves = [uses.slice(0, middle), uses.slice(middle)];
  return middle === 0 ? [] : halves.map((half) => ({ id: randomUUID(), uses: half }));
}
