//! One service account: what it is, what it may do, by what it proves itself, which access tokens it got, and what happened to it.

use askama::Template;
use axum::{extract::State, response::Response};
use claviger_core::{CredentialStatus, Granted, Kind, Reach, Scope, ServiceAccount, permission};
use claviger_store::{CredentialFilter, StatusAt, View};

use super::{
    Account, Head, PROOFS, counted, find, gives, keys_path,
    list::badge,
    snippets::{self, Snippet},
};
use crate::{
    app::App,
    console::{
        approval::described,
        credential::{
            Called, Client, Place,
            history::{self, Entry},
            shown::Badge,
        },
        inside::Inside,
        moment::Moment,
        page::{Frame, page},
        query::Query,
        shell::Here,
        trouble::Trouble,
        usage::{issued::Issued, window::Wanted},
    },
};

/// How far keys and the like are counted.
const COUNTED: u32 = 1000;

#[derive(Template)]
#[template(path = "service_account.html")]
pub(crate) struct ServiceAccountPage {
    pub(crate) frame: Frame,
    pub(crate) head: Head,
    pub(crate) id: String,
    pub(crate) badge: Badge,
    /// Since when it is stopped.
    pub(crate) stopped: Option<Moment>,
    pub(crate) facts: Facts,
    pub(crate) rights: Rights,
    pub(crate) proofs: Vec<Proof>,
    /// The access tokens that it got; `None`: that is not theirs to know.
    pub(crate) issued: Option<Issued>,
    pub(crate) can: Can,
    pub(crate) snippets: Vec<Snippet>,
    pub(crate) history: Option<Vec<Entry>>,
}

/// What there is to say of it.
pub(crate) struct Facts {
    pub(crate) external_id: Option<String>,
    /// The one way in which it proves itself, as OAuth calls it.
    pub(crate) method: Option<String>,
    pub(crate) key_bound: bool,
    pub(crate) certificate_bound: bool,
    /// The fleet whose device it is.
    pub(crate) fleet: Option<String>,
    pub(crate) made: Moment,
}

/// What it was given, and what that comes to.
pub(crate) struct Rights {
    pub(crate) roles: Vec<String>,
    pub(crate) permissions: Vec<String>,
    /// Roles and permissions that count in every organization.
    pub(crate) everywhere: Vec<String>,
    /// All that it may do now, and what each allows.
    pub(crate) effective: Vec<(String, String)>,
}

/// How much there is of one kind by which it proves itself.
pub(crate) struct Proof {
    pub(crate) path: String,
    /// The keys of what it is called, and of what it is for.
    pub(crate) label: &'static str,
    pub(crate) what: &'static str,
    pub(crate) count: String,
    /// Where one is made, if the reader may.
    pub(crate) make: Option<String>,
}

/// What the reader may do about it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Can {
    pub(crate) change: bool,
    pub(crate) stop: bool,
    pub(crate) start: bool,
}

impl ServiceAccountPage {
    /// Whether nothing can act as it yet.
    pub(crate) fn is_bare(&self) -> bool {
        self.proofs.iter().all(|proof| proof.count == "0")
    }
}

/// `GET …/service-accounts/{account}`.
pub(crate) async fn show(
    State(app): State<App>,
    Account(id): Account,
    inside: Inside,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Trouble> {
    let (here, place, now) = (&inside.here, inside.place(&app), app.now());
    let account = find(&app, here, id).await?;
    let frame = place.frame().await?;
    let stopped = account.disabled_at.is_some();
    let mut view = app.store.within(Reach::Organization(here.organization.id));
    let rights = rights(&mut view, here, &account).await?;
    let fleet = view.device(id).await?.map(|device| device.fleet);
    let fleet = match fleet {
        Some(fleet) => view.fleet(fleet).await?.map(|fleet| fleet.name.to_string()),
        None => None,
    };
    let writes = here.person.may(permission::SERVICE_ACCOUNTS_WRITE);
    let starts = writes && gives_back(here, &rights);
    let shown = ServiceAccountPage {
        head: Head::of(here, &account, None),
        id: id.to_string(),
        badge: badge(&account, &frame),
        stopped: account.disabled_at.map(|at| Moment::new(frame.language(), at, now)),
        facts: Facts {
            external_id: account.external_id.clone(),
            method: account.token_endpoint_auth_method.map(|method| method.to_string()),
            key_bound: account.dpop_bound_access_tokens,
            certificate_bound: account.tls_client_certificate_bound_access_tokens,
            fleet,
            made: Moment::new(frame.language(), account.created_at, now),
        },
        proofs: proofs(&place, &mut view, here, &account).await?,
        issued: Issued::read(&place, (id, &super::path(here, id)), wanted.window(), &frame).await?,
        can: Can { change: writes, stop: writes && !stopped, start: starts && stopped },
        snippets: snippets::of_account(&place, &account, &rights.effective, &view.catalog().await?, &frame),
        history: history::of(&place, here.organization.id, &id.to_string(), &frame).await?,
        rights,
        frame,
    };
    Ok(page(&shown, []))
}

/// Whether they may give what it comes back with.
fn gives_back(here: &Here, rights: &Rights) -> bool {
    here.person.may(permission::GRANTS_WRITE) || rights.effective.iter().all(|(one, _)| here.person.may(one))
}

async fn rights(view: &mut View<'_>, here: &Here, account: &ServiceAccount) -> Result<Rights, Trouble> {
    let organization = &here.organization;
    let (mut roles, mut permissions, mut everywhere) = (Vec::new(), Vec::new(), Vec::new());
    for assignment in view.assignments_of(account.id.into()).await? {
        let (name, named) = match assignment.granted {
            Granted::Role { name, .. } => (name, &mut roles),
            Granted::Permission(permission) => (permission.to_string(), &mut permissions),
        };
        match assignment.scope {
            Scope::Organization(_) => named.push(name),
            Scope::Instance if here.person.may(permission::ASSIGNMENTS_READ) => everywhere.push(name),
            Scope::Instance => {}
        }
    }
    let held = view.held(account.id.into(), organization.id).await?.masked_by(&organization.effective_ceiling());
    Ok(Rights { roles, permissions, everywhere, effective: described(&view.catalog().await?, &held) })
}

/// What there is of each kind that works now.
async fn proofs(
    place: &Place<'_>,
    view: &mut View<'_>,
    here: &Here,
    account: &ServiceAccount,
) -> Result<Vec<Proof>, Trouble> {
    let (now, base) = (place.app.now(), super::path(here, account.id));
    let mut proofs = Vec::new();
    for kind in PROOFS.into_iter().chain([Kind::ApiKey]) {
        if kind == Kind::ApiKey && !here.person.may(permission::API_KEYS_READ) {
            continue;
        }
        let filter = CredentialFilter {
            kind: Some(kind),
            principal: Some(account.id.into()),
            status: Some(StatusAt { status: CredentialStatus::Active, at: now }),
            ..CredentialFilter::default()
        };
        let count = view.count_credentials_up_to(&filter, COUNTED + 1).await?;
        let (path, make, makes) = if kind == Kind::ApiKey {
            let make = here.path(&format!("/api-keys/new?account={}", account.id));
            (keys_path(here, account.id), make, here.person.may(permission::API_KEYS_WRITE))
        } else {
            let path = format!("{base}/{}", Client { account: account.id, kind }.word());
            (path.clone(), format!("{path}/new"), gives(here))
        };
        proofs.push(Proof {
            path,
            label: Called::of(kind).list,
            what: what(kind),
            count: counted(count, COUNTED),
            make: makes.then_some(make),
        });
    }
    Ok(proofs)
}

/// The key of what a kind is for.
pub(super) fn what(kind: Kind) -> &'static str {
    match kind {
        Kind::ClientSecret => "client-secrets-what",
        Kind::Federation => "federations-what",
        Kind::PublicKey => "public-keys-what",
        Kind::Certificate => "certificates-what",
        Kind::ApiKey | Kind::PersonalAccessToken => "account-keys-what",
    }
}
