// Signing in through a real OpenID Connect provider, as a person does it, in a browser without scripts.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { withBrowser, withInstance } from './instance.mjs';
import { CLIENT, signInThere, withProvider } from './oidc-provider.mjs';

const ADDRESS = 'dev@acme.test';

function people() {
  const known = (login, more) => ({ email: ADDRESS, email_verified: true, name: 'Dev', groups: [], ...more });
  return {
    dev: known('dev', { groups: ['engineers'] }),
    unverified: known('unverified', { email_verified: false }),
    stranger: known('stranger', { email: 'stranger@acme.test' }),
    impostor: known('impostor'),
  };
}

/** An instance whose provider is `issuer`. */
function settings(issuer, more = {}) {
  return {
    CLAVIGER_OIDC_ISSUER: issuer,
    CLAVIGER_OIDC_CLIENT_ID: CLIENT.id,
    CLAVIGER_OIDC_CLIENT_SECRET: CLIENT.secret,
    CLAVIGER_OIDC_NAME: 'Acme ID',
    CLAVIGER_OIDC_SCOPES: 'openid,email,profile,groups',
    CLAVIGER_OIDC_GROUPS_CLAIM: 'groups',
    CLAVIGER_OIDC_GROUP_ROLES: 'engineers=acme:member,auditors=acme:auditor',
    ...more,
  };
}

/** A provider, an instance that trusts it, and a browser. */
async function withAll(more, test) {
  const everybody = people();
  await withProvider(everybody, async (provider) => {
    await withInstance(async (instance) => {
      provider.state.instance = instance.url;
      await withBrowser(async (page, context) => {
        // The provider's own page wants a font of elsewhere.
        await context.route('https://fonts.googleapis.com/**', (route) => route.fulfill({ contentType: 'text/css', body: '' }));
        await test({ page, context, provider, people: everybody, ...instance });
      });
    }, settings(provider.issuer, more));
  });
}

async function start(page, url) {
  await page.goto(`${url}/sign-in`);
  await page.getByRole('button', { name: 'Sign in with Acme ID' }).click();
}

/** Signs out here and there. */
async function forget(context) {
  await context.clearCookies();
}

/** In, be it in an organization or in none yet. */
const hello = (page) => page.getByRole('heading', { name: /Acme|Hello/ }).waitFor();

/** The roles of the only member of the example's organization. */
async function roles({ url, key }) {
  const get = async (path) => {
    const response = await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${key}` } });
    assert.equal(response.status, 200, path);
    return (await response.json()).items;
  };
  const organization = (await get('/v1/organizations')).find((known) => known.slug === 'acme');
  const members = await get(`/v1/organizations/${organization.id}/members`);
  return members.find((member) => member.email === ADDRESS).roles.sort();
}

async function audit({ url, key }, action) {
  const response = await fetch(`${url}/v1/audit-events?action=${action}`, { headers: { authorization: `Bearer ${key}` } });
  return (await response.json()).items;
}

test('somebody signs in by the provider, and their groups give and take roles', async () => {
  await withAll({}, async ({ page, context, people, ...instance }) => {
    const { url } = instance;
    assert.deepEqual(await roles(instance), ['organization-admin']);
    await page.goto(`${url}/account/security`);
    await page.getByRole('button', { name: 'Sign in with Acme ID' }).click();
    await signInThere(page, 'dev');
    // Back where they wanted to go, by an address without what the provider sent.
    await page.getByRole('heading', { name: 'Security' }).waitFor();
    assert.equal(page.url(), `${url}/account/security`);
    assert.deepEqual(await roles(instance), ['member', 'organization-admin']);
    const linked = await audit(instance, 'identity.linked');
    assert.deepEqual(linked.map((event) => event.actor.type), ['system']);
    const started = await audit(instance, 'session.started');
    assert.equal(started[0].details.method, 'openid_connect');

    // Out of the group, and out of the role; what was given by hand stays, even without the address that introduced them.
    people.dev = { ...people.dev, groups: ['others'], email: 'new@acme.test', email_verified: false };
    await forget(context);
    await start(page, url);
    await signInThere(page, 'dev');
    await hello(page);
    assert.deepEqual(await roles(instance), ['organization-admin']);
  });
});

test('an address that is not verified links nobody, nor does one that is somebody else’s by now', async () => {
  await withAll({}, async ({ page, context, ...instance }) => {
    const refused = async (login, words) => {
      await forget(context);
      await start(page, instance.url);
      await signInThere(page, login);
      await page.getByText(words).waitFor();
    };
    await refused('unverified', 'has not confirmed your e-mail address');
    await refused('stranger', 'Ask an administrator');
    assert.equal((await audit(instance, 'identity.linked')).length, 0);
    await forget(context);
    await start(page, instance.url);
    await signInThere(page, 'dev');
    await hello(page);
    await refused('impostor', 'Ask an administrator');
    const reasons = (await audit(instance, 'sign_in.failed')).map((event) => event.details.reason).sort();
    assert.deepEqual(reasons, ['another_identity', 'email_unverified', 'unknown_user']);
  });
});

test('who is not there yet becomes a user where that is wanted', async () => {
  await withAll({ CLAVIGER_OIDC_CREATE_USERS: 'true' }, async ({ page, url }) => {
    await start(page, url);
    await signInThere(page, 'stranger');
    await hello(page);
  });
});

test('what comes back counts once, in the browser that began it, as the provider made it', async () => {
  await withAll({}, async ({ page, context, provider, url }) => {
    // A state of nobody, and one of another browser.
    await page.goto(`${url}/sign-in/oidc/callback?code=x&state=${'0'.repeat(64)}`);
    await page.getByText('not begun in this browser').waitFor();
    // Whoever lost the cookie of the departure meanwhile, or comes from another browser.
    await start(page, url);
    await page.locator('input[name=login]').waitFor();
    await context.clearCookies({ name: 'claviger-departure' });
    await signInThere(page, 'dev');
    await page.getByText('not begun in this browser').waitFor();
    // In the right browser it counts, once.
    await forget(context);
    await start(page, url);
    await page.locator('input[name=login]').waitFor();
    const cookies = await context.cookies();
    let back;
    page.on('request', (request) => {
      if (request.url().includes('/sign-in/oidc/callback?')) back = request.url();
    });
    await signInThere(page, 'dev');
    await hello(page);
    await context.clearCookies();
    await context.addCookies(cookies);
    await page.goto(back);
    await page.getByText('used already').waitFor();

    // A token that was changed, or was made for another sign-in.
    const other = [];
    provider.state.tamper = (tokens) => {
      other.push(tokens.id_token);
      return tokens;
    };
    await forget(context);
    await start(page, url);
    await signInThere(page, 'dev');
    await hello(page);
    const tampers = [
      (tokens) => ({ ...tokens, id_token: other[0] }),
      (tokens) => ({ ...tokens, id_token: unsigned(tokens.id_token) }),
      (tokens) => ({ ...tokens, id_token: undefined }),
    ];
    for (const tamper of tampers) {
      provider.state.tamper = tamper;
      await forget(context);
      await start(page, url);
      await signInThere(page, 'dev');
      await page.getByText('not begun in this browser').waitFor();
    }
  });
});

function unsigned(token) {
  const header = Buffer.from(JSON.stringify({ alg: 'none' })).toString('base64url');
  return `${header}.${token.split('.')[1]}.`;
}

test('whoever proves again who they are is asked by the provider, and must be the same', async () => {
  await withAll({}, async ({ page, context, url, ...instance }) => {
    await start(page, url);
    await signInThere(page, 'dev');
    await hello(page);
    const again = async (login) => {
      await page.goto(`${url}/sign-in/again?next=/account/security`);
      await page.getByRole('button', { name: 'Sign in with Acme ID' }).click();
      await signInThere(page, login);
    };
    // The provider still knows them, and asks all the same.
    await again('dev');
    await page.getByRole('heading', { name: 'Security' }).waitFor();
    await context.clearCookies({ name: /^_/ });
    await again('impostor');
    await page.getByText('did not show that you are the person').waitFor();
    const proven = await audit({ url, ...instance }, 'session.reauthenticated');
    assert.deepEqual(proven.map((event) => event.details.method), ['openid_connect']);
  });
});

test('while the provider is silent there is a page that says so, and passwords go on', async () => {
  await withAll({}, async ({ page, provider, url, link }) => {
    provider.state.silent = true;
    await page.goto(`${url}/sign-in`);
    const answered = page.waitForResponse((response) => response.request().method() === 'POST');
    await page.getByRole('button', { name: 'Sign in with Acme ID' }).click();
    assert.equal((await answered).status(), 502);
    await page.getByText('does not answer').waitFor();
    await page.goto(link);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await hello(page);
  });
});
