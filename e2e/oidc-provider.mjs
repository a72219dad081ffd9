// A real OpenID Connect provider (npm `oidc-provider`) with a few people, for tests: whoever types a login is that person.
// `tamper` changes an ID token on its way, as somebody in between would.

import http from 'node:http';

import Provider from 'oidc-provider';

export const CLIENT = { id: 'claviger', secret: 'a-secret-of-the-tests' };

/** Runs `test` with a provider that knows `people` by login, and sends them back to `url()`. */
export async function withProvider(people, test) {
  const state = { instance: undefined, silent: false, tamper: undefined };
  const server = http.createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const make = (instance) => new Provider(issuer, {
    clients: [{
      client_id: CLIENT.id,
      client_secret: CLIENT.secret,
      redirect_uris: [`${instance}/sign-in/oidc/callback`],
    }],
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'], groups: ['groups'] },
    scopes: ['openid', 'email', 'profile', 'groups'],
    pkce: { required: () => true },
    cookies: { keys: ['of the tests'] },
    findAccount: (_, login) => people[login] && { accountId: login, claims: () => ({ sub: login, ...people[login] }) },
    // Consent is not what is tested.
    loadExistingGrant: async (context) => {
      const grant = new context.oidc.provider.Grant({
        clientId: context.oidc.client.clientId,
        accountId: context.oidc.session.accountId,
      });
      grant.addOIDCScope('openid email profile groups');
      await grant.save();
      return grant;
    },
  });
  let provider;
  server.on('request', (request, response) => {
    if (state.silent) return;
    provider ??= make(state.instance);
    if (state.tamper && request.url === '/token') {
      const end = response.end.bind(response);
      response.end = (body, ...rest) => {
        const changed = Buffer.from(JSON.stringify(state.tamper(JSON.parse(body))));
        response.setHeader('content-length', changed.length);
        return end(changed, ...rest);
      };
    }
    provider.callback()(request, response);
  });
  try {
    await test({ issuer, state });
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

/** On the provider's own page: types a login, and goes on. */
export async function signInThere(page, login) {
  await page.locator('input[name=login]').fill(login);
  await page.locator('input[name=password]').fill('anything');
  await page.locator('button[type=submit]').click();
}
