// An API key from its first minute to its last in each language: as the browser asks for it, and as somebody chose it. On a telephone,
// where words that are longer than others do most harm.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { withBrowser, withInstance } from './instance.mjs';

const LOCALES = fileURLToPath(new URL('../crates/claviger-server/locales', import.meta.url));
/** What a browser asks for, and what it gets. */
const LANGUAGES = [['nl-BE', 'nl'], ['fr-CA', 'fr'], ['ja-JP', 'ja'], ['en-GB', 'en']];
const TELEPHONE = { width: 360, height: 740 };
const ACME = '/organizations/acme';
const PAGES = [
  '/organizations', ACME, `${ACME}/api-keys?q=nothing`, `${ACME}/api-keys/new`, `${ACME}/service-accounts`, `${ACME}/service-accounts/new`,
  `${ACME}/fleets`, `${ACME}/fleets/new`, `${ACME}/tokens`, `${ACME}/members`, `${ACME}/members/invitations/new`, `${ACME}/roles`,
  `${ACME}/roles/new`, `${ACME}/audit`, `${ACME}/audit/chain`, `${ACME}/explain`, `${ACME}/policy`, `${ACME}/policy/edit`,
  `${ACME}/settings`, `${ACME}/settings/edit`, `${ACME}/unused-permissions`, '/account/tokens', '/account/tokens/new',
  '/account/security', '/approvals', '/device', `${ACME}/api-keys/key_none`, '/sign-in',
];

/** The texts of a language by their keys, as far as they are one line. */
function words(tag) {
  const lines = readdirSync(`${LOCALES}/${tag}`).flatMap((file) => readFileSync(`${LOCALES}/${tag}/${file}`, 'utf8').split('\n'));
  return new Map(lines.map((line) => line.match(/^([a-z][a-z0-9-]*) = ?(.*)$/)).filter(Boolean).map(([, key, text]) => [key, text]));
}

const TEXTS = Object.fromEntries(LANGUAGES.map(([, tag]) => [tag, words(tag)]));

const KNOWN = new Set([...TEXTS.en.keys(), ...Object.values(TEXTS).flatMap((texts) => [...texts.values()])]);

/** What of the texts that a page shows is none of its language's `own`, but the key of one, or one of another language. */
function strange(shown, own) {
  return shown.filter((text) => KNOWN.has(text) && !own.has(text));
}

/** Holds that all of a page is in a language, says so, and is no wider than the telephone. */
async function holds(page, tag) {
  const { lang, width, shown, others } = await page.evaluate(() => {
    const attributes = ['aria-label', 'data-copied', 'data-label', 'placeholder', 'title'];
    const shown = [document.title.split(' · ')[0]];
    for (const element of document.body.querySelectorAll('*')) {
      // The other languages are called what they call themselves.
      if (element.closest('[hreflang]')) continue;
      shown.push(...attributes.map((name) => element.getAttribute(name)));
      shown.push(...[...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE).map((node) => node.data.trim()));
    }
    const others = [...document.querySelectorAll('footer [hreflang]')].map((link) => link.hreflang);
    return { lang: document.documentElement.lang, width: document.documentElement.scrollWidth, shown: shown.filter(Boolean), others };
  });
  assert.equal(lang, tag, page.url());
  const own = new Set(TEXTS[tag].values());
  assert.ok(shown.some((text) => own.has(text)), `${page.url()} has words`);
  assert.deepEqual(strange(shown, own), [], `${page.url()} in ${tag}`);
  assert.ok(width <= TELEPHONE.width, `${page.url()} is ${width} wide in ${tag}`);
  assert.deepEqual(others.sort(), LANGUAGES.map(([, other]) => other).filter((other) => other !== tag).sort(), page.url());
}

/** Makes a key and ends it, by what every language has alike. */
async function journey(page, tag, url) {
  const is = () => holds(page, tag);
  const press = async (selector) => {
    await page.locator(selector).first().click();
    await page.waitForLoadState();
    await is();
  };
  await page.goto(`${url}/organizations`);
  await is();
  await press(`main a[href="${ACME}"]`);
  await page.locator('.bar a[href="#menu"]').click();
  await press(`nav a[href="${ACME}/api-keys"]`);
  await press(`main a[href="${ACME}/api-keys/new"]`);
  await press('main a[href$="account=new"]');
  await page.locator('#account_name').fill(`program ${tag}`);
  assert.equal(await page.locator('#until').isVisible(), false);
  await page.locator('#life').selectOption('date');
  await page.locator('#until').fill('2001-01-01');
  await page.locator('#name').fill(`key ${tag}`);
  await page.locator('[name=permission][value="invoices:read"]').check();
  // What is wrong is told in the same language.
  await press('main form.long .end button');
  assert.equal(await page.locator('[aria-invalid=true]').count(), 1);
  await page.locator('#until').fill('');
  await page.locator('#life').selectOption({ index: 0 });
  await press('main form.long .end button');
  assert.match(await page.locator('#secret').innerText(), /^clv_key_/);
  await press('main p > a.button');
  await press('main .actions a[href$="/edit"]');
  await press('main form .end a');
  await press('main .actions a[href$="/roll"]');
  await press('main form .end a');
  await press('main .actions a[href$="/revoke"]');
  await press('main form .end button');
  assert.match(page.url(), /\?done=revoked$/);
}

test('a key is made and ended in each language, whoever asks for it', async () => {
  await withInstance(async ({ link, url }) => {
    await withBrowser(async (first, context) => {
      // Before anybody is signed in, too.
      await first.setViewportSize(TELEPHONE);
      await first.goto(link);
      for (const [, tag] of [...LANGUAGES.slice(1), LANGUAGES[0]]) {
        await first.locator(`footer [hreflang=${tag}]`).click();
        await holds(first, tag);
        assert.equal(first.url(), `${url}/sign-in/link`);
      }
      await first.locator('main form button').click();
      await first.waitForURL(`${url}${ACME}`);
      await holds(first, 'nl');
      const session = (await context.cookies()).filter(({ name }) => name === 'claviger');

      await Promise.all(LANGUAGES.map(async ([locale, tag], index) => {
        const own = await context.browser().newContext({ javaScriptEnabled: false, locale, viewport: TELEPHONE });
        await own.addCookies(session);
        const page = await own.newPage();
        await journey(page, tag, url);
        // Somebody chooses another language, and stays where they are.
        const [, next] = LANGUAGES[(index + 1) % LANGUAGES.length];
        const key = new URL(page.url()).pathname;
        await page.locator(`footer [hreflang=${next}]`).click();
        await page.waitForURL((now) => now.pathname === key);
        await holds(page, next);
        for (const path of PAGES) {
          await page.goto(`${url}${path}`);
          await holds(page, next);
        }
      }));
    }, undefined, { locale: 'nl-BE' });
  });
});
