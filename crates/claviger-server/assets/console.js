// What pages do better with a script, and all of them do without: copying, filtering and seeing a colour as one types, and following
// what happens.

'use strict';

// A secret is not shown again when somebody comes back to the page that showed it.
window.addEventListener('pagehide', () => {
  for (const secret of document.querySelectorAll('[data-secret]')) secret.textContent = '';
});

for (const button of document.querySelectorAll('button[data-copy]')) {
  const source = document.getElementById(button.dataset.copy);
  if (!source || !navigator.clipboard) continue;
  const label = button.textContent;
  button.hidden = false;
  button.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(source.textContent.trim());
      button.textContent = button.dataset.copied;
    } catch {
      getSelection().selectAllChildren(source);
      return;
    }
    setTimeout(() => { button.textContent = label; }, 2000);
  });
}

for (const input of document.querySelectorAll('input[data-filter]')) {
  const list = document.getElementById(input.dataset.filter);
  if (!list) continue;
  input.closest('.field').hidden = false;
  const filter = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const group of list.querySelectorAll('.group')) {
      let any = false;
      for (const item of group.querySelectorAll('li')) {
        const text = item.textContent.toLowerCase();
        item.hidden = !words.every((word) => text.includes(word));
        any ||= !item.hidden;
      }
      group.hidden = !any;
    }
  };
  input.addEventListener('input', filter);
  // Enter would send the form that is not complete yet.
  input.addEventListener('keydown', (event) => { if (event.key === 'Enter') event.preventDefault(); });
}

for (const input of document.querySelectorAll('input[data-color]')) {
  const swatch = document.getElementById(input.dataset.color);
  input.addEventListener('input', () => {
    swatch.setAttribute('fill', /^#[0-9a-f]{6}$/i.test(input.value) ? input.value : 'none');
  });
}

// What is newer is asked for again and again, while somebody looks at the page and types nothing.
for (const link of document.querySelectorAll('a[data-follow]')) {
  setInterval(() => {
    const types = document.activeElement?.matches('input, select, textarea');
    if (!document.hidden && !types) location.replace(link.href);
  }, link.dataset.follow * 1000);
}

// A long proof goes on by itself; whoever leaves the page stops it.
// Two stretches in a second are let through.
const goesOn = document.querySelector('button[data-go-on]');
if (goesOn) setTimeout(() => goesOn.form.requestSubmit(), 600);
