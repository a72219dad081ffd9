// How much is used, as an overview shows it: from a call of the API to the picture, and from a permission that nobody asks for to a key
// without it.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { everybodyCanRead, withBrowser, withInstance } from './instance.mjs';

async function verify(internal, credential, permission) {
  const response = await fetch(`${internal}/v1/verify`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ credential, permissions: [permission] }),
  });
  assert.equal(response.status, 200);
  return (await response.json()).code;
}

/** Opens a page again until it shows this: counts are a second or a few behind. */
async function until(page, url, locator) {
  for (let tries = 0; tries < 40; tries += 1) {
    await page.goto(url);
    if ((await locator().count()) > 0) return;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  throw new Error(`${url} does not show it: ${await page.locator('main').innerText()}`);
}

test('what an API asks is seen on the overview, and what it never asks for is taken away', async () => {
  await withInstance(async ({ link, internal, url }) => {
    await withBrowser(async (page, context) => {
      await page.goto(link);
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByRole('heading', { name: 'Acme' }).waitFor();
      const overview = `${url}/organizations/acme`;
      await page.getByRole('heading', { name: 'Verifications' }).waitFor();

      await page.getByRole('link', { name: 'API keys' }).click();
      await page.getByRole('link', { name: 'New API key' }).first().click();
      await page.getByRole('link', { name: 'New service account' }).click();
      await page.getByLabel('Name of the new service account').fill('warehouse');
      await page.getByLabel('Name', { exact: true }).fill('export');
      await page.getByRole('checkbox', { name: 'invoices:read' }).check();
      await page.getByRole('checkbox', { name: 'invoices:write' }).check();
      await page.getByRole('button', { name: 'New API key' }).click();
      const secret = await page.locator('#secret').innerText();
      for (let uses = 0; uses < 9; uses += 1) assert.equal(await verify(internal, secret, 'invoices:read'), 'valid');
      assert.equal(await verify(internal, secret, 'invoices:other'), 'permission_missing');

      const section = (name) => page.locator('section').filter({ has: page.getByRole('heading', { name, exact: true }) });
      await until(page, overview, () => section('Busiest credentials').getByRole('link', { name: 'export' }));
      await section('Why uses were refused').getByText('permission_missing').waitFor();
      await page.getByRole('link', { name: '24 hours' }).click();
      assert.equal(await page.getByRole('link', { name: '24 hours' }).getAttribute('aria-current'), 'true');
      await page.getByText('Show the figures').click();
      await page.getByRole('cell', { name: '9', exact: true }).waitFor();

      await everybodyCanRead(context, overview, ['', '/organizations/acme/unused-permissions']);
      await page.goto(overview);
      await page.getByRole('link', { name: 'All keys with permissions that nobody asks for' }).click();
      await page.getByRole('row', { name: /export/ }).getByRole('link', { name: /Take them away/ }).click();
      await page.getByRole('checkbox', { name: 'invoices:write' }).uncheck();
      await page.getByRole('button', { name: 'Save' }).click();
      await page.getByText('Saved.').waitFor();
      assert.equal(await verify(internal, secret, 'invoices:write'), 'permission_missing');
      await page.goto(`${overview}/unused-permissions`);
      await page.getByRole('heading', { name: 'Every permission is in use' }).waitFor();
    });
  });
});
