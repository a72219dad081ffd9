// `vectors/` at the repository's root: cases that the judges of every language share. Each says all that a verdict depends on,
// the time included, and the code that is expected.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

import { NotAdmitted, answerOf, presented } from '../src/guard.js';
import { readAnswer } from '../src/token/answer.js';
import { checkProof } from '../src/token/dpop.js';
import { Ended, readEnded } from '../src/token/ended.js';
import { Events, Names } from '../src/token/feed.js';
import { judge, readToken, refusalOf } from '../src/token/judge.js';
import { readKeys } from '../src/token/key.js';
import { isWellFormed } from '../src/token/opaque.js';

async function read(name) {
  return JSON.parse(await readFile(new URL(`../../../vectors/${name}.json`, import.meta.url), 'utf8'));
}

/** What a request asks for and shows. */
async function asked(use, credential, now) {
  const { audience, environment, permissions, objects, client_ip: clientIp, certificate, dpop, ...others } = use;
  assert.deepEqual(others, {}, 'a member that is not tested');
  let key = null;
  if (dpop) {
    const { method, url } = dpop;
    const proof = await checkProof(dpop.proof, { method, url, credential, now });
    key = proof ? { held: proof.thumbprint } : 'invalid';
  }
  const shown = certificate === null ? null : { held: certificate };
  return { audience, environment, permissions, objects, whateverObject: false, clientIp, key, certificate: shown };
}

const tokens = await read('access-tokens');
const keys = await readKeys(Buffer.from(JSON.stringify(tokens.keys)));
for (const { name, token, now: second, use, revocations, expected } of tokens.cases) {
  test(`a token: ${name}`, async () => {
    const now = second * 1000;
    const ended = new Ended();
    for (const text of revocations) {
      const document = await readEnded(text, keys, tokens.issuer, now);
      if (typeof document !== 'string') ended.take(document, now);
    }
    const found = await readToken(token, keys, tokens.issuer, now);
    const code = typeof found === 'string' ? refusalOf(found) : judge(found, ended, await asked(use, token, now), now);
    assert.equal(code, expected);
  });
}

for (const { name, answer, now: second, use, is_answer = true, cacheable, expected } of (await read('verify-answers')).cases) {
  test(`a kept answer: ${name}`, async () => {
    const told = readAnswer(answer);
    assert.equal(told !== undefined, is_answer);
    const { found, maxAge } = told ?? {};
    assert.equal(maxAge !== undefined, cacheable);
    const now = second * 1000;
    const code = cacheable && found ? judge(found, new Ended(), await asked(use, '', now), now) : null;
    assert.equal(code, expected);
  });
}

for (const { name, received, tells_all = true, kept } of (await read('change-feed')).cases) {
  test(`the change feed: ${name}`, () => {
    const [events, names] = [new Events(), new Names()];
    for (const piece of received) for (const message of events.take(Buffer.from(piece))) names.take(message, 1000);
    assert.equal(names.withheldSince === undefined, tells_all);
    for (const { beginning, position, credential, principal, organization, may_be_kept, counts } of kept) {
      assert.equal(names.knowSince(beginning, position), may_be_kept);
      assert.equal(names.hold(beginning, position, [credential, principal, organization]), counts);
    }
  });
}

for (const { name, text, well_formed } of (await read('opaque-texts')).cases) {
  test(`an opaque text: ${name}`, () => assert.equal(isWellFormed(text), well_formed));
}

const requests = await read('requests');
for (const { name, headers, credential, dpop, refused } of requests.cases) {
  test(`a request: ${name}`, () => {
    const values = (wanted) => headers.filter(([header]) => header === wanted).map(([, value]) => value);
    if (refused === null) assert.deepEqual(presented(values), { credential, dpop });
    else assert.throws(() => presented(values), { code: refused });
  });
}

for (const { code, permissions, retry_after_seconds, status, told, www_authenticate, retry_after } of requests.refusals) {
  test(`a refusal: ${code}`, () => {
    const answer = answerOf(new NotAdmitted(code, retry_after_seconds ?? undefined), requests.issuer, permissions);
    const header = (name) => answer.headers[name] ?? null;
    assert.deepEqual([answer.status, header('x-claviger-code'), header('www-authenticate')], [status, told, www_authenticate]);
    assert.deepEqual([header('retry-after'), header('cache-control')], [retry_after, 'no-store']);
    assert.deepEqual([answer.body.status, answer.body.code], [status, told]);
  });
}
