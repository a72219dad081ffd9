// Caddy as a web server with a certificate of its own making.

import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { answering, freePort } from './ports.mjs';

/** Runs `test` with the address of a document that is served over https, and the file of the certificate that vouches for it. */
export async function withDocument(document, test) {
  const directory = await mkdtemp(path.join(tmpdir(), 'claviger-caddy-'));
  const port = await freePort();
  const configuration = `{
    admin off
    skip_install_trust
    auto_https disable_redirects
    storage file_system ${directory}/storage
}
https://localhost:${port} {
    tls internal
    root * ${directory}/site
    file_server
}
`;
  await mkdir(path.join(directory, 'site'));
  await writeFile(path.join(directory, 'site', 'jwks.json'), JSON.stringify(document));
  await writeFile(path.join(directory, 'Caddyfile'), configuration);
  const caddy = spawn('caddy', ['run', '--config', path.join(directory, 'Caddyfile'), '--adapter', 'caddyfile'], {
    env: { ...process.env, HOME: directory },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  caddy.stderr.on('data', (data) => (said += data));
  const ended = new Promise((resolve) => caddy.once('close', resolve));
  try {
    await answering(port).catch((error) => {
      throw new Error(`${error.message}: ${said}`);
    });
    const authority = path.join(directory, 'storage', 'pki', 'authorities', 'local', 'root.crt');
    await test(`https://localhost:${port}/jwks.json`, authority);
  } finally {
    caddy.kill('SIGTERM');
    await ended;
    await rm(directory, { recursive: true });
  }
}
