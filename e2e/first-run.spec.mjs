// The first minutes of an instance as a person sees them in a browser: without scripts, with them, and on a telephone.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';

import { SCREEN, TELEPHONE, everybodyCanRead, pasted, withBrowser, withInstance } from './instance.mjs';

const PASSWORD = 'plum harbor seven lanterns';

async function becomeAdministrator(page, firstRun) {
  await page.goto(firstRun);
  await page.getByLabel('Your name').fill('Zoë');
  await page.getByLabel('E-mail address').fill('zoe@orders.test');
  await page.getByLabel('New password', { exact: true }).fill(PASSWORD);
  await page.getByLabel('New password, once more').fill(PASSWORD);
  await page.getByRole('button', { name: 'Become the administrator' }).click();
  await page.getByRole('heading', { name: 'Declare your API' }).waitFor();
}

async function declare(page) {
  await page.getByLabel('Address of the API').fill('https://api.orders.test');
  await page.getByRole('button', { name: 'Declare the API' }).click();
  await page.getByRole('heading', { name: 'Make a first key' }).waitFor();
}

async function makeKey(page) {
  await page.getByLabel('Organization', { exact: true }).selectOption('A new customer…');
  await page.getByLabel('Name of the new customer').fill('Globex');
  // What they declared themselves, and nothing of the example.
  assert.deepEqual(await page.locator('[name=permission]:checked').evaluateAll((boxes) => boxes.map((box) => box.value)), ['orders:read']);
  await page.getByRole('button', { name: 'Make the key' }).click();
  await page.getByRole('heading', { name: 'Your new API key' }).waitFor();
  return page.locator('#secret').innerText();
}

test('somebody sets up an instance, and what the page shows works as pasted', async () => {
  await withInstance(async ({ firstRun, url }) => {
    await withBrowser(async (page) => {
      await becomeAdministrator(page, firstRun);
      // What the example made is told, and led on from.
      await page.getByRole('heading', { name: 'Declared already' }).waitFor();
      await declare(page);
      await page.getByText('There is a key already: dev example.').waitFor();
      const key = await makeKey(page);
      const { stdout } = await promisify(execFile)('sh', ['-c', await page.locator('#ask').innerText()]);
      const verdict = JSON.parse(stdout);
      assert.deepEqual([verdict.valid, verdict.organization.slug, verdict.permissions], [true, 'globex', ['orders:read']]);
      await page.getByText('nginx', { exact: true }).click();
      await page.getByText('permission=orders:read').first().waitFor();

      await page.reload();
      await page.getByText('This form was sent before').waitFor();
      assert.ok(!(await page.content()).includes(key));
      await page.goto(`${url}/first-run`);
      await page.getByRole('heading', { name: 'Ready to be asked' }).waitFor();

      // The link is of no use to whoever finds it.
      await page.getByRole('button', { name: 'Sign out' }).click();
      await page.goto(firstRun);
      await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    });
  });
});

/** The ids of the texts whose Copy button does not lie within their box and the window, whichever way is opened. */
function cutOff(page) {
  return page.evaluate(() => {
    const cut = [];
    for (const button of document.querySelectorAll('button[data-copy]')) {
      const way = button.closest('details');
      if (way) way.open = true;
      const box = (way ?? button.closest('.card')).getBoundingClientRect();
      const { left, right, width } = button.getBoundingClientRect();
      if (width === 0 || left < box.left || right > box.right || right > innerWidth) cut.push(button.dataset.copy);
    }
    return cut;
  });
}

test('every text can be copied, on a wide screen and on a telephone', async () => {
  await withInstance(async ({ firstRun, url }) => {
    await withBrowser(async (page) => {
      const holds = async () => {
        for (const size of [SCREEN, TELEPHONE]) {
          await page.setViewportSize(size);
          assert.ok((await page.locator('.ways button[data-copy]').count()) > 8, page.url());
          assert.deepEqual(await cutOff(page), [], `${page.url()} at ${size.width}`);
        }
        await page.setViewportSize(SCREEN);
      };
      await becomeAdministrator(page, firstRun);
      await declare(page);
      await makeKey(page);
      await holds();
      await page.goto(`${url}/first-run/done`);
      await holds();
    }, undefined, { javaScriptEnabled: true });
  });
});

test('the rule that the page of an API shows is taken by the command line as it stands there', async () => {
  await withInstance(async ({ firstRun, url, ...instance }) => {
    await withBrowser(async (page) => {
      await becomeAdministrator(page, firstRun);
      await declare(page);
      await page.goto(`${url}/apis?q=orders`);
      await page.getByRole('link', { name: 'api.orders.test' }).click();
      const shown = await page.locator('main pre').innerText();
      await pasted(shown.split('\n').find((line) => line.includes('--route')), { url, ...instance });
      await page.reload();
      await page.getByRole('row', { name: 'GET /orders orders:read' }).waitFor();
    });
  });
});

test('the keys that sign tokens are rotated, and replaced at once', async () => {
  await withInstance(async ({ firstRun }) => {
    await withBrowser(async (page) => {
      await becomeAdministrator(page, firstRun);
      await page.getByRole('link', { name: 'Settings' }).click();
      await page.getByRole('link', { name: 'Rotate now' }).click();
      await page.getByLabel('Which keys').selectOption('ES256');
      await page.getByRole('button', { name: 'Rotate now' }).click();
      await page.getByText('signs in ten minutes; nothing stops working').waitFor();
      assert.equal(await page.locator('.badge').filter({ hasText: /^Next$/ }).count(), 1);
      await page.getByRole('link', { name: 'Replace at once' }).click();
      await page.getByText('is refused at once').waitFor();
      await page.getByRole('button', { name: 'Replace at once' }).click();
      await page.getByText('is refused from now on').waitFor();
      assert.equal(await page.locator('.badge').filter({ hasText: /^Next$/ }).count(), 0);
    });
  });
});

test('a snippet is copied where scripts run', async () => {
  await withInstance(async ({ firstRun, url }) => {
    await withBrowser(async (page, context) => {
      await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: url });
      await becomeAdministrator(page, firstRun);
      await page.goto(`${url}/first-run/done`);
      await page.locator('details[open]').getByRole('button', { name: 'Copy' }).click();
      await page.getByRole('button', { name: 'Copied' }).waitFor();
      assert.match(await page.evaluate(() => navigator.clipboard.readText()), /^curl .*\/v1\/verify/);
    }, undefined, { javaScriptEnabled: true });
  });
});

test('every page can be read by everybody, in light and dark, and on a telephone', async () => {
  await withInstance(async ({ firstRun, url }) => {
    await withBrowser(async (page, context) => {
      await page.goto(firstRun);
      await everybodyCanRead(context, url, ['/first-run']);
      await becomeAdministrator(page, firstRun);
      const paths = ['/first-run/api', '/first-run/key', '/first-run/done', '/settings', '/settings/signing-keys/rotate', '/settings/signing-keys/replace'];
      await everybodyCanRead(context, url, paths);
    });
  });
});
