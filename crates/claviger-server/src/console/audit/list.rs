//! The list of what happened, the newest first, a page at a time; and the same while one follows it.

use askama::Template;
use axum::{extract::State, response::Response};
use claviger_core::{Action, Chain};
use claviger_store::ChainState;
use claviger_token::EventId;

use super::{
    chain::Status,
    reader::Reader,
    told::{Event, Named, Names},
    wanted::Wanted,
    words::{change, noun},
};
use crate::{
    app::App,
    console::{
        moment::Moment,
        page::{Frame, page_with},
        pages::{self, Pages},
        query::Query,
        trouble::Trouble,
    },
};

#[derive(Template)]
#[template(path = "audit.html")]
pub(crate) struct AuditPage {
    pub(crate) frame: Frame,
    pub(crate) path: String,
    pub(crate) wanted: Wanted,
    pub(crate) rows: Vec<Row>,
    pub(crate) wrong: Vec<(&'static str, String)>,
    /// Who could be meant, and the address of what they did.
    pub(crate) whom: Vec<(String, String)>,
    /// The name of whoever or whatever is asked for by an id.
    pub(crate) chosen: Vec<(&'static str, String)>,
    pub(crate) pages: Pages,
    /// The address of what is newer than this.
    pub(crate) newer: String,
    /// Where one stops following, if one does.
    pub(crate) stop: Option<String>,
    pub(crate) exports: [String; 2],
    pub(crate) status: Option<Status>,
    /// Whether it is everything that happened, and not what happened in one organization.
    pub(crate) everywhere: bool,
}

/// An event of the list.
pub(crate) struct Row {
    pub(crate) path: String,
    pub(crate) noun: String,
    pub(crate) change: String,
    pub(crate) action: String,
    pub(crate) target: Named,
    pub(crate) actor: Named,
    pub(crate) from: Option<String>,
    pub(crate) when: Option<Moment>,
    /// Whether it happened since one began to follow, or last looked.
    pub(crate) is_new: bool,
    /// The organization, in a list of everything.
    pub(crate) organization: String,
}

/// A noun, and its actions: value, words, and whether it is the chosen one.
pub(crate) struct Actions {
    pub(crate) noun: String,
    pub(crate) actions: Vec<(&'static str, String, bool)>,
}

impl AuditPage {
    pub(crate) fn actions(&self) -> Vec<Actions> {
        let mut groups: Vec<Actions> = Vec::new();
        for action in Action::ALL {
            let action = action.as_str();
            let entry = (action, change(action, &self.frame), action == self.wanted.action);
            let noun = noun(action, &self.frame);
            match groups.iter_mut().find(|group| group.noun == noun) {
                Some(group) => group.actions.push(entry),
                None => groups.push(Actions { noun, actions: vec![entry] }),
            }
        }
        groups.sort_by_key(|group| group.noun.to_lowercase());
        groups
    }

    pub(crate) fn wrong_of(&self, field: &str) -> Option<&str> {
        self.wrong.iter().find(|(known, _)| *known == field).map(|(_, text)| text.as_str())
    }
}

/// `GET …/audit`.
pub(crate) async fn show(
    State(app): State<App>,
    reader: Reader,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Trouble> {
    let (frame, path, now) = (reader.frame(&app).await?, reader.path(), app.now());
    let seen = match wanted.follow.as_str() {
        "" | "1" => None,
        seen => Some(seen.parse::<EventId>().map_err(|_| Trouble::Absent)?),
    };
    let asked = pages::rows(&wanted.after)?;
    let meant = wanted.meant(&reader, &app, &frame).await?;
    let mut view = app.store.within(reader.reach());
    // What cannot be meant is not answered with everything.
    let mut found = match meant.wrong.is_empty() {
        true => view.audit_events(&meant.filter, &asked).await?,
        false => Vec::new(),
    };
    let pages = Pages::of(&mut found, |event| event.id, &path, &wanted.fields(), &wanted.after);
    let newest = found.first().map(|event| event.id.to_string()).or(seen.map(|seen| seen.to_string()));
    let events: Vec<Event> = found.into_iter().map(Event::read).collect();
    let names = Names::read(&reader, &app, &events).await?;
    let follows = !wanted.follow.is_empty();
    let row = |event: &Event| Row {
        path: format!("{path}/{}", event.stored.id),
        noun: noun(event.action(), &frame),
        change: change(event.action(), &frame),
        action: event.action().to_owned(),
        target: names.target(event),
        actor: names.actor(event.actor(), &frame),
        from: event.stored.address.clone(),
        when: event.at().map(|at| Moment::new(frame.language(), at, now)),
        is_new: follows && seen.is_none_or(|seen| event.stored.id > seen),
        organization: match event.stored.chain {
            Chain::Instance => frame.text("audit-instance"),
            Chain::Organization(id) => names.of(&id.to_string()).unwrap_or_else(|| id.to_string()),
        },
    };
    let chosen = [("actor", &wanted.actor), ("target", &wanted.target), ("credential", &wanted.credential)];
    let chosen = chosen.into_iter().filter_map(|(field, id)| names.of(id).map(|name| (field, name)));
    let state: Option<ChainState> = app.store.chain_state(reader.chain()).await?;
    let whom = meant.whom.into_iter().map(|(id, name)| {
        let wanted = Wanted { actor: id, ..wanted.clone() };
        (name, wanted.address(&path, &[]))
    });
    let shown = AuditPage {
        rows: events.iter().map(row).collect(),
        chosen: chosen.collect(),
        whom: whom.collect(),
        pages,
        newer: wanted.address(&path, &[("follow", newest.as_deref().unwrap_or("1"))]),
        stop: follows.then(|| wanted.address(&path, &[])),
        exports: ["csv", "jsonl"].map(|form| wanted.address(&format!("{path}/export.{form}"), &[])),
        status: state.map(|state| Status::of(&state, &frame, now)),
        everywhere: reader.here.is_none(),
        wrong: meant.wrong,
        wanted,
        path,
        frame,
    };
    let status = match shown.wrong.is_empty() {
        true => axum::http::StatusCode::OK,
        false => axum::http::StatusCode::UNPROCESSABLE_ENTITY,
    };
    Ok(page_with(status, &shown, []))
}
