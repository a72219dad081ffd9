// Counting what is decided here, and telling the instance of it, in batches. What is not told yet is lost with the process, unless it
// closes first: ten seconds of uses at most, while the instance is there. The room must not decide.

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
/** How many reports wait while the instance is away; of more the oldest are lost. */
const MOST_WAITING = 500;
/** How many permissions of one use are told. */
const MOST_PERMISSIONS = 50;
const HOUR = 3_600_000;

export class Usage {
  /** How many uses are counted nowhere. */
  lost = 0;

  #remote;
  #log;
  /** @type {Map<string, Count>} */
  #counts = new Map();
  /** @type {Report[]} */
  #waiting = [];
  /** One reports at a time. */
  #reporting = Promise.resolve();
  /** @type {NodeJS.Timeout | undefined} */
  #timer;
  #isClosed = false;

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
        this.lost += 1;
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

  /** Tells it a last time. */
  async close() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.report();
    this.#isClosed = true;
    this.#lose([...this.#waiting, ...this.#taken()], 'they were not taken before the end');
    this.#waiting = [];
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
    this.#waiting = this.#taken();
    await this.#reportWaiting();
  }

  async #reportWaiting() {
    for (let report = this.#waiting[0]; report; report = this.#waiting[0]) {
      try {
        await this.#remote.report(report);
        this.#waiting.shift();
      } catch (error) {
        const status = error instanceof RemoteError ? (error.status ?? 0) : 0;
        if (!REFUSED.includes(status)) {
          this.#lose(this.#waiting.splice(0, Math.max(this.#waiting.length - MOST_WAITING, 0)), 'the instance was away for too long');
          return;
        }
        // One use that is not taken takes no other with it.
        const halves = OF_CONTENT.includes(status) ? halvesOf(report) : [];
        this.#waiting.splice(0, 1, ...halves);
        if (halves.length === 0) this.#lose([report], `a report was refused with status ${status}`);
      }
    }
  }

  /** What was counted since the last time, as reports. */
  #taken() {
    const counts = [...this.#counts.values()];
    this.#counts = new Map();
    return reportsOf(counts.flatMap(told));
  }

  /** @param {readonly Report[]} reports @param {string} reason */
  #lose(reports, reason) {
    if (reports.length === 0) return;
    this.lost += reports.flatMap(({ uses }) => uses).reduce((sum, { count }) => sum + count, 0);
    this.#log(`uses are counted nowhere: ${reason}`);
  }
}

/** Statuses of a report of which less may be taken. */
const OF_CONTENT = [413, 422];
/** Statuses of a report that nobody will take. Whatever else is said, also by a proxy, may pass: the report waits. */
const REFUSED = [400, 405, ...OF_CONTENT];

/**
 * As one item, or as many as it takes.
 *
 * @param {Count} count
 */
function told({ credential, generation, code, uses, permissions, last, from }) {
  /** @type {Used[]} */
  const items = [];
  for (let taken = 0; taken < uses; taken += MOST_COUNT) {
    const part = (/** @type {number} */ all) => Math.min(Math.max(all - taken, 0), MOST_COUNT);
    const parts = [...permissions].map(([name, all]) => ({ name, count: part(all) }));
    items.push({
      ...{ credential_id: credential, generation, code, count: part(uses), permissions: parts.filter(({ count }) => count > 0) },
      ...{ last_used_at: new Date(last).toISOString(), last_used_from: from },
    });
  }
  return items;
}

/**
 * In as few reports as the instance takes.
 *
 * @param {readonly Used[]} uses
 */
function reportsOf(uses) {
  /** @type {Report[]} */
  const reports = [];
  let bytes = 0;
  for (const used of uses) {
    const length = Buffer.byteLength(JSON.stringify(used)) + 1;
    bytes += length;
    const last = reports.at(-1);
    if (last && last.uses.length < MOST_USES && bytes <= MOST_BYTES) {
      last.uses.push(used);
    } else {
      reports.push({ id: randomUUID(), uses: [used] });
      bytes = length;
    }
  }
  return reports;
}

/** Both halves of what was refused as a whole, under other names; none of what cannot be halved. @param {Report} report */
function halvesOf({ uses }) {
  const middle = Math.floor(uses.length / 2);
  const halves = [uses.slice(0, middle), uses.slice(middle)];
  return middle === 0 ? [] : halves.map((half) => ({ id: randomUUID(), uses: half }));
}
