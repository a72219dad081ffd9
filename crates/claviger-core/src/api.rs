//! APIs: the protected resource servers, and the permissions that each declares.

use std::collections::BTreeSet;

use claviger_token::{ApiId, Permission, PermissionSet, ServiceAccountId, SigningAlgorithm, TypedId as _};
use jiff::Timestamp;
use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use serde_json::json;
use url::Url;

use crate::{
    audit::{Action, Chain, Event, Touched},
    builtin,
    invalid::{FieldErrors, Rejection, present},
    name::Name,
    route_rule::{RouteRule, Routes},
    signing_key::LONGEST_TOKEN,
};

const MAX_PERMISSIONS: usize = 1000;
const MAX_DESCRIPTION: usize = 500;
/// A proof is compared with each.
const MAX_ORIGINS: usize = 20;
/// In seconds.
const SHORTEST_TOKEN: u32 = 60;

/// A protected resource server.
#[derive(Debug, Clone, PartialEq)]
pub struct Api {
    /// Its id.
    pub id: ApiId,
    /// Its audience URI (RFC 8707 `resource`), compared as a string.
    pub identifier: String,
    /// Its name.
    pub name: Name,
    /// What can be permitted on it; unique in the instance.
    pub permissions: Vec<DeclaredPermission>,
    /// The service accounts that serve it, and may therefore see credentials presented to it.
    pub resource_servers: Vec<ServiceAccountId>,
    /// The public origins on which it answers, as in `https://api.acme.test`; none: that of its identifier.
    pub origins: Vec<String>,
    /// Where a gateway may find a credential for it, besides `Authorization: Bearer` and `X-API-Key`.
    pub also_accepts: AlsoAccepts,
    /// What requests to it take, for gateways that leave that to Claviger.
    pub routes: Routes,
    /// How access tokens for it are made.
    pub access_tokens: AccessTokens,
    /// Whether it is Claviger's own.
    pub builtin: bool,
    /// When it was declared.
    pub created_at: Timestamp,
}

/// Places of a credential that an API must ask for, because they leak more easily or belong to somebody else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AlsoAccepts {
    /// `Authorization: Basic`, as password or as user name (RFC 7617): for `git` and `curl -u`.
    pub basic: bool,
    /// The query parameter of this name.
    pub query_parameter: Option<String>,
}

/// How access tokens for an API are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccessTokens {
    /// How long they count, in seconds: 60 to [`LONGEST_TOKEN`].
    pub ttl_seconds: u32,
    /// What signs them, if they are signed.
    pub algorithm: SigningAlgorithm,
    /// What they look like.
    pub format: TokenFormat,
}

impl Default for AccessTokens {
    fn default() -> Self {
        Self { ttl_seconds: 600, algorithm: SigningAlgorithm::default(), format: TokenFormat::default() }
    }
}

/// What an access token looks like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum TokenFormat {
    /// Signed, so that whoever receives it can read and prove it (RFC 9068).
    #[default]
    Jwt,
    /// A random text that only Claviger can tell anything about.
    Opaque,
}

impl TokenFormat {
    /// The word on the wire and in storage.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Jwt => "jwt",
            Self::Opaque => "opaque",
        }
    }

    /// From the word in storage.
    pub fn from_word(text: &str) -> Option<Self> {
        [Self::Jwt, Self::Opaque].into_iter().find(|format| format.as_str() == text)
    }
}

/// A permission as its API declares it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeclaredPermission {
    /// Unique in the instance; OAuth calls it a scope.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "invoices:read"))]
    pub name: Permission,
    /// What it allows, for whoever picks it from a list.
    #[serde(default)]
    pub description: Option<String>,
}

/// Body of `POST /v1/apis`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewApi {
    /// An absolute URI without a fragment.
    #[cfg_attr(feature = "openapi", schema(example = "https://api.acme.test"))]
    pub identifier: String,
    /// 1 to 100 characters.
    #[cfg_attr(feature = "openapi", schema(example = "Invoices"))]
    pub name: String,
    /// What can be permitted on it.
    pub permissions: Vec<DeclaredPermission>,
    /// The service accounts that serve it.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    pub resource_servers: Vec<ServiceAccountId>,
    /// The public origins on which it answers: what a DPoP proof that comes through a gateway must be for. If absent, that of the
    /// identifier.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(example = json!(["https://api.acme.test"])))]
    pub origins: Vec<String>,
    /// Whether a gateway may take a credential from `Authorization: Basic`, as password or as user name.
    #[serde(default)]
    pub accept_basic: bool,
    /// The query parameter from which a gateway may take a credential; none if absent.
    #[cfg_attr(feature = "openapi", schema(example = "api_key"))]
    pub query_parameter: Option<String>,
    /// What requests to it take, for gateways that ask by `api=`. What no rule allows, they refuse.
    #[serde(default)]
    pub route_rules: Vec<RouteRule>,
    /// How long access tokens for it count: 60 to 3600 seconds, 600 if absent.
    #[cfg_attr(feature = "openapi", schema(example = 600))]
    pub access_token_ttl_seconds: Option<u32>,
    /// What signs them; `ES256` if absent. The first choice of `RS256` makes its key, which takes a moment.
    pub signing_algorithm: Option<SigningAlgorithm>,
    /// What they look like; `jwt` if absent.
    pub access_token_format: Option<TokenFormat>,
}

/// Body of `PATCH /v1/apis/{id}`: absent members stay, lists replace.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApiChanges {
    /// New name.
    pub name: Option<String>,
    /// All its permissions from now on; one that is left out stops working everywhere.
    pub permissions: Option<Vec<DeclaredPermission>>,
    /// All the service accounts that serve it from now on.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<String>>))]
    pub resource_servers: Option<Vec<ServiceAccountId>>,
    /// All the public origins on which it answers from now on.
    pub origins: Option<Vec<String>>,
    /// Whether a gateway may take a credential from `Authorization: Basic`.
    pub accept_basic: Option<bool>,
    /// The query parameter from which a gateway may take a credential, or `null` for none.
    #[serde(deserialize_with = "present")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub query_parameter: Option<Option<String>>,
    /// All its route rules from now on.
    pub route_rules: Option<Vec<RouteRule>>,
    /// How long access tokens for it count from now on: 60 to 3600 seconds. Those that exist keep their end.
    pub access_token_ttl_seconds: Option<u32>,
    /// What signs them from now on.
    pub signing_algorithm: Option<SigningAlgorithm>,
    /// What they look like from now on.
    pub access_token_format: Option<TokenFormat>,
}

impl Api {
    /// Declares one. `taken` are the permissions that other APIs declare.
    pub fn create(
        new: NewApi,
        taken: &PermissionSet,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
    ) -> Result<(Self, Event), Rejection> {
        let mut errors = FieldErrors::default();
        let identifier = errors.keep("/identifier", "invalid_identifier", parse_identifier(&new.identifier));
        let name = errors.keep("/name", "invalid_name", Name::parse(&new.name));
        check_permissions(&new.permissions, taken, &mut errors);
        let origins = parse_origins(&new.origins, &mut errors);
        let query_parameter = new.query_parameter.and_then(|name| parse_query_parameter(name, &mut errors));
        let routes = Routes::read(new.route_rules, &names(&new.permissions), &mut errors).unwrap_or_default();
        let access_tokens = AccessTokens::default().changed(
            new.access_token_ttl_seconds,
            new.signing_algorithm,
            new.access_token_format,
            &mut errors,
        );
        errors.finish()?;
        let (Some(identifier), Some(name)) = (identifier, name) else { return Err(Rejection::Invalid(Vec::new())) };
        let api = Self {
            id: ApiId::generate(now, rng),
            identifier,
            name,
            permissions: new.permissions,
            resource_servers: new.resource_servers,
            origins,
            also_accepts: AlsoAccepts { basic: new.accept_basic, query_parameter },
            routes,
            access_tokens,
            builtin: false,
            created_at: now,
        };
        let event = api.event(Action::ApiCreated, api.told());
        Ok((api, event))
    }

    /// Claviger's own, known by the public URL.
    pub fn builtin(public_url: &str, now: Timestamp, rng: &mut dyn CryptoRng) -> Result<Self, Rejection> {
        let name =
            Name::parse("Claviger").map_err(|error| Rejection::field("/name", "invalid_name", error.to_string()))?;
        Ok(Self {
            id: ApiId::generate(now, rng),
            identifier: public_url.to_owned(),
            name,
            permissions: Self::builtin_permissions(),
            resource_servers: Vec::new(),
            origins: Vec::new(),
            also_accepts: AlsoAccepts::default(),
            routes: Routes::default(),
            access_tokens: AccessTokens::default(),
            builtin: true,
            created_at: now,
        })
    }

    /// What Claviger's own API declares in this version.
    pub fn builtin_permissions() -> Vec<DeclaredPermission> {
        builtin::PERMISSIONS
            .iter()
            .filter_map(|permission| {
                let description = Some(permission.description.to_owned());
                permission.name.parse().ok().map(|name| DeclaredPermission { name, description })
            })
            .collect()
    }

    /// The origins on which it answers, as far as anything says so.
    pub fn answers_on(&self) -> Vec<String> {
        if !self.origins.is_empty() {
            return self.origins.clone();
        }
        let named = Url::parse(&self.identifier).ok().filter(|url| matches!(url.scheme(), "https" | "http"));
        named.map(|url| url.origin().ascii_serialization()).into_iter().collect()
    }

    /// The event of Claviger bringing its own, or a new version of it.
    pub fn installed(&self) -> Event {
        self.event(Action::ApiUpdated, self.told())
    }

    /// Changes what `changes` names.
    pub fn update(self, changes: ApiChanges, taken: &PermissionSet) -> Result<(Self, Event), Rejection> {
        self.must_not_be_builtin()?;
        let mut errors = FieldErrors::default();
        let mut new = self.clone();
        if let Some(name) = changes.name {
            new.name = errors.keep("/name", "invalid_name", Name::parse(&name)).unwrap_or(new.name);
        }
        if let Some(permissions) = changes.permissions {
            check_permissions(&permissions, taken, &mut errors);
            new.permissions = permissions;
        }
        // A rule may not ask for what is not declared any more, either.
        let rules = changes.route_rules.unwrap_or_else(|| self.routes.rules().to_vec());
        new.routes = Routes::read(rules, &names(&new.permissions), &mut errors).unwrap_or_default();
        if let Some(resource_servers) = changes.resource_servers {
            new.resource_servers = resource_servers;
        }
        if let Some(origins) = changes.origins {
            new.origins = parse_origins(&origins, &mut errors);
        }
        new.also_accepts.basic = changes.accept_basic.unwrap_or(new.also_accepts.basic);
        if let Some(name) = changes.query_parameter {
            new.also_accepts.query_parameter = name.and_then(|name| parse_query_parameter(name, &mut errors));
        }
        new.access_tokens = new.access_tokens.changed(
            changes.access_token_ttl_seconds,
            changes.signing_algorithm,
            changes.access_token_format,
            &mut errors,
        );
        errors.finish()?;
        let event = new.event(Action::ApiUpdated, json!({ "before": self.told(), "after": new.told() }));
        Ok((new, event))
    }

    /// Takes it away; what it declared is refused from then on.
    pub fn delete(&self) -> Result<Event, Rejection> {
        self.must_not_be_builtin()?;
        Ok(self.event(Action::ApiDeleted, self.told()))
    }

    fn must_not_be_builtin(&self) -> Result<(), Rejection> {
        if self.builtin {
            return Err(Rejection::conflict("builtin", "Claviger's own API changes only with Claviger's version"));
        }
        Ok(())
    }

    fn event(&self, action: Action, details: serde_json::Value) -> Event {
        Event {
            chain: Chain::Instance,
            action,
            target: self.id.to_string(),
            details,
            personal: None,
            touched: vec![Touched::Catalog],
        }
    }

    fn told(&self) -> serde_json::Value {
        json!({
            "identifier": self.identifier, "name": self.name.as_str(),
            "permissions": self.permissions.iter().map(|permission| permission.name.as_str()).collect::<Vec<_>>(),
            "resource_servers": self.resource_servers, "origins": self.origins, "accept_basic": self.also_accepts.basic,
            "query_parameter": self.also_accepts.query_parameter, "route_rules": self.routes.rules(),
            "access_token_ttl_seconds": self.access_tokens.ttl_seconds,
            "signing_algorithm": self.access_tokens.algorithm, "access_token_format": self.access_tokens.format,
        })
    }
}

impl AccessTokens {
    fn changed(
        self,
        ttl_seconds: Option<u32>,
        algorithm: Option<SigningAlgorithm>,
        format: Option<TokenFormat>,
        errors: &mut FieldErrors,
    ) -> Self {
        let ttl_seconds = ttl_seconds.unwrap_or(self.ttl_seconds);
        if !(SHORTEST_TOKEN..=LONGEST_TOKEN).contains(&ttl_seconds) {
            let message = format!("an access token counts for {SHORTEST_TOKEN} to {LONGEST_TOKEN} seconds");
            errors.add("/access_token_ttl_seconds", "out_of_range", message);
        }
        Self { ttl_seconds, algorithm: algorithm.unwrap_or(self.algorithm), format: format.unwrap_or(self.format) }
    }
}

/// RFC 8707, section 2: an absolute URI without a fragment. Kept as written, for it is compared as a string.
fn parse_identifier(text: &str) -> Result<String, &'static str> {
    const WANTED: &str = "an absolute URI without a fragment, at most 255 characters, such as https://api.acme.test";
    let sound = text.len() <= 255
        && text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'<' | b'>'))
        && Url::parse(text).is_ok_and(|url| url.fragment().is_none() && !text.contains('#'));
    if sound { Ok(text.to_owned()) } else { Err(WANTED) }
}

/// Each in its one spelling, and once.
fn parse_origins(entries: &[String], errors: &mut FieldErrors) -> Vec<String> {
    if entries.len() > MAX_ORIGINS {
        errors.add("/origins", "too_many", format!("an API answers on at most {MAX_ORIGINS} origins"));
        return Vec::new();
    }
    let mut origins = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let origin = errors.keep(format!("/origins/{index}"), "invalid_origin", parse_origin(entry));
        origins.extend(origin.filter(|origin| !origins.contains(origin)));
    }
    origins
}

fn parse_origin(text: &str) -> Result<String, &'static str> {
    const WANTED: &str = "an origin is https://host or https://host:port, such as https://api.acme.test";
    let url = Url::parse(text).map_err(|_| WANTED)?;
    let origin = url.origin().ascii_serialization();
    // Whatever else stands there would be passed over.
    let is_all = url.as_str().strip_suffix('/') == Some(origin.as_str());
    let sound = is_all && matches!(url.scheme(), "https" | "http") && origin.len() <= 255;
    if sound { Ok(origin) } else { Err(WANTED) }
}

fn parse_query_parameter(name: String, errors: &mut FieldErrors) -> Option<String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    if (1..=64).contains(&name.len()) && name.bytes().all(fits) {
        return Some(name);
    }
    errors.add("/query_parameter", "invalid_query_parameter", "a name is 1 to 64 of A-Z, a-z, 0-9, _, - and .");
    None
}

fn names(permissions: &[DeclaredPermission]) -> PermissionSet {
    permissions.iter().map(|permission| permission.name.clone()).collect()
}

fn check_permissions(permissions: &[DeclaredPermission], taken: &PermissionSet, errors: &mut FieldErrors) {
    if permissions.len() > MAX_PERMISSIONS {
        errors.add("/permissions", "too_many", format!("an API declares at most {MAX_PERMISSIONS} permissions"));
    }
    let mut seen = BTreeSet::new();
    for (index, permission) in permissions.iter().enumerate() {
        let at = format!("/permissions/{index}");
        let name = permission.name.as_str();
        if permission.name.is_builtin() {
            errors.add(format!("{at}/name"), "reserved", "claviger: is reserved for Claviger's own API");
        } else if taken.contains(name) {
            errors.add(format!("{at}/name"), "taken", format!("another API declares {name} already"));
        } else if !seen.insert(name) {
            errors.add(format!("{at}/name"), "duplicate", format!("{name} is listed twice"));
        }
        let description = permission.description.as_deref().unwrap_or_default();
        if description.chars().count() > MAX_DESCRIPTION || description.chars().any(char::is_control) {
            errors.add(
                format!("{at}/description"),
                "invalid_description",
                format!("one line of at most {MAX_DESCRIPTION} characters"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{now, rng, said, set};

    fn create(members: serde_json::Value) -> Result<(Api, Event), Rejection> {
        let mut body = json!({ "identifier": "https://api.acme.test", "name": "Acme", "permissions": [{ "name": "invoices:read" }] });
        body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        Api::create(serde_json::from_value(body).unwrap(), &set("taken:read claviger:verify"), now(), &mut rng())
    }

    fn update(api: Api, body: serde_json::Value) -> Result<(Api, Event), Rejection> {
        api.update(serde_json::from_value(body).unwrap(), &set("taken:read"))
    }

    #[test]
    fn an_identifier_is_an_absolute_uri_without_a_fragment() {
        for good in ["https://api.acme.test", "https://api.acme.test/v1?tenant=a", "urn:acme:invoices"] {
            assert!(parse_identifier(good).is_ok(), "{good}");
        }
        for bad in ["", "/v1", "api.acme.test", "https://a#b", "https://a#", "https://a b", "https://a\u{e9}"] {
            assert!(parse_identifier(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_wrong_member_is_named() {
        let check = |members, expected: &str| assert_eq!(said(&create(members)), expected);
        check(json!({}), "ok");
        check(json!({ "permissions": [] }), "ok");
        check(json!({ "accept_basic": true, "query_parameter": "api_key" }), "ok");
        for bad in ["", "a b", "a&b", "é", &"x".repeat(65)] {
            check(json!({ "query_parameter": bad }), "/query_parameter invalid_query_parameter");
        }
        let origins = |origins: &[&str]| json!({ "origins": origins });
        check(origins(&["https://a.test", "http://10.0.0.1:8080", "https://[2001:db8::1]"]), "ok");
        for bad in ["", "a.test", "https://a.test/v1", "https://a.test?x", "https://me@a.test", "ftp://a.test", "urn:a"]
        {
            check(origins(&["https://a.test", bad]), "/origins/1 invalid_origin");
        }
        check(origins(&["https://a.test"; 21]), "/origins too_many");
        check(json!({ "identifier": "/v1", "name": "" }), "/identifier invalid_identifier, /name invalid_name");
        check(json!({ "permissions": [{ "name": "claviger:mine" }] }), "/permissions/0/name reserved");
        check(json!({ "permissions": [{ "name": "a" }, { "name": "taken:read" }] }), "/permissions/1/name taken");
        check(json!({ "permissions": [{ "name": "a" }, { "name": "a" }] }), "/permissions/1/name duplicate");
        let described = |text: &str| json!({ "permissions": [{ "name": "a", "description": text }] });
        check(described(&"é".repeat(500)), "ok");
        check(described(&"é".repeat(501)), "/permissions/0/description invalid_description");
        check(described("two\nlines"), "/permissions/0/description invalid_description");
        let many = |count: usize| json!({ "permissions": (0..count).map(|n| json!({ "name": format!("p{n}") })).collect::<Vec<_>>() });
        check(many(1000), "ok");
        check(many(1001), "/permissions too_many");
    }

    #[test]
    fn an_api_answers_on_its_origins_or_on_that_of_its_identifier() {
        let check = |members, expected: &[&str]| assert_eq!(create(members).unwrap().0.answers_on(), expected);
        check(json!({}), &["https://api.acme.test"]);
        check(json!({ "identifier": "https://API.acme.test:443/v1?x" }), &["https://api.acme.test"]);
        check(json!({ "identifier": "urn:acme" }), &[]);
        check(
            json!({ "origins": ["HTTPS://B.test:443/", "https://a.test:8443", "https://b.test"] }),
            &["https://b.test", "https://a.test:8443"],
        );
        let (api, _) = create(json!({ "origins": ["https://b.test"] })).unwrap();
        assert_eq!(update(api.clone(), json!({ "name": "x" })).unwrap().0.origins, ["https://b.test"]);
        assert!(update(api, json!({ "origins": [] })).unwrap().0.origins.is_empty());
    }

    #[test]
    fn an_access_token_lives_from_a_minute_to_an_hour() {
        let check = |members, expected: &str| assert_eq!(said(&create(members)), expected);
        for sound in [60, 3600] {
            check(json!({ "access_token_ttl_seconds": sound }), "ok");
        }
        for wrong in [0, 59, 3601, u32::MAX] {
            check(json!({ "access_token_ttl_seconds": wrong }), "/access_token_ttl_seconds out_of_range");
        }
        let (api, _) = create(json!({})).unwrap();
        let usual = AccessTokens { ttl_seconds: 600, algorithm: SigningAlgorithm::Es256, format: TokenFormat::Jwt };
        assert_eq!(api.access_tokens, usual);
        let body = json!({ "signing_algorithm": "RS256", "access_token_format": "opaque" });
        let (new, event) = update(api, body).unwrap();
        let expected = AccessTokens { algorithm: SigningAlgorithm::Rs256, format: TokenFormat::Opaque, ..usual };
        assert_eq!(new.access_tokens, expected);
        assert_eq!(update(new.clone(), json!({})).unwrap().0, new);
        assert_eq!(
            (&event.details["before"]["signing_algorithm"], &event.details["after"]["signing_algorithm"]),
            (&json!("ES256"), &json!("RS256"))
        );
        assert_eq!(
            said(&update(new, json!({ "access_token_ttl_seconds": 1 }))),
            "/access_token_ttl_seconds out_of_range"
        );
        for format in [TokenFormat::Jwt, TokenFormat::Opaque] {
            assert_eq!(TokenFormat::from_word(format.as_str()), Some(format));
            assert_eq!(serde_json::to_value(format).unwrap(), format.as_str());
        }
        for body in [
            json!({ "signing_algorithm": "none" }),
            json!({ "access_token_format": "JWT" }),
            json!({ "access_token_ttl_seconds": -1 }),
        ] {
            assert!(serde_json::from_value::<ApiChanges>(body).is_err());
        }
    }

    #[test]
    fn lists_replace_and_absent_members_stay() {
        let (api, event) = create(json!({})).unwrap();
        assert_eq!(
            (event.action, event.chain, event.touched),
            (Action::ApiCreated, Chain::Instance, vec![Touched::Catalog])
        );
        assert_eq!(update(api.clone(), json!({})).unwrap().0, api);
        let (open, _) = update(api.clone(), json!({ "accept_basic": true, "query_parameter": "key" })).unwrap();
        assert_eq!(open.also_accepts, AlsoAccepts { basic: true, query_parameter: Some("key".to_owned()) });
        assert_eq!(update(open.clone(), json!({})).unwrap().0, open);
        let (closed, _) = update(open, json!({ "accept_basic": false, "query_parameter": null })).unwrap();
        assert_eq!(closed, api);
        let server = api.id.to_string().replace("api_", "sa_");
        let body = json!({ "name": "B", "permissions": [{ "name": "b" }], "resource_servers": [server] });
        let (new, event) = update(api.clone(), body).unwrap();
        assert_eq!((new.name.as_str(), new.permissions[0].name.as_str()), ("B", "b"));
        assert_eq!((new.permissions.len(), new.resource_servers.len()), (1, 1));
        assert_eq!((new.id, &new.identifier, event.action), (api.id, &api.identifier, Action::ApiUpdated));
        assert_eq!(
            said(&update(api.clone(), json!({ "permissions": [{ "name": "taken:read" }] }))),
            "/permissions/0/name taken"
        );
        assert_eq!(api.delete().unwrap().action, Action::ApiDeleted);
    }

    #[test]
    fn route_rules_ask_for_what_the_api_declares_all_the_time() {
        let rules = json!([{ "methods": ["GET"], "path": "/invoices", "permissions": ["invoices:read"] }]);
        let (api, event) = create(json!({ "route_rules": rules })).unwrap();
        assert_eq!(api.routes.rules().len(), 1);
        assert_eq!(event.details["route_rules"][0]["path"], "/invoices");
        assert_eq!(update(api.clone(), json!({ "name": "x" })).unwrap().0.routes, api.routes);
        let unknown = "/route_rules/0/permissions/0 unknown_permission";
        assert_eq!(said(&create(json!({ "permissions": [{ "name": "b" }], "route_rules": rules }))), unknown);
        assert_eq!(said(&update(api.clone(), json!({ "permissions": [{ "name": "b" }] }))), unknown);
        let both = json!({ "permissions": [{ "name": "b" }], "route_rules": [] });
        assert!(update(api.clone(), both).unwrap().0.routes.rules().is_empty());
        assert!(serde_json::from_value::<ApiChanges>(json!({ "route_rules": [{ "path": "/" }] })).is_err());
    }

    #[test]
    fn its_own_api_declares_every_builtin_permission_and_nobody_changes_it() {
        let api = Api::builtin("https://keys.acme.test", now(), &mut rng()).unwrap();
        assert_eq!((api.permissions.len(), api.builtin), (builtin::PERMISSIONS.len(), true));
        assert_eq!(said(&api.delete()), "conflict builtin");
        assert_eq!(said(&update(api, json!({}))), "conflict builtin");
    }
}
