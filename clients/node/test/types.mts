// What a service in TypeScript may write. It is compiled, and never run.

import { Claviger, Unreachable, WrongSettings, identityOf } from '@claviger/verify';
import express from 'express';

const settings = { issuer: 'https://keys.acme.test', internalAddress: 'http://127.0.0.1:7421', audience: 'urn:api' };
const claviger = new Claviger(settings);
const app = express();

const options = { clientIp: (request: express.Request) => request.ip, objects: () => ['base:app7'] };
app.get('/a', claviger.require(['a:read'], options), (request, response) => {
  response.send(identityOf(request).organization);
});
app.get('/b', claviger.require('a:read', { objects: (request) => [`base:${request.url}`] }), (_, response) => {
  response.send();
});

app.get('/c', claviger.require('a:read', { objects: async (request) => [`base:${request.url}`] }));
export const lost: number = claviger.usesLost;

export const handler = claviger.guard('a:read', (request, more: number) =>
  Response.json([more, identityOf(request).permissions]),
);
export const answer: Promise<Response> = handler(new Request('https://api.acme.test/a'), 7);

export async function refusal(credential: string): Promise<string | undefined> {
  try {
    const checked = await claviger.check(credential, { permissions: ['a:read'] });
    return 'refusal' in checked ? checked.refusal : undefined;
  } catch (error) {
    return error instanceof Unreachable || error instanceof WrongSettings ? error.message : undefined;
  }
}

// @ts-expect-error A misspelt setting.
new Claviger({ ...settings, audeince: 'urn:api' });
// @ts-expect-error A misspelt option.
claviger.require('a:read', { object: () => [] });
// @ts-expect-error A handler that answers nothing.
claviger.guard('a:read', () => 7);
// @ts-expect-error A misspelt question.
void claviger.check('x', { permission: ['a:read'] });
