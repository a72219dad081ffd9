//! An organization as it is changed.

use axum::{extract::State, response::Response};
use claviger_core::{Organization, OrganizationChanges, Reach, Rejection};

use super::{path_of, writer};
use crate::{
    app::App,
    console::{
        credential::withheld,
        inside::{Inside, InsideForm},
        page::{Frame, go_and_tell},
        sheet::{Draft, Entered, Field, Part, Section, Sheet, Way},
        shell::{Here, path},
        trouble::Trouble,
    },
    manage::{
        Authority,
        organization::{Updated, updated},
    },
    problem::RequestError,
};

/// An organization, as the form has it: for who reaches the instance there is more.
fn stands(organization: &Organization, authority: &Authority<'_>) -> Entered {
    let origins = organization.portal_origins.to_string().replace(' ', "\n");
    let look = &organization.portal_look;
    let entered = Entered::default()
        .with("name", organization.name.to_string())
        .with("origins", origins)
        .with("portal_name", look.name.as_ref().map(ToString::to_string).unwrap_or_default())
        .with("portal_color", look.color.map(|color| color.to_string()).unwrap_or_default());
    if authority.reach != Reach::Instance {
        return entered;
    }
    let ceiling = organization.ceiling.as_ref().map(|ceiling| ceiling.entries().join("\n")).unwrap_or_default();
    entered
        .with("slug", organization.slug.to_string())
        .with("external_id", organization.external_id.clone().unwrap_or_default())
        .with("ceiling", ceiling)
}

/// `GET …/settings/edit`.
pub(crate) async fn show(State(app): State<App>, inside: Inside) -> Result<Response, Trouble> {
    let place = inside.place(&app);
    let (here, authority) = writer(&place)?;
    place.must_be_fresh(inside.visit.path.clone())?;
    let frame = place.frame().await?;
    let draft = Draft::begun(&place, &stands(&here.organization, &authority), &frame);
    Ok(form(here, &authority, draft, frame))
}

/// `POST …/settings/edit`.
pub(crate) async fn submit(State(app): State<App>, sent: InsideForm) -> Result<Response, Trouble> {
    let (place, fields) = (sent.place(&app), &sent.fields);
    let (here, authority) = writer(&place)?;
    place.must_be_fresh(place.resumed(fields).unwrap_or_else(|| format!("{}/edit", path_of(here))))?;
    let (frame, now) = (place.frame().await?, stands(&here.organization, &authority));
    let mut draft = Draft::sent(fields, &now);
    let as_it_is = |_: &'static str, value: &str| value.to_owned();
    if !draft.is_of(&now, &app) {
        return Ok(form(here, &authority, draft.beside(&now, &app, &frame, as_it_is), frame));
    }
    match updated(&app, &authority, here.organization.id, changes(&draft.entered, &now)).await {
        // Locked now: nobody came between.
        Ok(Updated { old, .. }) if stands(&old, &authority) != now => {
            let now = stands(&old, &authority);
            Ok(form(here, &authority, draft.beside(&now, &app, &frame, as_it_is), frame))
        }
        Ok(Updated { tx, organization, event, .. }) => {
            tx.commit(event, app.now(), &mut app.rng()).await?;
            Ok(go_and_tell(&path(organization.slug.as_str(), "/settings"), "saved", []))
        }
        Err(RequestError::Rejected(Rejection::Conflict { code: "taken", message })) => {
            refuse_taken(&mut draft, &message, &frame);
            Ok(form(here, &authority, draft, frame))
        }
        Err(RequestError::Rejected(rejection)) => {
            told(&mut draft, &rejection, &frame);
            Ok(form(here, &authority, draft, frame))
        }
        Err(error) => Err(withheld(error)),
    }
}

/// Only what was typed otherwise than it stands.
fn changes(entered: &Entered, now: &Entered) -> OrganizationChanges {
    let differs = |name: &str| entered.one(name) != now.one(name);
    let typed = |name: &str| Some(entered.one(name).to_owned()).filter(|text| !text.is_empty());
    let words = |name: &str| Some(entered.words(name)).filter(|words| !words.is_empty());
    OrganizationChanges {
        name: differs("name").then(|| entered.one("name").to_owned()),
        slug: differs("slug").then(|| entered.one("slug").to_owned()),
        external_id: differs("external_id").then(|| typed("external_id")),
        portal_origins: differs("origins").then(|| words("origins")),
        portal_name: differs("portal_name").then(|| typed("portal_name")),
        portal_color: differs("portal_color").then(|| typed("portal_color")),
        ceiling: differs("ceiling").then(|| words("ceiling")),
        ..OrganizationChanges::default()
    }
}

fn told(draft: &mut Draft, rejection: &Rejection, frame: &Frame) {
    let entered = draft.entered.clone();
    let entry = |field: &str, said: &crate::console::sheet::Said<'_>| said.entry(&entered.words(field)).to_owned();
    draft.told(rejection, frame, |said| match said.member {
        "name" => Some(("name", frame.text("name-wrong"))),
        "slug" => Some(("slug", frame.text("organization-slug-wrong"))),
        "external_id" => Some(("external_id", frame.text("organization-external-wrong"))),
        "portal_origins" => Some(("origins", frame.text_with("api-origin-wrong", "name", entry("origins", said)))),
        "portal_name" => Some(("portal_name", frame.text("name-wrong"))),
        "portal_color" => Some(("portal_color", frame.text("organization-portal-color-wrong"))),
        "ceiling" => Some(("ceiling", frame.text_with("rights-permission-unknown", "name", entry("ceiling", said)))),
        _ => None,
    });
}

/// That another organization has what this names.
pub(super) fn refuse_taken(draft: &mut Draft, message: &str, frame: &Frame) {
    let (field, words) = if message.contains("external") {
        ("external_id", "organization-external-taken")
    } else {
        ("slug", "organization-slug-taken")
    };
    draft.refuse(field, frame.text(words));
}

fn form(here: &Here, authority: &Authority<'_>, draft: Draft, frame: Frame) -> Response {
    let field = |name, label: &str, hint: &str| Field::of(&draft, name, frame.text(label), frame.text(hint));
    let names = vec![Part::Line(field("name", "form-name", "organization-name-hint").required())];
    let portal = vec![
        Part::Line(field("portal_name", "organization-portal-name", "organization-portal-name-hint")),
        Part::Color(
            field("portal_color", "organization-portal-color", "organization-portal-color-hint").like("#3550cb"),
        ),
        Part::Lines(
            field("origins", "organization-origins", "organization-origins-hint").like("https://app.acme.test"),
        ),
    ];
    let (title, hint) = (frame.text("organization-portal"), frame.text("organization-portal-hint"));
    let mut sections = vec![Section::plain(names), Section { title, hint, parts: portal }];
    if authority.reach == Reach::Instance {
        let parts = vec![
            Part::Line(field("slug", "organization-slug", "organization-slug-hint").required()),
            Part::Line(field("external_id", "member-external", "organization-external-hint")),
            Part::Lines(field("ceiling", "organization-ceiling", "organization-ceiling-hint")),
        ];
        let (title, hint) = (frame.text("organization-of-instance"), frame.text("organization-of-instance-hint"));
        sections.push(Section { title, hint, parts });
    }
    let path = path_of(here);
    let action = format!("{path}/edit");
    let sheet = Sheet {
        title: frame.text("organization-change"),
        lead: frame.text("organization-change-what"),
        back: Way { path, label: frame.text("nav-settings") },
        hidden: vec![("seen", draft.seen.clone()), ("resume", action.clone())],
        action,
        sections,
        wrong: draft.wrong,
        button: frame.text("save"),
        frame,
    };
    sheet.shown()
}
