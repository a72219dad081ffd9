// Services of somebody else's, beside a real server: what they let through, and how fast that ends.

import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import express from 'express';
import { SignJWT, calculateJwkThumbprint, exportJWK, generateKeyPair } from 'jose';

import { Claviger, identityOf } from '@claviger/verify';

import { AUDIENCE, ISSUER, PROMISE, SOON, World, asked, becomes, freePort, service } from './instance.js';

test('a service refuses what was revoked within two seconds', () =>
  World.with(async (world) => {
    const url = await service(world);
    const key = await world.key();
    await becomes(url, key.token, 200, SOON);
    const [{ token, secret }, single, narrow] = [await world.token(), await world.token(), await world.token('invoices:write')];
    await becomes(url, token, 200, SOON);
    await becomes(url, single.token, 200, SOON);
    assert.deepEqual(await asked(url, narrow.token), [403, 'permission_missing']);
    assert.deepEqual(await asked(url, `${token.slice(0, -9)}x${token.slice(-8)}`), [401, 'unknown']);
    assert.deepEqual(await asked(url, 'clv_key_nobodys'), [401, 'unknown']);

    await world.made(`/v1/api-keys/${key.id}/revoke`, {});
    await becomes(url, key.token, 401, PROMISE);
    await world.revokeSecret(secret);
    await becomes(url, token, 401, PROMISE);
    assert.deepEqual(await asked(url, token), [401, 'revoked']);
    assert.deepEqual(await asked(url, single.token), [200, '']);
    const headers = { authorization: `Bearer ${single.token}` };
    assert.ok((await fetch(`${world.instance.public}/v1/token`, { method: 'DELETE', headers })).ok);
    await becomes(url, single.token, 401, PROMISE);
  }));

test('a refusal says why, and how to do better', () =>
  World.with(async (world) => {
    const url = await service(world);
    const { token } = await world.key({ permissions: ['invoices:write'] });
    await becomes(url, token, 403, SOON);
    const refused = async (headers) => {
      const response = await fetch(url, { headers });
      const told = ['www-authenticate', 'cache-control', 'content-type'].map((name) => response.headers.get(name));
      return [response.status, ...told, await response.json()];
    };
    const realm = `Bearer realm="${ISSUER}"`;
    const problem = { title: 'Forbidden', detail: 'The credential lacks a permission; ask an admin to grant it.' };
    assert.deepEqual(await refused({ 'x-api-key': token }), [
      ...[403, `${realm}, error="insufficient_scope", scope="invoices:read"`, 'no-store', 'application/problem+json'],
      { status: 403, code: 'permission_missing', ...problem },
    ]);
    assert.deepEqual((await refused({})).slice(0, 2), [401, realm]);
    assert.deepEqual((await refused({ authorization: 'Bearer x' })).slice(0, 2), [401, `${realm}, error="invalid_token"`]);
    assert.deepEqual((await refused({ authorization: `Bearer ${token}`, 'x-api-key': 'y' }))[0], 400);
  }));

test('a kept key is narrowed with whatever it came from', () =>
  World.with(async (world) => {
    const url = await service(world);
    const [wide, narrow] = [['invoices:read', 'invoices:write'], ['invoices:write']];
    for (const [path, body, back, status] of [
      ['/v1/api-keys/KEY', { disabled: true }, { disabled: false }, 401],
      ['/v1/api-keys/KEY', { permissions: narrow }, { permissions: wide }, 403],
      ['/v1/service-accounts/ACCOUNT', { permissions: narrow }, { permissions: wide }, 403],
      ['/v1/service-accounts/ACCOUNT', { disabled: true }, { disabled: false }, 401],
    ]) {
      const { id, token } = await world.key({ permissions: wide });
      const place = path.replace('KEY', id).replace('ACCOUNT', world.account);
      await becomes(url, token, 200, SOON);
      await world.send('PATCH', place, body);
      await becomes(url, token, status, PROMISE);
      await world.send('PATCH', place, back);
      await becomes(url, token, 200, PROMISE);
    }
  }));

test('a key that is limited is asked about every time', () =>
  World.with(async (world) => {
    const url = await service(world);
    const { token } = await world.key({ rate_limits: [{ name: 'default', limit: 3, window_seconds: 3600 }] });
    for (let use = 0; use < 3; use += 1) assert.deepEqual(await asked(url, token), [200, '']);
    const response = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
    assert.deepEqual([response.status, response.headers.get('x-claviger-code')], [429, 'rate_limited']);
    assert.ok(Number(response.headers.get('retry-after')) > 0);
    const rate_limits = [{ name: 'default', limit: 2, window_seconds: 3600 }];
    const trial = await world.key({ rate_limits, environment: 'test' });
    for (let use = 0; use < 3; use += 1) assert.deepEqual(await asked(url, trial.token), [401, 'audience_mismatch']);
    const testing = await service(world, {}, { testToo: true });
    for (const status of [200, 200, 429]) assert.equal((await asked(testing, trial.token))[0], status, 'nothing else is spent');
  }));

test('what a service judges is counted once, also if it closes at once', () =>
  World.with(async (world) => {
    const [key, narrow] = [await world.key(), await world.key({ permissions: ['invoices:write'] })];
    const [trial, { token, secret }] = [await world.key({ environment: 'test' }), await world.token()];
    // From memory, however busy the machine is: what the instance is asked about it counts itself.
    const claviger = new Claviger(world.settings({ keysWithoutFeedSeconds: 30, patienceSeconds: 10 }));
    const [app, guard] = [express(), claviger.require('invoices:read')];
    app.get('/invoices', guard, guard, (_, response) => response.send());
    const url = `${await world.serve(app)}/invoices`;
    const began = performance.now();
    while (!claviger.isFollowed) {
      assert.ok(performance.now() - began < SOON);
      await sleep(20);
    }
    for (let use = 0; use < 5; use += 1) {
      assert.equal((await asked(url, key.token))[0], 200);
      assert.equal((await asked(url, narrow.token))[0], 403);
      assert.equal((await asked(url, trial.token))[0], 401);
      assert.equal((await asked(url, token))[0], 200);
    }
    await claviger.close();
    assert.equal(claviger.usesLost, 0);
    for (const [id, code] of [
      [key.id, 'valid'],
      [narrow.id, 'permission_missing'],
      [trial.id, 'audience_mismatch'],
      [secret, 'valid'],
    ]) {
      const used = async () => (await world.send('GET', `/v1/usage?by=day&group=code&credential_id=${id}`)).items;
      const told = (items) => items.map((item) => [item.code, item.uses]);
      for (const began = performance.now(); (await used()).length === 0; await sleep(100))
        assert.ok(performance.now() - began < SOON);
      // Getting a token is a use of its client's secret.
      assert.deepEqual(told(await used()), [[code, id === secret ? 6 : 5]]);
    }
    assert.ok((await world.send('GET', `/v1/api-keys/${key.id}`)).last_used_at);
  }));

test('objects, networks and the environment hold as the service tells them', () =>
  World.with(async (world) => {
    const told = {
      objects: (request) => (request.query.base ? [`base:${request.query.base}`] : []),
      clientIp: (request) => request.get('x-from'),
    };
    const [plain, telling] = [await service(world), await service(world, {}, told)];
    const { token } = await world.key({ objects: ['base:app7', 'base:acme/*'] });
    await becomes(`${telling}?base=app7`, token, 200, SOON);
    assert.deepEqual(await asked(plain, token), [403, 'object_required']);
    await becomes(await service(world, {}, { whateverObject: true }), token, 200, SOON);
    assert.deepEqual(await asked(`${telling}?base=acme/x`, token), [200, '']);
    assert.deepEqual(await asked(`${telling}?base=app8`, token), [403, 'object_not_allowed']);
    for (const base of ['*', '..', 'acme/../x', 'acme%252fx']) {
      assert.deepEqual(await asked(`${telling}?base=${base}`, token), [400, 'invalid_object'], base);
    }
    const near = await world.key({ allowed_networks: ['10.0.0.0/8'] });
    await becomes(plain, near.token, 403, SOON);
    const from = (address) => asked(telling, near.token, { 'x-from': address });
    assert.deepEqual(await from('10.1.2.3'), [200, '']);
    assert.deepEqual(await from('::ffff:10.1.2.3'), [200, '']);
    assert.deepEqual(await from('11.1.2.3'), [403, 'network_not_allowed']);
    assert.deepEqual(await from('elsewhere'), [403, 'network_not_allowed']);
    const trial = await world.key({ environment: 'test' });
    assert.deepEqual(await asked(plain, trial.token), [401, 'audience_mismatch']);
    assert.deepEqual(await asked(await service(world, {}, { testToo: true }), trial.token), [200, '']);
  }));

test('behind two guards a limit is spent and a proof is used once', () =>
  World.with(async (world) => {
    const app = express();
    const origin = await world.serve(app);
    const claviger = new Claviger(world.settings({ origin }));
    world.ends.push(() => claviger.close());
    const router = express.Router();
    router.get('/invoices', claviger.require('invoices:read'), (request, response) => {
      const named = [request.headers, request.headersDistinct].map((headers) => headers['x-claviger-principal'] ?? null);
      const claims = [...named, request.rawHeaders.includes('root')];
      response.json({ may: identityOf(request).may('invoices:read'), claims });
    });
    app.use('/v1', claviger.require('invoices:read'), router);
    const url = `${origin}/v1/invoices`;
    const limited = await world.key({ rate_limits: [{ name: 'default', limit: 3, window_seconds: 3600 }] });
    await becomes(url, (await world.key()).token, 200, SOON);
    for (let use = 0; use < 3; use += 1) assert.deepEqual(await asked(url, limited.token), [200, '']);
    assert.equal((await asked(url, limited.token))[0], 429);

    const { privateKey, publicKey } = await generateKeyPair('ES256');
    const jwk = await exportJWK(publicKey);
    const proof = async (jti, htm, htu, token) => {
      const ath = token && Buffer.from(await crypto.subtle.digest('SHA-256', Buffer.from(token))).toString('base64url');
      const header = { typ: 'dpop+jwt', alg: 'ES256', jwk };
      return new SignJWT({ jti, htm, htu, ath }).setProtectedHeader(header).setIssuedAt().sign(privateKey);
    };
    const dpop = await proof('1', 'POST', `${ISSUER}/oauth/token`);
    const { token } = await world.token('invoices:read', { dpop });
    const get = async (shown) => {
      const headers = { authorization: `DPoP ${token}`, dpop: shown, 'x-claviger-principal': 'root' };
      const response = await fetch(url, { headers });
      return [response.status, await response.json()];
    };
    const first = await proof('2', 'GET', url, token);
    assert.deepEqual(await get(first), [200, { may: true, claims: [null, null, false] }]);
    assert.equal((await get(first))[1].code, 'proof_invalid', 'it counts once');
    assert.equal((await get(await proof('3', 'GET', url, token)))[0], 200);
    assert.equal((await get(await proof('4', 'GET', `${origin}/invoices`, token)))[0], 401);
    assert.deepEqual(await asked(url, token), [401, 'proof_required']);
  }));

test('what was proved counts from when it was proved first', () =>
  World.with(async (world) => {
    const claviger = new Claviger(world.settings({ keysWithoutFeedSeconds: 30 }));
    world.ends.push(() => claviger.close());
    const { token } = await world.key();
    for (const began = performance.now(); !claviger.isFollowed; await sleep(20)) assert.ok(performance.now() - began < SOON);
    await claviger.check(token);
    const { proved } = await claviger.check(token);
    const at = proved.at - 20_000;
    const again = await claviger.check(token, { proved: { ...proved, at } });
    assert.equal(again.proved.at, at);
  }));

test('a key that is bound is asked about with what was shown, every time', () =>
  World.with(async (world) => {
    const pem = await readFile(
      new URL('../../../crates/claviger-token/src/certificate/self_signed.pem', import.meta.url),
      'utf8',
    );
    const der = new X509Certificate(pem).raw;
    const options = { certificate: (request) => request.get('x-shown') && Buffer.from(request.get('x-shown'), 'base64') };
    const claviger = new Claviger(world.settings());
    world.ends.push(() => claviger.close());
    const app = express();
    app.get('/invoices', claviger.require('invoices:read', options), (_, response) => response.send());
    const url = `${await world.serve(app)}/invoices`;
    const { token } = await world.key({ client_certificate: pem });
    await becomes(url, (await world.key()).token, 200, SOON);
    for (let use = 0; use < 2; use += 1) {
      assert.deepEqual(await asked(url, token), [401, 'proof_required']);
      assert.deepEqual(await asked(url, token, { 'x-shown': der.toString('base64') }), [200, '']);
      assert.deepEqual(await asked(url, token, { 'x-shown': 'AAAA' }), [401, 'proof_invalid']);
    }

    const port = await freePort();
    const origin = `http://127.0.0.1:${port}`;
    const { privateKey, publicKey } = await generateKeyPair('EdDSA');
    const jwk = await exportJWK(publicKey);
    const bound = await world.key({ dpop_jkt: await calculateJwkThumbprint(jwk) });
    const proving = new Claviger(world.settings({ origin }));
    world.ends.push(() => proving.close());
    const get = async (jti) => {
      const ath = Buffer.from(await crypto.subtle.digest('SHA-256', Buffer.from(bound.token))).toString('base64url');
      const claims = new SignJWT({ jti, htm: 'GET', htu: `${origin}/invoices`, ath }).setIssuedAt();
      const dpop = await claims.setProtectedHeader({ typ: 'dpop+jwt', alg: 'EdDSA', jwk }).sign(privateKey);
      return proving.check(bound.token, { method: 'GET', path: '/invoices', dpop, permissions: ['invoices:read'] });
    };
    assert.equal((await get('1')).proved?.found.credential.id, bound.id);
    assert.equal((await get('2')).proved?.found.credential.id, bound.id);
    assert.equal((await get('2')).refusal, 'proof_invalid', 'it counts once');
    assert.equal((await claviger.check(bound.token, { dpop: 'x' })).refusal, 'proof_invalid', 'no address, no proof');
    assert.equal((await proving.check(bound.token)).refusal, 'proof_required');
  }));

test('whoever asks without a request is told the same', () =>
  World.with(async (world) => {
    const claviger = new Claviger(world.settings());
    world.ends.push(() => claviger.close());
    const check = async (credential, asked) => {
      const checked = await claviger.check(credential, asked);
      return checked.refusal ?? 'valid';
    };
    await becomes(await service(world), (await world.key()).token, 200, SOON);
    const [{ token }, jwt] = [await world.key({ objects: ['repo:acme/*'] }), (await world.token()).token];
    const began = performance.now();
    while (!claviger.isFollowed) {
      assert.ok(performance.now() - began < SOON);
      await sleep(20);
    }
    assert.equal(await check(token, { permissions: 'invoices:read', objects: ['repo:acme/site'] }), 'valid');
    for (const credential of [token, jwt]) {
      for (const object of ['repo:acme/../evil/site', 'repo:acme/*', 'repo:acme/..%2fevil', 'repo:', 'site', '', 7]) {
        assert.equal(await check(credential, { objects: [object] }), 'invalid_object', String(object));
      }
      for (const wrong of [
        { permission: ['invoices:write'] },
        { permissions: undefined },
        { permissions: null },
        { permissions: ['invoices:*'] },
        { permissions: [undefined] },
        { objects: 'repo:acme/site' },
        { testToo: 'no' },
        { whateverObject: 1 },
      ]) {
        await assert.rejects(() => check(credential, wrong), TypeError, JSON.stringify(wrong));
      }
    }
    const trial = await world.key({ environment: 'test' });
    const rate_limits = [{ name: 'default', limit: 1, window_seconds: 3600 }];
    for (const { token } of [trial, await world.key({ environment: 'test', rate_limits })]) {
      assert.equal(await check(token), 'audience_mismatch');
      assert.equal(await check(token, { testToo: true }), 'valid');
    }
    const [near, far] = [await world.key({ allowed_networks: ['10.0.0.0/8'] }), await world.key({ allowed_networks: ['::/0'] })];
    for (let use = 0; use < 2; use += 1) {
      assert.equal(await check(near.token, { clientIp: '::ffff:a01:101' }), 'valid');
      assert.equal(await check(far.token, { clientIp: '::1' }), 'valid');
      assert.equal(await check(far.token, { clientIp: '::ffff:10.1.1.1' }), 'network_not_allowed');
      for (const { token } of [near, far]) assert.equal(await check(token, { clientIp: 'fe80::1%1' }), 'network_not_allowed');
    }
  }));

test('what fails in a service lets nobody through, and ends nothing', () =>
  World.with(async (world) => {
    const claviger = new Claviger(world.settings());
    world.ends.push(() => claviger.close());
    const failing = () => {
      throw new Error('the service is wrong');
    };
    const warnings = [];
    const warned = (warning) => warnings.push(warning.message);
    process.on('warning', warned);
    world.ends.push(() => process.off('warning', warned));
    const { token } = await world.key();
    const plain = claviger.require('invoices:read');
    await becomes(await world.serve((request, response) => plain(request, response, () => response.end('x'))), token, 200, SOON);
    const later = async () => failing();
    for (const options of [
      ...[{ objects: failing }, { path: failing }, { clientIp: failing }, { certificate: failing }],
      ...[{ objects: later }, { path: later }, { clientIp: later }, { certificate: later }],
    ]) {
      const guard = claviger.require('invoices:read', options);
      let reached = 0;
      const reach = (response) => () => response.end(String((reached += 1)));
      const bare = await world.serve((request, response) => guard(request, response, reach(response)));
      for (const credential of [token, 'clv_key_000000000000000000000000000000001H8smx']) {
        assert.deepEqual(await asked(bare, credential), [500, '']);
      }
      assert.equal(reached, 0, 'a stranger reaches nobody');
      const app = express();
      app.get('/', guard, (_, response) => response.send(String((reached += 1))));
      app.use((error, _, response, next) => (error ? response.status(500).send(error.message) : next()));
      const response = await fetch(await world.serve(app), { headers: { authorization: `Bearer ${token}` } });
      assert.deepEqual([response.status, await response.text(), reached], [500, 'the service is wrong', 0]);
    }
    // What Express takes for no error, or for a way around the rest.
    for (const thrown of [undefined, null, '', 0, 'route', 'router']) {
      const odd = () => {
        throw thrown;
      };
      for (const objects of [odd, async () => odd()]) {
        let reached = 0;
        const app = express();
        app.use(claviger.require('invoices:read', { objects }));
        app.use((_, response) => response.send(String((reached += 1))));
        app.use((error, _, response, next) => (error ? response.status(500).send(error.message) : next()));
        const response = await fetch(await world.serve(app), { headers: { authorization: `Bearer ${token}` } });
        assert.deepEqual([response.status, reached], [500, 0], `${thrown}`);
      }
    }
    const waiting = claviger.require('invoices:read', { clientIp: async () => '10.1.2.3' });
    const near = await world.key({ allowed_networks: ['10.0.0.0/8'] });
    const behind = await world.serve((request, response) => waiting(request, response, () => response.end('x')));
    assert.deepEqual(await asked(behind, near.token), [200, '']);
    for (const handler of [failing, async () => failing()]) {
      assert.deepEqual(await asked(await world.serve((request, response) => plain(request, response, handler)), token), [500, '']);
    }
    const halfway = (response) => async () => {
      response.writeHead(200);
      response.write('half');
      await sleep(50);
      failing();
    };
    const url = await world.serve((request, response) => plain(request, response, halfway(response)));
    await assert.rejects(() => asked(url, token), 'never as if it were whole');
    assert.ok(warnings.length >= 11 && warnings.every((warning) => warning === 'the service is wrong'), warnings.join('\n'));
    assert.throws(() => claviger.require('invoices:read', { objects: ['repo:x'] }), TypeError);
    assert.throws(() => claviger.require('invoices:read', { testToo: 'no' }), TypeError);
  }));

test('of many who present the same key at once one asks', () =>
  World.with(async (world) => {
    const url = await service(world);
    const { token } = await world.key();
    await becomes(url, (await world.key()).token, 200, SOON);
    await sleep(1000);
    const verified = async () => {
      const lines = (await (await fetch(`${world.instance.internal}/metrics`)).text()).split('\n');
      const wanted = ['claviger_verdicts_total', 'verify', '"valid"', 'api_key'];
      const line = lines.find((line) => wanted.every((part) => line.includes(part)));
      return Number(line?.split(' ').at(-1) ?? 0);
    };
    const before = await verified();
    const answers = await Promise.all(Array.from({ length: 50 }, () => asked(url, token)));
    assert.ok(answers.every(([status]) => status === 200));
    assert.equal((await verified()) - before, 1);
  }));

test('an internal listener that wants a token gets it', () => {
  const internalToken = '0123456789abcdef0123456789abcdef';
  return World.with(
    async (world) => {
      const [url, without] = [await service(world, { internalToken }), await service(world)];
      const { token } = await world.key();
      await becomes(url, token, 200, SOON);
      assert.deepEqual(await asked(without, token), [503, 'unavailable']);
      await becomes(without, (await world.token()).token, 200, SOON);
    },
    { CLAVIGER_INTERNAL_TOKEN: internalToken },
  );
});

test('hostile texts are refused, and harm nobody else', () =>
  World.with(async (world) => {
    const url = await service(world);
    const { token } = await world.token();
    await becomes(url, token, 200, SOON);
    const [header, payload, signature] = token.split('.');
    const part = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
    const sound = JSON.parse(Buffer.from(header, 'base64url'));
    const headed = (members) => `${part({ ...sound, ...members })}.${payload}.${signature}`;
    const nested = `{"a":${'['.repeat(900)}${']'.repeat(900)}}`;
    for (const hostile of [
      headed({ alg: 'none' }),
      `${part({ ...sound, alg: 'none' })}.${payload}.`,
      headed({ alg: 'HS256' }),
      headed({ kid: '../../../../etc/passwd' }),
      headed({ kid: '__proto__' }),
      headed({ kid: ['x'] }),
      headed({ kid: 'x'.repeat(300) }),
      headed({ jku: 'https://evil.test', kid: undefined }),
      headed({ crit: ['exp'] }),
      headed({ typ: 'JWT' }),
      headed({ x: 'x'.repeat(4000) }),
      `${header}.${part('x'.repeat(5000))}.${signature}`,
      `${part(nested)}.${payload}.${signature}`,
      `${header}.${part(nested)}.${signature}`,
      `${header}.${part(JSON.stringify({ ['__proto__']: {}, exp: 1e308 }))}.${signature}`,
      `${header}.${payload}.${signature}.${signature}`,
      'eyJ.',
      'eyJ..',
      `eyJ${'.'.repeat(8000)}`,
    ]) {
      assert.equal((await asked(url, hostile))[0], 401, hostile.slice(0, 200));
    }
    assert.equal((await asked(url, `eyJ.${'x'.repeat(9000)}`))[0], 401);
    assert.deepEqual(await asked(url, token), [200, '']);
  }));

test('a handler of the shape of fetch is guarded in the same way', () =>
  World.with(async (world) => {
    const claviger = new Claviger(world.settings());
    world.ends.push(() => claviger.close());
    const handler = claviger.guard('invoices:read', async (request, more) =>
      Response.json({
        more,
        by: identityOf(request).kind,
        claims: request.headers.get('x-claviger-x'),
        body: await request.text(),
      }),
    );
    const { token } = await world.key();
    const handled = (headers) => handler(new Request(`${AUDIENCE}/invoices`, { method: 'POST', headers, body: 'hello' }), 7);
    const began = performance.now();
    while ((await handled({ authorization: `Bearer ${token}` })).status !== 200) assert.ok(performance.now() - began < SOON);
    const answer = await handled({ authorization: `Bearer ${token}`, 'x-claviger-x': 'admin' });
    assert.deepEqual(await answer.json(), { more: 7, by: 'api_key', claims: null, body: 'hello' });
    assert.equal((await claviger.check(token)).proved.found.principal.id, world.account);
    assert.deepEqual(await claviger.check(token, { permissions: ['invoices:write'] }), { refusal: 'permission_missing' });
    const refused = await handled({});
    assert.deepEqual([refused.status, (await refused.json()).code], [401, 'unauthenticated']);
    claviger.close();
    assert.equal((await handled({ authorization: `Bearer ${token}` })).status, 503);
  }));
