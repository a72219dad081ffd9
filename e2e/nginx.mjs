// nginx with the configuration of its guide, between a client and an API.

import { spawn } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { answering, freePort, listening } from './ports.mjs';

const GUIDE = new URL('../docs/gateways/nginx.md', import.meta.url);

/**
 * Runs `test` with `ask(token)`: what a client is answered that sends this token through nginx, the code of a refusal, and who
 * the API was told that it is; and with the address that is asked.
 */
export async function withNginx(internal, test) {
  let principal;
  const api = createServer((request, response) => {
    principal = request.headers['x-claviger-principal'];
    response.end('[]');
  });
  const directory = await mkdtemp(path.join(tmpdir(), 'claviger-nginx-'));
  // Started as root, nginx reads its files as somebody else.
  await chmod(directory, 0o755);
  const [behind, front, unused] = [await listening(api), await freePort(), await freePort()];
  const configuration = (await readFile(GUIDE, 'utf8')).match(/```nginx\n(.*?)```/s)[1]
    .replace('server 127.0.0.1:8081', `server 127.0.0.1:${behind}`)
    .replace('listen 127.0.0.1:8081', `listen 127.0.0.1:${unused}`)
    .replaceAll('127.0.0.1:8080', `127.0.0.1:${front}`)
    .replaceAll('127.0.0.1:7421', new URL(internal).host);
  await writeFile(path.join(directory, 'nginx.conf'), configuration);
  const nginx = spawn('nginx', ['-p', directory, '-c', 'nginx.conf', '-g', 'daemon off;'], {
    env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` },
    stdio: 'inherit',
  });
  const ended = new Promise((resolve) => nginx.once('close', resolve));
  try {
    await answering(front);
    const url = `http://127.0.0.1:${front}/invoices.json`;
    await test(async (token) => {
      principal = undefined;
      const headers = { authorization: `Bearer ${token}` };
      const answer = await fetch(url, { headers });
      const body = await answer.json();
      return { status: answer.status, code: body.code ?? 'valid', principal };
    }, url);
  } finally {
    nginx.kill('SIGTERM');
    await ended;
    api.close();
    await rm(directory, { recursive: true });
  }
}
