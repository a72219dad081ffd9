// A service account from its first minute to its last, as a person sees it in a browser: what proves it, and devices that become one.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { everybodyCanRead, withBrowser, withInstance } from './instance.mjs';

const LONG = 'a name that is rather long, so that it wants more room than there is on a telephone: nightly sync';
const JWK = '{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}';

async function signIn(page, link) {
  await page.goto(link);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: 'Acme' }).waitFor();
}

/** Makes an account that may read invoices, and stays on its page. */
async function make(page, name) {
  await page.getByRole('link', { name: 'Service accounts' }).click();
  await page.getByRole('link', { name: 'New service account' }).first().click();
  await page.getByLabel('Name', { exact: true }).fill(name);
  await page.getByRole('checkbox', { name: 'invoices:read' }).check();
  await page.getByRole('button', { name: 'Make it' }).click();
  await page.getByRole('heading', { name, exact: true }).waitFor();
  return new URL(page.url()).pathname;
}

/** What the token endpoint says to a client. */
async function ask(url, id, secret) {
  const response = await fetch(`${url}/oauth/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` },
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
  });
  const answer = await response.json();
  return answer.error ?? answer.token_type;
}

test('somebody makes an account, gets tokens with its secret, and ends it', async () => {
  await withInstance(async ({ link, url }) => {
    await withBrowser(async (page) => {
      await signIn(page, link);
      const path = await make(page, 'nightly sync');
      const id = path.split('/').at(-1);
      await page.getByText('Nothing can act as it yet.').waitFor();
      assert.match(await page.locator('#request').innerText(), new RegExp(`-u "${id}:\\$CLIENT_SECRET"`));

      await page.getByRole('link', { name: 'Add Client secrets' }).click();
      await page.getByLabel('Name', { exact: true }).fill('production');
      await page.getByRole('button', { name: 'New client secret' }).click();
      await page.getByRole('heading', { name: 'Your new client secret' }).waitFor();
      const secret = await page.locator('#secret').innerText();
      assert.equal(await page.locator('#client').innerText(), id);
      assert.equal(await ask(url, id, secret), 'Bearer');

      // Sent again, the form leads to what it made.
      await page.reload();
      await page.getByText('This form was sent before').waitFor();
      assert.ok(!(await page.content()).includes(secret));
      await page.getByRole('link', { name: 'Roll', exact: true }).click();
      await page.getByLabel('not at all: it ends now').check();
      await page.getByRole('button', { name: 'Make the new secret' }).click();
      const second = await page.locator('#secret').innerText();
      assert.deepEqual([await ask(url, id, secret), await ask(url, id, second)], ['invalid_client', 'Bearer']);

      await page.goto(`${url}${path}`);
      await page.getByRole('button', { name: 'Disable' }).click();
      await page.getByText('none of its credentials works').waitFor();
      assert.equal(await ask(url, id, second), 'invalid_client');
      await page.getByRole('button', { name: 'Enable' }).click();
      assert.equal(await ask(url, id, second), 'Bearer');

      await page.getByRole('link', { name: 'Edit' }).click();
      await page.getByText('More about how it proves itself').click();
      await page.getByLabel('How it must prove itself').selectOption('private_key_jwt');
      await page.getByRole('button', { name: 'Save' }).click();
      await page.getByText('Saved.').waitFor();
      assert.equal(await ask(url, id, second), 'invalid_client');

      await page.getByRole('link', { name: 'Delete' }).click();
      await page.getByRole('button', { name: 'Delete for good' }).click();
      await page.getByText('Deleted.').waitFor();
    });
  });
});

test('a workflow and a program get in without a secret of ours', async () => {
  await withInstance(async ({ link, url }) => {
    await withBrowser(async (page) => {
      await signIn(page, link);
      const path = await make(page, 'deploy');
      await page.getByRole('link', { name: 'Add Federated identities' }).click();
      await page.getByRole('link', { name: 'GitHub Actions' }).click();
      await page.getByLabel('Name', { exact: true }).fill('main of acme/site');
      await page.getByLabel('The number').fill('acme/site');
      await page.getByLabel('Name of the branch, environment or tag').fill('main');
      await page.getByRole('button', { name: 'New federated identity' }).click();
      await page.getByRole('alert').getByText('Give the number').waitFor();
      await page.getByLabel('The number').fill('74');
      await page.getByRole('button', { name: 'New federated identity' }).click();
      await page.getByText('It counts from now on.').waitFor();
      const workflow = await page.locator('#workflow').innerText();
      assert.ok(workflow.includes('branches: ["main"]') && workflow.includes(path.split('/').at(-1)), workflow);
      await page.getByText('ref = refs/heads/main').waitFor();

      await page.goto(`${url}${path}/public-keys`);
      await page.getByRole('link', { name: 'New public key' }).first().click();
      await page.getByLabel('Name', { exact: true }).fill('on host 7');
      await page.getByLabel('The public key').fill(JWK.replace('}', ',"d":"AA"}'));
      await page.getByRole('button', { name: 'New public key' }).click();
      await page.getByRole('alert').getByText('This is a private key').waitFor();
      await page.getByLabel('The public key').fill(JWK);
      await page.getByRole('button', { name: 'New public key' }).click();
      await page.getByText('kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k').first().waitFor();
      await page.getByRole('link', { name: 'Revoke' }).click();
      await page.getByRole('button', { name: 'Revoke for good' }).click();
      await page.getByText('Revoked for good ·').waitFor();
    });
  });
});

test('a fleet and its claim codes are made and ended', async () => {
  await withInstance(async ({ link }) => {
    await withBrowser(async (page) => {
      await signIn(page, link);
      await page.getByRole('link', { name: 'Fleets' }).click();
      await page.getByRole('link', { name: 'New fleet' }).first().click();
      await page.getByLabel('Name', { exact: true }).fill('gateways');
      await page.getByRole('checkbox', { name: 'invoices:read' }).check();
      await page.getByRole('button', { name: 'Make it' }).click();
      await page.getByRole('heading', { name: 'gateways' }).waitFor();
      await page.getByRole('link', { name: 'New claim code' }).click();
      await page.getByLabel('How many devices').fill('2');
      await page.getByRole('button', { name: 'New claim code' }).click();
      assert.match(await page.locator('#secret').innerText(), /^clv_claim_/);
      await page.getByRole('link', { name: 'I have stored it' }).click();
      await page.getByText('0 / 2').waitFor();
      await page.getByRole('link', { name: 'Take back' }).click();
      await page.getByRole('button', { name: 'Take back' }).click();
      await page.getByText('Revoked', { exact: true }).waitFor();
      await page.getByRole('link', { name: 'gateways' }).click();
      await page.getByRole('button', { name: 'Close' }).click();
      await page.getByText('nothing enrols or renews in it').waitFor();
    });
  });
});

test('every page can be read by everybody, in light and dark, and on a telephone', async () => {
  await withInstance(async ({ link, url }) => {
    await withBrowser(async (page, context) => {
      await signIn(page, link);
      const account = await make(page, LONG);
      await page.goto(`${url}${account}/secrets/new`);
      await page.getByLabel('Name', { exact: true }).fill(LONG);
      await page.getByRole('button', { name: 'New client secret' }).click();
      await page.getByRole('link', { name: 'I have stored it' }).click();
      await page.waitForLoadState();
      const secret = new URL(page.url()).pathname;
      await page.goto(`${url}${account}/federations/new?preset=github`);
      await page.getByLabel('Name', { exact: true }).fill(LONG);
      await page.getByLabel('The number').fill('74');
      await page.getByLabel('Name of the branch, environment or tag').fill('main');
      await page.getByRole('button', { name: 'New federated identity' }).click();
      await page.waitForLoadState();
      const federation = new URL(page.url()).pathname;
      await page.goto(`${url}/organizations/acme/fleets/new`);
      await page.getByLabel('Name', { exact: true }).fill(LONG);
      await page.getByRole('button', { name: 'Make it' }).click();
      await page.waitForLoadState();
      const fleet = new URL(page.url()).pathname;
      const paths = [
        '/organizations/acme/service-accounts', '/organizations/acme/service-accounts?q=nothing',
        '/organizations/acme/service-accounts/new', account, `${account}/edit`, `${account}/delete`,
        `${account}/secrets`, `${account}/secrets/new`, secret, `${secret}/edit`, `${secret}/roll`, `${secret}/revoke`,
        `${account}/public-keys`, `${account}/public-keys/new`, `${account}/certificates/new`, `${account}/federations/new`,
        `${account}/federations/new?preset=kubernetes`, `${account}/federations/new?preset=spiffe`,
        `${account}/federations/new?preset=oidc`, federation, '/organizations/acme/fleets', fleet, `${fleet}/edit`,
        `${fleet}/devices`, `${fleet}/claim-codes`, `${fleet}/claim-codes/new`, `${fleet}/revoke`,
      ];
      await everybodyCanRead(context, url, paths);
    });
  });
});
