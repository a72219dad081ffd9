//! `/organizations/-/new`: a new organization.

use axum::{extract::State, response::Response};
use claviger_core::{NewOrganization, Rejection, permission};

use crate::{
    app::App,
    console::{
        credential::{once::Once, withheld},
        everywhere::{Everywhere, EverywhereForm},
        page::{Frame, go_and_tell},
        sheet::{Draft, Entered, Field, Part, Section, Sheet, Way},
        shell::path,
        trouble::Trouble,
    },
    manage::organization::created,
    problem::RequestError,
};

const PATH: &str = "/organizations/-/new";

fn blank() -> Entered {
    Entered::default().with("name", "").with("slug", "").with("external_id", "")
}

/// `GET /organizations/-/new`.
pub(crate) async fn ask(State(app): State<App>, at: Everywhere) -> Result<Response, Trouble> {
    let place = at.place(&app);
    at.authority(permission::ORGANIZATIONS_WRITE)?;
    place.must_be_fresh(at.visit.path.clone())?;
    let frame = place.frame().await?;
    let draft = Draft::begun(&place, &blank(), &frame);
    Ok(form(&app, draft, frame))
}

/// `POST /organizations/-/new`.
pub(crate) async fn make(
    State(app): State<App>,
    EverywhereForm { at, fields }: EverywhereForm,
) -> Result<Response, Trouble> {
    let (place, authority, now) = (at.place(&app), at.authority(permission::ORGANIZATIONS_WRITE)?, app.now());
    let once = Once::of(&app, &at.session, PATH, &fields)?;
    if let Some(response) = once.done(&app).await? {
        return Ok(response);
    }
    place.must_be_fresh(place.resumed(&fields).unwrap_or_else(|| PATH.to_owned()))?;
    let (frame, mut draft) = (place.frame().await?, Draft::sent(&fields, &blank()));
    let typed = |name: &str| Some(draft.entered.one(name).to_owned()).filter(|text| !text.is_empty());
    let new = NewOrganization {
        name: draft.entered.one("name").to_owned(),
        slug: typed("slug"),
        external_id: typed("external_id"),
        ..NewOrganization::default()
    };
    let mut tx = app.store.begin(authority.by).await?;
    match created(&app, &mut tx, new).await {
        Ok((organization, event)) => {
            let path = path(organization.slug.as_str(), "/settings");
            let before = once.commit(&app, tx, event, path.clone(), now).await?;
            Ok(before.unwrap_or_else(|| go_and_tell(&path, "made", [])))
        }
        Err(RequestError::Rejected(Rejection::Conflict { code: "taken", message })) => {
            drop(tx);
            if let Some(response) = once.done(&app).await? {
                return Ok(response);
            }
            super::change::refuse_taken(&mut draft, &message, &frame);
            Ok(form(&app, draft, frame))
        }
        Err(RequestError::Rejected(rejection)) => {
            draft.told(&rejection, &frame, |said| match said.member {
                "name" => Some(("name", frame.text("name-wrong"))),
                "slug" => Some(("slug", frame.text("organization-slug-wrong"))),
                "external_id" => Some(("external_id", frame.text("organization-external-wrong"))),
                _ => None,
            });
            Ok(form(&app, draft, frame))
        }
        Err(error) => Err(withheld(error)),
    }
}

fn form(app: &App, draft: Draft, frame: Frame) -> Response {
    let field = |name, label: &str, hint: &str| Field::of(&draft, name, frame.text(label), frame.text(hint));
    let parts = vec![
        Part::Line(field("name", "form-name", "organization-name-hint").required()),
        Part::Line(field("slug", "organization-slug", "organization-new-slug-hint").like("acme")),
        Part::Line(field("external_id", "member-external", "organization-external-hint")),
    ];
    let sheet = Sheet {
        title: frame.text("organization-new"),
        lead: frame.text("organization-new-what"),
        back: Way { path: "/organizations".to_owned(), label: frame.text("organizations-title") },
        action: PATH.to_owned(),
        hidden: vec![("once", Once::field(app)), ("resume", PATH.to_owned())],
        sections: vec![Section::plain(parts)],
        wrong: draft.wrong,
        button: frame.text("organization-new"),
        frame,
    };
    sheet.shown()
}
