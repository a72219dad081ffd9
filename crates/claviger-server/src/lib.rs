//! The only crate that knows axum: two listeners, their routes, and what runs beside them.
//!
//! Start at `router.rs`: every route stands there. From a route to its SQL it is three more files: the
//! handler (`manage/` or `verify/`), the rule of the same name in `claviger-core`, the query of the same
//! name in `claviger-store`.

mod absent;
mod accepted;
mod accepting;
mod access_log;
mod addresses;
mod app;
mod body;
mod bootstrap;
mod caller;
mod client;
mod client_certificate;
mod console;
mod cookies;
mod feed;
mod first_run;
mod governing;
mod health;
mod inside;
mod jobs;
mod keys;
mod limits;
mod link_maker;
mod listing;
mod log;
mod manage;
mod metrics;
mod mqtt;
mod oauth;
mod openapi;
mod origin;
mod outside;
mod passwords;
mod presented;
mod problem;
mod proof;
mod provider;
mod router;
mod serve;
mod session;
mod sidecar;
mod throttle;
mod tls;
mod traces;
mod verify;

pub use accepting::{AcceptError, Invited, OpenInvitation};
pub use access_log::{AccessLog, AccessLogAt};
pub use app::{App, Clock, Config};
pub use bootstrap::{BootstrapError, Bootstrapped};
pub use first_run::FirstRun;
pub use keys::{KeyError, Keys};
pub use limits::RedisAt;
pub use oauth::{KeySet, RemoteKeysError, RotateError, Signer, SigningKeys};
pub use openapi::document as openapi_document;
pub use provider::ProviderAt;
pub use router::{internal, public};
pub use serve::{Listeners, ServeError, serve};
pub use sidecar::{Sidecar, SidecarError, SidecarSettings};
pub use tls::{Tls, TlsAt, TlsError};
