//! By what a service account proves itself at the token endpoint: a list of each kind, and what is done about each of them by the
//! pages that all credentials share.

use askama::Template;
use axum::{
    RequestExt as _, Router,
    extract::{FromRequest, FromRequestParts, Request, State},
    http::request::Parts,
    response::Response,
    routing::get,
};
use claviger_core::{Credential, Kind, Reach, permission};
use claviger_store::{CredentialFilter, Order};
use claviger_token::CredentialId;

use super::{Head, Of, detail::what, find, gives, proof, terms};
use crate::{
    app::App,
    console::{
        credential::{
            Called, Client, Place, What,
            list::{Listed, rows},
            routes::{Sender, Visitor, of_one},
        },
        form::Fields,
        inside::{Inside, InsideForm},
        page::{Frame, page},
        pages::{self, Pages, Wanted},
        query::Query,
        trouble::Trouble,
    },
};

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
    pub(crate) pages: Pages,
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

/// Somebody there.
struct AtClient {
    of: Client,
    inside: Inside,
}

impl FromRequestParts<App> for AtClient {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Trouble> {
        let Of(of) = Of::from_request_parts(parts, app).await?;
        Ok(Self { of, inside: Inside::from_request_parts(parts, app).await? })
    }
}

impl Visitor for AtClient {
    fn place<'a>(&'a self, app: &'a App) -> Place<'a> {
        self.inside.at(app, self.of)
    }
}

/// Who sends a form there.
struct ClientForm {
    of: Client,
    form: InsideForm,
}

impl FromRequest<App> for ClientForm {
    type Rejection = Trouble;

    async fn from_request(mut request: Request, app: &App) -> Result<Self, Trouble> {
        let Of(of) = request.extract_parts_with_state(app).await?;
        Ok(Self { of, form: InsideForm::from_request(request, app).await? })
    }
}

impl Sender for ClientForm {
    fn place<'a>(&'a self, app: &'a App) -> Place<'a> {
        self.form.at(app, self.of)
    }

    fn fields(&self) -> &Fields {
        &self.form.fields
    }
}

/// The pages below an account, of each kind.
pub(in crate::console) fn routes() -> Router<App> {
    const BELOW: &str = "/organizations/{organization}/service-accounts/{account}/{kind}";
    Router::new()
        .route(BELOW, get(show))
        .route(&format!("{BELOW}/new"), get(proof::ask).post(proof::submit))
        .merge(of_one::<CredentialId, AtClient, ClientForm>(BELOW))
}

/// `GET …/{account}/{kind}`.
pub(crate) async fn show(
    State(app): State<App>,
    Of(of): Of,
    inside: Inside,
    Query(Wanted { after, .. }): Query<Wanted>,
) -> Result<Response, Trouble> {
    let (here, place, now) = (&inside.here, inside.at(&app, of), app.now());
    let account = find(&app, here, of.account).await?;
    let mut found = read(&place, of, &after).await?;
    let path = place.list();
    let pages = Pages::of(&mut found, |(one, _)| one.id, &path, &[], &after);
    let (credentials, texts): (Vec<Credential>, Vec<Option<String>>) = found.into_iter().unzip();
    let frame = place.frame().await?;
    let mut rows = rows(&place, &credentials, |_| None, now, &frame).await?;
    for (row, text) in rows.iter_mut().zip(texts) {
        if let Some(text) = text {
            row.begins = text;
        }
    }
    let shown = ClientCredentialsPage {
        head: Head::of(here, &account, Some(of.kind)),
        title: Called::of(of.kind).list,
        what: what(of.kind),
        make: make_words(of.kind),
        rows,
        pages,
        makes: gives(here),
        lacks_grants: here.person.may(permission::SERVICE_ACCOUNTS_WRITE) && !gives(here),
        path,
        frame,
    };
    Ok(page(&shown, []))
}

/// A page of them, newest first, each with what it is known by if it has no secret.
async fn read(place: &Place<'_>, of: Client, after: &str) -> Result<Vec<(Credential, Option<String>)>, Trouble> {
    let here = place.here.ok_or(Trouble::Absent)?;
    let mut view = place.app.store.within(Reach::Organization(here.organization.id));
    Ok(match of.kind {
        Kind::PublicKey => {
            let found = view.public_keys(of.account, &pages::rows(after)?).await?;
            found.into_iter().map(|(one, key)| (one, Some(key.to_string()))).collect()
        }
        Kind::Certificate => {
            let found = view.certificates(of.account, &pages::rows(after)?).await?;
            found.into_iter().map(|(one, its)| (one, Some(terms::certificate_in_short(&its)))).collect()
        }
        Kind::Federation => {
            let found = view.federations(of.account, &pages::rows(after)?).await?;
            found.into_iter().map(|(one, its)| (one, Some(terms::in_short(&its)))).collect()
        }
        Kind::ClientSecret | Kind::ApiKey | Kind::PersonalAccessToken => {
            let filter = CredentialFilter {
                kind: Some(of.kind),
                organization: Some(here.organization.id),
                principal: Some(of.account.into()),
                ..CredentialFilter::default()
            };
            let found = view.credentials_in(Order::Newest, &filter, &pages::rows(after)?).await?;
            found.into_iter().map(|one| (one, None)).collect()
        }
    })
}
