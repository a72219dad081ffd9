// Requests of Express and of `fetch`: what is read of them, who may pass, and how the others are answered.

import { NotAdmitted, answerOf, checkOptions, permissionsOf, presented } from './guard.js';
import { Identity } from './identity.js';
import { Unreachable } from './unreachable.js';

/** @typedef {import('./claviger.js').Claviger} Claviger */
/** @typedef {import('./claviger.js').Proved} Proved */
/** @typedef {import('node:http').IncomingMessage} Incoming */
/** @typedef {import('node:http').ServerResponse} Outgoing */
/** @typedef {(error?: unknown) => unknown} Next */
/** @typedef {{ headers: import('./guard.js').Headers, method: string, path: string }} Read */

/** How a request is answered at which something of the service's own failed. */
const FAILED = {
  status: 500,
  headers: { 'cache-control': 'no-store', 'content-type': 'application/problem+json' },
  body: { status: 500, code: 'internal_error', title: 'Internal Server Error', detail: 'Something failed here; try again later.' },
};

/** What was proved of the requests that were let through, for as long as they are there. @type {WeakMap<object, Proved>} */
const PROVED = new WeakMap();

/**
 * Who a request comes from that was let through.
 *
 * @param {object} request
 */
export function identityOf(request) {
  const proved = PROVED.get(request);
  if (!proved) throw new TypeError('nobody has verified this request: let it pass `require` or `guard` first');
  return new Identity(proved.found);
}

/**
 * @template {Incoming} R
 * @param {Claviger} claviger
 * @param {string | readonly string[]} wanted
 * @param {import('./guard.js').Options<R>} options
 */
export function middleware(claviger, wanted, options) {
  const admit = admission(claviger, wanted, options);
  return async (/** @type {R} */ request, /** @type {Outgoing} */ response, /** @type {Next} */ next) => {
    /** @type {unknown[]} */
    let failed = [];
    try {
      const refused = await admit(request, {
        headers: (name) => request.rawHeaders.filter((_, at, raw) => at % 2 === 1 && raw[at - 1]?.toLowerCase() === name),
        method: request.method ?? '',
        path: pathOf('originalUrl' in request ? String(request.originalUrl) : (request.url ?? '')),
      });
      if (refused) {
        response.writeHead(refused.status, refused.headers);
        response.end(JSON.stringify(refused.body));
        return;
      }
      withoutClaims(request);
    } catch (error) {
      // A framework that has `originalUrl` takes an error for one. A handler of `node:http` would not look at it, and answer.
      if (!('originalUrl' in request)) {
        fail(response, error);
        return;
      }
      failed = [error];
    }
    try {
      await next(...failed);
    } catch (error) {
      fail(response, error);
    }
  };
}

/**
 * Something of the service's own failed, which is told to its operator, and ends neither the process nor another request.
 *
 * @param {Outgoing} response
 * @param {unknown} error
 */
function fail(response, error) {
  try {
    process.emitWarning(error instanceof Error ? error : String(error));
  } catch {
    process.emitWarning('something failed that has no text');
  }
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const { status, headers, body } = FAILED;
  response.writeHead(status, headers);
  response.end(JSON.stringify(body));
}

/**
 * @template {unknown[]} A
 * @param {Claviger} claviger
 * @param {string | readonly string[]} wanted
 * @param {(request: Request, ...rest: A) => Response | Promise<Response>} handler
 * @param {import('./guard.js').Options<Request>} options
 */
export function guarded(claviger, wanted, handler, options) {
  const admit = admission(claviger, wanted, options);
  return async (/** @type {Request} */ request, /** @type {A} */ ...rest) => {
    const value = (/** @type {string} */ name) => request.headers.get(name);
    const refused = await admit(request, {
      headers: (name) => [value(name)].filter((one) => one !== null),
      method: request.method,
      path: new URL(request.url).pathname,
    });
    if (refused) return new Response(JSON.stringify(refused.body), refused);
    const claims = [...request.headers.keys()].filter(isClaim);
    if (claims.length === 0) return handler(request, ...rest);
    const headers = new Headers(request.headers);
    for (const name of claims) headers.delete(name);
    const without = new Request(request, { headers });
    PROVED.set(without, /** @type {Proved} */ (PROVED.get(request)));
    return handler(without, ...rest);
  };
}

/** What a gateway says of the caller in headers only a gateway may say. @param {Incoming} request */
function withoutClaims({ headers, headersDistinct, rawHeaders }) {
  // HTTP/2 has no distinct ones.
  for (const named of [headers, headersDistinct ?? {}]) {
    for (const name of Object.keys(named)) if (isClaim(name)) delete named[name];
  }
  for (let at = rawHeaders.length - 2; at >= 0; at -= 2) {
    if (isClaim(rawHeaders[at]?.toLowerCase() ?? '')) rawHeaders.splice(at, 2);
  }
}

/** @param {string} name */
function isClaim(name) {
  return name.startsWith('x-claviger-');
}

/**
 * The path of a request as its first line has it, which may be a whole address (RFC 9112, section 3.2.2).
 *
 * @param {string} target
 */
function pathOf(target) {
  const path = /^https?:\/\//i.test(target) ? target.replace(/^https?:\/\/[^/?#]*/i, '') : target;
  return path.replace(/[?#].*$/s, '') || '/';
}

/**
 * What the service's own functions say of a request, one after the other. What they throw is an `Error`: of anything else Express
 * may take it for none, or for the name of a way around the rest of a router.
 *
 * @template R
 * @param {R} request
 * @param {import('./guard.js').Options<R>} options
 */
async function toldOf(request, { objects, clientIp, path, certificate }) {
  try {
    return {
      objects: await objects?.(request),
      clientIp: await clientIp?.(request),
      path: await path?.(request),
      certificate: await certificate?.(request),
    };
  } catch (error) {
    throw error instanceof Error ? error : new Error('an option of the guard failed', { cause: error });
  }
}

/**
 * @template {object} R
 * @param {Claviger} claviger
 * @param {string | readonly string[]} wanted
 * @param {import('./guard.js').Options<R>} options
 */
function admission(claviger, wanted, options) {
  const permissions = permissionsOf(wanted);
  checkOptions(options);
  /** Lets it pass, or says how it is refused. @param {R} request @param {Read} read */
  return async (request, { headers, method, path }) => {
    try {
      const { credential, dpop } = presented(headers);
      const told = await toldOf(request, options);
      const checked = await claviger.check(credential, {
        ...{ permissions, method, dpop },
        ...{ whateverObject: options.whateverObject ?? false, testToo: options.testToo ?? false },
        ...{ objects: told.objects ?? [], clientIp: told.clientIp ?? null, path: told.path ?? path },
        certificate: told.certificate ?? null,
        proved: PROVED.get(request),
      });
      if ('refusal' in checked) throw new NotAdmitted(checked.refusal, checked.retryAfter);
      PROVED.set(request, checked.proved);
      return undefined;
    } catch (error) {
      const refused = error instanceof Unreachable ? new NotAdmitted('unavailable') : error;
      if (!(refused instanceof NotAdmitted)) throw error;
      return answerOf(refused, claviger.issuer, permissions);
    }
  };
}
