//! `/device`: somebody types what a device shows, sees who asks for what, and says yes or no (RFC 8628, sections 3.3 and 5.4).
//!
//! Also whoever comes with the code in the address is asked. How a device asks and gets its token is `oauth/device_request.rs`.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use claviger_core::{DeviceApproval, DeviceClient, DeviceRequest, DeviceState, Digest, Organization, Reach, UserCode};
use claviger_token::{OrganizationId, PermissionSet, PrincipalId};
use serde::Deserialize;

use super::{
    approval::described,
    form::SessionForm,
    page::{Frame, go, page_with, shown},
    query::Query,
    trouble::Trouble,
    visit::{SignedIn, Visit},
};
use crate::{
    app::App,
    manage::issue_own,
    metrics::Guarded,
    oauth::why_not,
    problem::RequestError,
    session::{Session, hex},
};

#[derive(Template)]
#[template(path = "device_code.html")]
pub(super) struct DeviceCodePage {
    pub(super) frame: Frame,
    pub(super) wrong: bool,
}

#[derive(Template)]
#[template(path = "device_request.html")]
pub(super) struct DeviceRequestPage {
    pub(super) frame: Frame,
    /// As people read it.
    pub(super) user_code: String,
    pub(super) asked: Asked,
    pub(super) stage: Stage,
}

impl DeviceRequestPage {
    /// Whether there is still something to decide.
    fn is_open(&self) -> bool {
        !matches!(self.stage, Stage::Redeemed | Stage::ByOther | Stage::Denied)
    }
}

/// Who asks.
pub(super) struct Asked {
    pub(super) client: String,
    /// The client's id, and the name of its organization, if it is not our own.
    pub(super) of: Option<(String, String)>,
    /// What the device calls itself.
    pub(super) device: Option<String>,
    pub(super) address: Option<String>,
    pub(super) since: String,
    /// How many minutes ago that was.
    pub(super) minutes: usize,
}

/// How far it is decided.
pub(super) enum Stage {
    /// By whoever looks, who can still take it back.
    Approved,
    /// By them, and the device has its token.
    Redeemed,
    /// By somebody else.
    ByOther,
    Denied,
    /// Whoever looks can give nothing of it.
    Nothing,
    /// They can in several organizations: name and address of each.
    Choose(Vec<(String, String)>),
    Waits(Box<Offered>),
}

/// What the device would get.
pub(super) struct Offered {
    pub(super) organization: String,
    pub(super) organization_id: String,
    /// The other organizations in which it could be: name and address of each.
    pub(super) others: Vec<(String, String)>,
    /// Each permission, and what it allows.
    pub(super) permissions: Vec<(String, String)>,
    /// What was asked for and is not theirs to give.
    pub(super) left_out: Vec<String>,
    /// Which of the permissions reach every organization.
    pub(super) everywhere: Vec<String>,
    /// From where alone the organization lets tokens be used.
    pub(super) networks: Option<Vec<String>>,
    pub(super) ends: String,
    /// Whether it works only once somebody else has approved it.
    pub(super) wants_approval: bool,
    /// What is approved, if nothing of it changes meanwhile.
    pub(super) seen: String,
    /// Why the rules of the organization do not allow it.
    pub(super) refused: Option<String>,
}

/// Query of `GET /device`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Typed {
    user_code: String,
    organization: String,
}

/// `GET /device`, with `user_code` or without.
pub(crate) async fn show(
    State(app): State<App>,
    visit: Visit,
    SignedIn(session): SignedIn,
    Query(typed): Query<Typed>,
) -> Result<Response, Trouble> {
    if typed.user_code.is_empty() {
        return ask_for_code(&app, &session, &visit, false).await;
    }
    match Found::by(&app, &session, &visit, &typed.user_code).await? {
        Some(found) => found.page(&typed.organization, None).await,
        None => ask_for_code(&app, &session, &visit, true).await,
    }
}

/// `POST /device` with `user_code`.
pub(crate) async fn submit(State(app): State<App>, form: SessionForm) -> Result<Response, Trouble> {
    let SessionForm { session, fields, visit } = form;
    match Found::by(&app, &session, &visit, fields.value("user_code")).await? {
        Some(found) => Ok(go(&path(&found.code, None), [])),
        None => ask_for_code(&app, &session, &visit, true).await,
    }
}

/// `POST /device/approve` with `user_code`, `organization` and what was `seen`, by somebody who proved lately who they are: what comes of it
/// outlasts their session.
pub(crate) async fn approve(State(app): State<App>, form: SessionForm) -> Result<Response, Trouble> {
    let SessionForm { session, fields, visit } = form;
    let Some(found) = Found::by(&app, &session, &visit, fields.value("user_code")).await? else {
        return ask_for_code(&app, &session, &visit, true).await;
    };
    let offers = found.offers().await?;
    let chosen = fields.value("organization");
    let offer = offers.iter().find(|offer| offer.organization.id.to_string() == chosen);
    let next = path(&found.code, offer.map(|offer| offer.organization.id));
    // What is not as it was shown any more is shown again.
    let Some(offer) = offer.filter(|offer| found.seen(offer) == fields.value("seen")) else { return Ok(go(&next, [])) };
    if !session.is_fresh(app.now()) {
        return Err(Trouble::NotFresh { next });
    }
    let now = app.now();
    let called = app.device_client_name(found.one.client).await?;
    let approval = DeviceApproval {
        user: session.user(),
        organization: offer.organization.id,
        permissions: offer.permissions.clone(),
    };
    let mut tx = app.store.begin(session.by()).await?;
    // Made as if it were redeemed now, so that nobody approves what the rules refuse.
    let body = |policy: &_| found.one.token(&approval, called.as_deref(), policy, now);
    match issue_own(&app, &mut tx, &approval, now, body).await {
        Ok(_) => {}
        Err(RequestError::Store(error)) => return Err(error.into()),
        Err(error) => {
            drop(tx);
            return found.page(chosen, Some(why_not(&error))).await;
        }
    }
    let (approved, event) = found.one.clone().approve(approval);
    if tx.decide_device_request(&approved, now).await? {
        tx.commit(event, now, &mut app.rng()).await?;
    }
    // The page says how it stands: decided now, or by somebody else before.
    Ok(go(&next, []))
}

/// `POST /device/deny` with `user_code`: also of what one has approved, until the device comes for it.
pub(crate) async fn deny(State(app): State<App>, form: SessionForm) -> Result<Response, Trouble> {
    let SessionForm { session, fields, visit } = form;
    let Some(found) = Found::by(&app, &session, &visit, fields.value("user_code")).await? else {
        return ask_for_code(&app, &session, &visit, true).await;
    };
    let now = app.now();
    let (denied, event) = found.one.clone().deny(None);
    let mut tx = app.store.begin(session.by()).await?;
    let done = match found.one.approver() {
        None => tx.decide_device_request(&denied, now).await?,
        Some(_) => tx.take_back_approval(denied.id, session.user()).await?,
    };
    if done {
        tx.commit(event, now, &mut app.rng()).await?;
    }
    Ok(go(&path(&found.code, None), []))
}

async fn ask_for_code(app: &App, session: &Session, visit: &Visit, wrong: bool) -> Result<Response, Trouble> {
    let status = if wrong { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let frame = Frame::inside(session, visit, app, None).await?;
    Ok(page_with(status, &DeviceCodePage { frame, wrong }, []))
}

fn path(code: &UserCode, organization: Option<OrganizationId>) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("user_code", &code.to_string());
    if let Some(organization) = organization {
        query.append_pair("organization", &organization.to_string());
    }
    format!("/device?{}", query.finish())
}

/// A request whose code somebody typed.
struct Found<'a> {
    app: &'a App,
    session: &'a Session,
    visit: &'a Visit,
    code: UserCode,
    one: DeviceRequest,
}

/// An organization in which somebody can give something of what is asked for.
struct Offer {
    organization: Organization,
    permissions: PermissionSet,
    /// Those of them that are held in every organization.
    everywhere: PermissionSet,
    described: Vec<(String, String)>,
}

impl<'a> Found<'a> {
    /// What is typed wrong is counted, from a form and from an address alike.
    async fn by(app: &'a App, session: &'a Session, visit: &'a Visit, text: &str) -> Result<Option<Self>, Trouble> {
        let (now, address) = (app.now(), visit.from.address);
        let account = app.peppers.keyed_hash("user-code", &[session.user().to_string().as_bytes()]);
        app.throttle.user_code_typed(account, address, now).map_err(|wait| app.throttled(Guarded::UserCode, wait))?;
        let Some(code) = UserCode::parse(text) else { return Ok(None) };
        let digests: Vec<Digest> = app.peppers.candidates(&code.hash()).collect();
        for digest in digests {
            if let Some(one) = app.store.device_request_of_user_code(&digest, now).await? {
                app.throttle.user_code_found(account, address);
                return Ok(Some(Self { app, session, visit, code, one }));
            }
        }
        Ok(None)
    }

    /// The page of it, in the organization that was `chosen`. `refused` is why the rules there did not allow it just now.
    async fn page(&self, chosen: &str, refused: Option<String>) -> Result<Response, Trouble> {
        let frame = Frame::inside(self.session, self.visit, self.app, None).await?;
        let asked = self.asked(&frame).await?;
        let is_mine = self.one.approver().is_none_or(|approver| approver == self.session.user());
        let stage = match self.one.state {
            DeviceState::Approved(_) | DeviceState::Redeemed(_) if !is_mine => Stage::ByOther,
            DeviceState::Approved(_) => Stage::Approved,
            DeviceState::Redeemed(_) => Stage::Redeemed,
            DeviceState::Denied => Stage::Denied,
            DeviceState::Waits => self.offered(chosen, refused.clone()).await?,
        };
        let status = if refused.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
        Ok(page_with(status, &DeviceRequestPage { frame, user_code: self.code.to_string(), asked, stage }, []))
    }

    async fn asked(&self, frame: &Frame) -> Result<Asked, Trouble> {
        let of = match self.one.client {
            DeviceClient::Cli => None,
            DeviceClient::ServiceAccount(id) => {
                let mut view = self.app.store.within(Reach::Instance);
                let home = match view.service_account(id).await? {
                    Some(account) => view.organization(account.organization).await?,
                    None => None,
                };
                Some((id.to_string(), home.map(|home| home.name.to_string()).unwrap_or_default()))
            }
        };
        let client = self.app.device_client_name(self.one.client).await?;
        let age = self.app.now().duration_since(self.one.created_at);
        Ok(Asked {
            client: client.unwrap_or_else(|| frame.text("device-client-cli")),
            of,
            device: self.one.ask.device_name.clone(),
            address: self.one.address.map(|address| address.to_string()),
            since: shown(self.one.created_at),
            minutes: usize::try_from(age.as_mins()).unwrap_or(0),
        })
    }

    async fn offered(&self, chosen: &str, refused: Option<String>) -> Result<Stage, Trouble> {
        let offers = self.offers().await?;
        let link = |offer: &Offer| (offer.organization.name.to_string(), path(&self.code, Some(offer.organization.id)));
        let offer = match offers.as_slice() {
            [] => return Ok(Stage::Nothing),
            [only] => only,
            several => match several.iter().find(|offer| offer.organization.id.to_string() == chosen) {
                Some(offer) => offer,
                None => return Ok(Stage::Choose(several.iter().map(link).collect())),
            },
        };
        let (organization, policy) = (&offer.organization, &offer.organization.policy);
        let others = offers.iter().filter(|other| other.organization.id != organization.id);
        let left_out = self.one.left_out(&offer.permissions);
        Ok(Stage::Waits(Box::new(Offered {
            organization: organization.name.to_string(),
            organization_id: organization.id.to_string(),
            others: others.map(link).collect(),
            permissions: offer.described.clone(),
            left_out: left_out.iter().map(ToString::to_string).collect(),
            everywhere: offer.everywhere.iter().map(ToString::to_string).collect(),
            networks: policy.allowed_networks.as_ref().map(|all| all.iter().map(ToString::to_string).collect()),
            ends: shown(DeviceRequest::token_end(policy, self.app.now())),
            wants_approval: policy.approval_required,
            seen: self.seen(offer),
            refused,
        })))
    }

    /// Where whoever looks can give something of it. A client's request concerns its own organization, and everybody if it serves the API.
    async fn offers(&self) -> Result<Vec<Offer>, Trouble> {
        let (app, catalog) = (self.app, self.app.catalog().await?);
        let client = match self.one.client {
            DeviceClient::Cli => None,
            DeviceClient::ServiceAccount(id) => {
                let account = app.store.within(Reach::Instance).service_account(id).await?;
                // It is gone since.
                let Some(account) = account else { return Ok(Vec::new()) };
                Some(account)
            }
        };
        let mut offers = Vec::new();
        for standing in app.store.standings_of(self.session.user()).await? {
            let held = standing.held.masked_by(&standing.ceiling);
            let Some(target) = self.one.target(catalog.apis(), &held) else { continue };
            let concerned = client.as_ref().is_none_or(|client| {
                client.organization == standing.organization
                    || catalog.serves(PrincipalId::from(client.id), &target.api.identifier)
            });
            let mut view = app.store.within(Reach::Organization(standing.organization));
            let Some(organization) = view.organization(standing.organization).await?.filter(|_| concerned) else {
                continue;
            };
            let described = described(catalog.apis(), &target.scope);
            let here_alone = target.scope.difference(&standing.held_everywhere.masked_by(&standing.ceiling));
            let everywhere = target.scope.difference(&here_alone);
            offers.push(Offer { organization, permissions: target.scope, everywhere, described });
        }
        Ok(offers)
    }

    /// What a page carries of an offer as it shows it: another text, if any of it has changed since.
    fn seen(&self, offer: &Offer) -> String {
        let shown = [
            self.session.user().to_string(),
            self.one.id.to_string(),
            offer.organization.id.to_string(),
            offer.permissions.to_text(),
            offer.everywhere.to_text(),
        ];
        let parts: Vec<&[u8]> = shown.iter().map(String::as_bytes).collect();
        hex(&self.app.peppers.keyed_hash("device-seen", &parts))
    }
}
