// The portal in a frame of a product's page, as its user sees it, in a browser without scripts.
//
// The pages are on other ports of the same loopback address, and so on the same site: the cookie of an instance that is
// reached by http arrives in their frames. Across sites, only the Partitioned cookie of https would.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';

import { withBrowser, withInstance } from './instance.mjs';

const ADDRESS = 'dev@acme.test';

/** Runs `test` with a page of a product, on an origin of its own, that frames what its address names. */
async function withPage(test) {
  const server = createServer((request, response) => {
    const framed = new URL(request.url, 'http://page.invalid').searchParams.get('framed') ?? '';
    const address = framed.replaceAll('&', '&amp;').replaceAll('"', '&quot;');
    response.setHeader('content-type', 'text/html; charset=utf-8');
    response.end(`<!doctype html><title>Product</title><link rel="icon" href="data:,"><h1>Settings</h1>
      ${framed && `<iframe src="${address}" title="Tokens" width="600" height="400"></iframe>`}`);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${server.address().port}`;
  try {
    await test({ origin, framing: (address) => `${origin}/?framed=${encodeURIComponent(address)}` });
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

/** What a product's backend does. */
function backend({ url, key }) {
  return async (method, path, body) => {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
    const response = await fetch(`${url}${path}`, { method, headers, body: body && JSON.stringify(body) });
    assert.ok(response.ok, `${method} ${path}: ${response.status}`);
    return response.json();
  };
}

test("a user sees their portal in the product's frame, and nowhere else", async () => {
  await withPage(async (product) => {
    await withPage(async (stranger) => {
      await withInstance(async (instance) => {
        const call = backend(instance);
        const acme = (await call('GET', '/v1/organizations')).items.find((known) => known.slug === 'acme');
        const user = (await call('GET', '/v1/users')).items.find((known) => known.email === ADDRESS);
        await call('PATCH', `/v1/organizations/${acme.id}`, { portal_origins: [product.origin] });
        const session = { user_id: user.id, organization_id: acme.id, return_url: `${product.origin}/` };
        const link = async () => (await call('POST', '/v1/portal-sessions', session)).url;

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
