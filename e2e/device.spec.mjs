// Signing a terminal in, as a person does it: the real command line, and a browser without scripts.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { claviger, everybodyCanRead, withBrowser, withInstance } from './instance.mjs';

/** A login that waits: the code that it shows, and how it ends. */
async function begun(url, directory) {
  const login = claviger(['login', '--no-browser', `--url=${url}`], directory);
  let said = '';
  login.stdout.on('data', (data) => (said += data));
  const ended = new Promise((resolve) => login.once('close', (exit) => resolve({ exit, said })));
  const code = await new Promise((resolve, reject) => {
    let told = '';
    login.stderr.on('data', (data) => {
      told += data;
      const code = told.match(/code ([A-Z]{4}-[A-Z]{4})/);
      if (code) resolve(code[1]);
    });
    login.once('close', () => reject(new Error(`no code: ${told}`)));
  });
  return { code, ended };
}

test('somebody types what a terminal shows, sees what it asks for, and approves it', async () => {
  await withInstance(async ({ link, url, directory }) => {
    await withBrowser(async (page, context) => {
      const { code, ended } = await begun(url, directory);

      // Nobody is signed in yet, and comes back afterwards.
      await page.goto(`${url}/device`);
      assert.equal(new URL(page.url()).pathname, '/sign-in');
      await page.goto(link);
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByRole('link', { name: 'Connect a device' }).click();
      await everybodyCanRead(context, page.url());

      await page.getByLabel('Code of the device').fill('bbbb bbbb');
      await page.getByRole('button', { name: 'Continue' }).click();
      await page.getByRole('alert').getByText('This code does not count').waitFor();
      await page.getByLabel('Code of the device').fill(code.toLowerCase().replace('-', ''));
      await page.getByRole('button', { name: 'Continue' }).click();

      await page.getByRole('heading', { name: 'May this device act for you?' }).waitFor();
      for (const text of ['Did you begin this yourself', code, 'command line', '127.0.0.1', 'Acme', 'claviger:api_keys:write']) {
        await page.getByText(text).first().waitFor();
      }
      await everybodyCanRead(context, page.url());
      await page.setViewportSize({ width: 320, height: 640 });
      const main = await page.locator('main').boundingBox();
      assert.ok(main.width <= 320, `the page is ${main.width} wide`);
      await page.getByRole('button', { name: 'Approve' }).click();
      await page.getByRole('status').getByText('Go back to your device').waitFor();
      await everybodyCanRead(context, page.url());

      const { exit, said } = await ended;
      assert.equal(exit, 0);
      assert.match(said, /claviger login on /);
    });
  });
});

test('somebody comes with the code in the address, is still asked, and denies it', async () => {
  await withInstance(async ({ link, url, directory }) => {
    await withBrowser(async (page) => {
      const { code, ended } = await begun(url, directory);
      await page.goto(link);
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByRole('link', { name: 'Connect a device' }).waitFor();
      await page.goto(`${url}/device?user_code=${code}`);
      await page.getByRole('button', { name: 'Approve' }).waitFor();
      await page.getByRole('button', { name: 'Deny' }).click();
      await page.getByRole('status').getByText('The device gets nothing').waitFor();
      assert.equal((await ended).exit, 1);
    });
  });
});
