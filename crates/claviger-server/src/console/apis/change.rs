//! A new API, and one that is changed: what it is called, how its access tokens are made, and where a gateway finds a credential for it.

use axum::{extract::State, response::Response};
use claviger_core::{Api, ApiChanges, DeclaredPermission, NewApi, Rejection, TokenFormat};
use claviger_token::{ApiId, ServiceAccountId, SigningAlgorithm};

use super::{LIST, path_of, to_change, writer};
use crate::{
    app::App,
    console::{
        credential::{once::Once, withheld},
        everywhere::{Everywhere, EverywhereForm},
        inside::Which,
        page::{Frame, go_and_tell},
        sheet::{Draft, Entered, Field, Offered, Part, Section, Sheet, Way},
        trouble::Trouble,
    },
    manage::api::{Updated, created, updated},
    problem::RequestError,
};

/// How long access tokens count, as the form offers it, in seconds.
const LIVES: [u32; 5] = [60, 300, 600, 1800, 3600];

fn blank() -> Entered {
    Entered::default()
        .with("identifier", "")
        .with("name", "")
        .with("permissions", "")
        .with("life", "600")
        .with("format", TokenFormat::default().as_str())
        .with("algorithm", SigningAlgorithm::default().as_str())
}

/// An API, as the form has it.
fn stands(api: &Api) -> Entered {
    let lines = |entries: Vec<String>| entries.join("\n");
    Entered::default()
        .with("name", api.name.to_string())
        .with("life", api.access_tokens.ttl_seconds.to_string())
        .with("format", api.access_tokens.format.as_str())
        .with("algorithm", api.access_tokens.algorithm.as_str())
        .with("origins", lines(api.origins.clone()))
        .with_switch("basic", api.also_accepts.basic)
        .with("query", api.also_accepts.query_parameter.clone().unwrap_or_default())
        .with("servers", lines(api.resource_servers.iter().map(ToString::to_string).collect()))
}

/// `GET /apis/new`.
pub(crate) async fn ask(State(app): State<App>, at: Everywhere) -> Result<Response, Trouble> {
    let place = at.place(&app);
    writer(&at)?;
    place.must_be_fresh(at.visit.path.clone())?;
    let frame = place.frame().await?;
    let draft = Draft::begun(&place, &blank(), &frame);
    Ok(new_form(&app, draft, frame))
}

/// `POST /apis/new`.
pub(crate) async fn make(
    State(app): State<App>,
    EverywhereForm { at, fields }: EverywhereForm,
) -> Result<Response, Trouble> {
    let (place, authority, now) = (at.place(&app), writer(&at)?, app.now());
    let once = Once::of(&app, &at.session, LIST, &fields)?;
    if let Some(response) = once.done(&app).await? {
        return Ok(response);
    }
    place.must_be_fresh(place.resumed(&fields).unwrap_or_else(|| format!("{LIST}/new")))?;
    let frame = place.frame().await?;
    let mut draft = Draft::sent(&fields, &blank());
    let permissions = declared(&mut draft, &frame);
    if !draft.wrong.is_empty() {
        return Ok(new_form(&app, draft, frame));
    }
    let entered = &draft.entered;
    let new = NewApi {
        identifier: entered.one("identifier").to_owned(),
        name: entered.one("name").to_owned(),
        permissions,
        resource_servers: Vec::new(),
        origins: Vec::new(),
        accept_basic: false,
        query_parameter: None,
        route_rules: Vec::new(),
        access_token_ttl_seconds: entered.one("life").parse().ok(),
        signing_algorithm: entered.one("algorithm").parse().ok(),
        access_token_format: TokenFormat::from_word(entered.one("format")),
    };
    match created(&app, authority.by, new).await {
        Ok((tx, api, event)) => {
            let path = path_of(api.id);
            let before = once.commit(&app, tx, event, path.clone(), now).await?;
            Ok(before.unwrap_or_else(|| go_and_tell(&path, "made", [])))
        }
        Err(RequestError::Rejected(rejection)) => {
            if let Some(response) = once.done(&app).await? {
                return Ok(response);
            }
            told(&mut draft, &rejection, &frame);
            Ok(new_form(&app, draft, frame))
        }
        Err(error) => Err(withheld(error)),
    }
}

/// One permission to a line: its name, and behind a space what it allows.
fn declared(draft: &mut Draft, frame: &Frame) -> Vec<DeclaredPermission> {
    let mut all = Vec::new();
    for line in draft.entered.one("permissions").to_owned().lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (name, what) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        match name.parse() {
            Ok(name) => {
                let what = what.trim();
                all.push(DeclaredPermission { name, description: (!what.is_empty()).then(|| what.to_owned()) });
            }
            Err(_) => draft.refuse("permissions", frame.text_with("api-permission-wrong", "name", name)),
        }
    }
    all
}

/// `GET /apis/{id}/edit`.
pub(crate) async fn show(State(app): State<App>, Which(id): Which<ApiId>, at: Everywhere) -> Result<Response, Trouble> {
    let (api, _) = to_change(&app, &at, id).await?;
    let place = at.place(&app);
    place.must_be_fresh(at.visit.path.clone())?;
    let frame = place.frame().await?;
    let draft = Draft::begun(&place, &stands(&api), &frame);
    Ok(form(&api, draft, frame))
}

/// `POST /apis/{id}/edit`.
pub(crate) async fn submit(
    State(app): State<App>,
    Which(id): Which<ApiId>,
    EverywhereForm { at, fields }: EverywhereForm,
) -> Result<Response, Trouble> {
    let (api, authority) = to_change(&app, &at, id).await?;
    let (place, path) = (at.place(&app), path_of(id));
    place.must_be_fresh(place.resumed(&fields).unwrap_or_else(|| format!("{path}/edit")))?;
    let (frame, now) = (place.frame().await?, stands(&api));
    let mut draft = Draft::sent(&fields, &now);
    if !draft.is_of(&now, &app) {
        return Ok(form(&api, draft.beside(&now, &app, &frame, |_, value| value.to_owned()), frame));
    }
    let changes = changes(&mut draft, &now, &frame);
    if !draft.wrong.is_empty() {
        return Ok(form(&api, draft, frame));
    }
    match updated(&app, &authority, id, changes).await {
        // Locked now: nobody came between.
        Ok(Updated { old, .. }) if old != api => {
            Ok(form(&old, draft.beside(&stands(&old), &app, &frame, |_, value| value.to_owned()), frame))
        }
        Ok(Updated { tx, event, .. }) => {
            tx.commit(event, app.now(), &mut app.rng()).await?;
            Ok(go_and_tell(&path, "saved", []))
        }
        Err(RequestError::Rejected(rejection)) => {
            told(&mut draft, &rejection, &frame);
            Ok(form(&api, draft, frame))
        }
        Err(error) => Err(withheld(error)),
    }
}

/// Only what was typed otherwise than it stands.
fn changes(draft: &mut Draft, now: &Entered, frame: &Frame) -> ApiChanges {
    let entered = draft.entered.clone();
    let differs = |name: &str| entered.one(name) != now.one(name);
    let mut servers: Vec<ServiceAccountId> = Vec::new();
    for id in entered.words("servers") {
        match id.parse() {
            Ok(id) => servers.push(id),
            Err(_) => draft.refuse("servers", frame.text_with("api-server-unknown", "name", &id)),
        }
    }
    ApiChanges {
        name: differs("name").then(|| entered.one("name").to_owned()),
        resource_servers: differs("servers").then_some(servers),
        origins: differs("origins").then(|| entered.words("origins")),
        accept_basic: differs("basic").then(|| entered.is_on("basic")),
        query_parameter: differs("query")
            .then(|| Some(entered.one("query").to_owned()).filter(|name| !name.is_empty())),
        access_token_ttl_seconds: entered.one("life").parse().ok().filter(|_| differs("life")),
        signing_algorithm: entered.one("algorithm").parse().ok().filter(|_| differs("algorithm")),
        access_token_format: TokenFormat::from_word(entered.one("format")).filter(|_| differs("format")),
        ..ApiChanges::default()
    }
}

fn told(draft: &mut Draft, rejection: &Rejection, frame: &Frame) {
    let entered = draft.entered.clone();
    draft.told(rejection, frame, |said| match (said.member, said.code) {
        ("identifier", _) => Some(("identifier", frame.text("api-identifier-wrong"))),
        ("", "taken") => Some(("identifier", frame.text("api-identifier-taken"))),
        ("name", _) => Some(("name", frame.text("name-wrong"))),
        ("permissions", "taken") => Some(("permissions", frame.text("api-permission-taken"))),
        ("permissions", "duplicate") => Some(("permissions", frame.text("api-permission-twice"))),
        ("permissions", "reserved") => Some(("permissions", frame.text("api-permission-reserved"))),
        ("permissions", "invalid_description") => Some(("permissions", frame.text("role-description-wrong"))),
        ("permissions", _) => Some(("permissions", frame.text("form-too-many"))),
        ("origins", _) => {
            let words = entered.words("origins");
            Some(("origins", frame.text_with("api-origin-wrong", "name", said.entry(&words))))
        }
        ("resource_servers", _) => {
            let words = entered.words("servers");
            Some(("servers", frame.text_with("api-server-unknown", "name", said.entry(&words))))
        }
        ("query_parameter", _) => Some(("query", frame.text("api-query-wrong"))),
        ("access_token_ttl_seconds", _) => Some(("life", frame.text("api-life-wrong"))),
        _ => None,
    });
}

fn new_form(app: &App, draft: Draft, frame: Frame) -> Response {
    let field = |name, label: &str, hint: &str| Field::of(&draft, name, frame.text(label), frame.text(hint));
    let names = vec![
        Part::Line(field("name", "form-name", "api-name-hint").required()),
        Part::Line(
            field("identifier", "api-identifier", "api-identifier-hint").like("https://api.acme.test").required(),
        ),
        Part::Lines(
            field("permissions", "form-permissions", "api-permissions-hint").like("invoices:read Read invoices"),
        ),
    ];
    let action = format!("{LIST}/new");
    let sheet = Sheet {
        title: frame.text("api-new"),
        lead: frame.text("api-new-what"),
        back: Way { path: LIST.to_owned(), label: frame.text("nav-apis") },
        hidden: vec![("once", Once::field(app)), ("resume", action.clone())],
        action,
        sections: vec![Section::plain(names), tokens(&draft, &frame)],
        wrong: draft.wrong,
        button: frame.text("api-new"),
        frame,
    };
    sheet.shown()
}

fn form(api: &Api, draft: Draft, frame: Frame) -> Response {
    let field = |name, label: &str, hint: &str| Field::of(&draft, name, frame.text(label), frame.text(hint));
    let names = vec![Part::Line(field("name", "form-name", "api-name-hint").required())];
    let gateway = vec![
        Part::Lines(field("origins", "api-origins", "api-origins-hint").like("https://api.acme.test")),
        Part::Switch(field("basic", "api-accepts-basic", "api-basic-hint")),
        Part::Line(field("query", "api-query", "api-query-hint").like("api_key")),
        Part::Lines(field("servers", "api-servers", "api-servers-hint").like("sa_…")),
    ];
    let gateway = Section { title: frame.text("api-gateway"), hint: frame.text("api-gateway-hint"), parts: gateway };
    let path = path_of(api.id);
    let action = format!("{path}/edit");
    let sheet = Sheet {
        title: frame.text("api-change"),
        lead: frame.text("api-change-what"),
        back: Way { path, label: api.name.to_string() },
        hidden: vec![("seen", draft.seen.clone()), ("resume", action.clone())],
        action,
        sections: vec![Section::plain(names), tokens(&draft, &frame), gateway],
        wrong: draft.wrong,
        button: frame.text("save"),
        frame,
    };
    sheet.shown()
}

/// How access tokens are made.
fn tokens(draft: &Draft, frame: &Frame) -> Section {
    let field = |name, label: &str, hint: &str| Field::of(draft, name, frame.text(label), frame.text(hint));
    let offered = |name: &str, value: String, label: String| Offered {
        chosen: draft.entered.one(name) == value,
        value,
        label,
        hint: String::new(),
    };
    // What stands there and is none of these is offered, too.
    let stands = draft.entered.one("life").parse::<u32>().ok().filter(|life| !LIVES.contains(life));
    let lives = LIVES.into_iter().chain(stands);
    let lives = lives.map(|seconds| offered("life", seconds.to_string(), super::list::life(frame, seconds)));
    let formats = [(TokenFormat::Jwt, "api-format-jwt"), (TokenFormat::Opaque, "api-format-opaque")];
    let formats = formats.map(|(format, words)| offered("format", format.as_str().to_owned(), frame.text(words)));
    let algorithms =
        SigningAlgorithm::ALL.map(|one| offered("algorithm", one.as_str().to_owned(), one.as_str().to_owned()));
    Section {
        title: frame.text("api-tokens"),
        hint: frame.text("api-tokens-hint"),
        parts: vec![
            Part::Choice(field("life", "api-life", "api-life-hint"), lives.collect()),
            Part::Choice(field("format", "api-format", "api-format-hint"), formats.into()),
            Part::Choice(field("algorithm", "api-algorithm", "api-algorithm-hint"), algorithms.into()),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::{form::Fields, language::Language};

    #[test]
    fn permissions_are_read_line_by_line() {
        let frame = Frame::sample(Language::English, None);
        let read = |text: &str| {
            let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("permissions", text).finish();
            let mut draft = Draft::sent(&Fields::of_query(&format!("/x?{query}")), &blank());
            let all = declared(&mut draft, &frame);
            let all = all.into_iter().map(|one| (one.name.to_string(), one.description.unwrap_or_default()));
            (all.collect::<Vec<_>>(), draft.wrong.of("permissions").map(str::to_owned))
        };
        let (all, wrong) = read("a:read  Read them all \r\n\r\n b:write\r\n");
        let expected = [("a:read", "Read them all"), ("b:write", "")];
        assert_eq!(all, expected.map(|(name, what)| (name.to_owned(), what.to_owned())));
        assert_eq!(wrong, None);
        let (_, wrong) = read("a:read\n\u{e9}x y");
        assert!(wrong.unwrap().contains('\u{e9}'));
    }
}
