// The real binary on a data directory of its own, an API with a service account, and what stands between them and a service.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, request as ask } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { Claviger, identityOf } from '@claviger/verify';
import express from 'express';

const BINARY = process.env.CLAVIGER_BINARY ?? fileURLToPath(new URL('../../../target/debug/claviger', import.meta.url));

export const ISSUER = 'https://keys.acme.test';
export const AUDIENCE = 'https://api.acme.test';
/** How long a revocation may take, and how long anything else, in milliseconds. */
export const PROMISE = 2000;
export const SOON = 10_000;

export function listening(server) {
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server.address().port)));
}

/** A port that is free, and stays so: not one of those that the system gives to whoever asks for any. */
export async function freePort() {
  for (;;) {
    const port = randomInt(20_000, 32_000);
    const server = createServer();
    const isFree = await new Promise((resolve) => {
      server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!isFree) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}

/** An instance: its directory, and a server that can be stopped and started again where it was. */
export class Instance {
  static async make(settings) {
    const instance = new Instance();
    instance.directory = await mkdtemp(path.join(tmpdir(), 'claviger-node-'));
    const [listen, inside] = [await freePort(), await freePort()];
    const own = Object.entries(process.env).filter(([name]) => !name.startsWith('CLAVIGER_'));
    const places = { CLAVIGER_LISTEN: `127.0.0.1:${listen}`, CLAVIGER_INTERNAL_LISTEN: `127.0.0.1:${inside}` };
    instance.options = { cwd: instance.directory, env: { ...Object.fromEntries(own), ...places, ...settings } };
    instance.public = `http://127.0.0.1:${listen}`;
    instance.internal = `http://127.0.0.1:${inside}`;
    return instance;
  }

  /** What a command says that must succeed. */
  async said(...args) {
    const child = spawn(BINARY, args, { ...this.options, stdio: ['ignore', 'pipe', 'pipe'] });
    let [said, told] = ['', ''];
    child.stdout.on('data', (data) => (said += data));
    child.stderr.on('data', (data) => (told += data));
    const code = await new Promise((resolve) => child.once('close', resolve));
    assert.equal(code, 0, `${args.join(' ')}: ${told}`);
    return said.trim();
  }

  /** Starts the server, and waits until it answers. */
  async start(...args) {
    this.server = spawn(BINARY, ['serve', ...args], { ...this.options, stdio: ['ignore', 'pipe', 'pipe'] });
    let [printed, logged] = ['', ''];
    this.server.stdout.on('data', (data) => (printed += data));
    this.server.stderr.on('data', (data) => (logged += data));
    this.ended = new Promise((resolve) => this.server.once('close', resolve));
    for (const began = Date.now(); ; await sleep(20)) {
      assert.equal(this.server.exitCode, null, logged);
      assert.ok(Date.now() - began < 3 * SOON, `it does not listen: ${logged}`);
      const isThere = await fetch(`${this.internal}/health/ready`).then(
        ({ ok }) => ok,
        () => false,
      );
      if (isThere) break;
    }
    return () => printed;
  }

  async stop() {
    if (!this.server) return;
    this.server.kill('SIGTERM');
    await this.ended;
    this.server = undefined;
  }

  async remove() {
    await this.stop();
    await rm(this.directory, { recursive: true });
  }
}

/** An instance with an API, a service account that may use it, and its administrator. */
export class World {
  static async make(more = {}) {
    const world = new World();
    world.instance = await Instance.make({ CLAVIGER_PUBLIC_URL: ISSUER, ...more });
    world.root = await world.instance.said('bootstrap');
    world.ends = [];
    return world;
  }

  /** Runs `test` with one; whatever happens, nothing is left behind. */
  static async with(test, more = {}) {
    const world = await World.make(more);
    try {
      await world.start();
      await test(world);
    } finally {
      await world.end();
    }
  }

  async start() {
    await this.instance.start();
    const permissions = [{ name: 'invoices:read' }, { name: 'invoices:write' }];
    await this.made('/v1/apis', { identifier: AUDIENCE, name: 'Invoices', permissions });
    const { id: organization_id } = await this.made('/v1/organizations', { name: 'Acme', slug: 'acme' });
    const account = { organization_id, name: 'sync', permissions: ['invoices:read', 'invoices:write'] };
    this.account = (await this.made('/v1/service-accounts', account)).id;
  }

  async end() {
    for (const end of this.ends.reverse()) await end();
    await this.instance.remove();
  }

  async send(method, path, body) {
    const headers = { authorization: `Bearer ${this.root}`, 'content-type': 'application/json' };
    const response = await fetch(this.instance.public + path, { method, headers, body: body && JSON.stringify(body) });
    const text = await response.text();
    assert.ok(response.ok, `${method} ${path}: ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  }

  made(path, body) {
    return this.send('POST', path, body);
  }

  key(more = {}) {
    return this.made('/v1/api-keys', { service_account_id: this.account, name: 'ci', permissions: ['invoices:read'], ...more });
  }

  /** An access token, and the id of the client's secret that it was made from. */
  async token(scope = 'invoices:read', headers = {}) {
    const secret = await this.made(`/v1/service-accounts/${this.account}/secrets`, { name: 's' });
    const basic = Buffer.from(`${secret.client_id}:${secret.client_secret}`).toString('base64');
    const response = await fetch(`${this.instance.public}/oauth/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${basic}`, ...headers },
      body: new URLSearchParams({ grant_type: 'client_credentials', resource: AUDIENCE, scope }),
    });
    const answer = await response.json();
    assert.ok(response.ok, JSON.stringify(answer));
    return { token: answer.access_token, secret: secret.id };
  }

  /** Revokes a client's secret, and with it every token that was made from it. */
  revokeSecret(secret) {
    return this.made(`/v1/service-accounts/${this.account}/secrets/${secret}/revoke`, {});
  }

  settings(more = {}) {
    const { public: publicAddress, internal: internalAddress } = this.instance;
    return { issuer: ISSUER, publicAddress, internalAddress, audience: AUDIENCE, log: () => {}, ...more };
  }

  /** Serves what a framework made, until the world ends. */
  async serve(app) {
    const server = createServer(app);
    const port = await listening(server);
    this.ends.push(() => new Promise((resolve) => server.close(resolve).closeAllConnections()));
    return `http://127.0.0.1:${port}`;
  }
}

/** A service by Express, at the address of what it guards. */
export async function service(world, more = {}, options = {}) {
  const claviger = new Claviger(world.settings(more));
  world.ends.push(() => claviger.close());
  const app = express();
  app.get('/invoices', claviger.require('invoices:read', options), (request, response) => {
    response.send(`invoices of ${identityOf(request).organization}\n`);
  });
  return `${await world.serve(app)}/invoices`;
}

/** The status of a request with a credential, and the code of a refusal. */
export async function asked(url, credential, headers = {}) {
  const response = await fetch(url, { headers: { authorization: `Bearer ${credential}`, ...headers } });
  await response.text();
  return [response.status, response.headers.get('x-claviger-code') ?? ''];
}

/** Waits until a credential is answered with a status, and with none of `never` before. */
export async function becomes(url, credential, status, bound, never = []) {
  const began = performance.now();
  for (;;) {
    const [answered, code] = await asked(url, credential);
    if (answered === status) return;
    assert.ok(!never.includes(answered), `${answered} ${code}`);
    assert.ok(performance.now() - began < bound, `not ${status} within ${bound} ms, but ${answered} ${code}`);
    await sleep(20);
  }
}

/** An authority that nobody knows, with a certificate for this machine. */
export class Authority {
  static async make() {
    const authority = new Authority();
    authority.directory = await mkdtemp(path.join(tmpdir(), 'claviger-authority-'));
    const files = ['key.pem', 'certificate.pem'].map((name) => path.join(authority.directory, name));
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    const named = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '1'];
    execFileSync('openssl', ['req', '-x509', ...curve, ...named, '-keyout', files[0], '-out', files[1]], { stdio: 'ignore' });
    [authority.key, authority.certificate] = await Promise.all(files.map((file) => readFile(file)));
    return authority;
  }

  async remove() {
    await rm(this.directory, { recursive: true });
  }
}

/**
 * Stands between a service and the instance, and does to answers what a network may do, or a bad proxy.
 *
 * @param {object} harm
 * @param {(event: string, number: number) => string | null} harm.spoil what is sent in place of an event of the change feed; `null`
 *   cuts the connection in its middle
 * @param {boolean} harm.forgets where the service was when it connects again
 * @param {(path: string) => Promise<void> | void} harm.hold answers until this is done
 * @param {(answer: string, path: string) => string} harm.change what is sent in place of another answer
 * @param {string} harm.target
 * @param {Authority} harm.tls by which it speaks
 */
export async function spoiled(
  world,
  { spoil = (event) => event, forgets = false, hold = () => {}, change, target = world.instance.internal, tls },
) {
  const pass = (incoming, outgoing) => {
    const headers = { ...incoming.headers };
    if (forgets) delete headers['last-event-id'];
    delete headers.host;
    const options = { method: incoming.method, headers };
    const upstream = ask(target + incoming.url, options, async (answer) => {
      await hold(incoming.url);
      if (change && !incoming.url.startsWith('/v1/changes')) {
        let body = '';
        for await (const data of answer) body += data;
        delete answer.headers['content-length'];
        outgoing.writeHead(answer.statusCode, answer.headers).end(change(body, incoming.url));
        return;
      }
      outgoing.writeHead(answer.statusCode, answer.headers);
      if (!incoming.url.startsWith('/v1/changes')) {
        answer.pipe(outgoing);
        return;
      }
      let [received, number] = ['', 0];
      answer.on('data', (data) => {
        const events = (received + data).split('\n\n');
        received = events.pop();
        for (const event of events) {
          if (outgoing.writableEnded) return;
          number += 1;
          const sent = spoil(`${event}\n\n`, number);
          if (sent === null) outgoing.end(event.slice(0, event.length / 2));
          else outgoing.write(sent);
        }
      });
      answer.on('end', () => outgoing.end()).on('error', () => outgoing.destroy());
    });
    upstream.on('error', () => outgoing.destroy());
    outgoing.on('close', () => upstream.destroy());
    incoming.pipe(upstream);
  };
  const server = tls ? createSecureServer({ key: tls.key, cert: tls.certificate }, pass) : createServer(pass);
  const port = await listening(server);
  world.ends.push(() => new Promise((resolve) => server.close(resolve).closeAllConnections()));
  return `${tls ? 'https' : 'http'}://127.0.0.1:${port}`;
}
