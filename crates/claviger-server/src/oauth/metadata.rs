//! What clients and resource servers find out about this instance by themselves (RFC 8414, RFC 9728).
//!
//! Every address is made of `public_url`, and no header of a request changes one. What is not listed does not work, and
//! what does not work is not listed.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::Next,
    response::Response,
};
use claviger_core::PERMISSIONS;
use claviger_token::{ClientAuthMethod, DetailType, SigningAlgorithm};
use serde::Serialize;
use utoipa::ToSchema;

use super::{DEVICE_AUTHORIZATION, KEYS, REGISTER, RESOURCE, REVOCATIONS, TOKEN, document, introspect, token::GRANTS};
use crate::{
    app::{App, Config},
    origin,
};

/// What this authorization server can do (RFC 8414, section 2).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ServerMetadata {
    /// `iss` of every token; the instance's `public_url`.
    #[schema(example = "https://keys.acme.test")]
    issuer: String,
    /// Where clients get tokens.
    token_endpoint: String,
    /// Where a token is told what it is worth.
    introspection_endpoint: String,
    /// Where a client ends a token.
    revocation_endpoint: String,
    /// Where a device asks for a token of a person (RFC 8628, section 4).
    device_authorization_endpoint: String,
    /// Where clients register themselves, by a credential that permits it.
    registration_endpoint: String,
    /// Where its public keys are.
    jwks_uri: String,
    /// None: there is no authorization endpoint. RFC 8414 wants the member all the same.
    #[schema(value_type = Vec<String>)]
    response_types_supported: &'static [&'static str],
    /// How a token is got.
    #[schema(value_type = Vec<String>)]
    grant_types_supported: &'static [&'static str],
    /// How a client proves who it is.
    token_endpoint_auth_methods_supported: Vec<ClientAuthMethod>,
    /// What may sign an assertion of a client.
    #[schema(value_type = Vec<String>)]
    token_endpoint_auth_signing_alg_values_supported: [&'static str; 4],
    /// The same for introspection; a caller with `claviger:introspect` needs no client.
    introspection_endpoint_auth_methods_supported: Vec<ClientAuthMethod>,
    #[schema(value_type = Vec<String>)]
    introspection_endpoint_auth_signing_alg_values_supported: [&'static str; 4],
    /// What signs the answers of introspection (RFC 9701, section 7).
    introspection_signing_alg_values_supported: [SigningAlgorithm; 1],
    /// The same for revocation.
    revocation_endpoint_auth_methods_supported: Vec<ClientAuthMethod>,
    #[schema(value_type = Vec<String>)]
    revocation_endpoint_auth_signing_alg_values_supported: [&'static str; 4],
    /// What a token can be limited to beside its scope (RFC 9396, section 10).
    #[schema(value_type = Vec<String>)]
    authorization_details_types_supported: [&'static str; 1],
    /// What may sign a proof of possession (RFC 9449, section 5.1).
    #[schema(value_type = Vec<String>)]
    dpop_signing_alg_values_supported: [&'static str; 4],
    /// Whether tokens are bound to the certificates of clients that want it (RFC 8705, section 3.3); absent if not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    tls_client_certificate_bound_access_tokens: bool,
    /// Where clients go that show a certificate (RFC 8705, section 5); absent if nowhere else.
    #[serde(skip_serializing_if = "Option::is_none")]
    mtls_endpoint_aliases: Option<EndpointAliases>,
    /// Where verifiers that ask about no token learn what ended lately. Ours: no standard has a name for it.
    claviger_revocations_uri: String,
    /// Where people read about it.
    service_documentation: String,
}

/// The endpoints that ask for a certificate: all others never do, so that no browser troubles its user with it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EndpointAliases {
    token_endpoint: String,
    introspection_endpoint: String,
    revocation_endpoint: String,
}

impl EndpointAliases {
    fn at(url: &str) -> Self {
        Self {
            token_endpoint: format!("{url}{TOKEN}"),
            introspection_endpoint: format!("{url}{INTROSPECT}"),
            revocation_endpoint: format!("{url}{REVOKE}"),
        }
    }
}

const INTROSPECT: &str = "/oauth/introspect";
const REVOKE: &str = "/oauth/revoke";

impl ServerMetadata {
    fn of(config: &Config) -> Self {
        let (url, algorithms) = (&config.public_url, SigningAlgorithm::NAMES);
        let works = |method: &ClientAuthMethod| config.takes_certificates() || !method.shows_a_certificate();
        let methods: Vec<_> = ClientAuthMethod::ALL.into_iter().filter(works).collect();
        Self {
            issuer: url.clone(),
            token_endpoint: format!("{url}{TOKEN}"),
            introspection_endpoint: format!("{url}{INTROSPECT}"),
            revocation_endpoint: format!("{url}{REVOKE}"),
            device_authorization_endpoint: format!("{url}{DEVICE_AUTHORIZATION}"),
            registration_endpoint: format!("{url}{REGISTER}"),
            jwks_uri: format!("{url}{KEYS}"),
            response_types_supported: &[],
            grant_types_supported: GRANTS,
            token_endpoint_auth_methods_supported: methods.clone(),
            token_endpoint_auth_signing_alg_values_supported: algorithms,
            introspection_endpoint_auth_methods_supported: methods.clone(),
            introspection_endpoint_auth_signing_alg_values_supported: algorithms,
            introspection_signing_alg_values_supported: [introspect::ALGORITHM],
            revocation_endpoint_auth_methods_supported: methods,
            revocation_endpoint_auth_signing_alg_values_supported: algorithms,
            authorization_details_types_supported: DetailType::NAMES,
            dpop_signing_alg_values_supported: algorithms,
            tls_client_certificate_bound_access_tokens: config.takes_certificates(),
            mtls_endpoint_aliases: config.mtls_url.as_deref().map(EndpointAliases::at),
            claviger_revocations_uri: format!("{url}{REVOCATIONS}"),
            service_documentation: format!("{url}/docs/"),
        }
    }
}

/// The same with what OpenID Connect Discovery 1.0, section 3, requires besides: libraries refuse to read it otherwise. Nobody gets an ID
/// token.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OpenIdMetadata {
    #[serde(flatten)]
    server: ServerMetadata,
    #[schema(value_type = Vec<String>)]
    subject_types_supported: [&'static str; 1],
    id_token_signing_alg_values_supported: [SigningAlgorithm; 1],
}

impl OpenIdMetadata {
    fn of(config: &Config) -> Self {
        Self {
            server: ServerMetadata::of(config),
            subject_types_supported: ["public"],
            id_token_signing_alg_values_supported: [SigningAlgorithm::Rs256],
        }
    }
}

/// What one must know to call the management API (RFC 9728, section 2).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ResourceMetadata {
    /// The API's identifier.
    resource: String,
    /// Who issues tokens for it.
    authorization_servers: [String; 1],
    /// Where a token stands in a request.
    #[schema(value_type = Vec<String>)]
    bearer_methods_supported: [&'static str; 1],
    /// What may sign a proof of possession (RFC 9449).
    #[schema(value_type = Vec<String>)]
    dpop_signing_alg_values_supported: [&'static str; 4],
    /// Whether it takes tokens that are bound to certificates (RFC 8705); absent if not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    tls_client_certificate_bound_access_tokens: bool,
    /// What can be permitted on it.
    #[schema(value_type = Vec<String>)]
    scopes_supported: Vec<&'static str>,
    /// How people call it.
    #[schema(value_type = String)]
    resource_name: &'static str,
    /// Where people read about it.
    resource_documentation: String,
}

impl ResourceMetadata {
    fn of(config: &Config) -> Self {
        let url = &config.public_url;
        Self {
            resource: url.clone(),
            authorization_servers: [url.clone()],
            bearer_methods_supported: ["header"],
            dpop_signing_alg_values_supported: SigningAlgorithm::NAMES,
            tls_client_certificate_bound_access_tokens: config.takes_certificates(),
            scopes_supported: PERMISSIONS.iter().map(|permission| permission.name).collect(),
            resource_name: "Claviger",
            resource_documentation: format!("{url}/docs/"),
        }
    }
}

/// The authorization server's metadata
#[utoipa::path(
    get, path = "/.well-known/oauth-authorization-server", tag = "OAuth", operation_id = "showServerMetadata",
    responses((status = 200, body = ServerMetadata), (status = 304, description = "As you have it")),
)]
pub(crate) async fn of_server(State(app): State<App>, headers: HeaderMap) -> Response {
    document(&app, &headers, &ServerMetadata::of(&app.config))
}

/// The same for clients that look for OpenID Connect
///
/// There are no ID tokens; two members more are there for libraries that insist on them.
#[utoipa::path(
    get, path = "/.well-known/openid-configuration", tag = "OAuth", operation_id = "showOpenIdMetadata",
    responses((status = 200, body = OpenIdMetadata), (status = 304, description = "As you have it")),
)]
pub(crate) async fn of_server_for_openid(State(app): State<App>, headers: HeaderMap) -> Response {
    document(&app, &headers, &OpenIdMetadata::of(&app.config))
}

/// The management API as a protected resource
#[utoipa::path(
    get, path = "/.well-known/oauth-protected-resource", tag = "OAuth", operation_id = "showResourceMetadata",
    responses((status = 200, body = ResourceMetadata), (status = 304, description = "As you have it")),
)]
pub(crate) async fn of_resource(State(app): State<App>, headers: HeaderMap) -> Response {
    document(&app, &headers, &ResourceMetadata::of(&app.config))
}

/// Every 401 of the management API names the document above (RFC 9728, section 5.1). Outside of the handlers, because their
/// errors do not know the instance's address.
pub(crate) async fn name_resource(State(app): State<App>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if response.status() == StatusCode::UNAUTHORIZED
        && let header::Entry::Occupied(mut challenges) = response.headers_mut().entry(header::WWW_AUTHENTICATE)
    {
        for challenge in challenges.iter_mut() {
            if let Ok(told) = challenge.to_str()
                && (told.starts_with("Bearer ") || told.starts_with("DPoP "))
                && let Ok(named) =
                    format!("{told}, resource_metadata=\"{}\"", resource_metadata(&app.config)).try_into()
            {
                *challenge = named;
            }
        }
    }
    response
}

/// The well-known part stands before the path of the resource, if it has one.
fn resource_metadata(config: &Config) -> String {
    let base = origin::here("", config);
    let host = config.public_url.strip_suffix(&base).unwrap_or(&config.public_url);
    format!("{host}{RESOURCE}{base}")
}
