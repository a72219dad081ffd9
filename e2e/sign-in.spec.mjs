// Signing in and out as a person does it, in a browser without scripts.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { totp, withBrowser, withInstance } from './instance.mjs';

const PASSWORD = 'plum harbor seven lanterns';
const ADDRESS = 'dev@acme.test';

async function signIn(page, url, password) {
  await page.goto(`${url}/sign-in`);
  await page.getByLabel('E-mail address').fill(ADDRESS);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

async function signOut(page) {
  await page.getByRole('button', { name: 'Sign out', exact: true }).click();
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
}

test('what is typed stays when another language is chosen', async () => {
  await withInstance(async ({ url }) => {
    await withBrowser(async (page) => {
      await page.goto(`${url}/sign-in?next=%2Fapprovals`);
      await page.getByLabel('E-mail address').fill('half typed');
      await page.locator('footer').getByRole('button', { name: 'Nederlands' }).click();
      await page.locator('html[lang=nl]').waitFor();
      assert.equal(await page.locator('#email').inputValue(), 'half typed');
      assert.equal(await page.locator('[name=next]').first().inputValue(), '/approvals');
    });
  });
});

test('somebody comes by a link, sets a password and an app, and signs in with them', async () => {
  await withInstance(async ({ link, url }) => {
    await withBrowser(async (page, context) => {
      // The link, once; its code does not stay in the address.
      await page.goto(link);
      assert.equal(page.url(), `${url}/sign-in/link`);
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByRole('heading', { name: 'Acme' }).waitFor();
      const session = (await context.cookies()).find((cookie) => cookie.name === 'claviger');
      assert.deepEqual([session.httpOnly, session.sameSite, session.path], [true, 'Lax', '/']);

      await page.getByRole('link', { name: 'Security' }).click();
      await page.getByLabel('New password', { exact: true }).fill(PASSWORD);
      await page.getByLabel('New password, once more').fill(PASSWORD);
      await page.getByRole('button', { name: 'Set the new password' }).click();
      await page.getByText('Done.').waitFor();

      await page.getByRole('link', { name: 'Set up an app' }).click();
      assert.ok((await page.locator('.picture svg').boundingBox()).width > 100, 'a QR code is seen');
      const seed = await page.locator('.seed').innerText();
      await page.getByLabel('Then type the code').fill(totp(seed));
      await page.getByRole('button', { name: 'Switch on' }).click();
      await page.getByRole('heading', { name: 'Your recovery codes' }).waitFor();
      const codes = await page.locator('.codes code').allInnerTexts();
      assert.equal(codes.length, 10);
      await page.getByRole('link', { name: 'I have kept them' }).click();
      await page.getByText('You have 10 recovery codes left.').waitFor();
      await signOut(page);

      // A wrong password.
      await signIn(page, url, 'plum harbor seven lantern');
      await page.getByRole('alert').waitFor();
      assert.equal(await page.getByLabel('E-mail address').inputValue(), ADDRESS);

      // The right one, a wrong code, and then one that counts: that of the next step, for this one's is used.
      await signIn(page, url, PASSWORD);
      await page.getByLabel('Code').fill('000000');
      await page.getByRole('button', { name: 'Continue' }).click();
      await page.getByRole('alert').waitFor();
      await page.getByLabel('Code').fill(totp(seed, 1));
      await page.getByRole('button', { name: 'Continue' }).click();
      await page.getByRole('heading', { name: 'Acme' }).waitFor();
      await signOut(page);

      // And a recovery code.
      await signIn(page, url, PASSWORD);
      await page.getByLabel('Code').fill(codes[0].toUpperCase());
      await page.getByRole('button', { name: 'Continue' }).click();
      await page.getByRole('heading', { name: 'Acme' }).waitFor();
      await signOut(page);
      await page.goto(`${url}/account/security`);
      assert.equal(new URL(page.url()).pathname, '/sign-in');

      // The link is used up.
      await page.goto(link);
      await page.getByText('This link was used already').waitFor();
    });
  });
});

test('pages speak four languages and fit a telephone', async () => {
  await withInstance(async ({ url }) => {
    await withBrowser(async (page) => {
      await page.setViewportSize({ width: 320, height: 640 });
      await page.goto(`${url}/sign-in`);
      for (const [language, title] of [['Nederlands', 'Inloggen'], ['Français', 'Connexion'], ['日本語', 'サインイン']]) {
        await page.getByRole('button', { name: language }).click();
        await page.getByRole('heading', { name: title }).waitFor();
        const main = await page.locator('main').boundingBox();
        assert.ok(main.x >= 0 && main.width <= 320, `${language} is ${main.width} wide`);
      }
    });
  });
});
