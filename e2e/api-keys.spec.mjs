// An API key from its first minute to its last, as a person sees it in a browser: on both databases, without scripts and with them.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { everybodyCanRead, withBrowser, withInstance } from './instance.mjs';
import { withDatabase } from './postgres.mjs';

async function signIn(page, link) {
  await page.goto(link);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: 'Acme' }).waitFor();
}

/** What a gateway would be told of a key. */
async function code(internal, credential) {
  const response = await fetch(`${internal}/v1/verify`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ credential, permissions: ['invoices:read'] }),
  });
  assert.equal(response.status, 200);
  return (await response.json()).code;
}

/** Fills in the form of a new key for a new service account, as far as the button. */
async function fillIn(page, name) {
  await page.getByRole('link', { name: 'API keys' }).click();
  await page.getByRole('link', { name: 'New API key' }).first().click();
  await page.getByRole('link', { name: 'New service account' }).click();
  await page.getByLabel('Name of the new service account').fill(`${name} program`);
  await page.getByLabel('Name', { exact: true }).fill(name);
  await page.getByRole('checkbox', { name: 'invoices:read' }).check();
}

async function make(page, name) {
  await fillIn(page, name);
  await page.getByRole('button', { name: 'New API key' }).click();
  await page.getByRole('heading', { name: 'Your new API key' }).waitFor();
  return page.locator('#secret').innerText();
}

test('somebody makes a key, uses it, rolls it without downtime and revokes it, on SQLite', () => withInstance(journey));
test('somebody makes a key, uses it, rolls it without downtime and revokes it, on PostgreSQL', () => (
  withDatabase((settings) => withInstance(journey, settings))
));

async function journey({ link, internal, url }) {
  await withBrowser(async (page) => {
    await signIn(page, link);
    const first = await make(page, 'production');
    assert.match(first, /^clv_key_/);
    assert.equal(await code(internal, first), 'valid');

    // The secret is gone with the page: sent again, the form leads to the key that it made.
    await page.reload();
    await page.getByText('This form was sent before').waitFor();
    await page.getByRole('heading', { name: 'production', exact: true }).waitFor();
    assert.ok(!(await page.content()).includes(first));
    const key = page.url().split('?')[0];
    await page.goBack();
    assert.ok(!(await page.content()).includes(first));
    await page.goto(`${url}/organizations/acme/api-keys?q=production`);
    assert.equal(await page.locator('tbody tr').count(), 1, 'one key, however often the form is sent');

    await page.getByRole('link', { name: 'production', exact: true }).click();
    assert.equal(page.url(), key);
    await page.getByRole('link', { name: 'Roll', exact: true }).click();
    await page.getByLabel('for one hour').check();
    await page.getByRole('button', { name: 'Make the new secret' }).click();
    const second = await page.locator('#secret').innerText();
    assert.deepEqual([await code(internal, first), await code(internal, second)], ['valid', 'valid']);

    // Who still uses the old one stands there within a second or two.
    await page.getByRole('link', { name: 'I have stored it' }).click();
    await page.getByText('The old secret still works').waitFor();
    await page.getByText('Still works', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'End the old secret now' }).click();
    await page.getByText('Only the new one works.').waitFor();
    assert.deepEqual([await code(internal, first), await code(internal, second)], ['revoked', 'valid']);

    await page.getByRole('button', { name: 'Disable' }).click();
    await page.getByText('It is disabled').waitFor();
    assert.equal(await code(internal, second), 'disabled');
    await page.getByRole('button', { name: 'Enable' }).click();
    await page.getByText('works again').waitFor();
    assert.equal(await code(internal, second), 'valid');

    await page.getByRole('link', { name: 'Edit' }).click();
    await page.getByLabel('Name', { exact: true }).fill('production, Frankfurt');
    await page.getByText('Restrictions').click();
    await page.getByLabel('Only from these networks').fill('no network');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('alert').getByText('no is not a network').waitFor();
    await page.getByLabel('Only from these networks').fill('203.0.113.0/24');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('Saved.').waitFor();
    assert.equal(await code(internal, second), 'network_not_allowed');

    await page.getByRole('link', { name: 'Revoke' }).click();
    await page.getByLabel('Reason').selectOption({ label: 'Another one took its place' });
    await page.getByRole('button', { name: 'Revoke for good' }).click();
    await page.getByText('Revoked for good ·').waitFor();
    assert.equal(await code(internal, second), 'revoked');
    for (const entry of ['Made', 'Got a new secret', 'The old secret was ended early', 'Disabled', 'Enabled', 'Changed', 'Revoked']) {
      await page.locator('.trail').getByText(entry, { exact: true }).waitFor();
    }

    // The trail and the overview tell of it, too: counts are a second or a few behind.
    await page.goto(`${url}/organizations/acme/audit?credential=${key.split('/').at(-1)}`);
    for (const change of ['Made', 'Got a new secret', 'Changed', 'Revoked']) {
      await page.getByRole('link', { name: `API key: ${change}`, exact: true }).waitFor();
    }
    const busiest = page.locator('section').filter({ has: page.getByRole('heading', { name: 'Busiest credentials', exact: true }) });
    const used = async () => {
      await page.goto(`${url}/organizations/acme`);
      return (await busiest.getByRole('link', { name: 'production, Frankfurt' }).count()) > 0;
    };
    for (let tries = 0; !(await used()); tries += 1) assert.ok(tries < 100, 'no use is told');
  });
}

test('a token of one’s own does what one may do oneself, and no more', async () => {
  await withInstance(async ({ link, internal }) => {
    await withBrowser(async (page) => {
      await signIn(page, link);
      const entry = page.locator('nav a[href="/account/tokens"]');
      const { height } = await entry.boundingBox();
      await entry.click();
      await page.getByRole('heading', { name: 'Personal access tokens' }).waitFor();
      assert.equal((await entry.boundingBox()).height, height, 'the menu stays as it is');
      await page.getByRole('link', { name: 'New token' }).first().click();
      await page.getByLabel('Name', { exact: true }).fill('laptop');
      await page.getByRole('checkbox', { name: 'invoices:read' }).check();
      await page.getByRole('button', { name: 'New token' }).click();
      const token = await page.locator('#secret').innerText();
      assert.match(token, /^clv_pat_/);
      assert.equal(await code(internal, token), 'valid');
      await page.getByRole('link', { name: 'I have stored it' }).click();
      await page.getByRole('link', { name: 'Revoke' }).click();
      await page.getByRole('button', { name: 'Revoke for good' }).click();
      await page.getByText('Revoked for good ·').waitFor();
      assert.equal(await code(internal, token), 'revoked');
    });
  });
});

test('a secret is copied, and permissions are found, where scripts run', async () => {
  await withInstance(async ({ link, url }) => {
    await withBrowser(async (page, context) => {
      await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: url });
      await signIn(page, link);
      const secret = await make(page, 'copied');
      await page.locator('button[data-copy=secret]').click();
      await page.getByRole('button', { name: 'Copied' }).waitFor();
      assert.equal(await page.evaluate(() => navigator.clipboard.readText()), secret);
    }, undefined, { javaScriptEnabled: true });
  });
});

test('every page can be read by everybody, in light and dark, and on a telephone', async () => {
  await withInstance(async ({ link, url }) => {
    await withBrowser(async (page, context) => {
      await signIn(page, link);
      await make(page, 'a name that is rather long, so that it wants more room than there is on a telephone: production');
      await page.getByRole('link', { name: 'I have stored it' }).click();
      const key = new URL(page.url()).pathname;
      const paths = [
        '/organizations', '/organizations/acme', '/organizations/acme/api-keys', '/organizations/acme/api-keys?q=nothing',
        '/organizations/acme/api-keys/new', '/organizations/acme/api-keys/new?account=new', key, `${key}/edit`, `${key}/roll`,
        `${key}/revoke`, '/account/tokens', '/account/tokens/new', '/account/security', '/approvals', '/device',
      ];
      await everybodyCanRead(context, url, paths);
      // The navigation is behind one link on a telephone.
      await page.setViewportSize({ width: 360, height: 740 });
      await page.goto(`${url}/organizations/acme`);
      await page.getByRole('link', { name: 'Menu' }).click();
      await page.getByRole('link', { name: 'API keys' }).click();
      await page.getByRole('heading', { name: 'API keys' }).waitFor();
    });
  });
});
