// Services of somebody else's, while the instance is away, or what stands between is bad: what they do not let through then.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { Agent } from 'undici';

import { Claviger, Unreachable } from '@claviger/verify';

import { Authority, PROMISE, SOON, World, asked, becomes, service, spoiled } from './instance.js';

test('while the server is away tokens count and keys do not for long; when it is back all is as before', () =>
  World.with(async (world) => {
    const told = [];
    const url = await service(world, { log: (message) => told.push(message) });
    const [key, { token, secret }] = [await world.key(), await world.token()];
    for (const credential of [key.token, token]) await becomes(url, credential, 200, SOON);
    await world.instance.stop();
    await becomes(url, key.token, 503, 12_000, [401, 403]);
    assert.deepEqual(await asked(url, token), [200, '']);
    await sleep(1000);
    assert.ok(told.length > 0 && told.length <= 3, told.join('\n'));
    await world.instance.start();
    await becomes(url, key.token, 200, SOON, [401, 403]);
    assert.deepEqual(await asked(url, token), [200, '']);
    await world.made(`/v1/api-keys/${key.id}/revoke`, {});
    await becomes(url, key.token, 401, PROMISE);
    await world.revokeSecret(secret);
    await becomes(url, token, 401, PROMISE);
  }));

test('a logger that fails ends nothing', () =>
  World.with(async (world) => {
    let told = 0;
    const logs = [
      () => {
        told += 1;
        throw new Error('the disk is full');
      },
      async () => {
        told += 1;
        throw new Error('the disk is full');
      },
    ];
    const urls = [];
    for (const log of logs) urls.push(await service(world, { log }));
    const [key, { token }] = [await world.key(), await world.token()];
    for (const url of urls) for (const credential of [key.token, token]) await becomes(url, credential, 200, SOON);
    await world.instance.stop();
    for (const url of urls) await becomes(url, key.token, 503, SOON, [401, 403]);
    await sleep(1000);
    assert.ok(told >= 2, String(told));
    await world.instance.start();
    for (const url of urls) await becomes(url, key.token, 200, SOON, [401, 403]);
    await world.made(`/v1/api-keys/${key.id}/revoke`, {});
    for (const url of urls) await becomes(url, key.token, 401, PROMISE);
  }));

test('while the server is there and says nothing, nobody waits for long', () =>
  World.with(async (world) => {
    const url = await service(world, { patienceSeconds: 1 });
    const [{ token: key }, { token }] = [await world.key(), await world.token()];
    for (const credential of [key, token]) await becomes(url, credential, 200, SOON);
    world.instance.server.kill('SIGSTOP');
    try {
      await sleep(2500);
      const began = performance.now();
      const answers = await Promise.all(
        [key, key, token, 'clv_key_000000000000000000000000000000001H8smx'].map((credential) => asked(url, credential)),
      );
      assert.deepEqual(
        answers.map(([status]) => status),
        [503, 503, 200, 503],
      );
      assert.ok(performance.now() - began < 2000, 'patience is a second');
    } finally {
      world.instance.server.kill('SIGCONT');
    }
    for (const credential of [key, token]) await becomes(url, credential, 200, SOON, [401, 403]);
  }));

test('a service that starts first refuses until the server is there', async () => {
  const world = await World.make();
  try {
    const url = await service(world);
    for (const credential of [world.root, 'eyJhbGciOiJFUzI1NiJ9.e30.c2ln']) {
      assert.deepEqual(await asked(url, credential), [503, 'unavailable'], 'never as if it were wrong');
    }
    await world.start();
    const began = performance.now();
    // The administrator's key is good, and not for this API.
    while ((await asked(url, world.root))[1] !== 'audience_mismatch') {
      assert.ok(performance.now() - began < SOON);
      await sleep(50);
    }
  } finally {
    await world.end();
  }
});

test('whatever happens to the change feed on its way, a revoked key is refused within two seconds', () =>
  World.with(async (world) => {
    let held = '';
    const seen = [];
    for (const [name, spoil, forgets] of [
      ['cut in the middle of a message', (event, number) => (number > 4 ? null : event), false],
      ['twice', (event) => event + event, false],
      [
        'in another order',
        (event) => {
          const before = held;
          held = before === '' ? event : '';
          return before === '' ? ': held\n\n' : event + before;
        },
        false,
      ],
      [
        'again from its beginning',
        (event, number) => {
          seen.push(event);
          return number % 4 === 0 ? seen[1] + seen.at(-4) + event : event;
        },
        false,
      ],
      ['without where it was', (event, number) => (number > 6 ? null : event), true],
    ]) {
      const internalAddress = await spoiled(world, { spoil, forgets });
      const url = await service(world, { internalAddress });
      for (let round = 0; round < 2; round += 1) {
        const { id, token } = await world.key();
        await becomes(url, token, 200, SOON);
        await sleep(400 * round);
        await world.made(`/v1/api-keys/${id}/revoke`, {});
        await becomes(url, token, 401, PROMISE);
        for (let use = 0; use < 20; use += 1) {
          assert.notEqual((await asked(url, token))[0], 200, name);
          await sleep(20);
        }
      }
    }
  }));

test('an answer that a revocation overtook on its way lets nobody through', () =>
  World.with(async (world) => {
    let held = Promise.resolve();
    const internalAddress = await spoiled(world, { hold: (path) => (path === '/v1/verify' ? held : undefined) });
    const url = await service(world, { internalAddress });
    await becomes(url, (await world.key()).token, 200, SOON);
    const { id, token } = await world.key();
    await sleep(500);
    let release;
    held = new Promise((resolve) => (release = resolve));
    const first = asked(url, token);
    await sleep(300);
    await world.made(`/v1/api-keys/${id}/revoke`, {});
    await sleep(700);
    release();
    assert.deepEqual(await first, [401, 'revoked'], 'it was true when it was read');
    assert.deepEqual(await asked(url, token), [401, 'revoked']);
  }));

test('who was answered before the facts came is not counted', () =>
  World.with(async (world) => {
    let isHeld = false;
    const hold = (path) => (isHeld && path === '/v1/verify' ? sleep(700) : undefined);
    const internalAddress = await spoiled(world, { hold });
    const claviger = new Claviger(world.settings({ internalAddress, patienceSeconds: 1 }));
    world.ends.push(() => claviger.close());
    for (const began = performance.now(); !claviger.isFollowed; await sleep(20)) assert.ok(performance.now() - began < SOON);
    const { id, token } = await world.key();
    await sleep(500);
    isHeld = true;
    const first = assert.rejects(claviger.check(token), Unreachable);
    await sleep(300);
    // What is overtaken is asked again, which takes longer than anybody waits.
    await world.send('PATCH', `/v1/api-keys/${id}`, { name: 'renamed' });
    await first;
    await sleep(1000);
    isHeld = false;
    assert.ok('proved' in (await claviger.check(token)));
    await claviger.reportUses();
    const used = async () => (await world.send('GET', `/v1/usage?by=day&group=code&credential_id=${id}`)).items;
    for (const began = performance.now(); (await used()).length === 0; await sleep(100)) assert.ok(performance.now() - began < SOON);
    assert.equal((await used())[0].uses, 1);
  }));

test('an instance behind a private authority is believed by whoever is given that, and by nobody else', () =>
  World.with(async (world) => {
    const authority = await Authority.make();
    world.ends.push(() => authority.remove());
    const places = {
      internalAddress: await spoiled(world, { tls: authority }),
      publicAddress: await spoiled(world, { tls: authority, target: world.instance.public }),
    };
    const dispatcher = new Agent({ connect: { ca: authority.certificate } });
    world.ends.push(() => dispatcher.close());
    const [url, without] = [await service(world, { ...places, dispatcher }), await service(world, places)];
    const [key, { token }] = [await world.key(), await world.token()];
    for (const credential of [key.token, token]) {
      await becomes(url, credential, 200, SOON);
      assert.deepEqual(await asked(without, credential), [503, 'unavailable']);
    }
    await world.made(`/v1/api-keys/${key.id}/revoke`, {});
    await becomes(url, key.token, 401, PROMISE);
  }));

test('uses that are judged while the server is away are told when it is back', () =>
  World.with(async (world) => {
    const claviger = new Claviger(world.settings({ keysWithoutFeedSeconds: 30 }));
    world.ends.push(() => claviger.close());
    const { id, token } = await world.key();
    const began = performance.now();
    while (!claviger.isFollowed) {
      assert.ok(performance.now() - began < SOON);
      await sleep(20);
    }
    const use = async () => assert.ok('proved' in (await claviger.check(token)));
    await use();
    await world.instance.stop();
    await use();
    await claviger.reportUses();
    await use();
    await world.instance.start();
    await claviger.reportUses();
    const used = async () => (await world.send('GET', `/v1/usage?by=day&group=code&credential_id=${id}`)).items;
    for (const began = performance.now(); (await used())[0]?.uses !== 3; await sleep(100))
      assert.ok(performance.now() - began < SOON, JSON.stringify(await used()));
    assert.equal(claviger.usesLost, 0);
  }));

test('the end does not wait for an instance that takes no uses, and says how many are lost', () =>
  World.with(async (world) => {
    let release;
    const held = new Promise((resolve) => (release = resolve));
    world.ends.push(() => release());
    const hold = (path) => (path === '/v1/usage-reports' ? held : undefined);
    const told = [];
    const internalAddress = await spoiled(world, { hold });
    const settings = { internalAddress, keysWithoutFeedSeconds: 30, patienceSeconds: 10, closeSeconds: 0.5 };
    const claviger = new Claviger(world.settings({ ...settings, log: (message) => told.push(message) }));
    world.ends.push(() => claviger.close());
    const { token } = await world.key();
    for (const began = performance.now(); !claviger.isFollowed; await sleep(20)) assert.ok(performance.now() - began < SOON);
    assert.ok('proved' in (await claviger.check(token)));
    const began = performance.now();
    await claviger.close();
    assert.ok(performance.now() - began < 5000);
    assert.equal(claviger.usesLost, 1);
    assert.ok(told.includes('uses are counted nowhere (1): they were not taken before the end'), told.join('\n'));
  }));

test('while keys cannot be read, a token of one that is not known is not wrong', () =>
  World.with(async (world) => {
    let isBroken = false;
    const change = (answer, path) => (isBroken && path === '/.well-known/jwks.json' ? '{"keys":7}' : answer);
    const publicAddress = await spoiled(world, { change, target: world.instance.public });
    const url = await service(world, { publicAddress });
    const { token } = await world.token();
    await becomes(url, token, 200, SOON);
    const [header, payload, signature] = token.split('.');
    const members = { ...JSON.parse(Buffer.from(header, 'base64url')), kid: 'skey_new' };
    const other = `${Buffer.from(JSON.stringify(members)).toString('base64url')}.${payload}.${signature}`;
    assert.deepEqual(await asked(url, other), [401, 'unknown']);
    isBroken = true;
    await sleep(5000);
    for (let use = 0; use < 3; use += 1) assert.deepEqual(await asked(url, other), [503, 'unavailable']);
    assert.deepEqual(await asked(url, token), [200, '']);
    isBroken = false;
    await becomes(url, other, 401, SOON);
  }));

test('those who present the same key wait for one answer, also if none may be kept', () =>
  World.with(async (world) => {
    const change = (answer) => answer.replace(/"max_age_seconds":\d+/, '"max_age_seconds":0');
    const hold = (path) => (path === '/v1/verify' ? sleep(300) : undefined);
    const url = await service(world, { internalAddress: await spoiled(world, { change, hold }), patienceSeconds: 5 });
    const { token } = await world.key();
    await becomes(url, token, 200, SOON);
    for (let round = 0; round < 2; round += 1) {
      await sleep(1500 * round);
      const answers = await Promise.all(Array.from({ length: 30 }, () => asked(url, token)));
      assert.ok(answers.every(([status]) => status === 200), JSON.stringify(answers));
    }
  }));

test('whoever presents unknown keys cannot make us ask for keys', () =>
  World.with(async (world) => {
    let read = 0;
    const hold = (path) => {
      if (path.startsWith('/.well-known/jwks.json')) read += 1;
    };
    const publicAddress = await spoiled(world, { hold, target: world.instance.public });
    const url = await service(world, { publicAddress });
    const { token } = await world.token();
    await becomes(url, token, 200, SOON);
    await sleep(2000);
    const before = read;
    const [header, payload, signature] = token.split('.');
    const stranger = (number) => {
      const members = { ...JSON.parse(Buffer.from(header, 'base64url')), kid: `skey_${number}` };
      return `${Buffer.from(JSON.stringify(members)).toString('base64url')}.${payload}.${signature}`;
    };
    const answers = await Promise.all(Array.from({ length: 50 }, (_, number) => asked(url, stranger(number))));
    assert.ok(answers.every(([status]) => status === 401));
    assert.ok(read - before <= 1, String(read - before));
    assert.deepEqual(await asked(url, token), [200, '']);
  }));

test('a service whose clock is off by five minutes follows that of the instance', () =>
  World.with(async (world) => {
    const real = Date.now;
    for (const off of [-300_000, 300_000]) {
      Date.now = () => real() + off;
      let url;
      try {
        url = await service(world);
      } finally {
        Date.now = real;
      }
      const [key, { token, secret }] = [await world.key(), await world.token()];
      await becomes(url, key.token, 200, SOON);
      await becomes(url, token, 200, SOON);
      await world.made(`/v1/api-keys/${key.id}/revoke`, {});
      await becomes(url, key.token, 401, PROMISE);
      await world.revokeSecret(secret);
      await becomes(url, token, 401, PROMISE);
    }
  }));

test('tokens of a new signing key count, and those of one that was withdrawn do not', () =>
  World.with(async (world) => {
    const url = await service(world);
    const { token } = await world.token();
    const kidOf = (text) => JSON.parse(Buffer.from(text.split('.')[0], 'base64url')).kid;
    await becomes(url, token, 200, SOON);
    await world.made('/v1/signing-keys/rotate', { emergency: true });
    let other;
    const began = performance.now();
    do {
      assert.ok(performance.now() - began < SOON);
      other = (await world.token()).token;
    } while (kidOf(other) === kidOf(token));
    await becomes(url, other, 200, SOON);
    await becomes(url, token, 401, SOON);
  }));
