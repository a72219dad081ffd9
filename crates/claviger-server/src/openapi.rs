//! The OpenAPI document, made from the handlers' own types, and a page to browse it that needs no network.

use std::sync::LazyLock;

use axum::{
    Router,
    body::Bytes,
    http::{HeaderValue, header},
    routing::get,
};
use tower::ServiceBuilder;
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa::{
    Modify, OpenApi,
    openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
};
use utoipa_swagger_ui::SwaggerUi;

use crate::{app::App, router::described};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Claviger",
        description = "Programmatic access for a SaaS company's customers and services: API keys, one permission model, \
                       one verify call, one audit trail.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    tags(
        (name = "Verify", description = "The question that everything else is for"),
        (name = "Token", description = "A credential about itself"),
        (name = "API keys", description = "Credentials of service accounts"),
        (name = "Organizations", description = "The customers, their ceiling and policy"),
        (name = "Members", description = "Who belongs to an organization, and what they may do there"),
        (name = "Users", description = "People, who may belong to several organizations"),
        (name = "Portal", description = "The way of a product's users to their own tokens"),
        (name = "Service accounts", description = "The non-person principals of an organization"),
        (name = "Clients", description = "By what service accounts prove themselves as OAuth clients"),
        (name = "Fleets", description = "Groups of devices, the codes by which devices enrol, and how they do"),
        (name = "APIs", description = "What is protected, and which permissions it declares"),
        (name = "Roles and assignments", description = "Who may do what"),
        (name = "OAuth", description = "What clients and resource servers find out, and the keys that sign tokens"),
        (name = "Usage", description = "How much credentials are used"),
        (name = "Audit", description = "What happened"),
        (name = "Health"),
    ),
    modifiers(&Credentials),
    security(("bearer" = []), ("api_key" = [])),
)]
pub(crate) struct Document;

struct Credentials;

impl Modify for Credentials {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("Any Claviger credential"));
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer.build()));
        let client = HttpBuilder::new().scheme(HttpAuthScheme::Basic);
        let client = client.description(Some("A service account's id and a secret of it (client_secret_basic)"));
        components.add_security_scheme("client", SecurityScheme::Http(client.build()));
        let key = ApiKey::Header(ApiKeyValue::new("X-API-Key"));
        components.add_security_scheme("api_key", SecurityScheme::ApiKey(key));
        for (name, cookie) in [("session", "__Host-claviger"), ("portal", "__Host-claviger-portal")] {
            let session = ApiKey::Cookie(ApiKeyValue::new(cookie));
            components.add_security_scheme(name, SecurityScheme::ApiKey(session));
        }
    }
}

/// The document (OpenAPI 3.1).
pub fn document() -> utoipa::openapi::OpenApi {
    let mut document = described().into_openapi();
    // Health needs no credential, and neither does what everybody may know.
    for (path, item) in &mut document.paths.paths {
        if (path.starts_with("/health/") || path.starts_with("/.well-known/"))
            && let Some(operation) = &mut item.get
        {
            operation.security = Some(vec![SecurityRequirement::default()]);
        }
    }
    document
}

/// The document as it is sent. Few ask for it, and it is as large as half of what an idle server needs: it is made for the first
/// who does.
static TEXT: LazyLock<Bytes> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "the document has no map whose keys are not texts")]
    serde_json::to_vec(&document()).expect("the document is JSON").into()
});

/// `/openapi.json` and `/docs`.
pub(crate) fn routes() -> Router<App> {
    // The page is Swagger's own, which styles itself inline; nothing of ours runs there and nothing is fetched from elsewhere.
    let policy = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'; \
                  base-uri 'none'; object-src 'none'";
    let docs = Router::new()
        .merge(SwaggerUi::new("/docs").config(utoipa_swagger_ui::Config::from("/openapi.json")))
        .layer(ServiceBuilder::new().layer(SetResponseHeaderLayer::overriding(
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(policy),
        )));
    let json = async || ([(header::CONTENT_TYPE, "application/json")], TEXT.clone());
    Router::new().route("/openapi.json", get(json)).merge(docs)
}
