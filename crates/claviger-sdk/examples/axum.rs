//! An API that Claviger protects. `docs/verifying/rust.md` shows it, and a test runs it against a server.
//!
//! `cargo run -p claviger-sdk --example axum`, beside `claviger serve --dev`.

use axum::{Extension, Router, routing::get};
use claviger_sdk::{Claviger, Identity, Settings};

/// The API: whoever may read invoices reads them.
pub(crate) fn api(claviger: &Claviger) -> Result<Router, Box<dyn std::error::Error>> {
    let invoices =
        get(async |Extension(caller): Extension<Identity>| format!("invoices of {}\n", caller.organization()));
    Ok(Router::new().route("/invoices", invoices).layer(claviger.require("invoices:read")?))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let claviger =
        Claviger::start(Settings::new("http://127.0.0.1:7420", "http://127.0.0.1:7421", "https://invoices.example"))?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:7430").await?;
    axum::serve(listener, api(&claviger)?).await?;
    Ok(())
}
