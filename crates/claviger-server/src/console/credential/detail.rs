//! One credential: what it is, its secrets, its use, its history, and what can be done about it.

use askama::Template;
use axum::response::Response;
use claviger_core::{Credential, CredentialStatus, permission};
use claviger_token::CredentialId;

use super::{
    Place, What,
    history::{self, Entry},
    shown::{Generation, Shown, generations},
};
use crate::console::{
    explain, first_run,
    page::{Frame, page},
    service_accounts::terms::Terms,
    trouble::Trouble,
    usage::chart::Chart,
};

#[derive(Template)]
#[template(path = "credential.html")]
pub(crate) struct CredentialPage {
    pub(crate) frame: Frame,
    /// The key of what the list is called.
    pub(crate) list_title: &'static str,
    pub(crate) list: String,
    pub(crate) path: String,
    pub(crate) one: Shown,
    /// The key of what its owner is.
    pub(crate) owner: &'static str,
    /// Where else one may look: address and words.
    pub(crate) links: Vec<(String, String)>,
    /// What else there is to say of it, if it proves a client.
    pub(crate) terms: Terms,
    pub(crate) generations: Vec<Generation>,
    /// Whether a secret that was rolled away still works.
    pub(crate) rolling: bool,
    pub(crate) can: Can,
    pub(crate) chart: Option<Chart>,
    pub(crate) history: Option<Vec<Entry>>,
}

/// What can be done about it now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Can {
    pub(crate) change: bool,
    pub(crate) roll: bool,
    pub(crate) stop: bool,
    pub(crate) start: bool,
    /// Whether they could start it again, once they stopped it.
    pub(crate) restart: bool,
    pub(crate) revoke: bool,
}

impl Can {
    /// `gives`: whether they may hand it out, `starts`: whether they may start it again.
    fn of(status: CredentialStatus, changes: bool, gives: bool, starts: bool) -> Self {
        let lives = changes && status != CredentialStatus::Revoked;
        let stopped = status == CredentialStatus::Disabled;
        Self {
            change: lives,
            roll: lives && gives && status != CredentialStatus::Expired,
            stop: lives && !stopped && status != CredentialStatus::Expired,
            start: lives && stopped && gives && starts,
            restart: gives,
            revoke: lives,
        }
    }

    /// The same of what belongs to somebody else, who alone changes it and gets its secrets.
    fn of_others(self) -> Self {
        Self { change: false, roll: false, ..self }
    }

    /// Only a secret of ours is rolled.
    fn with_secrets(self, has_secrets: bool) -> Self {
        Self { roll: self.roll && has_secrets, ..self }
    }
}

/// Shows it.
pub(crate) async fn show(place: &Place<'_>, id: CredentialId) -> Result<Response, Trouble> {
    let one: Credential = place.find(id).await?;
    let (frame, now) = (place.frame().await?, place.app.now());
    let terms = Terms::read(place, &one, &frame).await?;
    let (changes, gives) = if place.changes() { place.writer()?.may(place.app, &one).await? } else { (false, false) };
    // Whoever governs starts what anybody stopped; others what they stopped themselves.
    let by = place.session.user().to_string();
    let starts = place.here.is_some() || one.disabled_by.as_deref().is_none_or(|stopped| stopped == by);
    let rolling = one.is_rolling(now) && one.revocation.is_none();
    let can = Can::of(one.status(now), changes, gives, starts).with_secrets(!one.secrets.is_empty());
    let mut links = Vec::new();
    if let Some(here) = place.here {
        let waits = one.status(now) == CredentialStatus::PendingApproval;
        if waits && here.person.may(permission::CREDENTIALS_WRITE) {
            links.push((format!("/approvals/{id}"), frame.text("explain-go-approve")));
        }
        links.extend(explain::about(here, id).map(|path| (path, frame.text("nav-explain"))));
        if place.what == What::ApiKeys && one.revocation.is_none() {
            links.extend(first_run::how_to_ask(here, &one).map(|path| (path, frame.text("snippets-how"))));
        }
        if here.person.may(permission::AUDIT_EVENTS_READ) {
            links.push((here.path(&format!("/audit?credential={id}")), frame.text("nav-audit")));
        }
    }
    let shown = CredentialPage {
        list_title: place.title(),
        list: place.list(),
        owner: if place.what == What::Tokens { "approval-owner" } else { "service-account" },
        links,
        path: place.path(id),
        generations: generations(&one, &place.app.config.brand, now, &frame),
        rolling,
        can: if place.what == What::Tokens { can.of_others() } else { can },
        chart: Chart::read(place, &one).await?,
        history: history::read(place, &one, &frame).await?,
        one: Shown::read(place, &one, &frame).await?,
        terms,
        frame,
    };
    Ok(page(&shown, []))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_revoked_stays_as_it_is_and_a_reader_only_looks() {
        let all = Can { change: true, roll: true, stop: true, start: false, restart: true, revoke: true };
        let check = |status, expected: Can| {
            assert_eq!(Can::of(status, true, true, true), expected, "{status:?}");
            let taken = Can { roll: false, start: false, restart: false, ..expected };
            assert_eq!(Can::of(status, true, false, true), taken, "{status:?}");
            assert_eq!(Can::of(status, true, true, false), Can { start: false, ..expected }, "{status:?}");
            assert_eq!(Can::of(status, false, false, true), Can::default());
            let of_others = Can::of(status, true, true, true).of_others();
            assert_eq!(of_others, Can { change: false, roll: false, ..expected }, "{status:?}");
        };
        check(CredentialStatus::Active, all);
        check(CredentialStatus::NotYetValid, all);
        check(CredentialStatus::PendingApproval, all);
        check(CredentialStatus::Disabled, Can { stop: false, start: true, ..all });
        check(CredentialStatus::Expired, Can { stop: false, roll: false, ..all });
        check(CredentialStatus::Revoked, Can { restart: true, ..Can::default() });
    }
}
