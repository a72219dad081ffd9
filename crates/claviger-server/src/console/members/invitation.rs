//! One invitation: made, with a link that is shown once; looked at; and taken back.

use askama::Template;
use axum::{extract::State, response::Response};
use claviger_core::{Invitation, InvitationStatus, NewInvitation, Reach, Rejection, permission};
use claviger_token::{InvitationId, PrincipalId};

use super::{invitations::badge, list_of, offer, writer};
use crate::{
    app::App,
    console::{
        approval::named,
        ask::AskPage,
        credential::{Place, made, once::Once, withheld},
        inside::{Inside, InsideForm, Which},
        moment::Moment,
        page::{Frame, go, go_and_tell, page},
        sheet::{Draft, Entered, Field, Offered, Part, Section, Sheet, Way},
        shell::Here,
        trouble::Trouble,
    },
    manage::invitation::{Made, address, created, names_of_roles, revoked},
    problem::RequestError,
};

/// For how many days a link works, as the form offers it.
const LIVES: [u32; 5] = [1, 3, 7, 14, 30];

#[derive(Template)]
#[template(path = "invitation_shown.html")]
pub(crate) struct ShownPage {
    pub(crate) frame: Frame,
    pub(crate) list: String,
    pub(crate) path: String,
    pub(crate) email: String,
    pub(crate) id: String,
    pub(crate) state: (&'static str, String),
    pub(crate) brings: Vec<String>,
    pub(crate) made: Moment,
    pub(crate) maker: String,
    pub(crate) ends: Moment,
    /// When and by whom it was accepted.
    pub(crate) accepted: Option<(Moment, String)>,
    /// Whether it can be taken back, by this reader.
    pub(crate) withdraws: bool,
}

fn path_of(here: &Here) -> String {
    format!("{}/invitations", list_of(here))
}

/// `GET …/members/invitations/new`.
pub(crate) async fn ask(State(app): State<App>, inside: Inside) -> Result<Response, Trouble> {
    let place = inside.place(&app);
    let (here, _) = writer(&place)?;
    place.must_be_fresh(inside.visit.path.clone())?;
    let frame = place.frame().await?;
    let draft = Draft::begun(&place, &blank(), &frame);
    form(&place, here, draft, frame).await
}

/// `POST …/members/invitations/new`.
pub(crate) async fn submit(State(app): State<App>, sent: InsideForm) -> Result<Response, Trouble> {
    let (place, fields) = (sent.place(&app), &sent.fields);
    let (here, authority) = writer(&place)?;
    let list = path_of(here);
    let once = Once::of(&app, &sent.session, &list, fields)?;
    if let Some(response) = once.done(&app).await? {
        return Ok(response);
    }
    place.must_be_fresh(place.resumed(fields).unwrap_or_else(|| format!("{list}/new")))?;
    let (frame, now) = (place.frame().await?, app.now());
    let mut draft = Draft::sent(fields, &blank());
    let entered = draft.entered.clone();
    let new = NewInvitation {
        email: entered.one("email").to_owned(),
        roles: offer::roles(&entered),
        permissions: entered.all("permission").to_vec(),
        expires_in_days: entered.one("life").parse().ok(),
    };
    if new.roles.is_empty() && new.permissions.is_empty() {
        draft.refuse("role", frame.text("invitation-nothing"));
        return form(&place, here, draft, frame).await;
    }
    let Made { tx, invitation, code, event, .. } = match created(&app, &authority, here.organization.id, &new).await {
        Ok(made) => made,
        Err(RequestError::Rejected(rejection)) => {
            draft.told(&rejection, &frame, |said| match (said.member, said.code) {
                ("email", _) => Some(("email", frame.text("invitation-email-wrong"))),
                (_, "already_member") => Some(("email", frame.text("invitation-already-member"))),
                ("expires_in_days", _) => Some(("life", frame.text("form-life-wrong"))),
                _ => offer::told(said, &entered, &frame),
            });
            return form(&place, here, draft, frame).await;
        }
        Err(error) => return Err(withheld(error)),
    };
    let (path, link) = (format!("{list}/{}", invitation.id), address(&app, &code));
    if let Some(response) = once.commit(&app, tx, event, path.clone(), now).await? {
        return Ok(response);
    }
    let what = frame.text_with("invitation-made-what", "name", invitation.email.as_str());
    made::link(frame, "invitation-made", invitation.email.to_string(), what, &link, path)
}

/// `GET …/members/invitations/{id}`.
pub(crate) async fn show(
    State(app): State<App>,
    Which(id): Which<InvitationId>,
    inside: Inside,
) -> Result<Response, Trouble> {
    let (place, here, now) = (inside.place(&app), &inside.here, app.now());
    let one = find(&place, here, id).await?;
    let mut view = app.store.within(Reach::Organization(here.organization.id));
    let roles = names_of_roles(&mut view, std::slice::from_ref(&one)).await?;
    let maker: Option<PrincipalId> = one.created_by.parse().ok();
    let by = one.accepted.map(|(_, user)| PrincipalId::from(user));
    let people: Vec<PrincipalId> = maker.into_iter().chain(by).collect();
    let names = view.names_in(here.organization.id, &people).await?;
    let frame = place.frame().await?;
    let status = one.status(now);
    let moment = |time| Moment::new(frame.language(), time, now);
    let brings = one.roles.iter().filter_map(|id| roles.get(id).cloned());
    let shown = ShownPage {
        list: list_of(here),
        path: format!("{}/{id}", path_of(here)),
        email: one.email.to_string(),
        id: id.to_string(),
        state: badge(status, &frame),
        brings: brings.chain(one.permissions.iter().map(ToString::to_string)).collect(),
        made: moment(one.created_at),
        maker: maker.map_or_else(|| frame.text("approval-by-operator"), |maker| named(&names, maker)),
        ends: moment(one.ends_at),
        accepted: one.accepted.map(|(at, user)| (moment(at), named(&names, user.into()))),
        withdraws: status == InvitationStatus::Open && here.person.may(permission::MEMBERS_WRITE),
        frame,
    };
    Ok(page(&shown, []))
}

/// `GET …/members/invitations/{id}/withdraw`.
pub(crate) async fn ask_to_withdraw(
    State(app): State<App>,
    Which(id): Which<InvitationId>,
    inside: Inside,
) -> Result<Response, Trouble> {
    let place = inside.place(&app);
    let (here, _) = writer(&place)?;
    let (one, frame) = (find(&place, here, id).await?, place.frame().await?);
    let path = format!("{}/{id}", path_of(here));
    if one.status(app.now()) != InvitationStatus::Open {
        return Ok(go(&path, []));
    }
    let ask = AskPage {
        title: frame.text("invitation-withdraw-title"),
        back: Way { path: path.clone(), label: frame.text("invitations-title") },
        name: one.email.to_string(),
        warning: frame.text("invitation-withdraw-what"),
        follows: Vec::new(),
        action: format!("{path}/withdraw"),
        hidden: Vec::new(),
        button: frame.text("invitation-withdraw"),
        of_form: false,
        frame,
    };
    Ok(ask.shown())
}

/// `POST …/members/invitations/{id}/withdraw`.
pub(crate) async fn withdraw(
    State(app): State<App>,
    Which(id): Which<InvitationId>,
    sent: InsideForm,
) -> Result<Response, Trouble> {
    let place = sent.place(&app);
    let (here, authority) = writer(&place)?;
    let path = format!("{}/{id}", path_of(here));
    match revoked(&app, &authority, here.organization.id, id).await {
        Ok((tx, event)) => {
            tx.commit(event, app.now(), &mut app.rng()).await?;
            Ok(go_and_tell(&path, "withdrawn", []))
        }
        // It ended otherwise meanwhile; its page says how.
        Err(RequestError::Rejected(Rejection::Conflict { .. })) => Ok(go(&path, [])),
        Err(error) => Err(withheld(error)),
    }
}

async fn find(place: &Place<'_>, here: &Here, id: InvitationId) -> Result<Invitation, Trouble> {
    here.must(permission::MEMBERS_READ)?;
    let mut view = place.app.store.within(Reach::Organization(here.organization.id));
    view.invitation(id).await?.ok_or(Trouble::Absent)
}

/// A form that nobody filled in.
fn blank() -> Entered {
    offer::fields(Entered::default()).with("email", "").with("life", "7")
}

async fn form(place: &Place<'_>, here: &Here, draft: Draft, frame: Frame) -> Result<Response, Trouble> {
    let list = path_of(here);
    let lives = LIVES.map(|days| Offered {
        value: days.to_string(),
        label: frame.text_counting("form-days", usize::try_from(days).unwrap_or_default()),
        hint: String::new(),
        chosen: draft.entered.one("life") == days.to_string(),
    });
    let email = Field::of(&draft, "email", frame.text("invitation-email"), frame.text("invitation-email-hint"));
    let life = Field::of(&draft, "life", frame.text("invitation-ends"), String::new());
    let first =
        Section::plain(vec![Part::Line(Field { kind: "email", ..email.required() }), Part::Choice(life, lives.into())]);
    let [roles, permissions] = offer::sections(place, here, &draft, &frame).await?;
    let action = format!("{list}/new");
    let sheet = Sheet {
        title: frame.text("invitation-new"),
        lead: frame.text("invitation-new-what"),
        back: Way { path: list_of(here), label: frame.text("nav-members") },
        hidden: vec![("once", Once::field(place.app)), ("resume", action.clone())],
        action,
        wrong: draft.wrong,
        sections: vec![first, roles, permissions],
        button: frame.text("invitation-make"),
        frame,
    };
    Ok(sheet.shown())
}
