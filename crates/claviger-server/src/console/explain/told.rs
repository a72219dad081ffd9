//! An explanation in words: what decided, every test in its order, where each permission comes from or is lost, and what can be done.

use claviger_core::{Kind, Outcome, PermissionTrace, Step, TokenTrace, permission};
use claviger_token::{CredentialKind, Found, PrincipalId, Refusal, Verdict};
use serde_json::Value;

use crate::{
    console::{credential::TOKENS_READ, moment::Moment, page::Frame, shell::Here},
    session::Session,
    verify::Explained,
};

/// A verdict in words.
pub(crate) struct Told {
    pub(crate) is_valid: bool,
    /// What decided.
    pub(crate) verdict: String,
    pub(crate) code: &'static str,
    /// What can be done about it.
    pub(crate) advice: Option<String>,
    /// Where: address and words.
    pub(crate) links: Vec<(String, String)>,
    pub(crate) what: Option<What>,
    pub(crate) steps: Vec<Tested>,
    pub(crate) permissions: Vec<Traced>,
    /// Whether an id was typed, so that nobody knows which secret was shown.
    pub(crate) by_id: bool,
}

/// What was looked at.
pub(crate) struct What {
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) path: Option<String>,
    pub(crate) owner: String,
    pub(crate) owner_id: String,
    pub(crate) ends: Option<Moment>,
    /// Of an access token: its id, and what ended it.
    pub(crate) token: Option<(String, Option<String>)>,
}

/// One test.
pub(crate) struct Tested {
    pub(crate) code: &'static str,
    pub(crate) words: String,
    pub(crate) outcome: String,
    pub(crate) class: &'static str,
    /// What was looked at: each fact and its value.
    pub(crate) facts: Vec<(String, String)>,
}

/// One permission.
pub(crate) struct Traced {
    pub(crate) name: String,
    pub(crate) is_held: bool,
    /// Where it is lost.
    pub(crate) lost: Option<String>,
    pub(crate) declared_by: Option<String>,
    /// Who gives it: each role, or that it is given directly; `None`: that is not theirs to know.
    pub(crate) given_by: Option<Vec<String>>,
}

/// What a test asks, why it refuses, and the keys of their texts.
fn words(refusal: Refusal) -> (&'static str, &'static str) {
    match refusal {
        Refusal::Malformed => ("explain-test-malformed", "explain-why-malformed"),
        Refusal::Unknown => ("explain-test-unknown", "explain-why-unknown"),
        Refusal::Revoked => ("explain-test-revoked", "explain-why-revoked"),
        Refusal::Disabled => ("explain-test-disabled", "explain-why-disabled"),
        Refusal::PendingApproval => ("explain-test-pending", "explain-why-pending"),
        Refusal::Expired => ("explain-test-expired", "explain-why-expired"),
        Refusal::NotYetValid => ("explain-test-begun", "explain-why-begun"),
        Refusal::ProofRequired => ("explain-test-proof", "explain-why-proof"),
        Refusal::ProofInvalid => ("explain-test-proof-holds", "explain-why-proof-holds"),
        Refusal::NetworkNotAllowed => ("explain-test-network", "explain-why-network"),
        Refusal::AudienceMismatch => ("explain-test-audience", "explain-why-audience"),
        Refusal::PermissionMissing => ("explain-test-permission", "explain-why-permission"),
        Refusal::ObjectRequired => ("explain-test-object", "explain-why-object"),
        Refusal::ObjectNotAllowed => ("explain-test-object-allowed", "explain-why-object-allowed"),
        Refusal::QuotaExceeded => ("explain-test-quota", "explain-why-quota"),
        Refusal::RateLimited => ("explain-test-rate", "explain-why-rate"),
    }
}

/// What can be done, and the key of its text.
fn advice(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Malformed => "explain-do-malformed",
        Refusal::Unknown => "explain-do-unknown",
        Refusal::Revoked => "explain-do-revoked",
        Refusal::Disabled => "explain-do-disabled",
        Refusal::PendingApproval => "explain-do-pending",
        Refusal::Expired => "explain-do-expired",
        Refusal::NotYetValid => "explain-do-begun",
        Refusal::ProofRequired => "explain-do-proof",
        Refusal::ProofInvalid => "explain-do-proof-holds",
        Refusal::NetworkNotAllowed => "explain-do-network",
        Refusal::AudienceMismatch => "explain-do-audience",
        Refusal::PermissionMissing => "explain-do-permission",
        Refusal::ObjectRequired => "explain-do-object",
        Refusal::ObjectNotAllowed => "explain-do-object-allowed",
        Refusal::QuotaExceeded => "explain-do-quota",
        Refusal::RateLimited => "explain-do-rate",
    }
}

/// Where a permission is lost, and the keys of the texts.
const LOST: [(&str, &str); 7] = [
    ("not_declared", "explain-lost-not-declared"),
    ("not_given", "explain-lost-not-given"),
    ("ceiling", "explain-lost-ceiling"),
    ("not_held", "explain-lost-not-held"),
    ("wildcards_forbidden", "explain-lost-wildcards"),
    ("not_on_credential", "explain-lost-list"),
    ("not_in_scope", "explain-lost-scope"),
];

/// What ended an access token, and the keys of the texts.
const ENDED: [(&str, &str); 3] =
    [("itself", "explain-ended-itself"), ("epoch", "explain-ended-epoch"), ("credential", "explain-ended-credential")];

fn known(all: &[(&str, &'static str)], name: &str, frame: &Frame) -> String {
    all.iter().find(|(known, _)| *known == name).map_or_else(|| name.to_owned(), |(_, key)| frame.text(key))
}

impl Told {
    pub(super) fn of(explained: &Explained, by_id: bool, session: &Session, here: &Here, frame: &Frame) -> Self {
        let found = explained.looked_up.found();
        let (verdict, advised) = match (explained.verdict, &explained.foreign_brand) {
            (Verdict::Valid, _) => (frame.text("explain-valid"), None),
            (Verdict::Refused(Refusal::Malformed), Some(brand)) => {
                let advised = frame.text_with("explain-do-brand", "brand", brand.as_str());
                (frame.text_with("explain-why-brand", "brand", brand.as_str()), Some(advised))
            }
            (Verdict::Refused(refusal), _) => (frame.text(words(refusal).1), Some(frame.text(advice(refusal)))),
        };
        Self {
            is_valid: explained.verdict.is_valid(),
            verdict,
            code: explained.verdict.code(),
            advice: advised,
            links: found.map(|found| links(found, explained, session, here, frame)).unwrap_or_default(),
            what: found.map(|found| What::of(found, explained, session, here, frame)),
            steps: explained.steps.iter().map(|step| Tested::of(step, frame)).collect(),
            permissions: explained.permissions.iter().map(|trace| Traced::of(trace, frame)).collect(),
            by_id,
        }
    }
}

/// The page of what a credential is, for whoever may see it.
fn path_of(found: &Found, session: &Session, here: &Here) -> Option<String> {
    let id = found.credential.id;
    match Kind::of(id) {
        Kind::ApiKey => here.person.may(permission::API_KEYS_READ).then(|| here.path(&format!("/api-keys/{id}"))),
        Kind::PersonalAccessToken if found.principal.id == session.user().into() => {
            Some(format!("/account/tokens/{id}"))
        }
        Kind::PersonalAccessToken => here.may_all(&TOKENS_READ).then(|| here.path(&format!("/tokens/{id}"))),
        Kind::ClientSecret | Kind::PublicKey | Kind::Certificate | Kind::Federation => None,
    }
}

/// Whether something is missing that the owner does not hold.
fn owner_lacks(permissions: &[PermissionTrace]) -> bool {
    permissions.iter().any(|one| matches!(one.cut_by, Some("not_given" | "not_held")))
}

/// Where something can be done about it.
fn links(found: &Found, explained: &Explained, session: &Session, here: &Here, frame: &Frame) -> Vec<(String, String)> {
    let (mut links, id, verdict) = (Vec::new(), found.credential.id, explained.verdict);
    let mut add = |path: String, words: &str| links.push((path, frame.text(words)));
    let own = found.principal.id == session.user().into();
    let edits = match Kind::of(id) {
        Kind::ApiKey => here.person.may(permission::API_KEYS_WRITE),
        Kind::PersonalAccessToken => own,
        Kind::ClientSecret | Kind::PublicKey | Kind::Certificate | Kind::Federation => false,
    };
    let lacks = verdict == Verdict::Refused(Refusal::PermissionMissing) && owner_lacks(&explained.permissions);
    if lacks
        && here.person.may(permission::SERVICE_ACCOUNTS_READ)
        && let PrincipalId::ServiceAccount(owner) = found.principal.id
    {
        add(here.path(&format!("/service-accounts/{owner}")), "explain-go-owner");
    }
    if let Some(path) = path_of(found, session, here) {
        match verdict {
            // No list gives what is on it already.
            Verdict::Refused(Refusal::PermissionMissing)
                if explained.permissions.iter().all(|one| one.on_credential) => {}
            Verdict::Refused(
                Refusal::Expired
                | Refusal::NotYetValid
                | Refusal::NetworkNotAllowed
                | Refusal::AudienceMismatch
                | Refusal::PermissionMissing
                | Refusal::ObjectRequired
                | Refusal::ObjectNotAllowed
                | Refusal::QuotaExceeded
                | Refusal::RateLimited,
            ) if edits => add(format!("{path}/edit"), "explain-go-edit"),
            Verdict::Refused(Refusal::PendingApproval) if here.person.may(permission::CREDENTIALS_WRITE) => {
                add(format!("/approvals/{id}"), "explain-go-approve");
            }
            Verdict::Valid | Verdict::Refused(_) => {}
        }
        add(path, "explain-go-credential");
    }
    if here.person.may(permission::AUDIT_EVENTS_READ) {
        add(here.path(&format!("/audit?credential={id}")), "explain-go-audit");
    }
    links
}

impl What {
    fn of(found: &Found, explained: &Explained, session: &Session, here: &Here, frame: &Frame) -> Self {
        let credential = &found.credential;
        let kind = match credential.kind {
            CredentialKind::ApiKey => "audit-api-key",
            CredentialKind::PersonalAccessToken => "audit-personal-access-token",
            CredentialKind::AccessToken => "audit-access-token",
        };
        let token = TokenTrace::of(found);
        let ends = token.as_ref().map(|token| token.expires_at).or(credential.expires_at);
        let token = token.map(|token| (token.id.to_string(), token.ended_by.map(|by| known(&ENDED, by, frame))));
        Self {
            kind: frame.text(kind),
            name: credential.name.clone(),
            id: credential.id.to_string(),
            path: path_of(found, session, here),
            owner: found.principal.name.clone(),
            owner_id: found.principal.id.to_string(),
            ends: ends.map(|at| Moment::new(frame.language(), at, explained.now)),
            token,
        }
    }
}

impl Tested {
    fn of(step: &Step, frame: &Frame) -> Self {
        let refusal = Refusal::ALL.into_iter().find(|refusal| refusal.code() == step.code);
        let (outcome, class) = match step.outcome {
            Outcome::Passed => ("explain-passed", "good"),
            Outcome::Refused => ("explain-refused", "bad"),
            Outcome::NotReached => ("explain-not-reached", "plain"),
        };
        let facts = match (&step.facts, step.outcome) {
            (Value::Object(facts), Outcome::Refused) => {
                facts.iter().map(|(fact, value)| (fact.clone(), shown(value))).collect()
            }
            _ => Vec::new(),
        };
        Self {
            code: step.code,
            words: refusal.map_or_else(|| step.code.to_owned(), |refusal| frame.text(words(refusal).0)),
            outcome: frame.text(outcome),
            class,
            facts,
        }
    }
}

/// A fact as it is read.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "—".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(entries) => entries.iter().map(shown).collect::<Vec<_>>().join(", "),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

impl Traced {
    fn of(trace: &PermissionTrace, frame: &Frame) -> Self {
        let given = |source: &claviger_core::Source| {
            let role = source.role.clone().unwrap_or_else(|| frame.text("explain-given-directly"));
            if source.scope == "instance" {
                format!("{role} ({})", frame.text("explain-given-everywhere"))
            } else {
                role
            }
        };
        Self {
            name: trace.permission.as_str().to_owned(),
            is_held: trace.effective,
            lost: trace.cut_by.map(|by| known(&LOST, by, frame)),
            declared_by: trace.declared_by.clone(),
            given_by: trace.given_by.as_ref().map(|all| all.iter().map(given).collect()),
        }
    }
}
