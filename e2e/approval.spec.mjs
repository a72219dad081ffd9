// Approving a token as an administrator does it, in a browser without scripts.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { withBrowser, withInstance } from './instance.mjs';

test('an administrator sees what a token asks for, is warned of a look-alike, and lets it work', async () => {
  await withInstance(async ({ link, key, url }) => {
    const call = async (method, path, body) => {
      const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
      const response = await fetch(`${url}${path}`, { method, headers, body: body && JSON.stringify(body) });
      assert.ok(response.ok, `${method} ${path}: ${response.status}`);
      return response.json();
    };
    const organization = (await call('GET', '/v1/organizations')).items.find((known) => known.slug === 'acme').id;
    const user = (await call('GET', '/v1/users')).items[0].id;
    await call('PATCH', `/v1/organizations/${organization}/policy`, { approval_required: true });
    const ask = (name) => call('POST', '/v1/personal-access-tokens', {
      user_id: user, organization_id: organization, name, permissions: ['invoices:read'], objects: ['base:app7'],
    });
    const code = async (token) => (await call('POST', '/v1/verify', { credential: token, object: 'base:app7' })).code;
    // The second has a Cyrillic letter.
    const [real, fake] = [await ask('deploy'), await ask('d\u0435ploy')];
    assert.equal(real.approval_url, `${url}/approvals/${real.id}`);

    await withBrowser(async (page) => {
      await page.goto(link);
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByRole('link', { name: '2 tokens wait for your approval' }).click();
      await page.getByRole('link', { name: 'deploy', exact: true }).click();
      assert.equal(page.url(), real.approval_url);
      await page.getByText('Read invoices').waitFor();
      await page.getByText('base:app7').waitFor();
      await page.getByRole('alert').getByText(fake.id).waitFor();
      assert.equal(await code(real.token), 'pending_approval');
      await page.getByRole('button', { name: 'Approve' }).click();
      await page.getByText('Approved by Dev').waitFor();
      assert.equal(await code(real.token), 'valid');

      await page.goto(fake.approval_url);
      await page.getByRole('button', { name: 'Deny' }).click();
      await page.getByText('it has ended, and never worked').waitFor();
      assert.equal(await code(fake.token), 'revoked');
      await page.goto(`${url}/approvals`);
      await page.getByText('Nothing waits for you').waitFor();
      await page.setViewportSize({ width: 320, height: 640 });
      await page.goto(real.approval_url);
      const main = await page.locator('main').boundingBox();
      assert.ok(main.width <= 320, `the page is ${main.width} wide`);
    });
  });
});
