//! By what a service account proves itself at the token endpoint: a list of each kind, and what is done about each of them by the
//! pages that all credentials share.

use askama::Template;
use axum::{
    Router,
    extract::State,
    response::Response,
    routing::{get, post},
};
use claviger_core::{Credential, Kind, Reach, permission};
use claviger_store::{CredentialFilter, Order, Page};
use claviger_token::{CertificateId, CredentialId, FederationId, PublicKeyId};
use serde::Deserialize;

use super::{Head, Of, detail::what, find, gives, proof, terms};
use crate::{
    app::App,
    console::{
        credential::{
            Called, Client, Place, What, action, detail, edit,
            list::{Listed, MOST, rows},
            revoke, roll,
        },
        inside::{Inside, InsideForm, Which},
        page::{Frame, page},
        query::Query,
        trouble::Trouble,
    },
};

/// Where the page before ended.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct After {
    #[serde(default)]
    after: String,
}

#[derive(Template)]
#[template(path = "client_credentials.html")]
pub(crate) struct ClientCredentialsPage {
    pub(crate) frame: Frame,
    pub(crate) head: Head,
    /// The keys of what the kind is called, what it is for, and how one is made.
    pub(crate) title: &'static str,
    pub(crate) what: &'static str,
    pub(crate) make: &'static str,
    pub(crate) path: String,
    pub(crate) rows: Vec<Listed>,
    /// The address of the next page, if there is one.
    pub(crate) next: Option<String>,
    /// Whether this is another than the first.
    pub(crate) continued: bool,
    pub(crate) makes: bool,
    /// Whether they change what is here, and may not make more of it.
    pub(crate) lacks_grants: bool,
}

/// The key of what a button says that makes one.
pub(super) fn make_words(kind: Kind) -> &'static str {
    match kind {
        Kind::PublicKey => "public-key-new",
        Kind::Certificate => "certificate-new",
        Kind::Federation => "federation-new",
        Kind::ClientSecret | Kind::ApiKey | Kind::PersonalAccessToken => "client-secret-new",
    }
}

impl Inside {
    /// At what one client proves itself by.
    pub(super) fn at<'a>(&'a self, app: &'a App, client: Client) -> Place<'a> {
        Place { what: What::OfClient(client), ..self.place(app) }
    }
}

impl InsideForm {
    pub(super) fn at<'a>(&'a self, app: &'a App, client: Client) -> Place<'a> {
        Place { what: What::OfClient(client), ..self.place(app) }
    }
}

/// The pages below an account, of each kind.
pub(in crate::console) fn routes() -> Router<App> {
    const BELOW: &str = "/organizations/{organization}/service-accounts/{account}/{kind}";
    let path = |rest: &str| format!("{BELOW}{rest}");
    Router::new()
        .route(BELOW, get(show))
        .route(&path("/new"), get(proof::ask).post(proof::submit))
        .route(&path("/{id}"), get(detail))
        .route(&path("/{id}/edit"), get(edit).post(save))
        .route(&path("/{id}/roll"), get(ask_to_roll).post(roll))
        .route(&path("/{id}/end-overlap"), post(end_overlap))
        .route(&path("/{id}/disable"), post(disable))
        .route(&path("/{id}/enable"), post(enable))
        .route(&path("/{id}/revoke"), get(ask_to_revoke).post(revoke))
}

/// `GET …/{account}/{kind}`.
pub(crate) async fn show(
    State(app): State<App>,
    Of(of): Of,
    inside: Inside,
    Query(After { after }): Query<After>,
) -> Result<Response, Trouble> {
    let (here, place, now) = (&inside.here, inside.at(&app, of), app.now());
    let account = find(&app, here, of.account).await?;
    let mut found = read(&place, of, &after).await?;
    let more = found.len() > MOST as usize;
    found.truncate(MOST as usize);
    let last = found.last().filter(|_| more).map(|(last, _)| last.id.to_string());
    let (credentials, texts): (Vec<Credential>, Vec<Option<String>>) = found.into_iter().unzip();
    let frame = place.frame().await?;
    let mut rows = rows(&place, &credentials, |_| None, now, &frame).await?;
    for (row, text) in rows.iter_mut().zip(texts) {
        if let Some(text) = text {
            row.begins = text;
        }
    }
    let path = place.list();
    let shown = ClientCredentialsPage {
        head: Head::of(here, &account, Some(of.kind)),
        title: Called::of(of.kind).list,
        what: what(of.kind),
        make: make_words(of.kind),
        rows,
        next: last.map(|last| format!("{path}?after={last}")),
        continued: !after.is_empty(),
        makes: gives(here),
        lacks_grants: here.person.may(permission::SERVICE_ACCOUNTS_WRITE) && !gives(here),
        path,
        frame,
    };
    Ok(page(&shown, []))
}

/// A page of them, newest first, each with what it is known by if it has no secret.
async fn read(place: &Place<'_>, of: Client, after: &str) -> Result<Vec<(Credential, Option<String>)>, Trouble> {
    fn cursor<Id: std::str::FromStr>(after: &str) -> Result<Option<Id>, Trouble> {
        if after.is_empty() { Ok(None) } else { after.parse().map(Some).map_err(|_| Trouble::Absent) }
    }
    let here = place.here.ok_or(Trouble::Absent)?;
    let mut view = place.app.store.within(Reach::Organization(here.organization.id));
    let limit = MOST + 1;
    Ok(match of.kind {
        Kind::PublicKey => {
            let page = Page { after: cursor::<PublicKeyId>(after)?, limit };
            let found = view.public_keys(of.account, &page).await?;
            found.into_iter().map(|(one, key)| (one, Some(key.to_string()))).collect()
        }
        Kind::Certificate => {
            let page = Page { after: cursor::<CertificateId>(after)?, limit };
            let found = view.certificates(of.account, &page).await?;
            found.into_iter().map(|(one, its)| (one, Some(terms::certificate_in_short(&its)))).collect()
        }
        Kind::Federation => {
            let page = Page { after: cursor::<FederationId>(after)?, limit };
            let found = view.federations(of.account, &page).await?;
            found.into_iter().map(|(one, its)| (one, Some(terms::in_short(&its)))).collect()
        }
        Kind::ClientSecret | Kind::ApiKey | Kind::PersonalAccessToken => {
            let filter = CredentialFilter {
                kind: Some(of.kind),
                organization: Some(here.organization.id),
                principal: Some(of.account.into()),
                ..CredentialFilter::default()
            };
            let page = Page { after: cursor::<CredentialId>(after)?, limit };
            let found = view.credentials_in(Order::Newest, &filter, &page).await?;
            found.into_iter().map(|one| (one, None)).collect()
        }
    })
}

/// `GET …/{kind}/{id}`.
pub(crate) async fn detail(
    State(app): State<App>,
    Of(of): Of,
    Which(id): Which<CredentialId>,
    inside: Inside,
) -> Result<Response, Trouble> {
    detail::show(&inside.at(&app, of), id).await
}

/// `GET …/{id}/edit`.
pub(crate) async fn edit(
    State(app): State<App>,
    Of(of): Of,
    Which(id): Which<CredentialId>,
    inside: Inside,
) -> Result<Response, Trouble> {
    edit::show(&inside.at(&app, of), id).await
}

/// `POST …/{id}/edit`.
pub(crate) async fn save(
    State(app): State<App>,
    Of(of): Of,
    Which(id): Which<CredentialId>,
    form: InsideForm,
) -> Result<Response, Trouble> {
    edit::submit(&form.at(&app, of), id, &form.fields).await
}

/// `GET …/{id}/roll`, of a client secret: nothing else has a secret of ours.
pub(crate) async fn ask_to_roll(
    State(app): State<App>,
    Of(of): Of,
    Which(id): Which<CredentialId>,
    inside: Inside,
) -> Result<Response, Trouble> {
    must_have_secrets(of)?;
    roll::show(&inside.at(&app, of), id).await
}

/// `POST …/{id}/roll` with `overlap` and `once`.
pub(crate) async fn roll(
    State(app): State<App>,
    Of(of): Of,
    Which(id): Which<CredentialId>,
    form: InsideForm,
) -> Result<Response, Trouble> {
    must_have_secrets(of)?;
    roll::submit(&form.at(&app, of), id, &form.fields).await
}

/// `POST …/{id}/end-overlap`.
pub(crate) async fn end_overlap(
    State(app): State<App>,
    Of(of): Of,
    Which(id): Which<CredentialId>,
    form: InsideForm,
) -> Result<Response, Trouble> {
    must_have_secrets(of)?;
    action::end_overlap(&form.at(&app, of), id).await
}

/// `POST …/{id}/disable`.
pub(crate) async fn disable(
    State(app): State<App>,
    Of(of): Of,
    Which(id): Which<CredentialId>,
    form: InsideForm,
) -> Result<Response, Trouble> {
    action::disable(&form.at(&app, of), id, true).await
}

/// `POST …/{id}/enable`.
pub(crate) async fn enable(
    State(app): State<App>,
    Of(of): Of,
    Which(id): Which<CredentialId>,
    form: InsideForm,
) -> Result<Response, Trouble> {
    action::disable(&form.at(&app, of), id, false).await
}

/// `GET …/{id}/revoke`.
pub(crate) async fn ask_to_revoke(
    State(app): State<App>,
    Of(of): Of,
    Which(id): Which<CredentialId>,
    inside: Inside,
) -> Result<Response, Trouble> {
    revoke::show(&inside.at(&app, of), id).await
}

/// `POST …/{id}/revoke` with `reason`.
pub(crate) async fn revoke(
    State(app): State<App>,
    Of(of): Of,
    Which(id): Which<CredentialId>,
    form: InsideForm,
) -> Result<Response, Trouble> {
    revoke::submit(&form.at(&app, of), id, &form.fields).await
}

fn must_have_secrets(of: Client) -> Result<(), Trouble> {
    if of.kind == Kind::ClientSecret { Ok(()) } else { Err(Trouble::Absent) }
}
