//! The end of many tokens at once: first what would end and how much, then the number typed by whoever means it, then what happened.
//! By the rule of `POST /v1/credentials/revoke`.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use claviger_core::{Reach, Rejection, permission};
use claviger_token::{PrincipalId, UserId};
use jiff::{SignedDuration, Timestamp};

use super::{list::Owner, wanted::Wanted};
use crate::{
    app::App,
    console::{
        credential::{
            Place,
            list::{Listed, rows},
            revoke::{reason, reasons},
            withheld,
        },
        inside::{Inside, InsideForm},
        page::{Frame, go, page, page_with},
        query::Query,
        shell::Here,
        trouble::Trouble,
    },
    log::has_token,
    manage::inventory::{InventoryQuery, LOOKED_AT, Matched, RevokeMany, revoke_matching},
    problem::RequestError,
};

/// For how long a preview may be answered: its days are counted from when it was made.
const LONGEST: SignedDuration = SignedDuration::from_hours(1);

#[derive(Template)]
#[template(path = "inventory_revoke.html")]
pub(crate) struct RevokeManyPage {
    pub(crate) frame: Frame,
    pub(crate) list: String,
    pub(crate) wanted: Wanted,
    /// Whose tokens: a name.
    pub(crate) owner: Option<String>,
    pub(crate) state: Option<String>,
    pub(crate) matched: usize,
    /// Whether there may be more.
    pub(crate) more: bool,
    pub(crate) rows: Vec<Listed>,
    /// When it was counted.
    pub(crate) at: String,
    /// What was wrong with the form.
    pub(crate) wrong: Option<String>,
    pub(crate) reason: String,
    /// Whether tokens of whoever administers the instance are left out.
    pub(crate) leaves_out: bool,
}

impl RevokeManyPage {
    pub(crate) fn reasons(&self) -> Vec<(&'static str, String)> {
        reasons(&self.frame)
    }

    /// That not all were looked at: what nobody has counted is not ended here.
    pub(crate) fn told_more(&self) -> String {
        self.frame.text_with("inventory-more", "count", self.frame.number(LOOKED_AT))
    }

    /// Whether there are more than are shown.
    pub(crate) fn is_longer(&self) -> bool {
        self.matched > self.rows.len()
    }

    pub(crate) fn counted(&self) -> String {
        match self.more {
            true => self.frame.text_with("inventory-matched", "count", format!("{}+", self.matched)),
            false => self.frame.text_counting("inventory-matched", self.matched),
        }
    }
}

#[derive(Template)]
#[template(path = "inventory_revoked.html")]
pub(crate) struct RevokedManyPage {
    pub(crate) frame: Frame,
    pub(crate) list: String,
    pub(crate) revoked: usize,
    /// Where it is told who did it.
    pub(crate) audit: Option<String>,
}

impl RevokedManyPage {
    pub(crate) fn told(&self) -> String {
        self.frame.text_counting("inventory-revoked", self.revoked)
    }
}

/// Which tokens, seen from when.
struct Meant {
    wanted: Wanted,
    owner: Option<UserId>,
    query: InventoryQuery,
    at: Timestamp,
}

impl Meant {
    /// None where tokens like these cannot be ended together.
    fn of(wanted: Wanted, owner: Option<UserId>, here: &Here, at: Timestamp) -> Option<Self> {
        if !wanted.is_endable() {
            return None;
        }
        let query = wanted.query(here.organization.id, owner, at);
        // What is made after it was counted was not counted.
        let query = InventoryQuery { created_before: Some(at), ..query };
        // What was typed may mean somebody else by the time that the form is sent.
        let owner_id = owner.map(|user| user.to_string()).unwrap_or_default();
        Some(Self { wanted: Wanted { owner: owner_id, ..wanted }, owner, query, at })
    }
}

fn reach(here: &Here) -> Result<Reach, Trouble> {
    here.must(permission::CREDENTIALS_READ)?;
    here.person.reach(permission::CREDENTIALS_WRITE).ok_or(Trouble::Absent)
}

/// `GET …/tokens/revoke` with the filters of the list: how many would end, and which.
pub(crate) async fn show(
    State(app): State<App>,
    inside: Inside,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Trouble> {
    let (place, here) = (inside.tokens(&app), &inside.here);
    let reach = reach(here)?;
    place.must_be_fresh(question(&place, &wanted))?;
    let frame = place.frame().await?;
    let meant = match Owner::of(&wanted, here, &app, &frame).await? {
        Owner::Anybody => Meant::of(wanted.clone(), None, here, app.now()),
        Owner::One(user) => Meant::of(wanted.clone(), Some(user), here, app.now()),
        Owner::Unclear(..) => None,
    };
    match meant {
        Some(meant) => preview(&place, here, reach, frame, meant, None, String::new()).await,
        // The list says what is wrong.
        None => Ok(go(&wanted.address(&place.list()), [])),
    }
}

/// `POST …/tokens/revoke` with the filters, the owner by id, when they were counted (`at`), how many they were (`expected`), the same as typed (`count`), and
/// `reason`.
pub(crate) async fn submit(State(app): State<App>, form: InsideForm) -> Result<Response, Trouble> {
    let (place, here, fields) = (form.tokens(&app), &form.here, &form.fields);
    let (reach, wanted, now) = (reach(here)?, Wanted::of(fields), app.now());
    place.must_be_fresh(question(&place, &wanted))?;
    let frame = place.frame().await?;
    let owner = match wanted.owner.as_str() {
        "" => None,
        id => Some(id.parse::<UserId>().map_err(|_| Trouble::Form)?),
    };
    let counted_at = fields.value("at").parse::<Timestamp>().map_err(|_| Trouble::Form)?;
    let is_recent = counted_at <= now && now.duration_since(counted_at) < LONGEST;
    let at = if is_recent { counted_at } else { now };
    let meant = Meant::of(wanted, owner, here, at).ok_or(Trouble::Form)?;
    let reason = reason(fields);
    let again = |words: &str| Some(frame.text(words));
    let expected = fields.value("expected").parse::<u64>().map_err(|_| Trouble::Form)?;
    let wrong = if !is_recent {
        again("inventory-too-late")
    } else if fields.value("count").trim().parse::<u64>().ok() != Some(expected) {
        again("inventory-count-wrong")
    } else {
        None
    };
    if wrong.is_some() {
        return preview(&place, here, reach, frame, meant, wrong, reason.as_str().to_owned()).await;
    }
    let body = RevokeMany { reason, expected: Some(expected) };
    match revoke_matching(&app, form.session.by(), reach, &meant.query, &body).await {
        Ok(Matched { revoked, .. }) => {
            let audit = here.person.may(permission::AUDIT_EVENTS_READ);
            let shown = RevokedManyPage {
                list: place.list(),
                revoked: usize::try_from(revoked).unwrap_or(usize::MAX),
                audit: audit.then(|| here.path("/audit?action=credentials.revoked")),
                frame,
            };
            Ok(page(&shown, []))
        }
        Err(RequestError::Rejected(Rejection::Conflict { .. })) => {
            let wrong = again("inventory-count-changed");
            preview(&place, here, reach, frame, meant, wrong, reason.as_str().to_owned()).await
        }
        Err(error) => Err(withheld(error)),
    }
}

/// Where to come back to after signing in again. What looks like a token does not travel there, and what is left would mean more.
fn question(place: &Place<'_>, wanted: &Wanted) -> String {
    let is_left_out = has_token(&wanted.q) || has_token(&wanted.owner);
    if is_left_out { place.list() } else { wanted.address(&format!("{}/revoke", place.list())) }
}

async fn preview(
    place: &Place<'_>,
    here: &Here,
    reach: Reach,
    frame: Frame,
    meant: Meant,
    wrong: Option<String>,
    reason: String,
) -> Result<Response, Trouble> {
    let (app, now) = (place.app, place.app.now());
    let counted = RevokeMany { expected: None, ..RevokeMany::default() };
    let Matched { matched, more, found, .. } =
        revoke_matching(app, place.session.by(), reach, &meant.query, &counted).await?;
    let mut view = app.store.within(Reach::Organization(here.organization.id));
    let owners: Vec<_> = found.iter().map(|one| one.principal).chain(meant.owner.map(PrincipalId::from)).collect();
    let names = view.names_in(here.organization.id, &owners).await?;
    let called = |id: PrincipalId| names.get(&id).cloned().unwrap_or_else(|| id.to_string());
    let status = if wrong.is_none() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let shown = RevokeManyPage {
        rows: rows(place, &found, |one| Some(called(one.principal)), now, &frame).await?,
        list: place.list(),
        owner: meant.owner.map(|user| called(user.into())),
        state: meant.wanted.state_words(&frame),
        matched: usize::try_from(matched).unwrap_or(usize::MAX),
        more,
        at: meant.at.to_string(),
        leaves_out: reach != Reach::Instance,
        wrong,
        reason,
        wanted: meant.wanted,
        frame,
    };
    Ok(page_with(status, &shown, []))
}
