//! The binary as its operators and users meet it: real processes, real sockets, on SQLite; what only several nodes can
//! show, on the PostgreSQL that `CLAVIGER_TEST_POSTGRES` names.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop right there")]

mod server;

mod access_log;
mod api_import;
mod audit;
mod bootstrap;
mod clients;
mod crash;
mod dev;
mod doctor;
mod fleet;
mod gateways;
mod guides;
mod issuer;
mod login;
mod master_key;
mod nodes;
mod operator;
mod postgres;
mod reference;
mod sdk;
mod settings;
mod sidecar;
mod stop;
mod traces;
mod user;
