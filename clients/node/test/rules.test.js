// What no vector can say: bounds, clocks, and what a service chooses.

import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { test } from 'node:test';

import { SignJWT, exportJWK, generateKeyPair } from 'jose';

import { Claviger, PROVED_FOR } from '../src/claviger.js';
import { permissionsOf, presented } from '../src/guard.js';
import { Identity } from '../src/identity.js';
import { Bounded, Opaque } from '../src/instance/cache.js';
import { Clock, Heard } from '../src/instance/clock.js';
import { Replays } from '../src/instance/replays.js';
import { RemoteError } from '../src/instance/remote.js';
import { middleware } from '../src/requests.js';
import { complete } from '../src/instance/settings.js';
import { Places, Turns } from '../src/instance/turns.js';
import { Usage } from '../src/instance/usage.js';
import { readAnswer } from '../src/token/answer.js';
import { proofUrl } from '../src/token/dpop.js';
import { Ended, readEnded } from '../src/token/ended.js';
import { Events, Names, NoMessage, REMEMBERED, positionOf } from '../src/token/feed.js';
import { readObject } from '../src/token/json.js';
import { areSameKeys, readKey, readKeys } from '../src/token/key.js';
import { decoded } from '../src/token/text.js';

const KEY = 'key_01h2xcejqtf2nbrexx3vqjhp41';
const MINUTE = 60_000;
const SOON = 10_000;

function message(reset, position, changes = [], more = false) {
  const named = changes.map(([sequence, concerns]) => ({ sequence, concerns, keys: false }));
  return { reset, next: '', position, more, changes: named };
}

test('settings that cannot be followed are refused with what would be right', () => {
  const sound = { issuer: 'https://keys.acme.test', internalAddress: 'http://127.0.0.1:7421', audience: 'urn:api' };
  for (const [more, wrong] of [
    [{}, undefined],
    [{ issuer: 'https://keys.acme.test/' }, 'issuer'],
    [{ issuer: undefined }, 'issuer'],
    [{ issuer: 'http://keys.acme.test' }, 'issuer'],
    [{ issuer: 'http://localhost:7420' }, undefined],
    [{ audience: '' }, 'audience'],
    [{ internalAddress: '127.0.0.1:7421' }, 'internalAddress'],
    [{ issuer: 'https://keys.acme.test"' }, 'issuer'],
    [{ issuer: 'https://keys.acme\n.test' }, 'issuer'],
    [{ internalToken: 'a\nb' }, 'internalToken'],
    [{ internalToken: null }, 'internalToken'],
    [{ internalToken: '' }, 'internalToken'],
    [{ internalToken: 7 }, 'internalToken'],
    [{ origin: null }, 'origin'],
    [{ log: null }, 'log'],
    [{ log: false }, 'log'],
    [{ log: 'console' }, 'log'],
    [{ log: undefined }, undefined],
    [{ dispatcher: {} }, 'dispatcher'],
    [{ dispatcher: null }, 'dispatcher'],
    [{ dispatcher: { dispatch() {} } }, undefined],
    [{ publicAddress: 'keys' }, 'publicAddress'],
    [{ publicAddress: 'http://10.0.0.1' }, 'publicAddress'],
    [{ publicAddress: 'http://[::1]:7420' }, undefined],
    [{ origin: 'ftp://api.acme.test' }, 'origin'],
    [{ keysWithoutFeedSeconds: 0.999 }, 'keysWithoutFeedSeconds'],
    [{ tokensWithoutFeedSeconds: 19 }, 'tokensWithoutFeedSeconds'],
    [{ tokensWithoutFeedSeconds: Number.NaN }, 'tokensWithoutFeedSeconds'],
    [{ patienceSeconds: '2' }, 'patienceSeconds'],
    [{ patienceSeconds: 10 }, undefined],
    [{ patienceSeconds: 10.1 }, 'patienceSeconds'],
    [{ cacheEntries: 0 }, 'cacheEntries'],
    [{ closeSeconds: 0 }, 'closeSeconds'],
    [{ closeSeconds: 60 }, undefined],
    [{ audeince: 'urn:x' }, 'audeince'],
  ]) {
    const check = () => complete({ ...sound, ...more });
    if (wrong === undefined) check();
    else assert.throws(check, new RegExp(`^Error: ${wrong} is `), JSON.stringify(more));
  }
  for (const hush of [{ internaltoken: 'hush' }, { internalToken: 'hush\n' }])
    assert.throws(() => complete({ ...sound, ...hush }), ({ message }) => !message.includes('hush'), 'a secret is not told');
});

test('what is no permission is not asked for', () => {
  assert.deepEqual(permissionsOf('invoices:read'), ['invoices:read']);
  assert.deepEqual(permissionsOf([]), []);
  for (const wrong of ['', '*', 'a b', 'invoices:', 'a"b', 'x'.repeat(129)])
    assert.throws(() => permissionsOf(wrong), TypeError, wrong);
});

test('what has no text may be thrown as well', async () => {
  const claviger = { issuer: 'https://keys.acme.test', check: async () => ({ proved: {} }) };
  const request = { rawHeaders: ['Authorization', 'Bearer x'], headers: {}, headersDistinct: {}, method: 'GET', url: '/' };
  const said = [];
  const response = { headersSent: false, writeHead: (status) => said.push(status), end() {} };
  await middleware(claviger, [], {})(request, response, () => {
    throw Object.create(null);
  });
  assert.deepEqual(said, [500]);
});

test('what is too long is not looked at', () => {
  const shown = (length) => () => presented((name) => (name === 'x-api-key' ? ['a'.repeat(length)] : []));
  assert.equal(shown(8192)().credential.length, 8192);
  assert.throws(shown(8193), { code: 'malformed' });
});

test('what says something twice is refused at any depth', () => {
  const check = (text, sound) => assert.equal(readObject(Buffer.from(text, 'latin1')) !== undefined, sound, text.slice(0, 99));
  check('{"a":1,"b":[{"a":null},{"a":true}],"c":"x"}', true);
  check(' {"a":-1.5e3, "b" : "a", "c":{"d":"\\\\"} } ', true);
  check('{"a":"a","b":["a","a"]}', true);
  check('{"a":1,"a":1}', false);
  check('{"a":1,"\\u0061":2}', false);
  check(`{"a":1,"a"${' '.repeat(999)}:2}`, false);
  check('{"b":[{"c":{"a":1,"a":2}}]}', false);
  check('{"a":1}{"a":1}', false);
  check('\xef\xbb\xbf{}', false);
  check('{"a":"\xff"}', false);
  for (const half of ['{"a":"\\ud800"}', '{"a":["\\uDC00\\ud83d"]}', '{"\\ud800":1}']) check(half, false);
  check('{"a":"\\ud83d\\ude00","\\u00e9":"\\\\ud800"}', true);
  for (const text of ['', '[1]', 'null', '"x"', `{"a":${'['.repeat(1000)}`]) check(text, false);
  const nested = (depth) => `{"a":${'['.repeat(depth)}${']'.repeat(depth)}}`;
  check(nested(126), true);
  check(nested(127), false);
  const many = (count) => `{${Array.from({ length: count }, (_, number) => `"m${number}":0`).join(',')}}`;
  check(many(100), true);
  check(many(101), false);
});

test('whole numbers are those that are written as such', () => {
  const check = (text, sound) => assert.equal(readObject(Buffer.from(text), true) !== undefined, sound, text);
  check('{"a":1800000600,"b":[true,false,null,-7],"c":"1.0E2","1e2":0}', true);
  for (const number of ['1.0', '1e2', '1E2', '1.5', '-1e-2', '10e+1']) {
    check(`{"a":${number}}`, false);
    check(`{"a":[{"b":${number}}]}`, false);
    assert.ok(readObject(Buffer.from(`{"a":${number}}`)));
  }
});

test('there is one way to write bytes', () => {
  assert.deepEqual([...decoded('-_8')], [0xfb, 0xff]);
  for (const wrong of ['-_8=', '+/8', '-_9', '-_8\n', ' -_8', '-', '-_8-_', 'é', 7])
    assert.equal(decoded(wrong), undefined, wrong);
});

test('addresses of proofs are compared in one way of writing', () => {
  const url = 'https://api.acme.test/invoices';
  for (const same of [`${url}?a=b#c`, 'HTTPS://API.acme.TEST:443/invoices', 'https://api.acme.test/a/../%69nvoices']) {
    assert.equal(proofUrl(same), url, same);
  }
  assert.equal(proofUrl('https://api.acme.test/a/./b/..'), 'https://api.acme.test/a/');
  assert.equal(proofUrl('https://api.acme.test/caf%c3%a9/%7Eme'), 'https://api.acme.test/caf%C3%A9/~me');
  for (const none of [
    '',
    '/x',
    ` ${url}`,
    'https://a.test\\x',
    'https://me@a.test/',
    'ftp://a.test/',
    'https://a.test/%6',
    'https://a.test/é',
  ]) {
    assert.equal(proofUrl(none), undefined, none);
  }
});

test('keys that are not for signatures, secret or no points are left out', async () => {
  const p256 = {
    kty: 'EC',
    crv: 'P-256',
    x: 'l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs',
    y: '9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA',
  };
  const check = async (jwk, sound) => assert.equal((await readKey(jwk)) !== undefined, sound, JSON.stringify(jwk));
  await check(p256, true);
  await check({ ...p256, use: 'sig', alg: 'ES256', key_ops: ['verify'], kid: 'x', x5c: 7 }, true);
  for (const more of [
    { use: 'enc' },
    { alg: 'RS256' },
    { alg: null },
    { key_ops: [] },
    { kid: 7 },
    { d: 'AQAB' },
    { crv: 'P-384' },
    { y: p256.x },
  ]) {
    await check({ ...p256, ...more }, false);
  }
  const ed25519 = (hex) => ({ kty: 'OKP', crv: 'Ed25519', x: Buffer.from(hex, 'hex').toString('base64url') });
  await check(ed25519('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a'), true);
  for (const small of [
    '01',
    'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
  ]) {
    await check(ed25519(small.padEnd(64, '0')), false);
  }
  await check({ kty: 'RSA', n: Buffer.alloc(255, 255).toString('base64url'), e: 'AQAB' }, false);
  await check({ kty: 'RSA', n: Buffer.alloc(256, 255).toString('base64url'), e: 'AQ' }, false);

  const set = (...keys) => readKeys(Buffer.from(JSON.stringify({ keys })));
  const twice = await set({ ...p256, kid: '1' }, { ...p256, kid: '1' }, { ...p256, kid: '2' }, { kty: 'oct', kid: '3' });
  assert.deepEqual([...twice.keys()], ['2']);
  const other = { ...ed25519('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a'), kid: '1' };
  assert.ok(areSameKeys(await set({ ...p256, kid: '1' }), await set({ ...p256, kid: '1' })));
  assert.ok(!areSameKeys(await set({ ...p256, kid: '1' }), await set(other)));
  for (const none of ['[]', '{}', '{"keys":{}}', '{"keys":[7]}', 'x'])
    assert.equal(await readKeys(Buffer.from(none)), undefined, none);
});

test('an event may come in any pieces, and what is none ends the connection', () => {
  const data = JSON.stringify({
    reset: true,
    next: '1.é.',
    position: 3,
    changes: [{ sequence: 4, kind: 'credential', id: KEY }],
  });
  const bytes = Buffer.from(`: hello\n\nid: x\nevent: changes\ndata: ${data}\n\n`);
  for (const length of [1, 2, 3, 7, 64, bytes.length]) {
    const events = new Events();
    const read = [];
    for (let at = 0; at < bytes.length; at += length) read.push(...events.take(bytes.subarray(at, at + length)));
    assert.deepEqual(read, [{ reset: true, next: '1.é.', position: 3, more: false, changes: [{ sequence: 4, concerns: KEY, keys: false }] }]);
  }
  for (const wrong of [
    'data: {"reset":\n\n',
    'data: []\n\n',
    'data: {"reset":1,"next":"","position":1,"changes":[]}\n\n',
    'data: {"reset":true,"next":"","position":1e99,"changes":[]}\n\n',
  ]) {
    assert.throws(() => new Events().take(Buffer.from(wrong)), NoMessage, wrong);
  }
  assert.throws(() => new Events().take(Buffer.from([0x64, 0xff, 0x0a])), NoMessage);
  assert.throws(() => new Events().take(Buffer.alloc((16 << 20) + 1, 'x')), NoMessage);
});

test('names are withheld from the first message that says so until one that does not', () => {
  const names = new Names();
  const take = (/** @type {boolean} */ more, /** @type {number} */ now) => names.take(message(false, 2, [], more), now);
  assert.equal(names.withheldSince, undefined);
  take(true, 100);
  take(true, 900);
  assert.equal(names.withheldSince, 100);
  take(false, 1000);
  assert.equal(names.withheldSince, undefined);
});

test('a name is forgotten after everything that it voids', () => {
  const names = new Names();
  names.take(message(true, 1, [[2, KEY]]), 0);
  names.take(message(false, 2), REMEMBERED - 1);
  assert.ok(!names.hold(1, 1, [KEY]));
  names.take(message(false, 2), REMEMBERED);
  assert.ok(!names.knowSince(1, 1), 'what was asked that long ago is not kept any more');
  assert.ok(names.knowSince(1, 2) && names.hold(1, 2, [KEY]));
});

test('of more names than are remembered everything is void', () => {
  const names = new Names();
  names.take(message(true, 0), 0);
  for (let part = 0; part < 6; part += 1) {
    const changes = Array.from({ length: 100_000 }, (_, number) => [part * 100_000 + number + 1, `key_${part}_${number}`]);
    names.take(message(false, (part + 1) * 100_000, changes), 0);
  }
  assert.ok(!names.hold(1, 99_999, ['key_x']) && names.hold(1, 100_000, ['key_x']));
  assert.ok(!names.hold(1, 599_999, ['key_5_99999']) && names.hold(1, 600_000, ['key_5_99999']));
  assert.ok(!names.knowSince(1, 99_999) && names.knowSince(1, 100_000));
});

test('no more is believed of a position than was told', () => {
  for (const [told, header, expected] of [
    [5, '3', 3],
    [5, '9', 5],
    [5, null, undefined],
    [5, '', undefined],
    [5, '1e3', undefined],
    [5, '9'.repeat(30), undefined],
  ]) {
    assert.equal(positionOf(told, header), expected);
  }
});

test('an answer that a change overtook is not kept, and none is kept for longer than a minute', () => {
  const opaque = new Opaque(10);
  const answer = readAnswer({
    code: 'valid',
    permissions: [],
    objects: null,
    metadata: {},
    credential: { id: KEY, kind: 'api_key', name: 'x', environment: 'live', expires_at: null },
    principal: { id: 'sa_01h2xcejqtf2nbrexx3vqjhp41', name: 'x', external_id: null },
    organization: { id: 'org_01h2xcejqtf2nbrexx3vqjhp41', slug: 'x', external_id: null },
  });
  const keep = (beginning, position, maxAge = 60) => opaque.keep('hash', { found: answer.found, beginning, position }, maxAge, 0);
  const isKnown = (at) => opaque.known('hash', at) !== undefined;
  keep(0, 9);
  assert.ok(!isKnown(0), 'before the feed is heard');
  opaque.names.take(message(true, 10), 0);
  opaque.names.take(message(false, 12, [[12, KEY]]), 0);
  keep(1, 11);
  assert.ok(!isKnown(0), 'read before the change, and here after it');
  keep(1, 12);
  assert.ok(isKnown(0) && isKnown(MINUTE - 1) && !isKnown(MINUTE));
  keep(1, 12);
  opaque.names.take(message(false, 13, [[13, 'sa_01h2xcejqtf2nbrexx3vqjhp41']]), 0);
  assert.ok(!isKnown(0));
  keep(1, 13, 9 * 60);
  assert.ok(isKnown(MINUTE - 1) && !isKnown(MINUTE), 'whatever the answer says');
  keep(1, 13);
  opaque.names.take(message(true, 13), 0);
  assert.ok(!isKnown(0));
  opaque.keepRefusal('hash', 'unknown', 0);
  assert.ok(isKnown(999) && !isKnown(1000));
  keep(2, 13);
  opaque.keepRefusal('hash', 'revoked', 0);
  assert.equal(opaque.known('hash', 0), 'revoked');
  assert.ok(!isKnown(1000), 'a refusal is the end of what was known');
  keep(2, 13);
  for (let stranger = 0; stranger < 9999; stranger += 1) opaque.keepRefusal(`stranger ${stranger}`, 'unknown', 0);
  assert.ok(isKnown(0), 'strangers push out nobody but each other');
});

test('who is for some objects is not for others', () => {
  const body = {
    ...{ code: 'valid', permissions: [], metadata: {} },
    credential: { id: KEY, kind: 'api_key', name: 'x', environment: 'live', expires_at: null },
    principal: { id: 'sa_01h2xcejqtf2nbrexx3vqjhp41', name: 'x' },
    organization: { id: 'org_01h2xcejqtf2nbrexx3vqjhp41', slug: 'x' },
  };
  const isFor = (objects) => new Identity(readAnswer({ ...body, objects }).found).isFor('repo:acme/site');
  assert.deepEqual([isFor(null), isFor(['repo:acme/*']), isFor(['repo:acme'])], [true, true, false]);
});

test('what one guard proved counts for a request that shows the same, and for a moment', async () => {
  const answer = {
    ...{ code: 'valid', permissions: ['a:read'], objects: null, metadata: {} },
    credential: { id: KEY, kind: 'api_key', name: 'x', environment: 'live', expires_at: null },
    principal: { id: 'sa_01h2xcejqtf2nbrexx3vqjhp41', name: 'x' },
    organization: { id: 'org_01h2xcejqtf2nbrexx3vqjhp41', slug: 'x' },
  };
  let questions = 0;
  const server = createServer((request, response) => {
    if (request.url !== '/v1/verify') return void response.writeHead(404).end();
    questions += 1;
    response.end(JSON.stringify(answer));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = `http://127.0.0.1:${server.address().port}`;
  const settings = { issuer: address, internalAddress: address, audience: 'urn:api', origin: 'https://api.acme.test', log() {} };
  const [claviger, other] = [new Claviger(settings), new Claviger(settings)];
  try {
    const pem = await readFile(new URL('../../../crates/claviger-token/src/certificate/self_signed.pem', import.meta.url));
    const certificate = new X509Certificate(pem).raw;
    const key = 'clv_key_000000000000000000000000000000001H8smx';
    const shown = { clientIp: '10.1.2.3', method: 'GET', path: '/', dpop: 'proof', certificate };
    const { proved } = await claviger.check(key, shown);
    const asks = async (more = {}, at = claviger, credential = key) => {
      const before = questions;
      assert.ok('proved' in (await at.check(credential, { ...shown, proved, ...more })));
      return questions - before;
    };
    assert.equal(await asks(), 0);
    assert.equal(await asks({ permissions: 'a:read' }), 0);
    for (const more of [{ clientIp: '10.1.2.4' }, { clientIp: null }, { method: 'DELETE' }, { dpop: 'other' }, { dpop: null }]) {
      assert.equal(await asks(more), 1, JSON.stringify(more));
    }
    assert.equal(await asks({ certificate: null }), 1, 'no certificate');
    assert.equal(await asks({}, claviger, 'acme_cs_zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz4FSCUX'), 1, 'another credential');
    assert.equal(await asks({}, other), 1, 'another instance');
    assert.equal(await asks({ proved: { ...proved, at: proved.at - PROVED_FOR } }), 1, 'long ago');
  } finally {
    await Promise.all([claviger.close(), other.close()]);
    server.close().closeAllConnections();
  }
});

/** Counts uses, and tells them to an instance that `takes` them, or says with which status it does not; some it ignores. */
function counting(takes, ignored = []) {
  const reports = [];
  const remote = {
    async report(report) {
      const status = takes(report);
      if (status !== undefined) throw new RemoteError('refused', status);
      reports.push(report);
      return ignored;
    },
  };
  const logged = [];
  const usage = new Usage(remote, (message) => logged.push(message));
  const found = (id = KEY) => ({ credential: { id, generation: 'current' } });
  return { usage, found, logged, uses: () => reports.flatMap(({ uses }) => uses), reports };
}

test('uses are told apart by verdict and hour, and each permission is counted', async () => {
  const { usage, found, uses } = counting(() => {});
  const at = (second) => (1_800_000_000 + second) * 1000;
  usage.count(found(), 'valid', ['a:read'], '192.0.2.1', at(0));
  usage.count(found(), 'valid', ['a:read', 'a:write', 'a:read'], null, at(1));
  usage.count(found(), 'permission_missing', [], null, at(2));
  usage.count(found(), 'valid', [], null, at(3600));
  await usage.close(SOON);
  const told = (code, count, second, more) => ({
    ...{ credential_id: KEY, generation: 'current', code, count, permissions: [] },
    ...{ last_used_at: new Date(at(second)).toISOString(), last_used_from: null, ...more },
  });
  const permissions = [{ name: 'a:read', count: 2 }, { name: 'a:write', count: 1 }];
  assert.deepEqual(uses(), [
    told('valid', 2, 1, { permissions, last_used_from: '192.0.2.1' }),
    told('permission_missing', 1, 2),
    told('valid', 1, 3600),
  ]);
  assert.equal(usage.lost, 0);
});

test('a report is no longer than what is read, and an item counts no more than is taken', async () => {
  const { usage, found, uses, reports } = counting(() => {});
  const permissions = Array.from({ length: 60 }, (_, number) => `${'a'.repeat(50)}:p${number}`);
  for (let key = 0; key < 250; key += 1) usage.count(found(`key_${key}`), 'valid', permissions, null, 0);
  for (let use = 0; use < 1_000_001; use += 1) usage.count(found(), 'valid', use < 7 ? ['a:read', 'a:write'] : ['a:read'], null, 0);
  await usage.close(SOON);
  assert.ok(reports.every((report) => JSON.stringify(report).length < 64 << 10 && report.uses.length <= 100));
  assert.ok(reports.length > (250 * 50 * 60) / (48 << 10) && reports.length < 40, String(reports.length));
  assert.equal(new Set(reports.map(({ id }) => id)).size, reports.length);
  assert.ok(uses().every(({ permissions }) => permissions.length <= 50));
  const large = uses().filter(({ credential_id }) => credential_id === KEY);
  assert.deepEqual(
    large.map(({ count, permissions }) => [count, ...permissions.map(({ count }) => count)]),
    [
      [1_000_000, 1_000_000, 7],
      [1, 1],
    ],
  );
});

test('one use that is refused takes no other with it, and is told to be lost', async () => {
  const { usage, found, uses, logged } = counting(({ uses }) => {
    if (uses.some(({ count }) => count === 7)) return 422;
    return uses.length > 4 ? 413 : undefined;
  });
  for (let key = 1; key <= 11; key += 1) for (let use = 0; use < key; use += 1) usage.count(found(`key_${key}`), 'valid', [], null, 0);
  await usage.report();
  assert.deepEqual(
    uses().map(({ count }) => count),
    [1, 2, 3, 4, 5, 6, 8, 9, 10, 11],
  );
  assert.deepEqual([usage.lost, logged], [7, ['uses are counted nowhere (7): a report was refused with status 422']]);
  await usage.close(SOON);
});

test('what is not taken waits in the same words, and not without end', async () => {
  let [status, seen] = [503, []];
  const { usage, found, uses, logged } = counting((report) => {
    seen.push(report.id);
    return status;
  });
  usage.count(found(), 'valid', [], null, 0);
  for (status of [503, 401, undefined]) await usage.report();
  assert.deepEqual([new Set(seen).size, seen.length, uses().length, usage.lost], [1, 3, 1, 0]);
  status = 500;
  for (let round = 0; round < 502; round += 1) {
    usage.count(found(), 'valid', [], null, 0);
    await usage.report();
  }
  assert.deepEqual([usage.lost, logged.length], [0, 0], 'they are counted together');
  for (let key = 0; key < 50_003; key += 1) usage.count(found(`key_${key}`), 'valid', [], null, 0);
  assert.equal(usage.lost, 4, 'no more are counted between two reports');
  await usage.close(SOON);
  assert.equal(usage.lost, 502 + 50_003, 'and nobody is there at the end');
  for (let use = 0; use < 2; use += 1) usage.count(found(), 'valid', [], null, 0);
  assert.equal(usage.lost, 502 + 50_005, 'nor after it');
  assert.deepEqual(logged, [
    'uses are counted nowhere: the instance was not told of others for too long',
    `uses are counted nowhere (${502 + 50_003 - 4}): they were not taken before the end`,
    'uses are counted nowhere: it is closed',
  ]);
});

test('uses of credentials that nobody has are lost', async () => {
  const { usage, found, logged } = counting(() => {}, ['key_2', 'key_3']);
  for (let key = 1; key <= 4; key += 1) for (let use = 0; use < key; use += 1) usage.count(found(`key_${key}`), 'valid', [], null, 0);
  await usage.report();
  assert.deepEqual([usage.lost, logged], [5, ['uses are counted nowhere (5): nobody has their credentials']]);
  await usage.close(SOON);
  assert.equal(usage.lost, 5);
});

test('the end does not wait for long, and tells what is lost', async () => {
  let answer;
  const answered = new Promise((resolve) => (answer = resolve));
  const logged = [];
  const usage = new Usage({ report: () => answered }, (message) => logged.push(message));
  const found = (id) => ({ credential: { id, generation: 'current' } });
  for (let key = 0; key < 150; key += 1) usage.count(found(`key_${key}`), 'valid', [], null, 0);
  const reporting = usage.report();
  usage.count(found(KEY), 'valid', [], null, 0);
  const began = performance.now();
  await usage.close(50);
  assert.ok(performance.now() - began < 5000);
  assert.deepEqual([usage.lost, logged], [151, ['uses are counted nowhere (151): they were not taken before the end']]);
  answer([KEY, 'key_1']);
  await reporting;
  assert.deepEqual([usage.lost, logged.length], [151, 1], 'once');
});

test('reports are made one by one, so that nobody is held up by all of them', async () => {
  const permissions = Array.from({ length: 2 }, (_, number) => `${'a'.repeat(50)}:p${number}`);
  let first;
  const { usage, found, reports } = counting(() => {
    first ??= process.cpuUsage(began).user;
  });
  for (let key = 0; key < 50_000; key += 1) usage.count(found(`key_${key}`), 'valid', permissions, null, 0);
  const began = process.cpuUsage();
  await usage.report();
  const all = process.cpuUsage(began).user;
  assert.ok(reports.length >= 500 && first < all / 5, `${first} of ${all} µs before the first of ${reports.length}`);
  await usage.close(SOON);
});

test('what a proxy says loses no report, and what is refused for good does not wait', async () => {
  for (const [status, lost] of [...[401, 403, 404, 408, 421, 425, 429].map((status) => [status, 0]), [400, 1], [405, 1], [413, 1]]) {
    let said = status;
    const { usage, found, uses } = counting(() => said);
    usage.count(found(), 'valid', [], null, 0);
    await usage.report();
    said = undefined;
    await usage.close(SOON);
    assert.deepEqual([uses().length, usage.lost], [1 - lost, lost], String(status));
  }
});

test('however many reports there are, none is lost', async () => {
  const permissions = Array.from({ length: 50 }, (_, number) => `${'a'.repeat(120)}:p${number}`);
  for (const status of [undefined, 503]) {
    const { usage, found, uses } = counting(() => status);
    for (let key = 0; key < 3500; key += 1) usage.count(found(`key_${key}`), 'valid', permissions, null, 0);
    await usage.report();
    assert.deepEqual([uses().length, usage.lost], [status === undefined ? 3500 : 0, 0]);
    await usage.close(SOON);
    assert.equal(usage.lost, status === undefined ? 0 : 3500);
  }
});

test('no more is kept than was chosen', () => {
  const bounded = new Bounded(2);
  for (const key of ['a', 'b', 'a', 'c']) if (!bounded.get(key)) bounded.set(key, key);
  const kept = () => ['a', 'b', 'c', 'd'].map((key) => bounded.get(key) ?? null);
  assert.deepEqual(kept(), ['a', null, 'c', null]);
  bounded.set('c', 'x');
  bounded.delete('a');
  bounded.delete('nobody');
  bounded.set('d', 'd');
  assert.deepEqual(kept(), [null, null, 'x', 'd']);
  bounded.set('b', 'b');
  assert.deepEqual(kept(), [null, 'b', null, 'd']);
});

test('what is at its limit takes no longer than what is not', () => {
  const perUse = (work) => {
    const began = performance.now();
    for (let use = 0; use < 20_000; use += 1) work(use);
    return performance.now() - began;
  };
  const bounded = new Bounded(100_000);
  for (let number = 0; number < 100_000; number += 1) bounded.set(`before ${number}`, number);
  assert.ok(perUse((use) => bounded.set(`key ${use}`, use)) < 500);
  const replays = new Replays();
  const proof = (number) => ({ thumbprint: 't', jti: String(number), endsAt: number + 60_000 });
  for (let number = 0; number < 160_000; number += 1) replays.isFirst(proof(number), number);
  assert.ok(perUse((use) => assert.ok(replays.isFirst(proof(160_000 + use), 160_000 + use))) < 500);
});

test('what ended is remembered for longer than any token, whatever documents say later', () => {
  const ended = new Ended();
  const isDead = (epoch, token) => ended.hasEnded({ credential: { id: KEY, epoch }, token });
  ended.take({ credentials: [[KEY, 4]], tokens: ['at_1'] }, 0);
  ended.take({ credentials: [[KEY, 2]], tokens: [] }, MINUTE);
  assert.ok(isDead(3, null) && !isDead(4, null) && isDead(4, 'at_1') && !isDead(4, 'at_2'));
  ended.take({ credentials: [], tokens: [] }, 65 * MINUTE);
  assert.ok(isDead(3, null) && !isDead(4, 'at_1'));
  ended.take({ credentials: [], tokens: [] }, 66 * MINUTE);
  assert.ok(!isDead(3, null));
});

test('a hundred thousand that ended at once are read', async () => {
  const { privateKey, publicKey } = await generateKeyPair('ES256');
  const keys = await readKeys(Buffer.from(JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: '1' }] })));
  const id = (number) => `key_01h2xcejqtf2nbrexx3${String(number).padStart(7, '0')}`;
  const credentials = Array.from({ length: 100_000 }, (_, number) => ({ cred: id(number), min_epoch: 2 }));
  const claims = {
    iss: 'https://a.test',
    iat: 1_800_000_000,
    exp: 1_800_003_600,
    ttl: 1,
    revocations: { credentials, tokens: [] },
  };
  const header = { alg: 'ES256', typ: 'revocations+jwt', kid: '1' };
  const text = await new SignJWT(claims).setProtectedHeader(header).sign(privateKey);
  const read = (text, known = keys) => readEnded(text, known, 'https://a.test', 1_800_000_000_000);
  const document = await read(text);
  assert.equal(document.credentials.length, 100_000);
  const ended = new Ended();
  ended.take(document, 0);
  assert.ok(ended.hasEnded({ credential: { id: id(99_999), epoch: 1 }, token: null }));
  assert.deepEqual(
    [await read(text.slice(0, -9)), await read('x'), await read(text, new Map())],
    ['malformed', 'malformed', 'unknown_key'],
  );
});

test('a proof counts once and is forgotten at its end', () => {
  const replays = new Replays();
  const proof = (jti, endsAt) => ({ thumbprint: 't', jti, endsAt });
  assert.ok(replays.isFirst(proof('1', 60), 0) && !replays.isFirst(proof('1', 60), 0));
  assert.ok(replays.isFirst(proof('2', 60), 0) && replays.isFirst({ ...proof('1', 60), thumbprint: 'u' }, 0));
  assert.ok(!replays.isFirst(proof('1', 60), 59) && replays.isFirst(proof('1', 120), 60));
});

test('a clock that is off follows the instance', () => {
  for (const [off, expected] of [
    [0, 0],
    [2000, 0],
    [-2000, 0],
    [300_000, 300_000],
    [-300_000, -300_000],
  ]) {
    const clock = new Clock();
    clock.wasTold(new Date(Date.now() + off).toUTCString());
    assert.ok(Math.abs(clock.now() - Date.now() - expected) < 1100, String(off));
  }
  const clock = new Clock();
  for (const nothing of [null, 'soon', '']) clock.wasTold(nothing);
  assert.ok(Math.abs(clock.now() - Date.now()) < 100);
  const heard = new Heard();
  assert.ok(!heard.within(1e300));
  heard.now();
  assert.ok(heard.within(1000));
});

test('of those who want the same one goes after the other, and so many of all at once', async () => {
  const [turns, places] = [new Turns(), new Places(2)];
  let [running, most] = [0, 0];
  const work = async () => {
    most = Math.max(most, (running += 1));
    await new Promise((resolve) => setTimeout(resolve, 5));
    running -= 1;
  };
  const failing = () => Promise.reject(new Error('x'));
  await Promise.allSettled(Array.from({ length: 5 }, (_, number) => turns.take('a', number === 1 ? failing : work)));
  assert.equal(most, 1);
  await Promise.allSettled(Array.from({ length: 9 }, (_, number) => places.take(number === 1 ? failing : work)));
  assert.equal(most, 2);
});
