//! What there is to say of something by which a client proves itself, beside what every credential has: of which key, certificate or
//! issuer it is, and how it is used.

use claviger_core::{
    CertificateName, ClientCertificate, ClientKey, Credential, Federation, IssuerKeySource, Organization, Preset, Reach,
};
use claviger_token::{Certificate, CredentialId, PrincipalId};
use serde_json::Value;

use super::snippets::{Asking, Snippet, of_federation};
use crate::console::{approval::described, credential::Place, page::Frame, trouble::Trouble};

/// Nothing, of what is no client's.
#[derive(Default)]
pub(crate) struct Terms {
    pub(crate) facts: Vec<Fact>,
    /// What somebody should think of who has it.
    pub(crate) warnings: Vec<String>,
    pub(crate) snippets: Vec<Snippet>,
}

/// A line of what there is to say.
pub(crate) struct Fact {
    /// The key of its title.
    pub(crate) label: &'static str,
    pub(crate) values: Vec<String>,
    pub(crate) is_code: bool,
}

impl Fact {
    fn code(label: &'static str, value: impl Into<String>) -> Self {
        Self { label, values: vec![value.into()], is_code: true }
    }

    fn text(label: &'static str, value: impl Into<String>) -> Self {
        Self { is_code: false, ..Self::code(label, value) }
    }
}

impl Terms {
    pub(crate) async fn read(place: &Place<'_>, one: &Credential, frame: &Frame) -> Result<Self, Trouble> {
        let (Some(of), PrincipalId::ServiceAccount(_)) = (place.client(), one.principal) else {
            return Ok(Self::default());
        };
        let mut view = place.app.store.within(Reach::Organization(one.organization));
        let organization = view.organization(one.organization).await?;
        let ceiling = organization.as_ref().map(Organization::effective_ceiling).unwrap_or_default();
        let held = view.held(one.principal, one.organization).await?.masked_by(&ceiling);
        let apis = view.catalog().await?;
        let url = &place.app.config.public_url;
        let effective = described(&apis, &held);
        let asking = Asking::of(place.app, of.account.to_string(), &effective, &apis);
        let request = |what: &str, text: String| Snippet {
            id: "request",
            title: frame.text("snippet-request"),
            what: Some(frame.text(what)),
            text,
        };
        Ok(match one.id {
            CredentialId::ClientSecret(_) => {
                Self { snippets: vec![request("snippet-request-what", asking.by_secret())], ..Self::default() }
            }
            CredentialId::PublicKey(id) => {
                let (_, key) = view.public_key(id).await?.ok_or(Trouble::Absent)?;
                let snippets = vec![request("snippet-key-what", asking.by_key())];
                Self { facts: of_key(&key), snippets, ..Self::default() }
            }
            CredentialId::Certificate(id) => {
                let (_, certificate) = view.certificate(id).await?.ok_or(Trouble::Absent)?;
                let there = place.app.config.mtls_url.as_deref().unwrap_or(url);
                let asking = Asking { url: there, ..asking };
                let snippets = vec![request("snippet-certificate-what", asking.by_certificate())];
                Self { facts: of_certificate(&certificate), snippets, ..Self::default() }
            }
            CredentialId::Federation(id) => {
                let (_, federation) = view.federation(id).await?.ok_or(Trouble::Absent)?;
                Self {
                    facts: of_terms(&federation, url, frame),
                    warnings: federation.warnings().into_iter().map(|warning| warned(warning, frame)).collect(),
                    snippets: of_federation(&federation, &asking, frame),
                }
            }
            CredentialId::ApiKey(_) | CredentialId::PersonalAccessToken(_) => Self::default(),
        })
    }
}

fn of_key(key: &ClientKey) -> Vec<Fact> {
    let mut facts = Vec::new();
    if let Some(jwk) = key.jwk() {
        let member = |name: &str| jwk[name].as_str().map(str::to_owned);
        let sort = member("crv").or(member("kty"));
        facts.extend(sort.map(|sort| Fact::text("key-sort", sort)));
        facts.extend(member("alg").map(|algorithm| Fact::text("key-algorithm", algorithm)));
        facts.extend(member("kid").map(|kid| Fact::code("key-kid", kid)));
    }
    facts.extend(key.thumbprint().map(|thumbprint| Fact::code("key-thumbprint", thumbprint)));
    facts.extend(key.jwks_uri().map(|address| Fact::code("key-address", address)));
    facts
}

fn of_certificate(certificate: &ClientCertificate) -> Vec<Fact> {
    match certificate {
        ClientCertificate::This(own) => vec![
            Fact::text("certificate-subject", own.subject()),
            Fact::code("certificate-thumbprint", own.thumbprint().to_string()),
            Fact::code("certificate-pem", own.to_pem().trim()),
        ],
        ClientCertificate::Named(name) => vec![Fact::code(name_words(name), name.text())],
    }
}

/// The key of what a sort of name is called.
fn name_words(name: &CertificateName) -> &'static str {
    match name {
        CertificateName::SubjectDn(_) => "certificate-by-subject",
        CertificateName::SanDns(_) => "certificate-by-dns",
        CertificateName::SanUri(_) => "certificate-by-uri",
        CertificateName::SanIp(_) => "certificate-by-ip",
        CertificateName::SanEmail(_) => "certificate-by-email",
    }
}

fn of_terms(federation: &Federation, own: &str, frame: &Frame) -> Vec<Fact> {
    let keys = match &federation.keys {
        IssuerKeySource::Discovery => Fact::text("federation-keys", frame.text("federation-keys-found")),
        IssuerKeySource::JwksUri(address) => Fact::code("federation-keys", address.as_str()),
        IssuerKeySource::Jwks(_) => Fact::text("federation-keys", frame.text("federation-keys-here")),
    };
    let mut facts = vec![Fact::text("federation-platform", platform(federation.preset, frame))];
    facts.extend(federation.issuer.as_deref().map(|issuer| Fact::code("federation-issuer", issuer)));
    facts.extend(federation.trust_domain.as_deref().map(|domain| Fact::code("federation-domain", domain)));
    facts.push(Fact::code("federation-audience", federation.audience.as_deref().unwrap_or(own)));
    facts.push(Fact { label: "federation-conditions", values: conditions(federation), is_code: true });
    facts.push(keys);
    if federation.single_use {
        facts.push(Fact::text("federation-reuse", frame.text("federation-once")));
    }
    facts
}

/// What a platform is called.
pub(super) fn platform(preset: Preset, frame: &Frame) -> String {
    frame.text(match preset {
        Preset::Github => "platform-github",
        Preset::Gitlab => "platform-gitlab",
        Preset::Kubernetes => "platform-kubernetes",
        Preset::Spiffe => "platform-spiffe",
        Preset::Oidc => "platform-oidc",
    })
}

/// Each condition as a line.
pub(super) fn conditions(federation: &Federation) -> Vec<String> {
    let Value::Object(all) = federation.conditions.to_json() else { return Vec::new() };
    let told = |value: &Value| match value {
        Value::String(one) => one.clone(),
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" | "),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    };
    all.iter().map(|(claim, value)| format!("{claim} = {}", told(value))).collect()
}

/// In a few words, for a list.
pub(super) fn in_short(federation: &Federation) -> String {
    conditions(federation).join(" · ")
}

/// The same of a certificate.
pub(super) fn certificate_in_short(certificate: &ClientCertificate) -> String {
    match certificate {
        ClientCertificate::This(own) => Certificate::subject(own),
        ClientCertificate::Named(name) => name.text(),
    }
}

/// A warning of the rules in the reader's language; one that has no words here is told as it is.
fn warned(warning: &str, frame: &Frame) -> String {
    let known = [
        ("only names are compared", "federation-warns-names"),
        ("every branch", "federation-warns-branches"),
        ("every service account of the namespace", "federation-warns-accounts"),
    ];
    let found = known.into_iter().find(|(start, _)| warning.starts_with(start));
    found.map_or_else(|| warning.to_owned(), |(_, key)| frame.text(key))
}
