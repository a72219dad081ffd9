//! The audit trail: of an organization at `/organizations/{organization}/audit`, for who holds `claviger:audit_events:read` there, and all of
//! it at `/audit`, for who holds that everywhere. It is read here and never written.

pub(super) mod chain;
pub(super) mod event;
pub(super) mod export;
pub(super) mod list;
pub(super) mod reader;
#[cfg(test)]
pub(super) mod samples;
pub(super) mod told;
mod wanted;
mod words;
