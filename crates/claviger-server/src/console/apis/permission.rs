//! The permissions of an API: declared, described, and retired after a page that tells who loses what.

use axum::{extract::State, response::Response};
use claviger_core::{Api, ApiChanges, DeclaredPermission, Reach, Rejection};
use claviger_store::{CountedAmong, CredentialFilter};
use claviger_token::ApiId;

use super::{path_of, to_change};
use crate::{
    app::App,
    console::{
        ask::{AskPage, Fact},
        credential::{once::Once, withheld},
        everywhere::{Everywhere, EverywhereForm},
        form::Fields,
        inside::Which,
        page::{Frame, go_and_tell},
        pages,
        sheet::{Draft, Entered, Field, Part, Section, Sheet, Way},
        trouble::Trouble,
    },
    manage::{
        Authority,
        api::{Updated, updated},
    },
    problem::RequestError,
};

/// Among how many credentials those are counted that name one, and how many roles are told by name.
const LOOKED_AT: u32 = 100_000;
const MOST_ROLES: u32 = 50;

/// One that is declared.
fn declared<'a>(api: &'a Api, name: &str) -> Result<&'a DeclaredPermission, Trouble> {
    api.permissions.iter().find(|one| one.name.as_str() == name).ok_or(Trouble::Absent)
}

fn stands(one: &DeclaredPermission) -> Entered {
    Entered::default().with("description", one.description.clone().unwrap_or_default())
}

/// `GET /apis/{id}/permissions/new`.
pub(crate) async fn ask(State(app): State<App>, Which(id): Which<ApiId>, at: Everywhere) -> Result<Response, Trouble> {
    let (api, _) = to_change(&app, &at, id).await?;
    let place = at.place(&app);
    place.must_be_fresh(at.visit.path.clone())?;
    let frame = place.frame().await?;
    let draft = Draft::begun(&place, &blank(), &frame);
    Ok(new_form(&app, &api, draft, frame))
}

/// `POST /apis/{id}/permissions/new`.
pub(crate) async fn declare(
    State(app): State<App>,
    Which(id): Which<ApiId>,
    EverywhereForm { at, fields }: EverywhereForm,
) -> Result<Response, Trouble> {
    let (api, authority) = to_change(&app, &at, id).await?;
    let (place, path) = (at.place(&app), path_of(id));
    let once = Once::of(&app, &at.session, &format!("{path}/permissions/new"), &fields)?;
    if let Some(response) = once.done(&app).await? {
        return Ok(response);
    }
    place.must_be_fresh(place.resumed(&fields).unwrap_or_else(|| format!("{path}/permissions/new")))?;
    let frame = place.frame().await?;
    let mut draft = Draft::sent(&fields, &blank());
    let Ok(name) = draft.entered.one("name").parse() else {
        let text = frame.text_with("api-permission-wrong", "name", draft.entered.one("name"));
        draft.refuse("name", text);
        return Ok(new_form(&app, &api, draft, frame));
    };
    let what = draft.entered.one("description");
    let new = DeclaredPermission { name, description: (!what.is_empty()).then(|| what.to_owned()) };
    let all = api.permissions.iter().cloned().chain([new]).collect();
    let saved = saved(&app, &authority, &api, all, Some(&once)).await?;
    if let Some(response) = once.done(&app).await?.filter(|_| !matches!(saved, Saved::Done)) {
        return Ok(response);
    }
    match saved {
        Saved::Done => Ok(go_and_tell(&path, "saved", [])),
        Saved::Meanwhile => {
            draft.wrong.page = Some(frame.text("api-changed-meanwhile"));
            Ok(new_form(&app, &api, draft, frame))
        }
        Saved::Refused(error) => {
            told(&mut draft, &error, &frame);
            Ok(new_form(&app, &api, draft, frame))
        }
    }
}

/// `GET /apis/{id}/permissions/edit?name=…`.
pub(crate) async fn show(State(app): State<App>, Which(id): Which<ApiId>, at: Everywhere) -> Result<Response, Trouble> {
    let (api, _) = to_change(&app, &at, id).await?;
    let name = Fields::of_query(&at.visit.path).value("name").to_owned();
    let (place, one) = (at.place(&app), declared(&api, &name)?);
    place.must_be_fresh(at.visit.path.clone())?;
    let frame = place.frame().await?;
    let draft = Draft::begun(&place, &stands(one), &frame);
    Ok(form(&api, one, draft, frame))
}

/// `POST /apis/{id}/permissions/edit` with `name`.
pub(crate) async fn describe(
    State(app): State<App>,
    Which(id): Which<ApiId>,
    EverywhereForm { at, fields }: EverywhereForm,
) -> Result<Response, Trouble> {
    let (api, authority) = to_change(&app, &at, id).await?;
    let one = declared(&api, fields.value("name"))?;
    let (place, path) = (at.place(&app), path_of(id));
    place.must_be_fresh(place.resumed(&fields).unwrap_or_else(|| path.clone()))?;
    let (frame, now) = (place.frame().await?, stands(one));
    let mut draft = Draft::sent(&fields, &now);
    if !draft.is_of(&now, &app) {
        return Ok(form(&api, one, draft.beside(&now, &app, &frame, |_, value| value.to_owned()), frame));
    }
    let what = draft.entered.one("description");
    let what = (!what.is_empty()).then(|| what.to_owned());
    let changed = |old: &DeclaredPermission| match old.name == one.name {
        true => DeclaredPermission { name: old.name.clone(), description: what.clone() },
        false => old.clone(),
    };
    match saved(&app, &authority, &api, api.permissions.iter().map(changed).collect(), None).await? {
        Saved::Done => Ok(go_and_tell(&path, "saved", [])),
        Saved::Meanwhile => {
            draft.wrong.page = Some(frame.text("api-changed-meanwhile"));
            Ok(form(&api, one, draft, frame))
        }
        Saved::Refused(error) => {
            told(&mut draft, &error, &frame);
            Ok(form(&api, one, draft, frame))
        }
    }
}

/// `GET /apis/{id}/permissions/retire?name=…`.
pub(crate) async fn ask_to_retire(
    State(app): State<App>,
    Which(id): Which<ApiId>,
    at: Everywhere,
) -> Result<Response, Trouble> {
    let (api, _) = to_change(&app, &at, id).await?;
    let name = Fields::of_query(&at.visit.path).value("name").to_owned();
    declared(&api, &name)?;
    let place = at.place(&app);
    place.must_be_fresh(at.visit.path.clone())?;
    retire_page(&app, &api, &name, place.frame().await?).await
}

/// `POST /apis/{id}/permissions/retire` with `name`.
pub(crate) async fn retire(
    State(app): State<App>,
    Which(id): Which<ApiId>,
    EverywhereForm { at, fields }: EverywhereForm,
) -> Result<Response, Trouble> {
    let (api, authority) = to_change(&app, &at, id).await?;
    let name = fields.value("name");
    declared(&api, name)?;
    let question = pages::address(&format!("{}/permissions/retire", path_of(id)), &[("name", name)]);
    at.place(&app).must_be_fresh(question)?;
    let rest = api.permissions.iter().filter(|one| one.name.as_str() != name).cloned().collect();
    match saved(&app, &authority, &api, rest, None).await? {
        Saved::Done => Ok(go_and_tell(&path_of(id), "deleted", [])),
        // The page tells what stands in the way: perhaps a route rule that somebody wrote meanwhile.
        Saved::Meanwhile | Saved::Refused(_) => {
            let (api, frame) = (super::find(&app, &at, id).await?, at.place(&app).frame().await?);
            retire_page(&app, &api, name, frame).await
        }
    }
}

/// What became of a change.
enum Saved {
    Done,
    /// Somebody else changed the API since it was read.
    Meanwhile,
    Refused(Rejection),
}

/// Makes these all the permissions of an API, if it is as it was read. A form that does so `once` is led to the API.
async fn saved(
    app: &App,
    authority: &Authority<'_>,
    api: &Api,
    permissions: Vec<DeclaredPermission>,
    once: Option<&Once>,
) -> Result<Saved, Trouble> {
    let changes = ApiChanges { permissions: Some(permissions), ..ApiChanges::default() };
    match updated(app, authority, api.id, changes).await {
        Ok(Updated { old, .. }) if old != *api => Ok(Saved::Meanwhile),
        Ok(Updated { tx, event, .. }) => {
            let now = app.now();
            match once {
                Some(once) => drop(once.commit(app, tx, event, path_of(api.id), now).await?),
                None => tx.commit(event, now, &mut app.rng()).await?,
            }
            Ok(Saved::Done)
        }
        Err(RequestError::Rejected(rejection)) => Ok(Saved::Refused(rejection)),
        Err(error) => Err(withheld(error)),
    }
}

fn told(draft: &mut Draft, rejection: &Rejection, frame: &Frame) {
    draft.told(rejection, frame, |said| match (said.member, said.code) {
        ("permissions", "taken") => Some(("name", frame.text("api-permission-taken"))),
        ("permissions", "duplicate") => Some(("name", frame.text("api-permission-twice"))),
        ("permissions", "reserved") => Some(("name", frame.text("api-permission-reserved"))),
        ("permissions", "invalid_description") => Some(("description", frame.text("role-description-wrong"))),
        ("permissions", "too_many") => Some(("", frame.text("form-too-many"))),
        _ => None,
    });
}

fn blank() -> Entered {
    Entered::default().with("name", "").with("description", "")
}

fn new_form(app: &App, api: &Api, draft: Draft, frame: Frame) -> Response {
    let field = |name, label: &str, hint: &str| Field::of(&draft, name, frame.text(label), frame.text(hint));
    let parts = vec![
        Part::Line(field("name", "form-name", "api-permission-name-hint").like("invoices:read").required()),
        Part::Line(field("description", "api-permission-what", "api-permission-what-hint")),
    ];
    let path = path_of(api.id);
    let action = format!("{path}/permissions/new");
    let sheet = Sheet {
        title: frame.text("api-permission-new"),
        lead: frame.text("api-permission-new-what"),
        back: Way { path, label: api.name.to_string() },
        hidden: vec![("once", Once::field(app)), ("resume", action.clone())],
        action,
        sections: vec![Section::plain(parts)],
        wrong: draft.wrong,
        button: frame.text("api-permission-new"),
        frame,
    };
    sheet.shown()
}

fn form(api: &Api, one: &DeclaredPermission, draft: Draft, frame: Frame) -> Response {
    let label = (frame.text("api-permission-what"), frame.text("api-permission-what-hint"));
    let parts = vec![Part::Line(Field::of(&draft, "description", label.0, label.1))];
    let (path, name) = (path_of(api.id), one.name.to_string());
    let action = format!("{path}/permissions/edit");
    let sheet = Sheet {
        title: name.clone(),
        lead: frame.text("api-permission-change-what"),
        back: Way { path, label: api.name.to_string() },
        hidden: vec![("seen", draft.seen), ("name", name), ("resume", action.clone())],
        action,
        sections: vec![Section::plain(parts)],
        wrong: draft.wrong,
        button: frame.text("save"),
        frame,
    };
    sheet.shown()
}

async fn retire_page(app: &App, api: &Api, name: &str, frame: Frame) -> Result<Response, Trouble> {
    let mut view = app.store.within(Reach::Instance);
    let roles = view.roles_holding(name, MOST_ROLES).await?;
    let filter =
        CredentialFilter { names: Some(name.to_owned()), live_at: Some(app.now()), ..CredentialFilter::default() };
    let CountedAmong { number, more } = view.count_credentials_among(&filter, LOOKED_AT).await?;
    let rules = api.routes.rules().iter().filter(|rule| rule.permissions.iter().any(|one| one.as_str() == name));
    let rules: Vec<String> = rules.map(|rule| format!("{} {}", rule.methods.join(","), rule.path)).collect();
    let roles = roles.into_iter().map(|role| role.name).collect();
    let mut follows: Vec<Fact> = Fact::listed(frame.text("api-retire-rules"), rules).into_iter().collect();
    follows.extend(Fact::listed(frame.text("api-retire-roles"), roles));
    follows.push(Fact::told(match (more, usize::try_from(number).unwrap_or_default()) {
        (true, count) => frame.text_with("api-retire-credentials", "count", format!("{count}+")),
        (false, 0) => frame.text("api-retire-no-credential"),
        (false, count) => frame.text_counting("api-retire-credentials", count),
    }));
    follows.extend(more.then(|| Fact::told(frame.text_with("api-retire-more", "count", frame.number(LOOKED_AT)))));
    let path = path_of(api.id);
    let ask = AskPage {
        title: frame.text("api-retire-title"),
        back: Way { path: path.clone(), label: api.name.to_string() },
        name: name.to_owned(),
        warning: frame.text("api-retire-what"),
        follows,
        action: format!("{path}/permissions/retire"),
        hidden: vec![("name", name.to_owned())],
        button: frame.text("api-retire-do"),
        of_form: false,
        frame,
    };
    Ok(ask.shown())
}
