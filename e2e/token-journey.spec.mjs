// The life of a personal access token: its user makes it in a browser's session and uses it through nginx; it loses what they lose,
// and ends in every way that a token can end.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { withBrowser, withInstance } from './instance.mjs';
import { withNginx } from './nginx.mjs';
import { withDatabase } from './postgres.mjs';

const PASSWORD = 'plum harbor seven lanterns';

test('a token lives with its user, on SQLite', () => withInstance(journey));
test('a token lives with its user, on PostgreSQL', () => withDatabase((settings) => withInstance(journey, settings)));

async function journey({ url, key, internal }) {
  // The organization's administrator knows Alice, who keeps the books.
  const admin = api(fetch, url, { authorization: `Bearer ${key}` });
  const [organization] = (await admin('GET', '/v1/organizations?q=acme')).items;
  const permissions = ['invoices:read', 'invoices:write'];
  await admin('POST', '/v1/roles', { name: 'bookkeeper', organization_id: organization.id, permissions });
  const person = { email: 'alice@acme.test', name: 'Alice', password: PASSWORD };
  const alice = await admin('POST', '/v1/users', person);
  const membership = `/v1/organizations/${organization.id}/members/${alice.id}`;
  const hasRoles = (...roles) => admin('PUT', membership, { roles });
  await hasRoles('member', 'bookkeeper');

  await withNginx(internal, async (ask) => {
    await withBrowser(async (page, context) => {
      const valid = { status: 200, code: 'valid', principal: alice.id };
      const refused = (status, code) => ({ status, code, principal: undefined });

      // She signs in,
      await page.goto(`${url}/sign-in`);
      await page.getByLabel('E-mail address').fill(person.email);
      await page.getByLabel('Password').fill(PASSWORD);
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByRole('heading', { name: 'Acme' }).waitFor();
      const session = api(send(context.request), url, {});
      const { csrf_token: csrf } = await session('GET', '/v1/session');
      const her = api(send(context.request), url, { 'x-csrf-token': csrf });

      // makes a token, which cannot do more than she can,
      const wanted = { organization_id: organization.id, name: 'nightly export', permissions: ['invoices:read'] };
      const greedy = { ...wanted, permissions: ['invoices:read', 'claviger:users:write'] };
      const rejected = await her('POST', '/v1/personal-access-tokens', greedy, 422);
      assert.deepEqual(rejected.errors.map((error) => error.pointer), ['/permissions/1']);
      const made = await her('POST', '/v1/personal-access-tokens', wanted);
      const path = `/v1/personal-access-tokens/${made.id}`;

      // and uses it; its secret is not told again, its last use is.
      assert.deepEqual(await ask(made.token), valid);
      assert.deepEqual(await ask(`${made.token}x`), refused(401, 'unknown'));
      await until(async () => (await her('GET', path)).generations[0].last_used_from === '127.0.0.1');
      assert.ok(!JSON.stringify(await her('GET', path)).includes(made.token));

      // She renames it and rolls it: the same token to everybody who governs, another secret.
      await her('PATCH', path, { name: 'nightly export, new server' });
      const rolled = await her('POST', `${path}/roll`, { overlap_seconds: 2 });
      assert.equal(rolled.id, made.id);
      assert.deepEqual([await ask(made.token), await ask(rolled.token)], [valid, valid]);
      await until(async () => (await ask(made.token)).code === 'revoked');
      assert.deepEqual(await ask(rolled.token), valid);

      // She keeps the books no longer, and then again.
      await hasRoles('member');
      assert.deepEqual(await ask(rolled.token), refused(403, 'permission_missing'));
      await hasRoles('member', 'bookkeeper');
      assert.deepEqual(await ask(rolled.token), valid);

      // One ends by itself,
      const expires_at = new Date(Date.now() + 3000).toISOString();
      const short = await her('POST', '/v1/personal-access-tokens', { ...wanted, expires_at });
      assert.deepEqual(await ask(short.token), valid);
      await until(async () => (await ask(short.token)).code === 'expired');

      // one because she revokes it,
      await her('POST', `${path}/revoke`, { reason: 'superseded' });
      assert.deepEqual(await ask(rolled.token), refused(401, 'revoked'));

      // and one because she leaves. It does not come back with her.
      const last = await her('POST', '/v1/personal-access-tokens', wanted);
      assert.deepEqual(await ask(last.token), valid);
      await admin('DELETE', membership);
      assert.deepEqual(await ask(last.token), refused(401, 'revoked'));
      await hasRoles('member', 'bookkeeper');
      assert.deepEqual(await ask(last.token), refused(401, 'revoked'));

      // The audit trail tells of the first one, newest first: what she did and from where, and that its old secret was still in use.
      const trail = async (more) => (await admin('GET', `/v1/audit-events?credential=${made.id}${more}`)).items;
      await until(async () => (await trail('&action=personal_access_token.retired_secret_used')).length === 1);
      const hers = await trail(`&actor=${alice.id}`);
      const done = ['created', 'updated', 'rolled', 'revoked'].map((what) => `personal_access_token.${what}`);
      assert.deepEqual(hers.map((event) => event.action), done.reverse());
      assert.ok(hers.every((event) => event.address === '127.0.0.1'), JSON.stringify(hers));
    });
  });
}

/** Calls of the management API, with these headers: the answer's JSON, of a success unless another status is expected. */
function api(fetch, url, headers) {
  return async (method, path, body, expected) => {
    const json = body && { 'content-type': 'application/json' };
    const answer = await fetch(`${url}${path}`, { method, headers: { ...headers, ...json }, body: body && JSON.stringify(body) });
    const said = await answer.text();
    const status = typeof answer.status === 'function' ? answer.status() : answer.status;
    assert.ok(expected ? status === expected : status < 300, `${method} ${path}: ${status} ${said}`);
    return said ? JSON.parse(said) : undefined;
  };
}

/** The same by a browser, with its cookies. */
function send(request) {
  return (url, { body, ...options }) => request.fetch(url, { ...options, data: body });
}

async function until(holds) {
  for (let tries = 0; tries < 200; tries += 1) {
    if (await holds()) return;
    await sleep(50);
  }
  assert.fail(`not within 10 seconds: ${holds}`);
}
