// People, roles, rules and APIs of an organization in a real browser: without scripts, in both colour schemes and on a telephone.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { everybodyCanRead, withBrowser, withInstance } from './instance.mjs';

const PASSWORD = 'plum harbor seven lanterns';

async function signIn(page, link) {
  await page.goto(link);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: 'Acme' }).waitFor();
}

/** Makes whoever signs in here an administrator of the whole instance, whose organization may use everything. */
async function promote(url, key) {
  const call = async (method, path, body) => {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
    const response = await fetch(`${url}/v1${path}`, { method, headers, body: body && JSON.stringify(body) });
    assert.ok(response.ok, `${method} ${path}: ${response.status}`);
    return response.json();
  };
  const [{ id: organization }] = (await call('GET', '/organizations?q=acme')).items;
  const [{ id: user }] = (await call('GET', '/users?q=dev%40acme.test')).items;
  // What others may have seen of theirs ends first.
  for (const { id } of (await call('GET', `/credentials?principal_id=${user}`)).items) {
    await call('POST', `/personal-access-tokens/${id}/revoke`, {});
  }
  await call('PATCH', `/organizations/${organization}`, { ceiling: ['*', 'claviger:*'] });
  const given = { principal_id: user, organization_id: organization, role: 'instance-admin', scope: 'instance' };
  await call('POST', '/assignments', given);
}

/** Invites somebody with a role, and tells the link. */
async function invite(page, email, role) {
  await page.getByRole('navigation', { name: 'Navigation' }).getByRole('link', { name: 'Members', exact: true }).click();
  await page.getByRole('link', { name: 'Invite somebody' }).first().click();
  await page.getByLabel('E-mail address').fill(email);
  await page.getByRole('checkbox', { name: new RegExp(`^${role}`) }).check();
  await page.getByRole('button', { name: 'Make the link' }).click();
  await page.getByRole('heading', { name: 'Your invitation' }).waitFor();
  return page.locator('#secret').innerText();
}

test('somebody is invited, joins, is given more, less, and is removed', async () => {
  await withInstance(async ({ link, url }) => {
    await withBrowser(async (page, context) => {
      await signIn(page, link);
      const invitation = await invite(page, 'bob@acme.test', 'member');

      // The link is gone with the page: sent again, the form leads to the invitation that it made.
      await page.reload();
      await page.getByText('This form was sent before').waitFor();
      assert.ok(!(await page.content()).includes(invitation));

      const other = await context.browser().newContext({ javaScriptEnabled: false, locale: 'en-GB' });
      const bob = await other.newPage();
      await bob.goto(invitation);
      await bob.getByLabel('Your name').fill('Bob <b>');
      for (const field of await bob.locator('input[type=password]').all()) await field.fill(PASSWORD);
      await bob.getByRole('button').last().click();
      await bob.getByRole('heading', { name: 'Acme' }).waitFor();
      assert.equal(await bob.getByRole('link', { name: 'Members' }).count(), 0, 'a member does not see the others');

      await page.goto(`${url}/organizations/acme/members?q=bob`);
      await page.getByRole('link', { name: 'Bob <b>' }).click();
      const member = page.url();
      await page.getByRole('link', { name: 'Change rights' }).click();
      await page.getByRole('checkbox', { name: 'invoices:read' }).check();
      await page.getByRole('button', { name: 'Save' }).click();
      await page.getByText('Saved. It counts from now on.').waitFor();

      // Less is told first; one goes back to the form with what one chose.
      await page.getByRole('link', { name: 'Change rights' }).click();
      await page.getByRole('checkbox', { name: 'invoices:read' }).uncheck();
      await page.getByRole('button', { name: 'Save' }).click();
      await page.getByRole('heading', { name: 'Take this away?' }).waitFor();
      await page.getByText('No token of theirs uses any of it.').waitFor();
      await page.getByRole('button', { name: 'Back to the form' }).click();
      assert.equal(await page.getByRole('checkbox', { name: 'invoices:read' }).isChecked(), false);
      await page.getByRole('button', { name: 'Save' }).click();
      await page.getByRole('button', { name: 'Take it away' }).click();
      await page.getByText('Saved. It counts from now on.').waitFor();

      await page.getByRole('link', { name: 'Remove', exact: true }).click();
      await page.getByText('They do not belong to Acme any more.').waitFor();
      await page.getByRole('button', { name: 'Remove for good' }).click();
      await page.getByText('Removed.').waitFor();
      await page.goto(member);
      await page.getByText('There is no such page').waitFor();
      await bob.goto(`${url}/organizations/acme`);
      await bob.getByText('There is no such page').waitFor();
      await other.close();
    });
  });
});

test('a role is found by typing, narrowed only after a question, and a colour is seen as it is typed', async () => {
  await withInstance(async ({ link, url }) => {
    await withBrowser(async (page) => {
      await signIn(page, link);
      await page.getByRole('link', { name: 'Roles' }).click();
      await page.getByRole('link', { name: 'New role', exact: true }).click();
      await page.getByLabel('Name', { exact: true }).fill('invoice-reader');
      await page.getByLabel('Filter permissions').fill('invoices read');
      await page.getByRole('checkbox', { name: 'invoices:read' }).check();
      await page.getByLabel('Filter permissions').fill('');
      await page.getByRole('checkbox', { name: 'claviger:usage:read' }).check();
      await page.getByRole('button', { name: 'Save' }).click();
      await page.getByText('Made.').waitFor();
      const role = page.url().split('?')[0];
      await page.getByText('Nobody here has it.').waitFor();

      const invitation = await invite(page, 'carol@acme.test', 'invoice-reader');
      assert.match(invitation, /\/invitation\?code=/);
      await page.goto(`${role}/edit`);
      await page.getByRole('checkbox', { name: 'claviger:usage:read' }).uncheck();
      await page.getByRole('button', { name: 'Save' }).click();
      await page.getByText('Saved. It counts from now on.').waitFor();
      await page.getByRole('link', { name: 'Delete' }).click();
      await page.getByText('Nobody has it.').waitFor();
      await page.getByRole('button', { name: 'Delete for good' }).click();
      await page.getByText('Deleted.').waitFor();
      assert.equal(await page.getByRole('link', { name: 'invoice-reader' }).count(), 0);
      await page.goto(`${url}/organizations/acme/policy`);
      await page.getByRole('link', { name: 'Change rules' }).click();
      await page.getByLabel('Everything must have an end').check();
      await page.getByRole('button', { name: 'Save' }).click();
      // The example's own keys never end.
      await page.getByRole('heading', { name: 'Make the rules stricter?' }).waitFor();
      await page.getByRole('link', { name: 'Policy' }).first().click();

      await page.goto(`${url}/organizations/acme/settings/edit`);
      const swatch = page.locator('#portal_color-swatch');
      for (const [typed, shown] of [['#0a7d4b', '#0a7d4b'], ['#0a7d4', 'none'], ['#F6A5C0', '#F6A5C0']]) {
        await page.getByLabel('Colour of the portal').fill(typed);
        assert.equal(await swatch.getAttribute('fill'), shown);
      }
      await page.getByRole('button', { name: 'Save' }).click();
      await page.getByText('Saved.').waitFor();
      await page.getByText('#f6a5c0').waitFor();
    }, undefined, { javaScriptEnabled: true });
  });
});

test('every page of people can be read by everybody, in light and dark, and on a telephone', async () => {
  await withInstance(async ({ link, key, url }) => {
    await withBrowser(async (page, context) => {
      await signIn(page, link);
      await invite(page, `${'a-rather-long-address-that-wants-more-room-than-there-is'.slice(0, 60)}@acme.test`, 'member');
      await page.getByRole('link', { name: 'I have kept it' }).click();
      const invitation = new URL(page.url()).pathname;
      await promote(url, key);
      const hrefs = async (path, pattern) => {
        await page.goto(`${url}${path}`);
        const all = await page.locator('main a').evaluateAll((links) => links.map((one) => new URL(one.href).pathname));
        return all.find((one) => pattern.test(one));
      };
      const member = await hrefs('/organizations/acme/members', /members\/user_/);
      const role = await hrefs('/organizations/acme/roles', /roles\/role_/);
      const api = await hrefs('/apis?q=acme', /apis\/api_/);
      const paths = [
        '/apis', '/apis?q=nothing', '/apis/new', api, `${api}/edit`, `${api}/delete`, `${api}/permissions/new`,
        `${api}/permissions/edit?name=invoices:read`, `${api}/permissions/retire?name=invoices:read`, '/organizations/-/new',
        '/organizations/acme/members', '/organizations/acme/members?q=nothing', member, `${member}/edit`, `${member}/remove`,
        '/organizations/acme/members/invitations', '/organizations/acme/members/invitations?state=revoked',
        '/organizations/acme/members/invitations/new', invitation, `${invitation}/withdraw`, '/organizations/acme/roles',
        '/organizations/acme/roles/new', role, '/organizations/acme/policy', '/organizations/acme/policy/edit',
        '/organizations/acme/settings', '/organizations/acme/settings/edit', '/organizations/acme/settings/delete',
      ];
      await everybodyCanRead(context, url, paths);
    });
  });
});
