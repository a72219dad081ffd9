//! A new role, and one that is changed. If whoever has it would lose something, that is told first, and asked.

use axum::{extract::State, response::Response};
use claviger_core::{Grantor, NewRole, Reach, Rejection, Role, RoleChanges, permission};
use claviger_token::{PermissionSet, RoleId};

use super::{count_holders, list_of, path_of, reach_of, to_change, writer};
use crate::{
    app::App,
    console::{
        api_keys::new::can_be_given,
        ask::{AskPage, Fact},
        credential::{Place, once::Once, picker::Picker, withheld},
        form::Fields,
        inside::{Inside, InsideForm, Which},
        page::{Frame, go_and_tell},
        sheet::{Draft, Entered, Field, Part, Section, Sheet, Way},
        shell::Here,
        trouble::Trouble,
    },
    manage::role::{Updated, created, updated},
    problem::RequestError,
};

/// What the form of a new role says where it is for the whole instance.
const EVERYWHERE: &str = "instance";

/// A role, as the form has it.
fn stands(role: &Role) -> Entered {
    Entered::default()
        .with("name", role.name.clone())
        .with("description", role.description.clone().unwrap_or_default())
        .with_all("permission", role.permissions.iter().map(ToString::to_string))
}

fn blank() -> Entered {
    Entered::default().with("name", "").with("description", "").with_all("permission", [])
}

/// Whose a new role is: the organization's or, for who reaches it, the instance's.
fn is_everywhere(here: &Here, fields: &Fields) -> Result<bool, Trouble> {
    match fields.value("for") {
        "" => Ok(false),
        EVERYWHERE if here.person.reach(permission::ROLES_WRITE) == Some(Reach::Instance) => Ok(true),
        _ => Err(Trouble::Absent),
    }
}

/// `GET …/roles/new`, perhaps `?for=instance`.
pub(crate) async fn ask(State(app): State<App>, inside: Inside) -> Result<Response, Trouble> {
    let place = inside.place(&app);
    let (here, _) = writer(&place)?;
    let everywhere = is_everywhere(here, &Fields::of_query(&inside.visit.path))?;
    place.must_be_fresh(inside.visit.path.clone())?;
    let frame = place.frame().await?;
    let draft = Draft::begun(&place, &blank(), &frame);
    form(&place, here, What::New { everywhere }, draft, frame).await
}

/// `POST …/roles/new`.
pub(crate) async fn make(State(app): State<App>, sent: InsideForm) -> Result<Response, Trouble> {
    let (place, fields) = (sent.place(&app), &sent.fields);
    let (here, authority) = writer(&place)?;
    let everywhere = is_everywhere(here, fields)?;
    let once = Once::of(&app, &sent.session, &list_of(here), fields)?;
    if let Some(response) = once.done(&app).await? {
        return Ok(response);
    }
    place.must_be_fresh(place.resumed(fields).unwrap_or_else(|| format!("{}/new", list_of(here))))?;
    let frame = place.frame().await?;
    let mut draft = Draft::sent(fields, &blank());
    let description = draft.entered.one("description");
    let new = NewRole {
        name: draft.entered.one("name").to_owned(),
        organization_id: (!everywhere).then_some(here.organization.id),
        description: (!description.is_empty()).then(|| description.to_owned()),
        permissions: draft.entered.all("permission").to_vec(),
    };
    match created(&app, &authority, new).await {
        Ok((tx, role, event)) => {
            let path = path_of(here, role.id);
            let before = once.commit(&app, tx, event, path.clone(), app.now()).await?;
            Ok(before.unwrap_or_else(|| go_and_tell(&path, "made", [])))
        }
        Err(RequestError::Rejected(rejection)) => {
            if let Some(response) = once.done(&app).await? {
                return Ok(response);
            }
            told(&mut draft, &rejection, &frame);
            form(&place, here, What::New { everywhere }, draft, frame).await
        }
        Err(error) => Err(withheld(error)),
    }
}

/// `GET …/roles/{id}/edit`.
pub(crate) async fn show(
    State(app): State<App>,
    Which(id): Which<RoleId>,
    inside: Inside,
) -> Result<Response, Trouble> {
    let place = inside.place(&app);
    let (here, _) = writer(&place)?;
    let role = to_change(&place, here, id).await?;
    place.must_be_fresh(inside.visit.path.clone())?;
    let frame = place.frame().await?;
    let draft = Draft::begun(&place, &stands(&role), &frame);
    form(&place, here, What::Known(&role), draft, frame).await
}

/// `POST …/roles/{id}/edit`.
pub(crate) async fn submit(
    State(app): State<App>,
    Which(id): Which<RoleId>,
    sent: InsideForm,
) -> Result<Response, Trouble> {
    let (place, fields) = (sent.place(&app), &sent.fields);
    let (here, authority) = writer(&place)?;
    let role = to_change(&place, here, id).await?;
    let path = path_of(here, id);
    place.must_be_fresh(place.resumed(fields).unwrap_or_else(|| format!("{path}/edit")))?;
    let (frame, now) = (place.frame().await?, stands(&role));
    let mut draft = Draft::sent(fields, &now);
    if !draft.is_of(&now, &app) {
        let draft = draft.beside(&now, &app, &frame, |_, value| value.to_owned());
        return form(&place, here, What::Known(&role), draft, frame).await;
    }
    if fields.value("step") == "back" {
        return form(&place, here, What::Known(&role), draft, frame).await;
    }
    let mut made = match updated(&app, &authority, id, changes(&draft.entered, &now)).await {
        Ok(made) => made,
        Err(RequestError::Rejected(rejection)) => {
            told(&mut draft, &rejection, &frame);
            return form(&place, here, What::Known(&role), draft, frame).await;
        }
        Err(error) => return Err(withheld(error)),
    };
    // Locked now: nobody came between.
    if made.old != role {
        let old = made.old.clone();
        drop(made);
        let draft = draft.beside(&stands(&old), &app, &frame, |_, value| value.to_owned());
        return form(&place, here, What::Known(&old), draft, frame).await;
    }
    let lost = role.permissions.difference(&made.role.permissions);
    let holders = count_holders(&mut made.tx.within(reach_of(&role)), &role).await?;
    if !lost.is_empty() && holders > 0 {
        let follows = follows(&lost, &made.role.permissions.difference(&role.permissions), holders, &frame);
        let mark = Fact::mark(&follows, &app);
        if fields.value("confirmed") != mark {
            drop(made);
            let hidden =
                draft.entered.hidden().into_iter().chain([("seen", draft.seen), ("confirmed", mark)]).collect();
            let ask = AskPage {
                title: frame.text("role-narrow"),
                back: Way { path: path.clone(), label: role.name.clone() },
                name: role.name,
                warning: frame.text("role-narrow-what"),
                follows,
                action: format!("{path}/edit"),
                hidden,
                button: frame.text("member-narrow-do"),
                of_form: true,
                frame,
            };
            return Ok(ask.shown());
        }
    }
    let Updated { tx, event, .. } = made;
    tx.commit(event, app.now(), &mut app.rng()).await?;
    Ok(go_and_tell(&path, "saved", []))
}

/// Only what was typed otherwise than it stands.
fn changes(entered: &Entered, now: &Entered) -> RoleChanges {
    let differs = |name: &str| entered.all(name) != now.all(name);
    let typed = |name: &str| entered.one(name).to_owned();
    RoleChanges {
        name: differs("name").then(|| typed("name")),
        description: differs("description").then(|| Some(typed("description")).filter(|text| !text.is_empty())),
        permissions: differs("permission").then(|| entered.all("permission").to_vec()),
    }
}

fn follows(lost: &PermissionSet, gained: &PermissionSet, holders: usize, frame: &Frame) -> Vec<Fact> {
    let names = |all: &PermissionSet| all.iter().map(ToString::to_string).collect::<Vec<_>>();
    let lost = Fact::listed(frame.text("role-loses"), names(lost));
    let gained = Fact::listed(frame.text("role-gains"), names(gained));
    let holders = Fact::told(frame.text_counting("role-narrow-holders", holders));
    lost.into_iter().chain(gained).chain([holders]).collect()
}

fn told(draft: &mut Draft, rejection: &Rejection, frame: &Frame) {
    let entered = draft.entered.clone();
    draft.told(rejection, frame, |said| match (said.member, said.code) {
        ("name", _) => Some(("name", frame.text("role-name-wrong"))),
        ("", "taken") => Some(("name", frame.text("role-name-taken"))),
        ("description", _) => Some(("description", frame.text("role-description-wrong"))),
        ("permissions", "too_many") => Some(("permission", frame.text("form-too-many"))),
        ("permissions", _) => {
            let name = said.entry(entered.all("permission"));
            Some(("permission", frame.text_with("rights-permission-unknown", "name", name)))
        }
        ("", "credentials_of_others") => Some(("", frame.text("role-credentials-of-others"))),
        _ => None,
    });
}

/// What the form is about.
enum What<'a> {
    New { everywhere: bool },
    Known(&'a Role),
}

async fn form(place: &Place<'_>, here: &Here, what: What<'_>, draft: Draft, frame: Frame) -> Result<Response, Trouble> {
    let mut view = place.app.store.within(Reach::Organization(here.organization.id));
    let declared = view.declared_permissions().await?;
    let everywhere = match what {
        What::New { everywhere } => everywhere,
        What::Known(role) => role.organization.is_none(),
    };
    let chosen = draft.entered.all("permission");
    let given = offered(here, everywhere, &declared, chosen);
    let picker = Picker::of(&view.catalog().await?, &given, chosen, &frame).without_wildcards();
    let field = |name, label: &str, hint: &str| Field::of(&draft, name, frame.text(label), frame.text(hint));
    let names = vec![
        Part::Line(field("name", "form-name", "role-name-hint").like("invoice-reader").required()),
        Part::Line(field("description", "role-description", "role-description-hint")),
    ];
    let permissions = Part::Permissions(field("permission", "form-permissions", "role-permissions-hint"), picker);
    let sections = vec![
        Section::plain(names),
        Section {
            title: frame.text("form-permissions"),
            hint: frame.text("role-permissions-hint"),
            parts: vec![permissions],
        },
    ];
    let list = list_of(here);
    let (of_all, once) = (Way { path: list.clone(), label: frame.text("nav-roles") }, Once::field(place.app));
    let (title, lead, back, action, mut hidden) = match what {
        What::New { everywhere: true } => {
            let hidden = vec![("once", once), ("for", EVERYWHERE.to_owned())];
            ("role-new-everywhere", "role-new-everywhere-what", of_all, format!("{list}/new"), hidden)
        }
        What::New { everywhere: false } => {
            ("role-new", "role-new-what", of_all, format!("{list}/new"), vec![("once", once)])
        }
        What::Known(role) => {
            let path = path_of(here, role.id);
            let back = Way { path: path.clone(), label: role.name.clone() };
            ("role-change", "role-change-what", back, format!("{path}/edit"), vec![("seen", draft.seen.clone())])
        }
    };
    hidden.push(("resume", action.clone()));
    let sheet = Sheet {
        back,
        title: frame.text(title),
        lead: frame.text(lead),
        hidden,
        action,
        sections,
        wrong: draft.wrong,
        button: frame.text("save"),
        frame,
    };
    Ok(sheet.shown())
}

/// What they can put into a role, and what is in it already.
fn offered(here: &Here, everywhere: bool, declared: &PermissionSet, chosen: &[String]) -> PermissionSet {
    let given = match everywhere {
        false => can_be_given(here, &here.organization, declared),
        true => {
            let grantor = Grantor::Person(&here.person);
            let gives = |one: &&claviger_token::Permission| {
                grantor.may_give(&std::iter::once((*one).clone()).collect(), None).is_ok()
            };
            declared.iter().filter(gives).cloned().collect()
        }
    };
    let kept = declared.iter().filter(|one| chosen.iter().any(|entry| entry == one.as_str()));
    given.union(&kept.cloned().collect())
}
