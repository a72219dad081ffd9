// The portal in a frame of a product's page, as its user sees it, in a browser without scripts.
//
// Most pages are on other ports of the same loopback address, and so on the same site: the cookie of an instance that is
// reached by http arrives in their frames. Across sites, the Partitioned cookie of https does: the last test sees to that.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';

import { fetchWith, withCertificates } from './certificates.mjs';
import { everybodyCanRead, withBrowser, withInstance } from './instance.mjs';

const ADDRESS = 'dev@acme.test';

/** Runs `test` with a page of a product, on an origin of its own, that frames what its address names. */
async function withPage(test, host = '127.0.0.1') {
  const server = createServer((request, response) => {
    const framed = new URL(request.url, 'http://page.invalid').searchParams.get('framed') ?? '';
    const address = framed.replaceAll('&', '&amp;').replaceAll('"', '&quot;');
    response.setHeader('content-type', 'text/html; charset=utf-8');
    response.end(`<!doctype html><title>Product</title><link rel="icon" href="data:,"><h1>Settings</h1>
      ${framed && `<iframe src="${address}" title="Tokens" width="900" height="700"></iframe>`}`);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://${host}:${server.address().port}`;
  try {
    await test({ origin, framing: (address) => `${origin}/?framed=${encodeURIComponent(address)}` });
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

/** What a product's backend does. */
function backend({ url, key }, fetcher = fetch) {
  return async (method, path, body) => {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
    const response = await fetcher(`${url}${path}`, { method, headers, body: body && JSON.stringify(body) });
    assert.ok(response.ok, `${method} ${path}: ${response.status}`);
    return response.json();
  };
}

/** Acme with a portal for this origin, and how its backend makes a link for Dev. */
async function open(instance, origin, look = {}, fetcher = fetch) {
  const call = backend(instance, fetcher);
  const acme = (await call('GET', '/v1/organizations')).items.find((known) => known.slug === 'acme');
  const user = (await call('GET', '/v1/users')).items.find((known) => known.email === ADDRESS);
  await call('PATCH', `/v1/organizations/${acme.id}`, { portal_origins: [origin], ...look });
  const session = { user_id: user.id, organization_id: acme.id, return_url: `${origin}/` };
  return { call, link: async () => (await call('POST', '/v1/portal-sessions', session)).url };
}

/** What a gateway would be told of a token. */
async function code(internal, credential) {
  const response = await fetch(`${internal}/v1/verify`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ credential, permissions: ['invoices:read'] }),
  });
  return (await response.json()).code;
}

/** Makes a token in a frame, or on a page of its own, and tells its secret. */
async function make(frame, name) {
  await frame.getByRole('link', { name: 'New token' }).first().click();
  await frame.getByLabel('Name', { exact: true }).fill(name);
  await frame.getByRole('checkbox', { name: 'invoices:read' }).check();
  await frame.getByRole('button', { name: 'New token' }).click();
  await frame.getByRole('heading', { name: 'Your new token' }).waitFor();
  return frame.getByLabel('Secret').inputValue();
}

test("a user's tokens begin, change and end within the product's frame", async () => {
  await withPage(async (product) => {
    await withInstance(async (instance) => {
      const { link } = await open(instance, product.origin, { portal_name: 'Acme Cloud', portal_color: '#0a7d4b' });
      const { internal } = instance;
      await withBrowser(async (page) => {
        await page.goto(product.framing(await link()));
        const frame = page.frameLocator('iframe');
        await frame.getByText('Acme Cloud', { exact: true }).waitFor();
        const first = await make(frame, 'laptop');
        assert.match(first, /^clv_pat_/);
        assert.equal(await code(internal, first), 'valid');
        // All of it is selected by a double click, and by the Tab key.
        const selected = () => frame.getByLabel('Secret').evaluate((field) => field.selectionEnd - field.selectionStart);
        await frame.getByLabel('Secret').dblclick();
        assert.equal(await selected(), first.length);
        await frame.getByLabel('Secret').evaluate((field) => field.setSelectionRange(0, 0));
        await page.keyboard.press('Shift+Tab');
        await page.keyboard.press('Tab');
        assert.equal(await selected(), first.length);

        await frame.getByRole('link', { name: 'I have stored it' }).click();
        await frame.getByRole('heading', { name: 'laptop' }).waitFor();
        // Only the frame goes back, which is no load of the page around it.
        await page.goBack({ timeout: 2000 }).catch(() => {});
        assert.ok(!(await page.frames()[1].content()).includes(first), 'no browser keeps the secret');
        await page.goto(product.framing(`${instance.url}/portal`));
        await frame.getByRole('link', { name: 'laptop' }).click();

        await frame.getByRole('link', { name: 'Edit' }).click();
        await frame.getByLabel('Name', { exact: true }).fill('desk');
        await frame.getByRole('button', { name: 'Save' }).click();
        await frame.getByText('Saved.').waitFor();
        await frame.getByRole('link', { name: 'Roll', exact: true }).click();
        await frame.getByLabel('for one hour').check();
        await frame.getByRole('button', { name: 'Make the new secret' }).click();
        const second = await frame.getByLabel('Secret').inputValue();
        assert.deepEqual([await code(internal, first), await code(internal, second)], ['valid', 'valid']);
        await frame.getByRole('link', { name: 'I have stored it' }).click();
        await frame.getByRole('button', { name: 'End the old secret now' }).click();
        await frame.getByText('Only the new one works.').waitFor();
        assert.deepEqual([await code(internal, first), await code(internal, second)], ['revoked', 'valid']);
        await frame.getByRole('button', { name: 'Disable' }).click();
        await frame.getByText('It is disabled').waitFor();
        await frame.getByRole('button', { name: 'Enable' }).click();
        await frame.getByText('works again').waitFor();
        await frame.getByRole('link', { name: 'Revoke' }).click();
        await frame.getByRole('button', { name: 'Revoke for good' }).click();
        await frame.getByText('Revoked for good ·').waitFor();
        assert.equal(await code(internal, second), 'revoked');
        await frame.getByRole('link', { name: 'Back to Acme Cloud' }).click();
        await page.waitForURL(`${product.origin}/`);
        // Going back to what was sent, a browser asks instead of showing it.
      }, (complaint) => complaint.endsWith('ERR_CACHE_MISS'));
    });
  });
});

test('its pages can be read by everybody, in whatever colour, in light and dark, and on a telephone', async () => {
  await withPage(async (product) => {
    await withInstance(async (instance) => {
      const { call, link } = await open(instance, product.origin);
      const organization = (await call('GET', '/v1/organizations')).items.find((known) => known.slug === 'acme');
      await withBrowser(async (page, context) => {
        await page.goto(await link());
        await make(page, 'a name that is rather long, so that it wants more room than there is on a telephone: laptop');
        await page.getByRole('link', { name: 'I have stored it' }).click();
        const token = new URL(page.url()).pathname;
        const paths = ['/portal', '/portal/new', token, `${token}/edit`, `${token}/roll`, `${token}/revoke`, '/portal/x'];
        for (const portal_color of ['#ffee00', '#101030']) {
          await call('PATCH', `/v1/organizations/${organization.id}`, { portal_color, portal_name: 'Acme Cloud' });
          await everybodyCanRead(context, instance.url, paths);
        }
      });
    });
  });
});

test("a token is made in a frame of another site, where a cookie is the frame's own", async () => {
  await withCertificates(async (settings, authority) => {
    await withPage(async (product) => {
      await withInstance(async (instance) => {
        const { link } = await open(instance, product.origin, {}, fetchWith(authority));
        await withBrowser(
          async (page, context) => {
            await page.goto(product.framing(await link()));
            const frame = page.frameLocator('iframe');
            assert.match(await make(frame, 'elsewhere'), /^clv_pat_/);
            const cookie = (await context.cookies()).find((known) => known.name === '__Host-claviger-portal');
            assert.deepEqual([cookie.secure, cookie.sameSite], [true, 'None']);
            // By itself, and in no frame of that site, nobody is there.
            await page.goto(`${instance.url}/portal`);
            await page.getByText('open it again').waitFor();
          },
          undefined,
          { ignoreHTTPSErrors: true },
        );
      }, settings);
    }, 'localhost');
  });
});

test("a user sees their portal in the product's frame, and nowhere else", async () => {
  await withPage(async (product) => {
    await withPage(async (stranger) => {
      await withInstance(async (instance) => {
        const { link } = await open(instance, product.origin);

        await withBrowser(async (page, context) => {
          const first = await link();
          await page.goto(product.framing(first));
          const frame = page.frameLocator('iframe');
          await frame.getByText('Signed in as Dev').waitFor();
          await frame.getByRole('heading', { name: 'Your access to Acme' }).waitFor();
          assert.equal(page.frames()[1].url(), `${instance.url}/portal`, 'the code does not stay in the address');
          const cookie = (await context.cookies()).find((known) => known.name === 'claviger-portal');
          assert.deepEqual([cookie.httpOnly, cookie.sameSite, cookie.path], [true, 'Lax', '/']);

          // It is no session of the console, and the way back leads out of the frame.
          const other = await context.newPage();
          await other.goto(`${instance.url}/`);
          await other.getByRole('heading', { name: 'Sign in' }).waitFor();
          await other.close();
          await frame.getByRole('link', { name: 'Back' }).click();
          await page.waitForURL(`${product.origin}/`);
          assert.equal(page.frames().length, 1);

          // Again in the frame, and out.
          await page.goto(product.framing(`${instance.url}/portal`));
          await frame.getByRole('button', { name: 'Leave' }).click();
          await frame.getByText('You have left this page.').waitFor();

          // The link again: used up.
          await page.goto(first);
          await page.getByText('its link was used already').waitFor();
        });

        // A page whose origin is not registered frames neither the link nor the page.
        const refusals = [];
        await withBrowser(
          async (page) => {
            await page.goto(product.framing(await link()));
            await page.frameLocator('iframe').getByText('Signed in as Dev').waitFor();
            for (const address of [await link(), `${instance.url}/portal`]) {
              await page.goto(stranger.framing(address));
              await page.waitForTimeout(500);
              assert.equal(await page.frames()[1].getByText('Signed in as').count(), 0, address);
            }
          },
          (complaint) => /frame-ancestors|BLOCKED_BY_(RESPONSE|CSP)/.test(complaint) && refusals.push(complaint),
        );
        assert.ok(refusals.some((refusal) => refusal.includes('frame-ancestors')), refusals.join('; '));
      });
    });
  });
});
