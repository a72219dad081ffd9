// Pictures of the main pages, in both themes and on a telephone: to be looked at, and the one that the README shows.
//
// node screenshots.mjs DIRECTORY

import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';

import { withBrowser, withInstance } from './instance.mjs';

const SIZES = { wide: { width: 1280, height: 860 }, narrow: { width: 360, height: 740 } };
const HOUR = 60 * 60 * 1000;
const DAY = 24 * HOUR;

/** Service accounts and keys as a company has them after a while. */
async function fill({ url, internal, key }) {
  const call = async (method, to, body) => {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
    const response = await fetch(`${url}${to}`, { method, headers, body: body && JSON.stringify(body) });
    if (!response.ok) throw new Error(`${method} ${to}: ${response.status} ${await response.text()}`);
    return response.json();
  };
  const organization = (await call('GET', '/v1/organizations')).items.find((known) => known.slug === 'acme').id;
  const permissions = ['invoices:read', 'invoices:write'];
  const account = (name) => call('POST', '/v1/service-accounts', { organization_id: organization, name, permissions });
  const ends = (days) => new Date(Date.now() + days * DAY).toISOString();
  const make = async (of, name, more = {}) =>
    call('POST', '/v1/api-keys', { service_account_id: of.id, name, permissions: ['invoices:read'], ...more });
  const [billing, warehouse, partner] = [await account('Billing sync'), await account('Data warehouse'), await account('Partner portal')];
  const production = await make(billing, 'Production, Frankfurt', { permissions, expires_at: ends(300), allowed_networks: ['203.0.113.0/24'] });
  await make(billing, 'Staging', { environment: 'test', expires_at: ends(80) });
  const nightly = await make(warehouse, 'Nightly export', { expires_at: ends(9), rate_limits: [{ name: 'default', limit: 100, window_seconds: 60 }] });
  const legacy = await make(warehouse, 'Legacy import');
  const partnerA = await make(partner, 'Partner A', { objects: ['customer:4711', 'customer:4712'], expires_at: ends(180) });
  const old = await make(partner, 'Partner B');
  await call('POST', `/v1/api-keys/${old.id}/revoke`, { reason: 'compromised' });
  await call('PATCH', `/v1/api-keys/${legacy.id}`, { disabled: true });
  const verify = (client_ip) => fetch(`${internal}/v1/verify`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ credential: production.token, permissions: ['invoices:read'], client_ip }),
  });
  for (let use = 0; use < 240; use += 1) await verify(use % 24 === 0 ? '198.51.100.7' : '203.0.113.17');
  await report(internal, [[production, 3200], [nightly, 900], [partnerA, 1400]]);
  await call('POST', `/v1/api-keys/${production.id}/roll`, { overlap_seconds: 86_400 });
  // Uses are written within a second or two.
  await new Promise((resolve) => { setTimeout(resolve, 2500); });
  return { key: production.id, account: billing.id };
}

/** A day of use as services tell of it: more of it at noon than at night, and now and then a refusal. */
async function report(internal, keys) {
  for (const [{ id: credential_id }, most] of keys) {
    const uses = [];
    for (let hour = 1; hour < 24; hour += 1) {
      const last_used_at = new Date(Date.now() - hour * HOUR).toISOString();
      const count = Math.round(most * (0.55 + 0.45 * Math.cos(((hour - 9) / 24) * 2 * Math.PI)));
      const told = (code, part) => ({ credential_id, code, count: Math.max(1, Math.round(count * part)), last_used_at });
      uses.push(told('valid', 1), told('permission_missing', 0.02), told('rate_limited', 0.03));
    }
    const body = JSON.stringify({ id: randomUUID(), uses });
    const answer = await fetch(`${internal}/v1/usage-reports`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    if (!answer.ok) throw new Error(`usage reports: ${answer.status} ${await answer.text()}`);
  }
}

const directory = process.argv[2] ?? 'screenshots';
await mkdir(directory, { recursive: true });
await withInstance(async (instance) => {
  const { link, url } = instance;
  const { key: id, account } = await fill(instance);
  const at = '/organizations/acme';
  const pages = {
    'overview': `${at}?window=24h`,
    'api-keys': `${at}/api-keys`,
    'api-key': `${at}/api-keys/${id}`,
    'api-key-new': `${at}/api-keys/new?account=new`,
    'api-key-roll': `${at}/api-keys/${id}/roll`,
    'api-key-revoke': `${at}/api-keys/${id}/revoke`,
    'api-key-edit': `${at}/api-keys/${id}/edit`,
    'api-keys-none': `${at}/api-keys?q=nothing`,
    'whose': `${at}/api-keys/new`,
    'service-accounts': `${at}/service-accounts`,
    'service-account': `${at}/service-accounts/${account}`,
    'federation-new': `${at}/service-accounts/${account}/federations/new?preset=github`,
    'fleets': `${at}/fleets`,
    'inventory': `${at}/tokens`,
    'members': `${at}/members`,
    'roles': `${at}/roles`,
    'role-new': `${at}/roles/new`,
    'audit': `${at}/audit`,
    'explain': `${at}/explain`,
    'policy': `${at}/policy`,
    'unused-permissions': `${at}/unused-permissions`,
    'apis': '/apis',
    'settings': '/settings',
    'tokens': '/account/tokens',
    'security': '/account/security',
    'approvals': '/approvals',
    'device': '/device',
    'trouble': `${at}/no-such-page`,
  };
  await withBrowser(async (page) => {
    await page.goto(`${url}/sign-in`);
    await page.screenshot({ path: path.join(directory, 'sign-in-wide-light.png') });
    await page.goto(link);
    await page.getByRole('button', { name: 'Sign in' }).click();
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme });
      for (const [size, viewport] of Object.entries(SIZES)) {
        await page.setViewportSize(viewport);
        for (const [name, to] of Object.entries(pages)) {
          await page.goto(`${url}${to}`);
          const file = path.join(directory, `${name}-${size}-${colorScheme}.png`);
          await page.screenshot({ path: file, fullPage: true });
        }
      }
    }
    await page.setViewportSize(SIZES.wide);
    await page.emulateMedia({ colorScheme: 'light' });
    await page.goto(`${url}${pages['api-key-new']}`);
    await page.getByLabel('Name of the new service account').fill('Billing sync');
    await page.getByLabel('Name', { exact: true }).fill('Production');
    await page.getByRole('checkbox', { name: 'invoices:read' }).check();
    await page.getByRole('button', { name: 'New API key' }).click();
    await page.screenshot({ path: path.join(directory, 'made-wide-light.png'), fullPage: true });
  }, undefined, { javaScriptEnabled: true });
});
