//! The credentials that are used most, and the API keys that are newest, with how often each was used.

use claviger_core::{Credential, Kind, Reach, permission};
use claviger_store::{CredentialFilter, Order, Page};
use claviger_token::CredentialId;
use jiff::Timestamp;

use super::MOST;
use crate::console::{
    credential::{Place, shown::Names},
    moment::Moment,
    page::Frame,
    trouble::Trouble,
};

/// A credential and its uses.
pub(crate) struct Busy {
    /// Its page, if it has one for whoever looks.
    pub(crate) path: Option<String>,
    pub(crate) name: String,
    /// Whose it is, and the key of what kind it is where that is not said already.
    pub(crate) owner: String,
    pub(crate) kind: &'static str,
    pub(crate) made: Moment,
    pub(crate) uses: i64,
}

/// Those of every kind that whoever looks may see.
pub(super) async fn busiest(place: &Place<'_>, from: Timestamp, frame: &Frame) -> Result<Vec<Busy>, Trouble> {
    let Some(here) = place.here else { return Ok(Vec::new()) };
    let organization = here.organization.id;
    let mut view = place.app.store.within(Reach::Organization(organization));
    let (all, keys) = (here.person.may(permission::CREDENTIALS_READ), here.person.may(permission::API_KEYS_READ));
    let kinds: &[Kind] = match (all, keys) {
        (true, _) => &Kind::ALL,
        (false, true) => &[Kind::ApiKey],
        (false, false) => &[],
    };
    let mut found = Vec::new();
    for (id, uses) in view.busiest(organization, kinds, from, place.app.now(), MOST as u32).await? {
        // It may be gone meanwhile.
        found.extend(view.credential(id).await?.map(|one| (one, uses)));
    }
    shown(place, found, frame).await
}

/// The newest API keys that have not ended.
pub(super) async fn newest(place: &Place<'_>, from: Timestamp, frame: &Frame) -> Result<Vec<Busy>, Trouble> {
    let Some(here) = place.here else { return Ok(Vec::new()) };
    let organization = here.organization.id;
    let mut view = place.app.store.within(Reach::Organization(organization));
    let filter = CredentialFilter {
        kind: Some(Kind::ApiKey),
        organization: Some(organization),
        live_at: Some(place.app.now()),
        ..CredentialFilter::default()
    };
    let (found, _) = view.look_through(Order::Newest, &filter, &Page { after: None, limit: MOST as u32 }).await?;
    let ids: Vec<CredentialId> = found.iter().map(|one| one.id).collect();
    let uses = view.uses_since(&ids, from).await?;
    let with_uses = |one: Credential| {
        let uses = uses.get(&one.id).copied().unwrap_or_default();
        (one, uses)
    };
    shown(place, found.into_iter().map(with_uses).collect(), frame).await
}

async fn shown(place: &Place<'_>, found: Vec<(Credential, i64)>, frame: &Frame) -> Result<Vec<Busy>, Trouble> {
    let names = Names::known(place, found.iter().map(|(one, _)| one.principal).collect()).await?;
    let (now, sees_keys) = (place.app.now(), place.here.is_some_and(|here| here.person.may(permission::API_KEYS_READ)));
    let busy = |(one, uses): (Credential, i64)| {
        let kind = Kind::of(one.id);
        Busy {
            path: (kind == Kind::ApiKey && sees_keys).then(|| place.path(one.id)),
            name: one.name.to_string(),
            owner: names.of_principal(one.principal),
            kind: kind_words(kind),
            made: Moment::new(frame.language(), one.created_at, now),
            uses,
        }
    };
    Ok(found.into_iter().map(busy).collect())
}

/// The key of what a kind is called.
fn kind_words(kind: Kind) -> &'static str {
    match kind {
        Kind::ApiKey => "kind-api-key",
        Kind::PersonalAccessToken => "kind-personal-access-token",
        Kind::ClientSecret => "kind-client-secret",
        Kind::PublicKey => "kind-public-key",
        Kind::Certificate => "kind-certificate",
        Kind::Federation => "kind-federation",
    }
}
