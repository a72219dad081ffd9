// Certificates of a service and of its clients, which each made by itself, and what is fetched with them.

import { execFile } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

/**
 * Runs `test` with settings of a service that speaks TLS and asks for certificates, with what trusts it, and with two that clients may show.
 */
export async function withCertificates(test) {
  const directory = await mkdtemp(path.join(tmpdir(), 'claviger-tls-'));
  const make = async (name) => {
    const [cert, key] = [path.join(directory, `${name}.pem`), path.join(directory, `${name}.key`)];
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', `/CN=${name}`];
    const says = ['-addext', 'subjectAltName=IP:127.0.0.1', '-addext', 'basicConstraints=critical,CA:FALSE'];
    await promisify(execFile)('openssl', ['req', '-x509', ...kind, ...says, '-keyout', key, '-out', cert]);
    return { cert, key };
  };
  const shown = async ({ cert, key }) => {
    const pem = await readFile(cert);
    const thumbprint = createHash('sha256').update(new X509Certificate(pem).raw).digest('base64url');
    return { cert: pem, key: await readFile(key), thumbprint };
  };
  try {
    const server = await make('server');
    const settings = {
      CLAVIGER_TLS_CERTIFICATE_FILE: server.cert,
      CLAVIGER_TLS_KEY_FILE: server.key,
      CLAVIGER_MTLS_LISTEN: '127.0.0.1:0',
    };
    const clients = [await shown(await make('own')), await shown(await make('other'))];
    await test(settings, { ca: await readFile(server.cert) }, clients);
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** `fetch` with an authority that is trusted, and perhaps with a certificate that is shown. */
export function fetchWith({ ca, cert, key }) {
  return (url, { method, headers, body } = {}) =>
    new Promise((resolve, reject) => {
      // Each request on a connection of its own.
      const options = { method, headers: Object.fromEntries(new Headers(headers)), ca, cert, key, agent: false };
      const sent = request(url, options, async (answer) => {
        const chunks = await answer.toArray();
        resolve(new Response(Buffer.concat(chunks), { status: answer.statusCode, headers: answer.headers }));
      });
      sent.once('error', reject);
      sent.end(body?.toString());
    });
}
