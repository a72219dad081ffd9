//! What a member may do here, changed. If anything is lost, it is told first, with the tokens that lose it, and then asked.

use axum::{extract::State, response::Response};
use claviger_core::{Assignment, Granted, MemberRights, Reach, Scope};
use claviger_store::{Member, Page};
use claviger_token::{PermissionSet, RoleId, UserId};

use super::{called, detail::role_of, list_of, member, offer, reaches_further, tokens_of, writer};
use crate::{
    app::App,
    console::{
        ask::{AskPage, Fact},
        credential::{Place, withheld},
        inside::{Inside, InsideForm, Which},
        page::{Frame, go_and_tell},
        sheet::{Draft, Entered, Sheet, Way},
        shell::Here,
        trouble::Trouble,
    },
    manage::member::{Changed, changed},
    problem::RequestError,
};

/// How many tokens are looked at to tell how many lose something.
const MOST: u32 = 200;

/// What somebody holds here, as the form has it.
fn stands(held: &[Assignment], here: &Here) -> Entered {
    let scope = Scope::Organization(here.organization.id);
    let own: Vec<&Assignment> = held.iter().filter(|one| one.scope == scope).collect();
    let roles = own.iter().filter_map(|one| role_of(one)).map(|id: RoleId| id.to_string());
    let permissions = own.iter().filter_map(|one| match &one.granted {
        Granted::Permission(permission) => Some(permission.to_string()),
        Granted::Role { .. } => None,
    });
    offer::fields(Entered::default()).with_all("role", roles).with_all("permission", permissions)
}

async fn held(place: &Place<'_>, here: &Here, user: UserId) -> Result<Vec<Assignment>, Trouble> {
    let mut view = place.app.store.within(Reach::Organization(here.organization.id));
    Ok(view.assignments_of(user.into()).await?)
}

/// `GET …/members/{id}/edit`.
pub(crate) async fn show(
    State(app): State<App>,
    Which(id): Which<UserId>,
    inside: Inside,
) -> Result<Response, Trouble> {
    let place = inside.place(&app);
    let (here, _) = writer(&place)?;
    let member = member(&place, here, id).await?;
    if reaches_further(&place, here, id).await? {
        return Err(Trouble::Withheld);
    }
    place.must_be_fresh(inside.visit.path.clone())?;
    let (held, frame) = (held(&place, here, id).await?, place.frame().await?);
    let draft = Draft::begun(&place, &stands(&held, here), &frame);
    form(&place, here, &member, draft, frame).await
}

/// `POST …/members/{id}/edit`.
pub(crate) async fn submit(
    State(app): State<App>,
    Which(id): Which<UserId>,
    sent: InsideForm,
) -> Result<Response, Trouble> {
    let (place, fields) = (sent.place(&app), &sent.fields);
    let (here, authority) = writer(&place)?;
    let member = member(&place, here, id).await?;
    let path = format!("{}/{id}", list_of(here));
    place.must_be_fresh(place.resumed(fields).unwrap_or_else(|| format!("{path}/edit")))?;
    let (held, frame) = (held(&place, here, id).await?, place.frame().await?);
    let stands_now = stands(&held, here);
    let mut draft = Draft::sent(fields, &stands_now);
    if !draft.is_of(&stands_now, &app) {
        let label = told_of(&held);
        let draft = draft.beside(&stands_now, &app, &frame, label);
        return form(&place, here, &member, draft, frame).await;
    }
    if fields.value("step") == "back" {
        return form(&place, here, &member, draft, frame).await;
    }
    let rights =
        MemberRights { roles: offer::roles(&draft.entered), permissions: draft.entered.all("permission").to_vec() };
    let before = may_do(&mut app.store.within(Reach::Organization(here.organization.id)), here, id).await?;
    let mut made = match changed(&app, &authority, here.organization.id, id, &rights).await {
        Ok(made) => made,
        Err(RequestError::Rejected(rejection)) => {
            let entered = draft.entered.clone();
            draft.told(&rejection, &frame, |said| offer::told(said, &entered, &frame));
            return form(&place, here, &member, draft, frame).await;
        }
        Err(error) => return Err(withheld(error)),
    };
    // Whoever was removed meanwhile does not come back by a form that was made before.
    if made.is_new {
        return Err(Trouble::Absent);
    }
    // Locked now: nobody came between.
    if stands(&made.held, here) != stands_now {
        let (now, label) = (stands(&made.held, here), told_of(&made.held));
        drop(made);
        let draft = draft.beside(&now, &app, &frame, label);
        return form(&place, here, &member, draft, frame).await;
    }
    let after = may_do(&mut made.tx.within(Reach::Organization(here.organization.id)), here, id).await?;
    let lost = before.difference(&after);
    if !lost.is_empty() {
        let follows = follows(&place, here, &mut made, &lost, &after.difference(&before), &frame).await?;
        let mark = Fact::mark(&follows, &app);
        if fields.value("confirmed") != mark {
            drop(made);
            let hidden =
                draft.entered.hidden().into_iter().chain([("seen", draft.seen), ("confirmed", mark)]).collect();
            let (name, action) = (called(&member).0, format!("{path}/edit"));
            let back = Way { label: name.clone(), path };
            let (title, warning) = (frame.text("member-narrow"), frame.text("member-narrow-what"));
            let button = frame.text("member-narrow-do");
            let ask = AskPage { frame, back, title, name, warning, follows, action, hidden, button, of_form: true };
            return Ok(ask.shown());
        }
    }
    let Changed { tx, event, .. } = made;
    tx.commit(event, app.now(), &mut app.rng()).await?;
    Ok(go_and_tell(&path, "saved", []))
}

/// What somebody may do here.
async fn may_do(view: &mut claviger_store::View<'_>, here: &Here, user: UserId) -> Result<PermissionSet, Trouble> {
    let held = view.held(user.into(), here.organization.id).await?;
    Ok(held.masked_by(&here.organization.effective_ceiling()))
}

/// What follows: what is lost, by how many tokens, and what is gained.
async fn follows(
    place: &Place<'_>,
    here: &Here,
    made: &mut Changed<'_>,
    lost: &PermissionSet,
    gained: &PermissionSet,
    frame: &Frame,
) -> Result<Vec<Fact>, Trouble> {
    let filter = tokens_of(place, here, made.member.user.id);
    let mut view = made.tx.within(Reach::Organization(here.organization.id));
    let tokens = view.credentials(&filter, &Page { after: None, limit: MOST }).await?;
    let names = |all: &PermissionSet| all.iter().map(ToString::to_string).collect::<Vec<_>>();
    let loses = |mask: &claviger_token::PermissionMask| !lost.masked_by(mask).is_empty();
    let narrowed = tokens.iter().filter(|token| loses(&token.permissions)).count();
    let tokens = match narrowed {
        0 => frame.text("member-narrow-no-token"),
        count => frame.text_counting("member-narrow-tokens", count),
    };
    let mut all: Vec<Fact> = Fact::listed(frame.text("member-loses"), names(lost)).into_iter().collect();
    all.extend(Fact::listed(frame.text("member-gains"), names(gained)));
    all.push(Fact::told(tokens));
    Ok(all)
}

/// Ids of roles are told by their names.
fn told_of(held: &[Assignment]) -> impl Fn(&'static str, &str) -> String + use<> {
    let names: Vec<(String, String)> = held
        .iter()
        .filter_map(|one| match &one.granted {
            Granted::Role { id, name } => Some((id.to_string(), name.clone())),
            Granted::Permission(_) => None,
        })
        .collect();
    move |_, value| {
        let known = names.iter().find(|(id, _)| id == value);
        known.map_or_else(|| value.to_owned(), |(_, name)| name.clone())
    }
}

async fn form(
    place: &Place<'_>,
    here: &Here,
    member: &Member,
    draft: Draft,
    frame: Frame,
) -> Result<Response, Trouble> {
    let path = format!("{}/{}", list_of(here), member.user.id);
    let sections = offer::sections(place, here, &draft, &frame).await?;
    let action = format!("{path}/edit");
    let sheet = Sheet {
        title: frame.text("member-change"),
        lead: frame.text("member-change-what"),
        back: Way { label: called(member).0, path },
        hidden: vec![("seen", draft.seen), ("resume", action.clone())],
        action,
        wrong: draft.wrong,
        sections: sections.into(),
        button: frame.text("save"),
        frame,
    };
    Ok(sheet.shown())
}
