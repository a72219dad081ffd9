//! For services that verify Claviger's credentials by themselves.
//!
//! [`Claviger::start`] follows an instance; [`Claviger::require`] is a tower layer that lets nobody through but who has a permission:
//!
//! ```no_run
//! # async fn list() {}
//! use claviger_sdk::{Claviger, Settings};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let settings = Settings::new("https://keys.acme.test", "http://127.0.0.1:7421", "https://api.acme.test");
//! let claviger = Claviger::start(settings)?;
//! let app: axum::Router =
//!     axum::Router::new().route("/invoices", axum::routing::get(list)).layer(claviger.require("invoices:read")?);
//! # Ok(())
//! # }
//! ```
//!
//! JWTs are proved by the instance's keys, and held against the feed of what ended. API keys, personal access tokens and opaque access
//! tokens are asked about once, and kept as long as the change feed names nothing of them. The rules are pure functions (`judge`), and
//! the decision is the server's own (`claviger_token::decide`). [`Keeper`] has the facts alone, for whoever decides by itself.

mod answer;
mod cache;
mod changes;
mod claviger;
mod clock;
mod deny;
mod feed;
mod identity;
mod judge;
mod keeper;
mod keys;
mod layer;
mod remote;
mod replays;
mod settings;
mod tokens;
mod usage;

pub use answer::{Answer, NoAnswer};
pub use claviger::{Claviger, StartError, Verified, Wanted};
pub use claviger_token::{Certificate, Confirmation, Object, Permission, Proof, Refusal, Shown, Verdict};
pub use deny::Ended;
pub use feed::{Events, Names, NoMessage};
pub use identity::Identity;
pub use judge::{Asked, NotProved, judge, judge_facts, read_token};
pub use keeper::{Facts, Keeper, Unreachable, has_form_of_a_credential};
pub use keys::{Keys, NoKeys};
pub use layer::{Guard, Guarded};
pub use settings::{KeeperSettings, Settings, WrongSettings};
