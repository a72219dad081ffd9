// For services that verify Claviger's credentials by themselves.
//
// `new Claviger(settings)` follows an instance; `require` is a middleware that lets nobody through but who has a permission. JWTs
// are proved by the instance's keys, and held against the feed of what ended. API keys, personal access tokens and opaque access
// tokens are asked about once, and kept as long as the change feed names nothing of them.

export { Claviger } from './claviger.js';
export { Identity } from './identity.js';
export { WrongSettings } from './instance/settings.js';
export { REFUSALS } from './refusal.js';
export { identityOf } from './requests.js';
export { Unreachable } from './unreachable.js';
