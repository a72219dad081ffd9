//! OAuth 2.0: what a request to its endpoints must say, and what comes of it. Who may read what is behind a token is
//! not here, nor how a request arrives.

mod access_token;
mod client;
mod client_assertion;
mod error;
mod exchange;
mod federated_assertion;
mod parameters;
mod target;

pub use access_token::{Lifetime, claims, details, networks};
pub use client::{CLIENT_ASSERTION_TYPE, PresentedClient};
pub use client_assertion::{AssertionError, ClientAssertion, ExpectedAudience};
pub use error::{OAuthError, OAuthErrorCode};
pub use exchange::{ExchangeRequest, TOKEN_EXCHANGE, TokenType, acting, no_subject};
pub use federated_assertion::{AssertedAs, FederatedAssertion, FederatedError, JWT_BEARER};
pub use parameters::Parameters;
pub use target::{Target, target};
