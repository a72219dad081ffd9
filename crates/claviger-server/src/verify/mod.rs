//! Verifying: from a presented text to a verdict, without a write and mostly without a database.

mod access_token;
mod assertion;
mod call;
mod catalog;
mod common;
mod credentials;
mod deny_list;
mod explain;
mod ext_authz;
mod fills;
mod forward_auth;
mod gateway;
mod judge;
mod kept;
mod occasion;
mod parents;
mod question;
mod reports;
mod usage;

pub(crate) use access_token::LONGEST_JWT;
pub(crate) use call::{__path_verify_as_caller, json, must_make_sense, respond, verify_as_caller, verify_internal};
pub(crate) use catalog::Catalog;
pub(crate) use credentials::{Credentials, Entry, LookedUp};
pub(crate) use explain::{__path_explain, Asked as Explaining, Explained, Sight, explain, explained};
pub(crate) use ext_authz::ext_authz;
pub(crate) use forward_auth::{forward_auth, several};
pub(crate) use gateway::{Asked, CODE, facts, failed, insufficient};
pub(crate) use judge::{Judged, Use};
pub(crate) use occasion::{CountedAs, Occasion, Surface};
pub(crate) use reports::{__path_report_usage, report_usage, report_usage_inside};
pub(crate) use usage::Usage;
