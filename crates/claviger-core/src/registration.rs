//! Dynamic registration: what a client says of itself (RFC 7591, section 2), what it may get at most, and what becomes of it
//! afterwards (RFC 7592). A registered client is a service account like any other.
//!
//! The room must not know who asks, nor what the token endpoint does with it.

use claviger_token::{
    ApiKeyId, ClientAuthMethod, CredentialId, Found, GrantTypes, OrganizationId, Permission, PermissionSet,
    ServiceAccountId, SigningAlgorithm, VerifyingKey, read_object,
};
use jiff::Timestamp;
use rand::CryptoRng;
use serde_json::{Map, Value, json};

use crate::{
    api_key::NewApiKey,
    assignment::{Assignment, Scope, names_in},
    audit::{Action, Event},
    certificate_name::{CertificateName, MEMBERS},
    client_key::ClientKey,
    invalid::Rejection,
    name::Name,
    oauth::{OAuthError, OAuthErrorCode},
    service_account::{NewServiceAccount, ServiceAccount},
};

/// How many clients of an organization may be registered at a time.
pub const MOST_REGISTERED: i64 = 100;

/// As many as a service account may have.
const MOST_KEYS: usize = 20;

/// How a registered client may prove itself. A certificate of its own making is added by somebody else: of those who register, who can sign
/// uses `private_key_jwt`.
const METHODS: [ClientAuthMethod; 4] = [
    ClientAuthMethod::ClientSecretBasic,
    ClientAuthMethod::ClientSecretPost,
    ClientAuthMethod::PrivateKeyJwt,
    ClientAuthMethod::TlsClientAuth,
];

/// What the server alone says of a client (RFC 7592, section 2.2).
const NOT_THE_CLIENTS: [&str; 4] =
    ["registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at"];

/// What is kept of a registration beside the service account that came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// The service account.
    pub client: ServiceAccountId,
    /// Where.
    pub organization: OrganizationId,
    /// The credential that registered it.
    pub registrar: CredentialId,
    /// The API key with which the client manages its registration, and does nothing else.
    pub key: ApiKeyId,
    /// What the client may hold at most, unless somebody gives it more.
    pub ceiling: PermissionSet,
}

/// What a client says of itself, as far as it counts here.
#[derive(Debug)]
pub struct ClientMetadata {
    /// How it is called.
    pub name: Name,
    /// The grants that it uses.
    pub grants: GrantTypes,
    /// How it proves itself.
    pub method: ClientAuthMethod,
    /// What it wants to hold.
    pub scope: PermissionSet,
    /// The keys that it said, also where it proves itself by a secret: then they are of no use, and none that could not hold.
    pub keys: Vec<ClientKey>,
    /// The name that its certificates have, if it proves itself by these.
    pub certificate_name: Option<CertificateName>,
    /// Whether it wants no tokens but those that are bound to a key (RFC 9449, section 5.2).
    pub dpop_bound_access_tokens: bool,
}

/// What a client says of itself when it changes its registration (RFC 7592, section 2.2).
#[derive(Debug)]
pub struct ChangedMetadata {
    /// All that holds from now on; what is left out is as if it never was.
    pub metadata: ClientMetadata,
    /// The secret that the client believes to be its own.
    pub secret: Option<claviger_token::Secret>,
}

impl ClientMetadata {
    /// From the body of a registration. `grants` are those that there are.
    pub fn read(body: &[u8], grants: &[&str]) -> Result<Self, OAuthError> {
        Self::of(&members(body)?, grants)
    }

    /// From the body of a change of this client's.
    pub fn read_change(body: &[u8], grants: &[&str], client: ServiceAccountId) -> Result<ChangedMetadata, OAuthError> {
        let members = members(body)?;
        if let Some(name) = NOT_THE_CLIENTS.into_iter().find(|name| members.contains_key(*name)) {
            return Err(invalid(format!("{name} is not the client's to say; leave it out")));
        }
        match text(&members, "client_id")? {
            Some(said) if said.parse() == Ok(client) => {}
            Some(_) => return Err(invalid("client_id is another client's")),
            None => return Err(invalid("client_id must be there, and the client's own")),
        }
        let secret = text(&members, "client_secret")?.map(|secret| claviger_token::Secret::new(secret.to_owned()));
        Ok(ChangedMetadata { metadata: Self::of(&members, grants)?, secret })
    }

    fn of(members: &Map<String, Value>, grants: &[&str]) -> Result<Self, OAuthError> {
        if given(members, "software_statement").is_some() {
            let description = "nobody's software statements are trusted here; send the metadata itself";
            return Err(OAuthError::new(OAuthErrorCode::InvalidSoftwareStatement, description));
        }
        if texts(members, "redirect_uris")?.is_some_and(|uris| !uris.is_empty()) {
            let description = "there is no authorization endpoint that could redirect; leave redirect_uris out";
            return Err(OAuthError::new(OAuthErrorCode::InvalidRedirectUri, description));
        }
        if texts(members, "response_types")?.is_some_and(|types| !types.is_empty()) {
            return Err(invalid("there is no authorization endpoint that could respond; leave response_types out"));
        }
        let name = text(members, "client_name")?.unwrap_or("registered client");
        let name = Name::parse(name).map_err(|error| invalid(format!("client_name: {error}")))?;
        let method = match text(members, "token_endpoint_auth_method")? {
            None => ClientAuthMethod::ClientSecretBasic,
            Some(text) => {
                let known = METHODS.into_iter().find(|method| method.as_str() == text);
                known.ok_or_else(|| {
                    invalid(format!(
                        "token_endpoint_auth_method is one of {}",
                        METHODS.map(ClientAuthMethod::as_str).join(", ")
                    ))
                })?
            }
        };
        if let Some(algorithm) = text(members, "token_endpoint_auth_signing_alg")?
            && !SigningAlgorithm::NAMES.contains(&algorithm)
        {
            let names = SigningAlgorithm::NAMES.join(", ");
            return Err(invalid(format!("token_endpoint_auth_signing_alg is one of {names}")));
        }
        let (keys, certificate_name) = (keys(members)?, certificate_name(members)?);
        if method == ClientAuthMethod::PrivateKeyJwt && keys.is_empty() {
            return Err(invalid("private_key_jwt needs the client's public keys: one of jwks and jwks_uri"));
        }
        if method == ClientAuthMethod::TlsClientAuth && certificate_name.is_none() {
            let members = tls_members().join(", ");
            return Err(invalid(format!(
                "tls_client_auth needs a name that the client's certificates have: one of {members}"
            )));
        }
        let certificate_name = certificate_name.filter(|_| method == ClientAuthMethod::TlsClientAuth);
        Ok(Self {
            name,
            grants: granted(members, grants)?,
            method,
            scope: scope(members)?,
            keys,
            certificate_name,
            dpop_bound_access_tokens: flag(members, "dpop_bound_access_tokens")?,
        })
    }

    /// Whether a secret proves the client.
    pub fn has_secret(&self) -> bool {
        match self.method {
            ClientAuthMethod::ClientSecretBasic | ClientAuthMethod::ClientSecretPost => true,
            ClientAuthMethod::PrivateKeyJwt
            | ClientAuthMethod::TlsClientAuth
            | ClientAuthMethod::SelfSignedTlsClientAuth => false,
        }
    }

    /// With what its signatures are proved, if it proves itself by them.
    pub fn proving_keys(&self) -> &[ClientKey] {
        if self.method == ClientAuthMethod::PrivateKeyJwt { &self.keys } else { &[] }
    }

    /// Refuses to hold what is not in `allowed`, or what no API declares.
    pub fn must_be_within(&self, allowed: &PermissionSet, declared: &PermissionSet) -> Result<(), OAuthError> {
        let beyond = |permission: &&Permission| {
            !(allowed.contains(permission.as_str()) && declared.contains(permission.as_str()))
        };
        match self.scope.iter().find(beyond) {
            None => Ok(()),
            Some(permission) => Err(invalid(format!(
                "scope: {permission} is not among what the initial access token lists for its clients and still may do"
            ))),
        }
    }

    /// The service account that comes of it. What it may hold at most stands in the event: it may take that later.
    pub fn account(
        &self,
        organization: OrganizationId,
        registrar: CredentialId,
        ceiling: &PermissionSet,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
    ) -> Result<(ServiceAccount, Event), Rejection> {
        let new = NewServiceAccount {
            permissions: self.wanted(),
            token_endpoint_auth_method: Some(self.method),
            dpop_bound_access_tokens: self.dpop_bound_access_tokens,
            ..NewServiceAccount::named(organization, self.name.as_str())
        };
        let (account, mut event) = ServiceAccount::create(&new, now, rng)?;
        let account = ServiceAccount { grant_types: Some(self.grants.clone()), ..account };
        event.details["grant_types"] = json!(self.grants);
        event.details["registered_by"] = json!(registrar);
        event.details["ceiling"] = json!(ceiling);
        Ok((account, event))
    }

    /// The service account as it is after a change. `held` are all its assignments, for the event to tell what it loses. That its
    /// tokens must be bound, whoever wanted it, is not lifted by the client.
    pub fn changed(&self, account: ServiceAccount, held: &[Assignment]) -> (ServiceAccount, Event) {
        let new = ServiceAccount {
            name: self.name.clone(),
            grant_types: Some(self.grants.clone()),
            token_endpoint_auth_method: Some(self.method),
            dpop_bound_access_tokens: self.dpop_bound_access_tokens || account.dpop_bound_access_tokens,
            ..account.clone()
        };
        let (mut before, mut after) = (account.told(), new.told());
        (before["permissions"], after["permissions"]) = (json!(direct(&account, held)), json!(self.wanted()));
        let event = new.event(Action::ServiceAccountUpdated, json!({ "before": before, "after": after }));
        (new, event)
    }

    /// What it shall hold, by name.
    pub fn wanted(&self) -> Vec<String> {
        self.scope.iter().map(ToString::to_string).collect()
    }
}

impl Registration {
    /// The key with which a client manages its registration. It may do nothing: where a gateway asks for neither audience nor
    /// permission, it is refused because it is for an object that nobody else has.
    pub fn key_for(account: &ServiceAccount, ends_at: Option<Timestamp>) -> NewApiKey {
        NewApiKey {
            objects: Some(vec![format!("client-registration:{}", account.id)]),
            expires_at: ends_at,
            ..NewApiKey::named(account.id, account.name.as_str(), [])
        }
    }
}

/// What clients may hold at most that are registered by this credential: what it lists by name and still may do. Claviger's own
/// API is not for them, or they could register others. Nothing, if it may act on some objects or from some networks only: the
/// clients could from anywhere, on anything.
pub fn registration_ceiling(found: &Found) -> PermissionSet {
    if is_confined(found) {
        return PermissionSet::default();
    }
    let listed = found.credential.permissions.named();
    let effective = |permission: &&Permission| found.rights.permissions.contains(permission.as_str());
    listed.iter().filter(|permission| !permission.is_builtin()).filter(effective).cloned().collect()
}

/// Whether a credential counts on some objects or from some networks only.
pub fn is_confined(found: &Found) -> bool {
    found.credential.objects.is_some() || found.credential.networks.is_some()
}

/// What a client holds directly in its own organization.
pub fn direct<'a>(account: &ServiceAccount, held: &'a [Assignment]) -> Vec<&'a str> {
    names_in(held, Scope::Organization(account.organization)).1
}

fn members(body: &[u8]) -> Result<Map<String, Value>, OAuthError> {
    read_object(body)
        .map_err(|error| invalid(format!("the body is one JSON object that says each thing once: {error}")))
}

/// A member that is there; `null` is as good as left out (RFC 7592, section 2.2).
fn given<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    members.get(name).filter(|value| !value.is_null())
}

fn text<'a>(members: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, OAuthError> {
    let Some(value) = given(members, name) else { return Ok(None) };
    value.as_str().map(Some).ok_or_else(|| invalid(format!("{name} is a text")))
}

fn flag(members: &Map<String, Value>, name: &str) -> Result<bool, OAuthError> {
    let Some(value) = given(members, name) else { return Ok(false) };
    value.as_bool().ok_or_else(|| invalid(format!("{name} is true or false")))
}

fn texts<'a>(members: &'a Map<String, Value>, name: &str) -> Result<Option<Vec<&'a str>>, OAuthError> {
    let Some(value) = given(members, name) else { return Ok(None) };
    let entries = value.as_array().and_then(|list| list.iter().map(Value::as_str).collect::<Option<_>>());
    entries.map(Some).ok_or_else(|| invalid(format!("{name} is a list of texts")))
}

fn granted(members: &Map<String, Value>, grants: &[&str]) -> Result<GrantTypes, OAuthError> {
    let asked = texts(members, "grant_types")?.unwrap_or_else(|| vec!["client_credentials"]);
    match asked.iter().find(|grant| !grants.contains(grant)) {
        None if asked.is_empty() => Err(invalid("grant_types names one grant at least")),
        None => Ok(asked.into_iter().collect()),
        Some(other) => Err(invalid(format!("grant_types: there is no {other} here; there is {}", grants.join(", ")))),
    }
}

fn scope(members: &Map<String, Value>) -> Result<PermissionSet, OAuthError> {
    let scope = text(members, "scope")?.unwrap_or_default();
    let permissions = scope.split(' ').filter(|permission| !permission.is_empty()).map(str::parse::<Permission>);
    permissions.collect::<Result<_, _>>().map_err(|error| invalid(format!("scope: {error}")))
}

fn keys(members: &Map<String, Value>) -> Result<Vec<ClientKey>, OAuthError> {
    match (given(members, "jwks"), text(members, "jwks_uri")?) {
        (Some(_), Some(_)) => Err(invalid("one of jwks and jwks_uri, and not both")),
        (None, None) => Ok(Vec::new()),
        (None, Some(address)) => match ClientKey::at(address) {
            Ok(key) if key.jwks_uri().is_some_and(|address| address.starts_with("https:")) => Ok(vec![key]),
            Ok(_) => Err(invalid("jwks_uri: an https:// address")),
            Err(error) => Err(invalid(format!("jwks_uri: {error}"))),
        },
        (Some(set), None) => {
            let keys = set.get("keys").and_then(Value::as_array);
            let keys = keys.ok_or_else(|| invalid("jwks is a JWK Set: an object with a list of keys"))?;
            if keys.is_empty() || keys.len() > MOST_KEYS {
                return Err(invalid(format!("jwks has 1 to {MOST_KEYS} keys")));
            }
            let mut read: Vec<ClientKey> = Vec::new();
            for (index, key) in keys.iter().enumerate() {
                let members = key.as_object().ok_or_else(|| invalid(format!("jwks: key {index} is no object")))?;
                let key = VerifyingKey::from_members(members);
                let key = key.map_err(|error| invalid(format!("jwks: key {index}: {error}")))?;
                let key = ClientKey::Jwk(Box::new(key));
                if read.iter().any(|other| other.to_string() == key.to_string()) {
                    return Err(invalid(format!("jwks: key {index} stands there twice")));
                }
                read.push(key);
            }
            Ok(read)
        }
    }
}

/// How the metadata calls the names that a client's certificates have (RFC 8705, section 2.1.2).
fn tls_members() -> [String; 5] {
    MEMBERS.map(|member| format!("tls_client_auth_{member}"))
}

fn certificate_name(members: &Map<String, Value>) -> Result<Option<CertificateName>, OAuthError> {
    let mut said = None;
    for (kind, member) in MEMBERS.into_iter().zip(tls_members()) {
        let Some(name) = text(members, &member)? else { continue };
        if said.is_some() {
            return Err(invalid(format!("one of {}, and not several", tls_members().join(", "))));
        }
        said = Some(CertificateName::parse(kind, name).map_err(|error| invalid(format!("{member}: {error}")))?);
    }
    Ok(said)
}

fn invalid(description: impl AsRef<str>) -> OAuthError {
    OAuthError::new(OAuthErrorCode::InvalidClientMetadata, description)
}

#[cfg(test)]
mod tests;
