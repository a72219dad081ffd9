// The real binary on a data directory of its own, and the real browser.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { chromium } from 'playwright-core';

const BINARY = process.env.CLAVIGER_BINARY ?? fileURLToPath(new URL('../target/debug/claviger', import.meta.url));
const AXE = fileURLToPath(import.meta.resolve('axe-core/axe.min.js'));
export const SCREEN = { width: 1280, height: 900 };
export const TELEPHONE = { width: 360, height: 740 };
/** The rules of axe whose findings differ between light and dark. */
const RULES_OF_COLOUR = ['color-contrast', 'link-in-text-block'];
const CHROMIUM = process.env.CLAVIGER_CHROMIUM ?? '/usr/bin/chromium';

/** Runs `test` with a served example, perhaps with settings and at a port; whatever happens, nothing is left behind. */
export async function withInstance(test, settings = {}, port = 0) {
  const directory = await mkdtemp(path.join(tmpdir(), 'claviger-e2e-'));
  const listen = [`--listen=127.0.0.1:${port}`, '--internal-listen=127.0.0.1:0'];
  const server = spawn(BINARY, ['serve', '--dev', `--data-dir=${directory}`, ...listen], {
    cwd: directory,
    env: { ...environment(), ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise((resolve) => server.once('close', resolve));
  try {
    const { link, key, internal, firstRun } = await told(server);
    await test({ link, key, internal, firstRun, directory, url: new URL(link).origin });
  } finally {
    server.kill('SIGTERM');
    await ended;
    await rm(directory, { recursive: true });
  }
}

/** The environment without settings of ours. */
function environment() {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('CLAVIGER_')));
}

/** What a shell prints for a command that a page shows, for somebody with this key. */
export async function pasted(command, { url, key, directory }) {
  const own = { CLAVIGER_URL: url, CLAVIGER_TOKEN: key, PATH: `${path.dirname(BINARY)}:${process.env.PATH}` };
  const env = { ...environment(), ...own, XDG_CONFIG_HOME: path.join(directory, 'config') };
  const { stdout } = await promisify(execFile)('sh', ['-c', command], { cwd: directory, env });
  return stdout;
}

/** A command of somebody whose settings stand in a directory of the test's own. */
export function claviger(args, directory) {
  const env = { ...environment(), XDG_CONFIG_HOME: path.join(directory, 'config') };
  return spawn(BINARY, args, { cwd: directory, env, stdio: ['ignore', 'pipe', 'pipe'] });
}

/**
 * Holds that everybody can read the pages at `paths` of `url` as `context` sees them: axe finds nothing wrong, in light nor in dark,
 * and a telephone shows all of their width. axe is a script, and so it looks from a context of its own, where no colour is on its way.
 */
export async function everybodyCanRead(context, url, paths = ['']) {
  const seeing = await context.browser().newContext({ bypassCSP: true, locale: 'en-GB', reducedMotion: 'reduce' });
  try {
    await seeing.addCookies(await context.cookies());
    const page = await seeing.newPage();
    for (const path of paths) {
      await page.emulateMedia({ colorScheme: 'light' });
      await page.setViewportSize(SCREEN);
      await page.goto(new URL(path, url).href);
      await page.addScriptTag({ path: AXE });
      assert.deepEqual(await faults(page), [], `${path} in light`);
      await page.emulateMedia({ colorScheme: 'dark' });
      assert.deepEqual(await faults(page, { runOnly: RULES_OF_COLOUR }), [], `${path} in dark`);
      await page.setViewportSize(TELEPHONE);
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(width <= TELEPHONE.width, `${path} is ${width} wide`);
    }
  } finally {
    await seeing.close();
  }
}

async function faults(page, options = {}) {
  const { violations } = await page.evaluate((options) => globalThis.axe.run(options), options);
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' ')}`);
}

/** The sign-in link, the administrator's key, where gateways ask, and the link to the first administrator, as `--dev` prints them. */
function told(server) {
  return new Promise((resolve, reject) => {
    let said = '';
    let logged = '';
    server.stdout.on('data', (data) => {
      said += data;
      const link = said.match(/https?:\S+\/sign-in\/link\?code=[0-9a-f]+/);
      if (!link) return;
      const internal = said.match(/(http:\S+)\/v1\/verify/)[1];
      const firstRun = said.match(/https?:\S+\/first-run\?code=[0-9a-f]+/)?.[0];
      resolve({ link: link[0], key: said.match(/admin key\s+(\S+)/)[1], internal, firstRun });
    });
    server.stderr.on('data', (data) => (logged += data));
    server.once('close', (code) => reject(new Error(`the server ended with ${code}: ${logged}`)));
  });
}

/**
 * Runs `test` with a browser that runs no scripts, unless `options` say so, and fails if a page asks for anything that it may not
 * have, unless that is `expected`.
 */
export async function withBrowser(test, expected = () => false, options = {}) {
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] });
  try {
    const complaints = [];
    const complain = (complaint) => expected(complaint) || complaints.push(complaint);
    const context = await browser.newContext({ javaScriptEnabled: false, locale: 'en-GB', ...options });
    context.setDefaultTimeout(15_000);
    context.on('console', (message) => {
      if (message.type() === 'error' && !/status of (4\d\d|502)/.test(message.text())) complain(message.text());
    });
    context.on('requestfailed', (request) => complain(`${request.url()}: ${request.failure()?.errorText}`));
    await test(await context.newPage(), context);
    if (complaints.length > 0) throw new Error(`the browser complained: ${complaints.join('; ')}`);
  } finally {
    await browser.close();
  }
}

/** The code that an authenticator app shows (RFC 6238), `steps` later than now. */
export function totp(base32, steps = 0) {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const bits = [...base32.replaceAll(' ', '')].map((letter) => letters.indexOf(letter).toString(2).padStart(5, '0')).join('');
  const seed = Buffer.from(bits.match(/.{8}/g).map((byte) => Number.parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps));
  const hash = createHmac('sha1', seed).update(counter).digest();
  const code = (hash.readUInt32BE(hash[19] & 15) & 0x7fffffff) % 1_000_000;
  return String(code).padStart(6, '0');
}
