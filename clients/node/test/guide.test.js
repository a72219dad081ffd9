// What docs/verifying/node.md says, run as it stands there, beside the server and the example that it speaks of.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { Instance, SOON, asked, becomes, freePort } from './instance.js';

const PACKAGE = fileURLToPath(new URL('..', import.meta.url));
const GUIDE = await readFile(new URL('../../../docs/verifying/node.md', import.meta.url), 'utf8');
const BLOCKS = [...GUIDE.matchAll(/^```js\n(.*?)^```$/gms)].map(([, code]) => code);

test('the guide shows services that work', async () => {
  const project = await mkdtemp(path.join(tmpdir(), 'claviger-guide-'));
  const instance = await Instance.make({});
  let service;
  try {
    await mkdir(path.join(project, 'node_modules/@claviger'), { recursive: true });
    await symlink(PACKAGE, path.join(project, 'node_modules/@claviger/verify'));
    await symlink(path.join(PACKAGE, 'node_modules/express'), path.join(project, 'node_modules/express'));
    const printed = await instance.start('--dev', `--data-dir=${path.join(instance.directory, 'data')}`);
    const key = printed().match(/example key\s+(\S+)/)[1];
    const [port, { port: listen }, { port: inside }] = [await freePort(), new URL(instance.public), new URL(instance.internal)];
    const placed = (code) => code.replaceAll('7420', listen).replaceAll('7421', inside).replaceAll('7430', port);
    assert.equal(BLOCKS.length, 4);
    const files = ['express.mjs', 'fetch.mjs', 'http.mjs', 'check.mjs'].map((name) => path.join(project, name));
    for (const [index, file] of files.entries()) await writeFile(file, placed(BLOCKS[index]));

    service = spawn(process.execPath, [files[0]], { stdio: ['ignore', 'inherit', 'inherit'] });
    const url = `http://127.0.0.1:${port}/invoices`;
    const began = performance.now();
    while (
      !(await fetch(url).then(
        () => true,
        () => false,
      ))
    )
      assert.ok(performance.now() - began < SOON);
    await becomes(url, key, 200, SOON);
    assert.match(await (await fetch(url, { headers: { authorization: `Bearer ${key}` } })).text(), /^invoices of org_\w{26}\n$/);
    assert.deepEqual(await asked(url, 'x'), [401, 'unknown']);

    const [fetching, serving, checking] = files.slice(1).map((file) => JSON.stringify(pathToFileURL(file)));
    const script = `import { handler } from ${fetching};
      import { server } from ${serving};
      import { verified } from ${checking};
      const ask = () => handler(new Request('https://api.acme.test/invoices', { headers: { 'x-api-key': ${JSON.stringify(key)} } }));
      let answer = await ask();
      for (let tries = 0; answer.status !== 200 && tries < 100; tries += 1) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        answer = await ask();
      }
      const url = await new Promise((resolve) =>
        server.listen(0, '127.0.0.1', () => resolve('http://127.0.0.1:' + server.address().port)));
      const told = [];
      for (const key of [${JSON.stringify(key)}, 'x']) {
        let checked = await verified(key);
        for (let tries = 0; checked.status === 503 && tries < 100; tries += 1) {
          await new Promise((resolve) => setTimeout(resolve, 50));
          checked = await verified(key);
        }
        told.push((await fetch(url, { headers: { 'x-api-key': key } })).status, checked.status ?? checked.caller.kind);
      }
      console.log(JSON.stringify({ ...(await answer.json()), told }));
      process.exit();`;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    child.stdout.on('data', (data) => (said += data));
    await new Promise((resolve) => child.once('close', resolve));
    const { organization, may_write, told } = JSON.parse(said);
    assert.match(organization, /^org_/);
    assert.equal(may_write, false);
    assert.deepEqual(told, [200, 'api_key', 401, 401]);
  } finally {
    service?.kill();
    await instance.remove();
    await rm(project, { recursive: true });
  }
});
