// An API key from its first minute to its last without a mouse: every stop of the Tab key is seen, they come in the order of the page,
// and nothing that can be pressed is left out.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { withBrowser, withInstance } from './instance.mjs';

const MOST_STOPS = 200;

/** What has the focus: its place among all that can have it, and whether it is seen there. */
function focused(page) {
  return page.evaluate(() => {
    const can = 'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex="0"]';
    const reached = (one) => one.type !== 'radio' || one.checked;
    const all = [...document.querySelectorAll(can)].filter((one) => one.checkVisibility({ visibilityProperty: true }) && reached(one));
    const active = document.activeElement;
    const { outlineStyle, outlineWidth } = getComputedStyle(active);
    const { left, top, right, bottom, width, height } = active.getBoundingClientRect();
    const within = right > 0 && bottom > 0 && left < innerWidth && top < innerHeight && width > 0 && height > 0;
    const [x, y] = [(Math.max(left, 0) + Math.min(right, innerWidth)) / 2, (Math.max(top, 0) + Math.min(bottom, innerHeight)) / 2];
    const above = document.elementFromPoint(x, y);
    return {
      place: all.indexOf(active),
      count: all.length,
      html: active.outerHTML.slice(0, 200),
      // What is over it may be a part of it, or what it is a part of, but nothing else.
      seen: within && Boolean(above) && (active.contains(above) || above.contains(active) || active.closest('label')?.contains(above)),
      outlined: outlineStyle !== 'none' && Number.parseFloat(outlineWidth) >= 2,
    };
  });
}

/** Presses Tab through a whole page. */
async function walk(page) {
  const places = [];
  for (let presses = 0; presses < MOST_STOPS; presses += 1) {
    await page.keyboard.press('Tab');
    const { place, count, html, seen, outlined } = await focused(page);
    // A date has stops inside.
    if (place === places.at(-1)) continue;
    assert.equal(place, places.length, `${html} at ${page.url()}, which has ${count}`);
    assert.ok(seen, `${html} is not seen at ${page.url()}`);
    assert.ok(outlined, `${html} looks at ${page.url()} as if it had no focus`);
    places.push(place);
    if (places.length === count) return;
  }
  assert.fail(`no end of ${page.url()}`);
}

/** Goes on to something with Tab, from where the focus is. */
async function tabTo(page, selector) {
  for (let presses = 0; presses < MOST_STOPS; presses += 1) {
    await page.keyboard.press('Tab');
    if (await page.locator(selector).evaluateAll((found) => found.includes(document.activeElement))) return;
  }
  assert.fail(`no way to ${selector} at ${page.url()}`);
}

/** Presses what a page has in its content, which begins behind the skip link. */
async function press(page, selector) {
  await page.keyboard.press('Tab');
  assert.equal(await page.locator(':focus').innerText(), 'Skip to the content');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'content');
  await tabTo(page, selector);
  await page.keyboard.press('Enter');
}

/** Goes to where a heading is, and looks at every stop there. */
async function at(page, heading) {
  await page.getByRole('heading', { level: 1, name: heading, exact: true }).waitFor();
  const { pathname, search } = new URL(page.url());
  // Where something is shown once, it is not asked for again.
  if (heading === 'Your new API key') return;
  await walk(page);
  await page.goto(new URL(`${pathname}${search}`, page.url()).href);
}

for (const javaScriptEnabled of [false, true]) {
  test(`a key is made and ended by keyboard alone, ${javaScriptEnabled ? 'where scripts run' : 'without scripts'}`, async () => {
    await withInstance(async ({ link }) => {
      await withBrowser(async (page) => {
        await page.goto(link);
        // A browser moves the focus to what asks for it at the first frame.
        await page.locator('button:focus').waitFor();
        await page.keyboard.press('Enter');
        await at(page, 'Acme');
        await tabTo(page, 'nav a[href$="/api-keys"]');
        await page.keyboard.press('Enter');
        await at(page, 'API keys');
        await press(page, 'main .actions a');
        await at(page, 'Whose key will it be?');
        await press(page, 'main .actions a');
        await at(page, 'New API key');
        await tabTo(page, '#account_name');
        await page.keyboard.type('keyboard program');
        await tabTo(page, '#name');
        await page.keyboard.type('by keyboard');
        await tabTo(page, '#live');
        await page.keyboard.press('ArrowDown');
        assert.ok(await page.locator('#test').isChecked());
        await page.keyboard.press('ArrowUp');
        assert.ok(await page.locator('#live').isChecked());
        await tabTo(page, '[name=permission][value="invoices:read"]');
        await page.keyboard.press('Space');
        await tabTo(page, 'details.section > summary');
        await page.keyboard.press('Space');
        await page.keyboard.press('Tab');
        await page.keyboard.type('base:app7');
        await tabTo(page, 'main .end > button');
        await page.keyboard.press('Enter');
        await at(page, 'Your new API key');
        if (javaScriptEnabled) {
          await tabTo(page, 'button[data-copy=secret]');
          assert.ok((await focused(page)).outlined);
        }
        await tabTo(page, 'main p > a.button');
        await page.keyboard.press('Enter');
        await at(page, 'by keyboard');
        await page.getByText('base:app7').waitFor();
        await press(page, 'main .actions a[href$="/roll"]');
        await at(page, 'A new secret');
        await tabTo(page, '[name=overlap]');
        await page.keyboard.press('ArrowDown');
        await tabTo(page, 'main .end > button');
        await page.keyboard.press('Enter');
        await page.locator('#secret').waitFor();
        await tabTo(page, 'main p > a.button');
        await page.keyboard.press('Enter');
        await at(page, 'by keyboard');
        await press(page, 'main .actions a[href$="/revoke"]');
        await at(page, 'Revoke this key?');
        await tabTo(page, '#reason');
        await page.keyboard.press('ArrowDown');
        await tabTo(page, 'main .end > button');
        await page.keyboard.press('Enter');
        await page.getByText('Revoked for good ·').waitFor();

        // On a telephone the navigation is behind a link, and the way back, too.
        await page.setViewportSize({ width: 360, height: 740 });
        await page.reload();
        await walk(page);
        await page.reload();
        await tabTo(page, '.bar a[href="#menu"]');
        await page.keyboard.press('Enter');
        await tabTo(page, 'nav a[href$="/audit"]');
        assert.ok((await focused(page)).seen, 'the navigation is open');
        await page.keyboard.press('Enter');
        await at(page, 'Audit trail');
      }, undefined, { javaScriptEnabled });
    });
  });
}
