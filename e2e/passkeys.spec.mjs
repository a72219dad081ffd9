// Passkeys, with the browser's own authenticator: somebody makes one, signs in by it, proves it is still them, and takes it away.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { everybodyCanRead, withBrowser, withInstance } from './instance.mjs';
import { freePort } from './ports.mjs';

const PASSWORD = 'plum harbor seven lanterns';
const SCRIPTS = { javaScriptEnabled: true };

/** An instance that is called by a name: browsers make no passkeys for a number. */
async function withNamedInstance(test) {
  const port = await freePort();
  const named = (address) => address.replace('//127.0.0.1:', '//localhost:');
  // What it prints on a developer's own machine is the number that it listens on.
  const called = (instance) => test({ ...instance, link: named(instance.link), url: named(instance.url) });
  await withInstance(called, { CLAVIGER_PUBLIC_URL: `http://localhost:${port}` }, port);
}

/** Gives the browser of this page an authenticator, which does as it is told. */
async function authenticator(page, context) {
  // Where an address is typed this one would choose at once, before anybody asked.
  await context.addInitScript(() => {
    if (globalThis.PublicKeyCredential) PublicKeyCredential.isConditionalMediationAvailable = async () => false;
  });
  const session = await context.newCDPSession(page);
  await session.send('WebAuthn.enable');
  const options = {
    protocol: 'ctap2',
    ctap2Version: 'ctap2_1',
    transport: 'internal',
    hasResidentKey: true,
    hasUserVerification: true,
    isUserVerified: true,
    automaticPresenceSimulation: true,
    defaultBackupEligibility: true,
    defaultBackupState: true,
  };
  const { authenticatorId } = await session.send('WebAuthn.addVirtualAuthenticator', { options });
  return {
    recognizes: (isUserVerified) => session.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified }),
    credentials: async () => (await session.send('WebAuthn.getCredentials', { authenticatorId })).credentials,
  };
}

async function signIn(page, link) {
  await page.goto(link);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByRole('heading', { name: 'Acme' }).waitFor();
}

async function signOut(page) {
  await page.getByRole('button', { name: 'Sign out', exact: true }).click();
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
}

async function add(page, name) {
  await page.getByRole('link', { name: 'Security' }).click();
  await page.getByRole('link', { name: 'Add a passkey' }).click();
  await page.getByLabel('Name').fill(name);
  await page.getByRole('button', { name: 'Continue' }).click();
}

test('somebody makes a passkey, signs in by it, proves it is still them, and takes it away', async () => {
  await withNamedInstance(async ({ link, url }) => {
    await withBrowser(async (page, context) => {
      const device = await authenticator(page, context);
      await signIn(page, link);
      await add(page, 'work laptop');
      await page.getByText('Your passkey is added.').waitFor();
      await page.getByRole('link', { name: 'work laptop' }).waitFor();
      await page.getByText('On several devices').waitFor();
      const [kept] = await device.credentials();
      assert.deepEqual([kept.isResidentCredential, kept.rpId], [true, 'localhost']);

      // One for each device.
      await add(page, 'once more');
      await page.getByText('has a passkey for your account already').waitFor();

      await signOut(page);
      await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
      await page.getByRole('heading', { name: 'Acme' }).waitFor();

      // Once more, and a device that does not know them: nothing happens, and the page says so.
      await page.goto(`${url}/sign-in/again?next=/account/security`);
      await device.recognizes(false);
      await page.getByRole('button', { name: 'Use a passkey' }).click();
      await page.getByRole('alert').getByText('Nothing was done').waitFor();
      await device.recognizes(true);
      await page.getByRole('button', { name: 'Use a passkey' }).click();
      await page.getByRole('heading', { name: 'Security' }).waitFor();

      await page.getByRole('link', { name: 'work laptop' }).click();
      await page.getByLabel('Name').fill('laptop, Frankfurt');
      await page.getByRole('button', { name: 'Save' }).click();
      await page.getByRole('link', { name: 'laptop, Frankfurt' }).click();

      // Who came by a link has no password: their only way in stays.
      await page.getByRole('link', { name: 'Remove' }).click();
      await page.getByText('You could not sign in any more').waitFor();
      await page.getByRole('main').getByRole('link', { name: 'Security' }).click();
      await page.getByLabel('New password', { exact: true }).fill(PASSWORD);
      await page.getByLabel('New password, once more').fill(PASSWORD);
      await page.getByRole('button', { name: 'Set the new password' }).click();
      await page.getByText('Done.').waitFor();
      await page.getByRole('link', { name: 'laptop, Frankfurt' }).click();
      await page.getByRole('link', { name: 'Remove' }).click();
      await page.getByRole('button', { name: 'Remove for good' }).click();
      await page.getByText('The passkey is removed.').waitFor();

      // The device keeps its half.
      assert.equal((await device.credentials()).length, 1);
      await signOut(page);
      await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
      await page.getByRole('alert').getByText('does not let you in').waitFor();
      await page.getByLabel('E-mail address').fill('dev@acme.test');
      await page.getByLabel('Password').fill(PASSWORD);
      await page.getByRole('button', { name: 'Sign in', exact: true }).click();
      await page.getByRole('heading', { name: 'Acme' }).waitFor();
    }, undefined, SCRIPTS);
  });
});

test('without scripts there are no buttons for passkeys, and everything else goes on', async () => {
  await withNamedInstance(async ({ link, url }) => {
    await withBrowser(async (page) => {
      await page.goto(`${url}/sign-in`);
      assert.equal(await page.getByRole('button', { name: 'passkey' }).count(), 0);
      await signIn(page, link);
      await page.getByRole('link', { name: 'Security' }).click();
      await page.getByText('Adding one needs JavaScript').waitFor();
      assert.equal(await page.getByRole('link', { name: 'Add a passkey' }).count(), 0);
      await page.goto(`${url}/account/security/passkeys/new`);
      await page.getByText('Adding one needs JavaScript').waitFor();
      assert.equal(await page.getByRole('button', { name: 'Continue' }).count(), 0);
    });
  });
});

test('the pages of passkeys can be read by everybody, in light and dark, and on a telephone', async () => {
  await withNamedInstance(async ({ link, url }) => {
    await withBrowser(async (page, context) => {
      await authenticator(page, context);
      await signIn(page, link);
      await add(page, 'a name that is rather long, so that it wants more room than there is on a telephone: laptop');
      await page.getByText('Your passkey is added.').waitFor();
      const passkey = new URL(await page.getByRole('link', { name: 'a name that is rather long' }).getAttribute('href'), url).pathname;
      const paths = [
        '/account/security', '/account/security/passkeys/new', passkey, `${passkey}/remove`, '/sign-in/again',
      ];
      await everybodyCanRead(context, url, paths);
      await context.clearCookies();
      await everybodyCanRead(context, url, ['/sign-in']);
    }, undefined, SCRIPTS);
  });
});
