//! The claim codes of a fleet: by which devices enrol in it. One is shown once, when it is made.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use claviger_core::{ClaimCode, ClaimCodeStatus, Fleet, NewClaimCode, Reach, Rejection, permission};
use claviger_token::{ClaimCodeId, Secret};
use jiff::SignedDuration;

use super::{Which, detail, find, may_write, path, writer};
use crate::{
    app::App,
    console::{
        credential::{Place, form::Wrong, once::Once, shown::Badge, withheld},
        form::Fields,
        inside::{self, Inside, InsideForm},
        moment::Moment,
        page::{Frame, go, go_and_tell, page, page_with},
        pages::{self, Pages, Wanted},
        query::Query,
        shell::Here,
        trouble::Trouble,
    },
    manage::claim_code,
    problem::RequestError,
};

/// How long a code may count, in days.
const LIVES: [u32; 5] = [1, 7, 30, 90, 365];

#[derive(Template)]
#[template(path = "claim_codes.html")]
pub(crate) struct CodesPage {
    pub(crate) frame: Frame,
    pub(crate) fleet: (String, String),
    pub(crate) path: String,
    pub(crate) rows: Vec<Row>,
    pub(crate) pages: Pages,
    /// Whether they may make one; a closed fleet takes none.
    pub(crate) makes: bool,
    pub(crate) changes: bool,
    pub(crate) closed: bool,
}

/// A claim code.
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) begins: String,
    pub(crate) badge: Badge,
    pub(crate) open: bool,
    pub(crate) used: u32,
    pub(crate) uses: u32,
    pub(crate) ends: Moment,
    pub(crate) made: Moment,
}

#[derive(Template)]
#[template(path = "claim_code_new.html")]
pub(crate) struct NewCodePage {
    pub(crate) frame: Frame,
    pub(crate) fleet: (String, String),
    pub(crate) list: String,
    pub(crate) once: String,
    pub(crate) uses: String,
    pub(crate) life: String,
    pub(crate) wrong: Wrong,
}

impl NewCodePage {
    /// The lives that can be chosen: value, label, and whether it is chosen.
    pub(crate) fn lives(&self) -> Vec<(u32, String, bool)> {
        let life = |days: u32| (days, super::list::days(days, &self.frame), self.life == days.to_string());
        LIVES.map(life).into()
    }
}

#[derive(Template)]
#[template(path = "claim_code_made.html")]
pub(crate) struct MadeCodePage<'a> {
    pub(crate) frame: Frame,
    pub(crate) fleet: (String, String),
    pub(crate) secret: &'a Secret,
    pub(crate) enrol: String,
    pub(crate) next: String,
}

#[derive(Template)]
#[template(path = "claim_code_revoke.html")]
pub(crate) struct RevokeCodePage {
    pub(crate) frame: Frame,
    pub(crate) fleet: (String, String),
    pub(crate) list: String,
    pub(crate) id: String,
    pub(crate) begins: String,
}

/// What a fleet is called, and its page.
fn of(here: &Here, fleet: &Fleet) -> (String, String) {
    (fleet.name.to_string(), path(here, fleet.id))
}

fn list_of(here: &Here, fleet: &Fleet) -> String {
    format!("{}/claim-codes", path(here, fleet.id))
}

/// `GET …/{fleet}/claim-codes`.
pub(crate) async fn list(
    State(app): State<App>,
    Which(id): Which,
    inside: Inside,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Trouble> {
    let (here, place, now) = (&inside.here, inside.place(&app), app.now());
    let fleet = find(&app, here, id).await?;
    let mut view = app.store.within(Reach::Organization(here.organization.id));
    let mut found = view.claim_codes(id, &pages::rows(&wanted.after)?).await?;
    let path = list_of(here, &fleet);
    let pages = Pages::of(&mut found, |code| code.id, &path, &[], &wanted.after);
    let frame = place.frame().await?;
    let moment = |time| Moment::new(frame.language(), time, now);
    let row = |code: &ClaimCode| Row {
        id: code.id.to_string(),
        begins: begins(&app, code),
        badge: badge(code.status(now), &frame),
        open: code.status(now) == ClaimCodeStatus::Open,
        used: code.used,
        uses: code.uses,
        ends: moment(code.ends_at),
        made: moment(code.created_at),
    };
    let changes = here.person.may(permission::FLEETS_WRITE);
    let shown = CodesPage {
        fleet: of(here, &fleet),
        rows: found.iter().map(row).collect(),
        pages,
        makes: changes && fleet.closed_at.is_none(),
        changes,
        closed: fleet.closed_at.is_some(),
        path,
        frame,
    };
    Ok(page(&shown, []))
}

/// The beginning of a code's text, by which it is recognised.
fn begins(app: &App, code: &ClaimCode) -> String {
    format!("{}_claim_{}…", app.config.brand.as_str(), code.hint)
}

fn badge(status: ClaimCodeStatus, frame: &Frame) -> Badge {
    let (key, class) = match status {
        ClaimCodeStatus::Open => ("claim-code-open", "good"),
        ClaimCodeStatus::UsedUp => ("claim-code-used-up", ""),
        ClaimCodeStatus::Revoked => ("status-revoked", "bad"),
        ClaimCodeStatus::Expired => ("status-expired", "bad"),
    };
    Badge { words: frame.text(key), class }
}

/// `GET …/claim-codes/new`.
pub(crate) async fn ask(State(app): State<App>, Which(id): Which, inside: Inside) -> Result<Response, Trouble> {
    let place = inside.place(&app);
    let here = may_write(&place)?;
    let fleet = find(&app, here, id).await?;
    if fleet.closed_at.is_some() {
        return Ok(go(&list_of(here, &fleet), []));
    }
    place.must_be_fresh(inside.visit.path.clone())?;
    with(&place, here, &fleet, ("1", "1"), Wrong::default()).await
}

/// `POST …/claim-codes/new`.
pub(crate) async fn make(State(app): State<App>, Which(id): Which, form: InsideForm) -> Result<Response, Trouble> {
    let (place, fields): (_, &Fields) = (form.place(&app), &form.fields);
    let here = may_write(&place)?;
    let fleet = find(&app, here, id).await?;
    let list = list_of(here, &fleet);
    let once = Once::of(&app, &form.session, &list, fields)?;
    if let Some(response) = once.done(&app).await? {
        return Ok(response);
    }
    place.must_be_fresh(format!("{list}/new"))?;
    let (uses, life) = (fields.value("uses").trim(), fields.value("life"));
    let (frame, now, mut wrong) = (place.frame().await?, app.now(), Wrong::default());
    let number = uses.parse::<u32>().ok();
    if number.is_none() {
        wrong.fields.push(("uses", frame.text("claim-code-uses-wrong")));
    }
    let days = life.parse::<u32>().ok().filter(|days| LIVES.contains(days));
    if days.is_none() {
        wrong.fields.push(("life", frame.text("form-life-wrong")));
    }
    let (Some(number), Some(days)) = (number, days) else {
        return with(&place, here, &fleet, (uses, life), wrong).await;
    };
    let expires_at = now.saturating_add(SignedDuration::from_hours(24 * i64::from(days))).ok();
    let (body, authority) = (NewClaimCode { uses: Some(number), expires_at }, writer(&place)?);
    let mut tx = app.store.begin(authority.by).await?;
    match claim_code::made(&app, &mut tx, &authority, id, &body, now).await {
        Ok((_, secret, event)) => {
            if let Some(response) = once.commit(&app, tx, event, list.clone(), now).await? {
                return Ok(response);
            }
            let enrol = detail::enrol(&app.config.public_url);
            let shown = MadeCodePage { frame, fleet: of(here, &fleet), secret: &secret, enrol, next: list };
            Ok(page(&shown, []))
        }
        Err(RequestError::Rejected(rejection)) => {
            drop(tx);
            let wrong = wrong_by(&rejection, &frame);
            with(&place, here, &fleet, (uses, life), wrong).await
        }
        Err(error) => Err(withheld(error)),
    }
}

fn wrong_by(rejection: &Rejection, frame: &Frame) -> Wrong {
    let page = |key: &str| Wrong { page: Some(frame.text(key)), ..Wrong::default() };
    let beyond = |permission: &str| Wrong {
        page: Some(frame.text_with("form-beyond", "permission", permission)),
        ..Wrong::default()
    };
    match rejection {
        Rejection::Invalid(_) => {
            Wrong { fields: vec![("uses", frame.text("claim-code-uses-wrong"))], ..Wrong::default() }
        }
        Rejection::Forbidden { permission, .. } => beyond(permission),
        Rejection::Withheld { permission, .. } => beyond(permission),
        Rejection::Conflict { code: "too_many", .. } => page("claim-codes-too-many"),
        Rejection::Conflict { .. } => page("fleet-is-closed"),
    }
}

async fn with(
    place: &Place<'_>,
    here: &Here,
    fleet: &Fleet,
    (uses, life): (&str, &str),
    wrong: Wrong,
) -> Result<Response, Trouble> {
    let status = if wrong.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let shown = NewCodePage {
        frame: place.frame().await?,
        fleet: of(here, fleet),
        list: list_of(here, fleet),
        once: Once::field(place.app),
        uses: uses.to_owned(),
        life: life.to_owned(),
        wrong,
    };
    Ok(page_with(status, &shown, []))
}

/// `GET …/claim-codes/{id}/revoke`: asks once more.
pub(crate) async fn ask_to_revoke(
    State(app): State<App>,
    Which(fleet): Which,
    inside::Which(id): inside::Which<ClaimCodeId>,
    inside: Inside,
) -> Result<Response, Trouble> {
    let place = inside.place(&app);
    let here = may_write(&place)?;
    let fleet = find(&app, here, fleet).await?;
    let code = app.store.within(Reach::Organization(here.organization.id)).claim_code(id).await?;
    let code = code.filter(|code| code.fleet == fleet.id).ok_or(Trouble::Absent)?;
    let list = list_of(here, &fleet);
    if code.revoked_at.is_some() {
        return Ok(go(&list, []));
    }
    let shown = RevokeCodePage {
        frame: place.frame().await?,
        fleet: of(here, &fleet),
        list,
        id: id.to_string(),
        begins: begins(&app, &code),
    };
    Ok(page(&shown, []))
}

/// `POST …/claim-codes/{id}/revoke`.
pub(crate) async fn revoke(
    State(app): State<App>,
    Which(fleet): Which,
    inside::Which(id): inside::Which<ClaimCodeId>,
    form: InsideForm,
) -> Result<Response, Trouble> {
    let place = form.place(&app);
    let here = may_write(&place)?;
    let fleet = find(&app, here, fleet).await?;
    let list = list_of(here, &fleet);
    match claim_code::revoked(&app, &writer(&place)?, fleet.id, id).await {
        Ok((tx, event)) => {
            tx.commit(event, app.now(), &mut app.rng()).await?;
            Ok(go_and_tell(&list, "revoked", []))
        }
        // Somebody else was faster.
        Err(RequestError::Rejected(Rejection::Conflict { .. })) => Ok(go(&list, [])),
        Err(error) => Err(withheld(error)),
    }
}
