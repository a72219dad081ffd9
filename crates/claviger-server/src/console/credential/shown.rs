//! A credential as pages show it: in words, with times, and never with a secret.

use std::collections::HashMap;

use claviger_core::{
    Api, Credential, CredentialStatus, Kind, Organization, Reach, RevokeReason, SecretRecord,
    permission::{MEMBERS_READ, SERVICE_ACCOUNTS_READ, USERS_READ},
};
use claviger_store::StoreError;
use claviger_token::{Brand, CredentialId, Environment, PermissionSet, PrincipalId, QuotaPeriod, SecretKind};
use jiff::Timestamp;

use super::{Place, What, form::WINDOWS};
use crate::console::{approval::described, moment::Moment, page::Frame};

/// A state, as a badge.
pub(crate) struct Badge {
    pub(crate) words: String,
    /// How it looks.
    pub(crate) class: &'static str,
}

/// All that is told of one.
pub(crate) struct Shown {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) badge: Badge,
    pub(crate) is_test: bool,
    /// Whose it is: a name, an id, and the page of whoever it is; `None` where it is the reader's own.
    pub(crate) owner: Option<(String, String, String)>,
    /// Whether it stands for all of its owner, so that nothing narrows it.
    pub(crate) of_client: bool,
    pub(crate) organization: String,
    /// Each entry of the list, and what it allows.
    pub(crate) permissions: Vec<(String, String)>,
    /// What its wildcards come to at present, if it has any.
    pub(crate) at_present: Option<Vec<(String, String)>>,
    pub(crate) objects: Option<Vec<String>>,
    pub(crate) networks: Option<Vec<String>>,
    pub(crate) limits: Vec<String>,
    pub(crate) is_bound: bool,
    pub(crate) starts: Option<Moment>,
    pub(crate) ends: Option<Moment>,
    pub(crate) made: Moment,
    pub(crate) maker: String,
    pub(crate) used: Option<Moment>,
    pub(crate) used_from: Option<String>,
    /// When and why it was revoked.
    pub(crate) revoked: Option<(Moment, String)>,
    /// When and by whom it was stopped.
    pub(crate) stopped: Option<(Moment, String)>,
}

/// A secret of one.
pub(crate) struct Generation {
    /// How its text begins.
    pub(crate) begins: String,
    pub(crate) badge: Badge,
    pub(crate) made: Moment,
    pub(crate) ends: Option<Moment>,
    pub(crate) used: Option<Moment>,
    pub(crate) used_from: Option<String>,
}

impl Badge {
    /// That a credential's state has, in words for a key.
    pub(crate) fn of(status: CredentialStatus, frame: &Frame) -> Self {
        let (key, class) = match status {
            CredentialStatus::Active => ("status-active", "good"),
            CredentialStatus::Revoked => ("status-revoked", "bad"),
            CredentialStatus::Disabled => ("status-disabled", "warn"),
            CredentialStatus::Expired => ("status-expired", "bad"),
            CredentialStatus::NotYetValid => ("status-not-yet-valid", ""),
            CredentialStatus::PendingApproval => ("status-pending-approval", "warn"),
        };
        Self { words: frame.text(key), class }
    }

    /// The same in words for what it is: some languages say of a token otherwise than of a key that it is active.
    pub(crate) fn of_credential(one: &Credential, now: Timestamp, frame: &Frame) -> Self {
        let of_key = Self::of(one.status(now), frame);
        if matches!(Kind::of(one.id), Kind::ApiKey | Kind::PublicKey) {
            return of_key;
        }
        let key = match one.status(now) {
            CredentialStatus::Active => "status-active-masculine",
            CredentialStatus::Revoked => "status-revoked-masculine",
            CredentialStatus::Disabled => "status-disabled-masculine",
            CredentialStatus::Expired => "status-expired-masculine",
            CredentialStatus::NotYetValid | CredentialStatus::PendingApproval => return of_key,
        };
        Self { words: frame.text(key), ..of_key }
    }
}

/// The beginning of a secret's text, by which it is recognised.
pub(crate) fn begins(one: &Credential, secret: &SecretRecord, brand: &Brand) -> String {
    let kind = match (one.id, one.environment) {
        (CredentialId::ClientSecret(_), _) => SecretKind::ClientSecret,
        (CredentialId::PersonalAccessToken(_), _) => SecretKind::PersonalAccessToken,
        (_, Environment::Test) => SecretKind::TestApiKey,
        (_, Environment::Live) => SecretKind::ApiKey,
    };
    format!("{}_{}_{}…", brand.as_str(), kind.tag(), secret.hint)
}

/// The key of a reason's text.
pub(crate) fn reason_words(reason: RevokeReason) -> &'static str {
    match reason {
        RevokeReason::Unspecified => "reason-unspecified",
        RevokeReason::Superseded => "reason-superseded",
        RevokeReason::Compromised => "reason-compromised",
        RevokeReason::OwnerLeft => "reason-owner-left",
        RevokeReason::Policy => "reason-policy",
        RevokeReason::Unused => "reason-unused",
    }
}

/// The key of the state of a secret that ended with what it belonged to.
fn ended_with(one: &Credential) -> &'static str {
    match Kind::of(one.id) {
        Kind::ApiKey => "generation-ended-with-key",
        Kind::PersonalAccessToken => "generation-ended-with-token",
        // It is a secret itself.
        Kind::ClientSecret | Kind::PublicKey | Kind::Certificate | Kind::Federation => "generation-retired",
    }
}

/// When one ended that was revoked: it may have expired before.
pub(super) fn over(one: &Credential) -> Option<Timestamp> {
    let revoked = one.revocation?.at;
    Some(one.expires_at.map_or(revoked, |end| end.min(revoked)))
}

/// The secrets of one, the current one first, without those that ended before it was shown.
pub(crate) fn generations(one: &Credential, brand: &Brand, now: Timestamp, frame: &Frame) -> Vec<Generation> {
    let moment = |time| Moment::new(frame.language(), time, now);
    let shown = |secret: &SecretRecord| {
        // What worked until the credential ended did so with it.
        let over = over(one).filter(|over| secret.ends_at.is_none_or(|end| end > *over));
        let ends_at = over.or(secret.ends_at);
        let (key, class) = match ends_at {
            Some(_) if over.is_some() => (ended_with(one), ""),
            None => ("generation-current", "good"),
            Some(end) if end > now => ("generation-retiring", "warn"),
            Some(_) => ("generation-retired", ""),
        };
        Generation {
            begins: begins(one, secret, brand),
            badge: Badge { words: frame.text(key), class },
            made: moment(secret.created_at),
            ends: ends_at.map(moment),
            used: secret.last_used_at.map(moment),
            used_from: secret.last_used_from.clone(),
        }
    };
    one.secrets.iter().map(shown).collect()
}

impl Shown {
    pub(crate) async fn read(place: &Place<'_>, one: &Credential, frame: &Frame) -> Result<Self, StoreError> {
        let (app, now) = (place.app, place.app.now());
        let mut view = app.store.within(Reach::Organization(one.organization));
        let organization = view.organization(one.organization).await?;
        let held = view.held(one.principal, one.organization).await?;
        let apis: Vec<Api> = view.catalog().await?;
        let names = Names::read(place, one).await?;
        let ceiling = organization.as_ref().map(Organization::effective_ceiling).unwrap_or_default();
        let list = &one.permissions;
        let wildcards = [
            ("*", list.has_wildcard_api(), "picker-every-api"),
            ("claviger:*", list.has_wildcard_builtin(), "picker-every-builtin"),
        ];
        let wildcards = wildcards.into_iter().filter(|(_, asked, _)| *asked);
        let wildcards = wildcards.map(|(entry, _, words)| (entry.to_owned(), frame.text(words)));
        let sees_owner = place.here.is_none_or(|here| match place.what {
            What::ApiKeys | What::OwnTokens | What::OfClient(_) => here.person.may(SERVICE_ACCOUNTS_READ),
            What::Tokens => here.person.may(MEMBERS_READ),
        });
        let at_present: Option<PermissionSet> =
            (list.follows_principal() && sees_owner).then(|| held.masked_by(&ceiling).masked_by(list));
        let moment = |time| Moment::new(frame.language(), time, now);
        let last = one.last_used();
        Ok(Self {
            id: one.id.to_string(),
            name: one.name.to_string(),
            badge: Badge::of_credential(one, now, frame),
            is_test: one.environment == Environment::Test,
            owner: place.here.map(|here| {
                let id = one.principal.to_string();
                let path = if place.what == What::Tokens {
                    here.path(&format!("/members/{id}/tokens"))
                } else if sees_owner {
                    here.path(&format!("/service-accounts/{id}"))
                } else {
                    format!("{}?account={id}", place.list())
                };
                (names.of_principal(one.principal), id, path)
            }),
            of_client: place.client().is_some(),
            organization: organization.map(|organization| organization.name.to_string()).unwrap_or_default(),
            permissions: wildcards.chain(described(&apis, list.named())).collect(),
            at_present: at_present.map(|at_present| described(&apis, &at_present)),
            objects: one.objects.as_ref().map(|all| all.iter().map(ToString::to_string).collect()),
            networks: one.networks.as_ref().map(|all| all.iter().map(ToString::to_string).collect()),
            limits: limits(one, frame),
            is_bound: one.confirmation.is_some(),
            starts: one.not_before.map(moment),
            ends: one.expires_at.filter(|end| one.revocation.is_none_or(|over| *end < over.at)).map(moment),
            made: moment(one.created_at),
            maker: names.who(&one.created_by, frame),
            used: last.as_ref().map(|last| moment(last.at)),
            used_from: last.and_then(|last| last.from),
            revoked: one.revocation.map(|end| (moment(end.at), frame.text(reason_words(end.reason)))),
            stopped: one
                .disabled_at
                .map(|at| (moment(at), names.who(one.disabled_by.as_deref().unwrap_or_default(), frame))),
        })
    }
}

fn limits(one: &Credential, frame: &Frame) -> Vec<String> {
    let rates = one.limits.rates.iter().map(|rate| {
        let known = WINDOWS.iter().find(|(seconds, _)| *seconds == u64::from(rate.window_seconds));
        let window = known.map_or_else(|| format!("/ {} s", rate.window_seconds), |(_, words)| frame.text(words));
        format!("{} {window}", frame.number(rate.limit))
    });
    let quota = one.limits.quota.map(|quota| {
        let words = match quota.period {
            QuotaPeriod::Day => "quota-per-day",
            QuotaPeriod::Month => "quota-per-month",
        };
        frame.text_with(words, "count", frame.number(quota.limit))
    });
    rates.chain(quota).collect()
}

/// What principals are called, as far as the reader may know.
pub(crate) struct Names {
    known: HashMap<PrincipalId, String>,
    /// Whether the reader governs what is here, and has a use for ids.
    governs: bool,
}

impl Names {
    async fn read(place: &Place<'_>, one: &Credential) -> Result<Self, StoreError> {
        let by = [Some(one.created_by.as_str()), one.disabled_by.as_deref()];
        let others = by.into_iter().flatten().filter_map(|by| by.parse().ok());
        Self::known(place, others.chain([one.principal]).collect()).await
    }

    /// Those of these who belong to the organization where the reader is; of one's own tokens, one's own.
    pub(crate) async fn known(place: &Place<'_>, mut principals: Vec<PrincipalId>) -> Result<Self, StoreError> {
        let own = place.session.user().into();
        let Some(here) = place.here else {
            return Ok(Self { known: HashMap::from([(own, place.session.shown().to_owned())]), governs: false });
        };
        principals.retain(|principal| match principal {
            // Whoever governs tokens knows whose they are.
            PrincipalId::User(_) => *principal == own || here.person.may(USERS_READ) || place.what == What::Tokens,
            PrincipalId::ServiceAccount(_) => here.person.may(SERVICE_ACCOUNTS_READ),
        });
        principals.sort_unstable_by_key(ToString::to_string);
        principals.dedup();
        let organization = here.organization.id;
        let mut view = place.app.store.within(Reach::Organization(organization));
        Ok(Self { known: view.names_in(organization, &principals).await?, governs: true })
    }

    /// One by name, or else the id.
    pub(crate) fn of_principal(&self, principal: PrincipalId) -> String {
        self.known.get(&principal).cloned().unwrap_or_else(|| principal.to_string())
    }

    /// Who made or stopped something, as the record has it; whoever has no name here is told by what they are.
    pub(crate) fn who(&self, by: &str, frame: &Frame) -> String {
        match by.parse::<PrincipalId>() {
            Ok(principal) => self.known.get(&principal).cloned().unwrap_or_else(|| {
                let what = frame.text(match principal {
                    PrincipalId::ServiceAccount(_) => "by-program",
                    PrincipalId::User(_) => "by-somebody",
                });
                if self.governs { format!("{what} ({principal})") } else { what }
            }),
            Err(_) if by == "system" => frame.text("by-system"),
            Err(_) => frame.text("approval-by-operator"),
        }
    }
}
