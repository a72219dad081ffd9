//! The contract of the store, held by both engines: `sqlite` in a temporary directory, `postgres` on the server
//! that `CLAVIGER_TEST_POSTGRES` names.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop right there")]

/// Makes two tests of each function, one per engine, with a fresh database each.
macro_rules! on_both_databases {
    ($($(#[$attribute:meta])* async fn $name:ident($db:ident: &TestDb) $body:block)*) => {
        $($(#[$attribute])* async fn $name($db: &crate::db::TestDb) $body)*

        mod sqlite {
            $(#[test] fn $name() { crate::db::run(crate::db::Engine::Sqlite, super::$name); })*
        }

        mod postgres {
            $(#[test] fn $name() { crate::db::run(crate::db::Engine::Postgres, super::$name); })*
        }
    };
}

mod db;
mod sample;

mod access_token;
mod api;
mod assignment;
mod audit;
mod authenticators;
mod brand;
mod certificate;
mod claim_code;
mod credential;
mod database;
mod device_request;
mod enrolment;
mod federation;
mod feed;
mod fleet;
mod found;
mod idempotency;
mod identity;
mod invitation;
mod log;
mod look_alike;
mod membership;
mod narrowing;
mod one_time_code;
mod organization;
mod passkey;
mod public_key;
mod quota;
mod racing;
mod registration;
mod released;
mod role;
mod service_account;
mod session;
mod shared_commit;
mod signing_key;
mod single_use;
mod standing;
mod token_status;
mod tx;
mod usage;
mod usage_report;
mod usage_roll_up;
mod user;
