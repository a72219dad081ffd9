// OAuth clients that others wrote, against the real binary: what they find out by themselves, how they prove who they are,
// and tokens that are verified far from us.

import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { test } from 'node:test';

import { createRemoteJWKSet, exportJWK, generateKeyPair, jwtVerify } from 'jose';
import * as oauth from 'openid-client';

import { withDocument } from './caddy.mjs';
import { fetchWith, withCertificates } from './certificates.mjs';
import { withInstance } from './instance.mjs';
import { withNginx } from './nginx.mjs';

const API = 'https://billing.test';

/** Calls the management API as the administrator. */
function manager({ url, key }, fetcher = fetch) {
  return async (method, path, body) => {
    const response = await fetcher(url + path, {
      method,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: body && JSON.stringify(body),
    });
    const answer = await response.json();
    assert.ok(response.ok, `${method} ${path}: ${JSON.stringify(answer)}`);
    return answer;
  };
}

/** An API, and a service account that may use it. */
async function machine(manage) {
  const permissions = [{ name: 'billing:read' }, { name: 'billing:write' }];
  const api = await manage('POST', '/v1/apis', { identifier: API, name: 'Billing', permissions });
  const { id: organization_id } = await manage('POST', '/v1/organizations', { name: 'Machines', slug: 'machines' });
  const account = await manage('POST', '/v1/service-accounts', {
    organization_id,
    name: 'nightly',
    permissions: permissions.map(({ name }) => name),
  });
  const { client_secret } = await manage('POST', `/v1/service-accounts/${account.id}/secrets`, { name: 'e2e' });
  return { api, id: account.id, path: `/v1/service-accounts/${account.id}`, secret: client_secret };
}

/** What a client finds out by itself. */
function discovered(url, id, method) {
  const options = { algorithm: 'oauth2', execute: [oauth.allowInsecureRequests] };
  return oauth.discovery(new URL(url), id, undefined, method, options);
}

test('openid-client gets, introspects and revokes tokens with each way to prove itself', async () => {
  await withInstance(async (instance) => {
    const manage = manager(instance);
    const { id, path, secret } = await machine(manage);
    const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
    const jwk = { ...(await exportJWK(publicKey)), kid: 'mine', use: 'sig', alg: 'ES256' };
    await manage('POST', `${path}/public-keys`, { name: 'laptop', jwk });
    const methods = {
      client_secret_basic: oauth.ClientSecretBasic(secret),
      client_secret_post: oauth.ClientSecretPost(secret),
      private_key_jwt: oauth.PrivateKeyJwt({ key: privateKey, kid: 'mine' }),
    };
    for (const [name, method] of Object.entries(methods)) {
      await manage('PATCH', path, { token_endpoint_auth_method: name });
      const config = await discovered(instance.url, id, method);
      assert.ok(config.serverMetadata().token_endpoint_auth_methods_supported.includes(name));
      const tokens = await oauth.clientCredentialsGrant(config, { scope: 'billing:read', resource: API });
      assert.deepEqual([tokens.token_type, tokens.scope, tokens.expires_in], ['bearer', 'billing:read', 600], name);
      const told = await oauth.tokenIntrospection(config, tokens.access_token);
      assert.deepEqual([told.active, told.client_id, told.aud, told.scope], [true, id, API, 'billing:read'], name);
      await oauth.tokenRevocation(config, tokens.access_token);
      assert.deepEqual(await oauth.tokenIntrospection(config, tokens.access_token), { active: false }, name);
    }
    const wrong = await discovered(instance.url, id, oauth.ClientSecretBasic('nonsense'));
    await assert.rejects(oauth.clientCredentialsGrant(wrong), (error) => error.status === 401);
  });
});

test('openid-client registers itself with an initial access token, and gets a token', async () => {
  await withInstance(async (instance) => {
    const manage = manager(instance);
    const { id: service_account_id, path } = await machine(manage);
    const permissions = ['claviger:registrations:write', 'billing:read'];
    await manage('PATCH', path, { permissions });
    const initial = await manage('POST', '/v1/api-keys', { service_account_id, name: 'initial', permissions });
    const options = { algorithm: 'oauth2', execute: [oauth.allowInsecureRequests] };
    const register = (initialAccessToken, metadata, method) =>
      oauth.dynamicClientRegistration(new URL(instance.url), metadata, method, { ...options, initialAccessToken });
    const config = await register(initial.token, {
      client_name: 'e2e',
      scope: 'billing:read',
      token_endpoint_auth_method: 'client_secret_post',
    });
    assert.equal(config.clientMetadata().client_secret_expires_at, 0);
    const tokens = await oauth.clientCredentialsGrant(config);
    assert.deepEqual([tokens.token_type, tokens.scope], ['bearer', 'billing:read']);

    const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
    const jwk = { ...(await exportJWK(publicKey)), kid: 'mine' };
    const metadata = { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [jwk] }, scope: 'billing:read' };
    const signs = await register(initial.token, metadata, oauth.PrivateKeyJwt({ key: privateKey, kid: 'mine' }));
    assert.equal((await oauth.clientCredentialsGrant(signs)).scope, 'billing:read');

    const client = config.clientMetadata();
    const own = { headers: { authorization: `Bearer ${client.registration_access_token}` } };
    assert.equal((await fetch(client.registration_client_uri, own)).status, 200);
    assert.equal((await fetch(client.registration_client_uri, { ...own, method: 'DELETE' })).status, 204);
    await assert.rejects(oauth.clientCredentialsGrant(config), (error) => error.status === 401);
    await assert.rejects(register(initial.token, { scope: 'billing:write' }), (error) => error.error === 'invalid_client_metadata');
    await assert.rejects(register('nonsense', {}), (error) => error.status === 401);
  });
});

test('keys that a client publishes count where its certificate is trusted, and nowhere else', async () => {
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), kid: 'published', use: 'sig', alg: 'ES256' };
  await withDocument({ keys: [jwk] }, async (jwks_uri, authority) => {
    const got = async (instance) => {
      const manage = manager(instance);
      const { id, path } = await machine(manage);
      await manage('POST', `${path}/public-keys`, { name: 'published', jwks_uri });
      const config = await discovered(instance.url, id, oauth.PrivateKeyJwt({ key: privateKey, kid: 'published' }));
      return oauth.clientCredentialsGrant(config, { scope: 'billing:read', resource: API });
    };
    const settings = { CLAVIGER_OUTBOUND_NETWORKS: '127.0.0.0/8,::1/128' };
    await withInstance(async (instance) => {
      await assert.rejects(got(instance), (error) => error.status === 401);
    }, settings);
    await withInstance(
      async (instance) => assert.equal((await got(instance)).scope, 'billing:read'),
      { ...settings, SSL_CERT_FILE: authority },
    );
  });
});

test('openid-client exchanges a token for one of less', async () => {
  await withInstance(async (instance) => {
    const manage = manager(instance);
    const { id, secret } = await machine(manage);
    const key = await manage('POST', '/v1/api-keys', { service_account_id: id, name: 'k', permissions: ['billing:read', 'billing:write'] });
    const config = await discovered(instance.url, id, oauth.ClientSecretBasic(secret));
    const access = 'urn:ietf:params:oauth:token-type:access_token';
    const exchanged = await oauth.genericGrantRequest(config, 'urn:ietf:params:oauth:grant-type:token-exchange', {
      subject_token: key.token,
      subject_token_type: access,
      scope: 'billing:read',
      audience: API,
    });
    assert.deepEqual([exchanged.issued_token_type, exchanged.scope], [access, 'billing:read']);
    await assert.rejects(
      oauth.genericGrantRequest(config, 'urn:ietf:params:oauth:grant-type:token-exchange', {
        subject_token: exchanged.access_token,
        subject_token_type: access,
        scope: 'billing:write',
      }),
      (error) => error.error === 'invalid_scope',
    );
  });
});

test('jose verifies tokens offline, of each algorithm and across a rotation', async () => {
  await withInstance(async (instance) => {
    const manage = manager(instance);
    const { api, id, secret } = await machine(manage);
    const config = await discovered(instance.url, id, oauth.ClientSecretBasic(secret));
    const get = async () => (await oauth.clientCredentialsGrant(config, { resource: API })).access_token;
    // Asks again for a key that it does not know, as every verifier should.
    const keys = createRemoteJWKSet(new URL(config.serverMetadata().jwks_uri), { cooldownDuration: 0 });
    const verified = (token, audience = API) => jwtVerify(token, keys, { issuer: instance.url, audience, typ: 'at+jwt' });
    for (const algorithm of ['ES256', 'EdDSA', 'RS256']) {
      await manage('PATCH', `/v1/apis/${api.id}`, { signing_algorithm: algorithm });
      const { payload, protectedHeader } = await verified(await get());
      assert.equal(protectedHeader.alg, algorithm);
      assert.deepEqual([payload.sub, payload.client_id, payload.scope], [id, id, 'billing:read billing:write']);
    }
    const before = await get();
    await assert.rejects(verified(before, 'https://elsewhere.test'), { code: 'ERR_JWT_CLAIM_VALIDATION_FAILED' });
    await manage('POST', '/v1/signing-keys/rotate', { algorithm: 'RS256', emergency: true });
    const after = await get();
    assert.notEqual((await verified(after)).protectedHeader.kid, kid(before));
    // An emergency takes the key away, and with it whatever it signed.
    const known = createRemoteJWKSet(new URL(config.serverMetadata().jwks_uri));
    await assert.rejects(jwtVerify(before, known), { code: 'ERR_JWKS_NO_MATCHING_KEY' });
  });
});

test('openid-client binds tokens to a key, and nginx lets in who proves it', async () => {
  for (const nonce of ['false', 'true']) {
    await withInstance(async (instance) => {
      const manage = manager(instance);
      const { api, account, secret } = await invoices(manage);
      await manage('PATCH', account.path, { dpop_bound_access_tokens: true });
      const config = await discovered(instance.url, account.id, oauth.ClientSecretBasic(secret));
      assert.ok(config.serverMetadata().dpop_signing_alg_values_supported.includes('ES256'));
      const grant = (options) => oauth.clientCredentialsGrant(config, { scope: 'invoices:read' }, options);
      await assert.rejects(grant(), (error) => error.error === 'invalid_dpop_proof');
      for (const algorithm of ['ES256', 'Ed25519', 'RS256']) {
        // Each has to find out by itself that a nonce is asked for, at the token endpoint and at the API.
        const DPoP = oauth.getDPoPHandle(config, await oauth.randomDPoPKeyPair(algorithm));
        const tokens = await grant({ DPoP });
        assert.equal(tokens.token_type, 'dpop', algorithm);
        const told = await oauth.tokenIntrospection(config, tokens.access_token);
        assert.deepEqual([told.active, told.token_type, told.cnf.jkt], [true, 'DPoP', await DPoP.calculateThumbprint()]);
        await withNginx(instance.internal, async (ask, url) => {
          await manage('PATCH', `/v1/apis/${api.id}`, { origins: [new URL(url).origin] });
          const get = () =>
            oauth.fetchProtectedResource(config, tokens.access_token, new URL(url), 'GET', undefined, undefined, { DPoP });
          for (let times = 0; times < 3; times += 1) assert.equal((await get()).status, 200);
          assert.deepEqual(await ask(tokens.access_token), { status: 401, code: 'proof_required', principal: undefined });
        });
      }
    }, { CLAVIGER_DPOP_NONCE: nonce });
  }
});

test('openid-client binds tokens to its certificate, and they count on connections that show it', async () => {
  await withCertificates(async (settings, authority, [own, other]) => {
    await withInstance(async (instance) => {
      const manage = manager(instance, fetchWith(authority));
      const { account, secret } = await invoices(manage);
      await manage('PATCH', account.path, { tls_client_certificate_bound_access_tokens: true });
      const known = (shown, metadata = { use_mtls_endpoint_aliases: true }) =>
        oauth.discovery(new URL(instance.url), account.id, metadata, oauth.ClientSecretBasic(secret), {
          algorithm: 'oauth2',
          [oauth.customFetch]: fetchWith({ ...authority, ...shown }),
        });
      const config = await known(own);
      const { tls_client_certificate_bound_access_tokens: bound, mtls_endpoint_aliases: aliases } = config.serverMetadata();
      assert.equal(bound, true);
      const tokens = await oauth.clientCredentialsGrant(config, { scope: 'invoices:read' });
      assert.equal(tokens.token_type, 'bearer');
      const told = await oauth.tokenIntrospection(config, tokens.access_token);
      assert.deepEqual([told.active, told.cnf], [true, { 'x5t#S256': own.thumbprint }]);
      const url = new URL('/v1/token', aliases.token_endpoint);
      const get = async (shown) => {
        const answer = oauth.fetchProtectedResource(await known(shown), tokens.access_token, url, 'GET');
        return answer.then(({ status }) => status, (error) => error.status);
      };
      assert.deepEqual([await get(own), await get(other), await get()], [200, 401, 401]);
      // The certificate alone proves the client, too.
      const certificate_pem = own.cert.toString();
      await manage('POST', `${account.path}/certificates`, { name: 'own', certificate_pem });
      const proving = (shown) =>
        oauth.discovery(new URL(instance.url), account.id, { use_mtls_endpoint_aliases: true }, oauth.TlsClientAuth(), {
          algorithm: 'oauth2',
          [oauth.customFetch]: fetchWith({ ...authority, ...shown }),
        });
      assert.ok(config.serverMetadata().token_endpoint_auth_methods_supported.includes('self_signed_tls_client_auth'));
      const without = await oauth.clientCredentialsGrant(await proving(own), { scope: 'invoices:read' });
      assert.equal((await oauth.tokenIntrospection(config, without.access_token)).active, true);
      await assert.rejects(
        oauth.clientCredentialsGrant(await proving(other), { scope: 'invoices:read' }),
        (error) => error.status === 401,
      );
      // At the usual endpoint nobody is asked for a certificate, so that none is there.
      await assert.rejects(
        oauth.clientCredentialsGrant(await known(own, {}), { scope: 'invoices:read' }),
        (error) => error.error === 'invalid_request',
      );
    }, settings);
  });
});

test('an API believes the assertion of the guide, and nobody else', async () => {
  const guide = await readFile(new URL('../docs/gateways/assertions.md', import.meta.url), 'utf8');
  const script = new URL(`.assertions-${process.pid}.mjs`, import.meta.url);
  await writeFile(script, guide.match(/```js\n(.*?)```/s)[1]);
  try {
    const { callers } = await import(script);
    await withInstance(async (instance) => {
      const manage = manager(instance);
      const { api, id } = await machine(manage);
      const { token } = await manage('POST', '/v1/api-keys', { service_account_id: id, name: 'x', permissions: ['billing:read'] });
      const ask = async () => {
        const asked = `${instance.internal}/v1/forward-auth?audience=${API}&assertion=1`;
        return (await fetch(asked, { headers: { 'x-api-key': token } })).headers.get('x-claviger-assertion');
      };
      for (const algorithm of ['ES256', 'EdDSA', 'RS256']) {
        await manage('PATCH', `/v1/apis/${api.id}`, { signing_algorithm: algorithm });
        const assertion = await ask();
        const said = await callers(instance.url, API)({ 'x-claviger-assertion': assertion });
        assert.deepEqual([said.sub, said.scope, said.exp - said.iat], [id, 'billing:read', 60], algorithm);
        await assert.rejects(callers(instance.url, 'https://other.test')({ 'x-claviger-assertion': assertion }));
      }
      const caller = callers(instance.url, API);
      await assert.rejects(caller({}));
      await assert.rejects(caller({ 'x-claviger-assertion': token }));
      await assert.rejects(caller({ 'x-claviger-assertion': `${(await ask()).slice(0, -8)}AAAAAAAA` }));
    });
  } finally {
    await rm(script);
  }
});

test('the scripts of the guide to bound credentials do what they say', async () => {
  const guide = await readFile(new URL('../docs/bound-credentials.md', import.meta.url), 'utf8');
  // Beside this file, so that it finds the same packages.
  const script = new URL(`.bound-credentials-${process.pid}.mjs`, import.meta.url);
  await writeFile(script, [...guide.matchAll(/```js\n(.*?)```/gs)].map(([, block]) => block).join('\n'));
  try {
    const { asked, proved } = await import(script);
    await withInstance(async (instance) => {
      const manage = manager(instance);
      const { api, account, secret } = await invoices(manage);
      const pair = await generateKeyPair('ES256', { extractable: true });
      const key = await manage('POST', '/v1/api-keys', {
        service_account_id: account.id,
        name: 'bound',
        permissions: ['invoices:read'],
        dpop_jwk: await exportJWK(pair.publicKey),
      });
      const own = `${instance.url}/v1/token`;
      const get = async (url, method = 'GET') => fetch(own, { headers: await proved(pair, key.token, method, url) });
      assert.equal((await get(own)).status, 200);
      assert.equal((await get(own, 'HEAD')).status, 401);
      assert.equal((await get(`${own}/roll`)).status, 401);
      await withNginx(instance.internal, async (ask, url) => {
        await manage('PATCH', `/v1/apis/${api.id}`, { origins: [new URL(url).origin] });
        assert.equal((await fetch(url, { headers: await proved(pair, key.token, 'GET', url) })).status, 200);
        assert.equal((await ask(key.token)).code, 'proof_required');
        assert.equal((await asked(instance.url, account.id, secret, url)).status, 200);
      });
    });
  } finally {
    await rm(script);
  }
});

/** The API of the served example, and a service account with a secret that may use it. */
async function invoices(manage) {
  const { items } = await manage('GET', '/v1/apis');
  const api = items.find(({ permissions }) => permissions.some(({ name }) => name === 'invoices:read'));
  const { id: organization_id } = await manage('POST', '/v1/organizations', { name: 'Bound', slug: 'bound' });
  const { id } = await manage('POST', '/v1/service-accounts', {
    organization_id,
    name: 'nightly',
    permissions: ['invoices:read'],
  });
  const path = `/v1/service-accounts/${id}`;
  const { client_secret } = await manage('POST', `${path}/secrets`, { name: 'e2e' });
  return { api, account: { id, path }, secret: client_secret };
}

function kid(token) {
  return JSON.parse(Buffer.from(token.split('.')[0], 'base64url')).kid;
}
