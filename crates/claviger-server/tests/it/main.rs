//! The HTTP surface, over real sockets and on both engines: `sqlite` in a temporary directory, `postgres` on the
//! server that `CLAVIGER_TEST_POSTGRES` names.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop right there")]

/// Makes two tests of each function, one per engine, with a fresh instance each.
macro_rules! on_both_databases {
    ($($(#[$attribute:meta])* async fn $name:ident($app:ident: $kind:ty) $body:block)*) => {
        $($(#[$attribute])* async fn $name($app: $kind) $body)*

        mod sqlite {
            $(#[test] fn $name() { crate::app::run(crate::database::Engine::Sqlite, super::$name); })*
        }

        mod postgres {
            $(#[test] fn $name() { crate::app::run(crate::database::Engine::Postgres, super::$name); })*
        }
    };
}

mod app;
mod browser;
mod database;

mod access_log;
mod access_tokens;
mod api_keys;
mod approvals;
mod assertions;
mod audit;
mod authorization;
mod bad_input;
mod bootstrap;
mod client_assertions;
mod client_certificates;
mod client_secrets;
mod connections;
mod console;
mod console_audit;
mod console_explain;
mod console_inventory;
mod device_requests;
mod dpop;
mod exchange;
mod explain;
mod federations;
mod feed;
mod first_run;
mod fleet_certificates;
mod fleet_pages;
mod fleets;
mod forward_auth;
mod internal;
mod introspection;
mod inventory;
mod invitations;
mod isolation;
mod issuer;
mod limits;
mod lists;
mod look_alikes;
mod machine;
mod many;
mod members;
mod metadata;
mod metrics;
mod monitoring;
mod mqtt;
mod mtls;
mod narrowing;
mod nodes;
mod openapi;
mod organization_pages;
mod outage;
mod passkeys;
mod people;
mod personal_access_tokens;
mod portal;
mod provider;
mod public_keys;
mod redis;
mod registration;
mod revocation;
mod revocations;
mod rights;
mod route_rules;
mod second_factor;
mod service_account_pages;
mod sessions;
mod settings;
mod sign_in;
mod signing_keys;
mod status_list;
mod tls;
mod token;
mod token_endpoint;
mod usage;
mod usage_pages;
mod usage_reports;
mod users;
mod verify;
mod workloads;
