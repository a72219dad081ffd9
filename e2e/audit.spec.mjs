// Whoever looks after an organization in a browser: what happened, why something was refused, and whose tokens there are.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

import { everybodyCanRead, withBrowser, withInstance } from './instance.mjs';

async function signIn(page, link) {
  await page.goto(link);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: 'Acme' }).waitFor();
}

/** What a gateway would be told of a token. */
async function code(internal, credential) {
  const response = await fetch(`${internal}/v1/verify`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ credential }),
  });
  return (await response.json()).code;
}

/** A token of one's own, made by the pages: its secret. */
async function makeToken(page, url, name) {
  await page.goto(`${url}/account/tokens/new?organization=acme`);
  await page.getByLabel('Name', { exact: true }).fill(name);
  await page.getByRole('checkbox', { name: 'invoices:read' }).check();
  await page.getByRole('button', { name: 'New token' }).click();
  return page.locator('#secret').innerText();
}

test('what somebody did is found, looked at, taken along as a file and proved', async () => {
  await withInstance(async ({ link, url }) => {
    await withBrowser(async (page) => {
      await signIn(page, link);
      await makeToken(page, url, 'laptop');
      await page.goto(`${url}/organizations/acme`);
      await page.locator('a[href="/organizations/acme/audit"]').click();
      await page.getByLabel('What happened').selectOption('personal_access_token.created');
      const fields = page.locator('.filters .field > :is(input, select)');
      const heights = await fields.evaluateAll((all) => all.map((field) => field.getBoundingClientRect().height));
      assert.equal(new Set(heights).size, 1, `fields are ${heights} high`);
      await page.getByRole('button', { name: 'Apply' }).click();
      const found = await page.locator('tbody tr').count();
      await page.locator('tbody tr').filter({ hasText: 'laptop' }).getByRole('link', { name: 'Personal access token: Made' }).click();
      await page.getByRole('heading', { name: 'Personal access token: Made' }).waitFor();
      await page.getByRole('link', { name: 'laptop' }).first().click();
      await page.getByRole('heading', { name: 'laptop' }).waitFor();

      await page.goto(`${url}/organizations/acme/audit?action=personal_access_token.created`);
      const download = page.waitForEvent('download');
      await page.getByRole('link', { name: 'CSV' }).click();
      const file = await download;
      assert.match(file.suggestedFilename(), /^audit-acme-\d{4}-\d\d-\d\d\.csv$/);
      const lines = (await readFile(await file.path(), 'utf8')).trim().split('\r\n');
      assert.equal(lines.length, found + 1);

      await page.goto(`${url}/organizations/acme/audit/chain`);
      await page.getByRole('button', { name: 'Prove all of it' }).click();
      await page.getByText('Every event is what was written').waitFor();
      await page.getByRole('link', { name: 'Audit trail' }).last().waitFor();
      await page.goto(`${url}/organizations/acme/audit`);
      await page.getByText(/^Proved: /).waitFor();
    }, (complaint) => complaint.includes('export.csv'));
  });
});

for (const javaScriptEnabled of [false, true]) {
  test(`what happens appears by ${javaScriptEnabled ? 'itself where scripts run' : 'a link where they do not'}`, async () => {
    await withInstance(async ({ link, url }) => {
      await withBrowser(async (page, context) => {
        await signIn(page, link);
        await page.goto(`${url}/organizations/acme/audit`);
        await page.getByRole('link', { name: 'Follow', exact: true }).click();
        await page.getByRole('link', { name: 'Stop following' }).waitFor();
        assert.equal(await page.getByText('New', { exact: true }).count(), 0);
        const other = await context.newPage();
        await makeToken(other, url, 'later');
        await other.close();
        if (!javaScriptEnabled) await page.getByRole('link', { name: 'Look for newer events' }).click();
        await page.getByText('New', { exact: true }).first().waitFor();
      }, undefined, { javaScriptEnabled });
    });
  });
}

test('a refusal is explained, and the token stays nowhere', async () => {
  await withInstance(async ({ link, url }) => {
    await withBrowser(async (page) => {
      await signIn(page, link);
      const token = await makeToken(page, url, 'laptop');
      await page.goto(`${url}/organizations/acme`);
      await page.getByRole('link', { name: 'Explain a refusal' }).click();
      await page.getByLabel('Token, or the id').fill(token);
      await page.getByLabel('Permissions').fill('invoices:write');
      await page.getByRole('button', { name: 'Explain' }).click();
      await page.getByText('It lacks a permission.').waitFor();
      await page.getByText(/^(It is not on the list of the key or token|The owner does not hold it)/).waitFor();
      assert.ok(!(await page.content()).includes(token));
      assert.ok(!page.url().includes('?'));
      await page.getByRole('link', { name: 'Edit it' }).click();
      await page.getByRole('heading', { name: 'Edit' }).waitFor();
    });
  });
});

test('tokens of members are found, and many end at once when their number is typed', async () => {
  await withInstance(async ({ link, internal, url }) => {
    await withBrowser(async (page) => {
      await signIn(page, link);
      const secrets = [await makeToken(page, url, 'old one'), await makeToken(page, url, 'old two'), await makeToken(page, url, 'kept')];
      await page.goto(`${url}/organizations/acme`);
      await page.getByRole('link', { name: 'Tokens of members' }).click();
      await page.getByLabel('Search by name').fill('old');
      await page.getByRole('button', { name: 'Apply' }).click();
      await page.getByRole('link', { name: 'Revoke all of these' }).click();
      await page.getByText('2 tokens would end.').waitFor();
      await page.getByLabel('Type 2 to confirm').fill('3');
      await page.getByRole('button', { name: 'Revoke for good' }).click();
      await page.getByText('Nothing was revoked.').waitFor();
      await page.getByLabel('Type 2 to confirm').fill('2');
      await page.getByRole('button', { name: 'Revoke for good' }).click();
      await page.getByText('2 tokens were revoked.').waitFor();
      assert.deepEqual(await Promise.all(secrets.map((secret) => code(internal, secret))), ['revoked', 'revoked', 'valid']);
    });
  });
});

test('every page can be read by everybody, in light and dark, and on a telephone', async () => {
  await withInstance(async ({ link, url }) => {
    await withBrowser(async (page, context) => {
      await signIn(page, link);
      await makeToken(page, url, 'a name that is rather long, so that it wants more room than there is on a telephone: production');
      await page.goto(`${url}/organizations/acme/tokens`);
      const token = await page.locator('a.title').first().getAttribute('href');
      await page.goto(`${url}/organizations/acme/audit`);
      const event = await page.locator('a.title').first().getAttribute('href');
      const paths = [
        '/organizations/acme/audit', '/organizations/acme/audit?actor=nobody', '/organizations/acme/audit?from=2001-01-01&to=2001-01-02',
        '/organizations/acme/audit?follow=1', event, '/organizations/acme/audit/chain', '/audit', '/audit?chain=instance',
        '/organizations/acme/explain', '/organizations/acme/tokens', '/organizations/acme/tokens?q=nothing', token, `${token}/revoke`,
        '/organizations/acme/tokens/revoke?state=active',
      ];
      await everybodyCanRead(context, url, paths);
    });
  });
});
