//! One event: all that was recorded of it, with both sides of what it changed.

use askama::Template;
use axum::{extract::State, response::Response};
use claviger_core::Chain;
use claviger_token::EventId;

use super::{
    reader::Reader,
    told::{Change, Event, Named, Names},
    wanted::Wanted,
    words::{change, noun},
};
use crate::{
    app::App,
    console::{
        inside::Which,
        moment::Moment,
        page::{Frame, page, shown},
        trouble::Trouble,
    },
};

#[derive(Template)]
#[template(path = "audit_event.html")]
pub(crate) struct EventPage {
    pub(crate) frame: Frame,
    pub(crate) list: String,
    pub(crate) noun: String,
    pub(crate) change: String,
    pub(crate) action: String,
    pub(crate) id: String,
    pub(crate) when: Option<(Moment, String)>,
    pub(crate) actor: Linked,
    pub(crate) credential: Option<Linked>,
    pub(crate) target: Linked,
    pub(crate) address: Option<String>,
    pub(crate) request: Option<String>,
    /// Its place in its chain, and the chain.
    pub(crate) place: (String, String),
    pub(crate) changes: Vec<Change>,
    /// What a person's data was before and after.
    pub(crate) personal: Vec<Change>,
    pub(crate) facts: Vec<(String, Vec<String>)>,
    /// The record as the chain's hash covers it.
    pub(crate) record: String,
}

/// Something, and the list of all that happened with it.
pub(crate) struct Linked {
    pub(crate) named: Named,
    pub(crate) all: String,
}

/// `GET …/audit/{id}`. What is out of reach looks absent.
pub(crate) async fn show(
    State(app): State<App>,
    Which(id): Which<EventId>,
    reader: Reader,
) -> Result<Response, Trouble> {
    let stored = app.store.within(reader.reach()).audit_event(id).await?.ok_or(Trouble::Absent)?;
    let (frame, list) = (reader.frame(&app).await?, reader.path());
    let events = [Event::read(stored)];
    let names = Names::read(&reader, &app, &events).await?;
    let [event] = &events;
    let about = |wanted: Wanted| wanted.address(&list, &[]);
    let actor = event.actor().to_owned();
    let target = event.target().to_owned();
    let seq = event.record.get("seq").map(ToString::to_string).unwrap_or_default();
    let mut facts = names.facts(event.details());
    facts.extend(names.facts(&event.personal));
    let shown = EventPage {
        noun: noun(event.action(), &frame),
        change: change(event.action(), &frame),
        action: event.action().to_owned(),
        id: event.stored.id.to_string(),
        when: event.at().map(|at| (Moment::new(frame.language(), at, app.now()), shown(at))),
        credential: event.credential().map(|id| Linked {
            named: names.named(id),
            all: about(Wanted { credential: id.to_owned(), ..Wanted::default() }),
        }),
        actor: Linked { named: names.actor(&actor, &frame), all: about(Wanted { actor, ..Wanted::default() }) },
        target: Linked { named: names.target(event), all: about(Wanted { target, ..Wanted::default() }) },
        address: event.stored.address.clone(),
        request: event.record.get("request_id").and_then(|id| id.as_str()).map(str::to_owned),
        place: (
            seq,
            match event.stored.chain {
                Chain::Instance => frame.text("audit-instance"),
                Chain::Organization(id) => names.of(&id.to_string()).unwrap_or_else(|| id.to_string()),
            },
        ),
        changes: names.changes(event.details()),
        personal: names.changes(&event.personal),
        facts,
        record: serde_json::to_string_pretty(&event.record).unwrap_or_default(),
        list,
        frame,
    };
    Ok(page(&shown, []))
}
