//! Events as they are told: who, what and about what, with names instead of ids wherever there is one, and both sides of a change.

use std::collections::{BTreeSet, HashMap};

use claviger_core::{Reach, permission};
use claviger_store::{AuditEvent, StoreError};
use claviger_token::PrincipalId;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::reader::Reader;
use crate::{
    app::App,
    console::{credential::TOKENS_READ, page::Frame},
};

/// How many ids of one list are looked up: a page of events has about as many.
const MOST_NAMES: usize = 300;

/// How many entries of a list are shown of each side.
const MOST_ENTRIES: usize = 100;

/// An event with its record taken apart.
pub(super) struct Event {
    pub(super) stored: AuditEvent,
    pub(super) record: Map<String, Value>,
    /// What it tells of a person, unless that was erased.
    pub(super) personal: Value,
}

/// Something with a name, perhaps, and a page, perhaps.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub(crate) name: Option<String>,
    pub(crate) id: String,
    pub(crate) path: Option<String>,
}

/// One member of what changed: its value before and after.
pub(crate) struct Change {
    pub(crate) member: String,
    pub(crate) before: Vec<Piece>,
    pub(crate) after: Vec<Piece>,
    pub(crate) differs: bool,
}

/// A value, or an entry of a list.
pub(crate) struct Piece {
    pub(crate) text: String,
    /// Whether the other side does not have it.
    pub(crate) alone: bool,
}

impl Event {
    pub(super) fn read(stored: AuditEvent) -> Self {
        let record = serde_json::from_str(&stored.record).unwrap_or_default();
        let personal = stored.personal.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        Self { stored, record, personal }
    }

    fn text<'a>(value: &'a Value, member: &str) -> Option<&'a str> {
        value.get(member).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    pub(super) fn action(&self) -> &str {
        self.record.get("action").and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn target(&self) -> &str {
        self.record.get("target").and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn details(&self) -> &Value {
        self.record.get("details").unwrap_or(&Value::Null)
    }

    pub(super) fn at(&self) -> Option<Timestamp> {
        self.record.get("at")?.as_str()?.parse().ok()
    }

    /// An id, or `operator` or `system`.
    pub(super) fn actor(&self) -> &str {
        let actor = self.record.get("actor").unwrap_or(&Value::Null);
        Self::text(actor, "id").or(Self::text(actor, "type")).unwrap_or_default()
    }

    /// With which credential or in which session.
    pub(super) fn credential(&self) -> Option<&str> {
        Self::text(self.record.get("actor")?, "credential")
    }

    /// What its target was called then.
    fn called_then(&self) -> Option<String> {
        let details = self.details();
        let sides = [details, &details["after"], &details["before"], &self.personal, &self.personal["after"]];
        sides.into_iter().find_map(|side| Self::text(side, "name").or(Self::text(side, "email"))).map(str::to_owned)
    }

    fn ids(&self) -> impl Iterator<Item = String> {
        let mut ids = vec![self.target().to_owned(), self.actor().to_owned()];
        ids.extend(self.credential().map(str::to_owned));
        ids.extend(self.stored.chain.organization().map(|id| id.to_string()));
        collect_ids(self.details(), &mut ids);
        ids.into_iter()
    }
}

/// Every text in a value that may be an id.
fn collect_ids(value: &Value, ids: &mut Vec<String>) {
    match value {
        Value::String(text) if text.len() < 50 && text.contains('_') => ids.push(text.clone()),
        Value::Array(entries) => entries.iter().take(MOST_ENTRIES).for_each(|entry| collect_ids(entry, ids)),
        Value::Object(members) => members.values().for_each(|member| collect_ids(member, ids)),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// What ids are called, as far as the reader may know.
pub(super) struct Names<'a> {
    reader: &'a Reader,
    people: HashMap<PrincipalId, String>,
    things: HashMap<String, String>,
}

impl<'a> Names<'a> {
    /// Of all that these events speak of.
    pub(super) async fn read(reader: &'a Reader, app: &App, events: &[Event]) -> Result<Self, StoreError> {
        let ids: BTreeSet<String> = events.iter().flat_map(Event::ids).take(4 * MOST_NAMES).collect();
        let ids: Vec<String> = ids.into_iter().take(MOST_NAMES).collect();
        let principals: Vec<PrincipalId> = ids.iter().filter_map(|id| id.parse().ok()).collect();
        let mut view = app.store.within(reader.reach());
        let things = view.names_of_things(&ids).await?;
        let own: PrincipalId = reader.session.user().into();
        let mut people = match &reader.here {
            Some(here) => {
                let may = here.person.may(permission::USERS_READ);
                let known = principals.into_iter().filter(|principal| match principal {
                    PrincipalId::User(_) => may || *principal == own,
                    PrincipalId::ServiceAccount(_) => false,
                });
                view.names_in(here.organization.id, &known.collect::<Vec<_>>()).await?
            }
            None if reader.knows_people => app.store.within(Reach::Instance).principal_names(&principals).await?,
            None => HashMap::new(),
        };
        people.insert(own, reader.session.shown().to_owned());
        Ok(Self { reader, people, things })
    }

    /// Its name, if it has one that the reader may know.
    pub(super) fn of(&self, id: &str) -> Option<String> {
        let person = id.parse().ok().and_then(|principal: PrincipalId| self.people.get(&principal));
        person.or_else(|| self.things.get(id)).cloned()
    }

    /// Who did something.
    pub(super) fn actor(&self, id: &str, frame: &Frame) -> Named {
        let name = match id {
            "system" => Some(frame.text("by-system")),
            "operator" => Some(frame.text("approval-by-operator")),
            id => self.of(id),
        };
        Named { name, id: id.to_owned(), path: self.path(id) }
    }

    /// What something was done to.
    pub(super) fn target(&self, event: &Event) -> Named {
        let id = event.target();
        Named { name: self.of(id).or_else(|| event.called_then()), id: id.to_owned(), path: self.path(id) }
    }

    /// Anything else that has an id.
    pub(super) fn named(&self, id: &str) -> Named {
        Named { name: self.of(id), id: id.to_owned(), path: self.path(id) }
    }

    /// The page of something, where there is one that the reader may see.
    fn path(&self, id: &str) -> Option<String> {
        let here = self.reader.here.as_ref()?;
        let (page, needed): (_, &[&str]) = match id.rsplit_once('_')?.0 {
            "key" => ("/api-keys", &[permission::API_KEYS_READ]),
            "pat" => ("/tokens", &TOKENS_READ),
            _ => return None,
        };
        // What is gone has no page any more.
        (here.may_all(needed) && self.things.contains_key(id)).then(|| here.path(&format!("{page}/{id}")))
    }

    /// A value as lines of text: each entry of a list is one, and ids have their names beside them.
    fn lines(&self, value: &Value) -> Vec<String> {
        match value {
            Value::Null => Vec::new(),
            Value::String(text) => vec![self.of(text).map_or_else(|| text.clone(), |name| format!("{name} ({text})"))],
            Value::Array(entries) => {
                let mut lines: Vec<String> =
                    entries.iter().take(MOST_ENTRIES).flat_map(|one| self.lines(one)).collect();
                if entries.len() > MOST_ENTRIES {
                    lines.push(format!("… ({})", entries.len()));
                }
                lines
            }
            Value::Object(members) if members.is_empty() => Vec::new(),
            Value::Bool(_) | Value::Number(_) | Value::Object(_) => vec![value.to_string()],
        }
    }

    /// What changed, if `told` has both sides of a change.
    pub(super) fn changes(&self, told: &Value) -> Vec<Change> {
        let (Some(before), Some(after)) = (told["before"].as_object(), told["after"].as_object()) else {
            return Vec::new();
        };
        let members: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        let change = |member: &String| {
            let side = |side: &Map<String, Value>| self.lines(side.get(member).unwrap_or(&Value::Null));
            let (old, new) = (side(before), side(after));
            let pieces = |own: &[String], other: &[String]| -> Vec<Piece> {
                let alone = |text: &String| !other.contains(text);
                own.iter().map(|text| Piece { text: text.clone(), alone: alone(text) }).collect()
            };
            let differs = before.get(member) != after.get(member);
            Change { member: member.clone(), before: pieces(&old, &new), after: pieces(&new, &old), differs }
        };
        let mut changes: Vec<Change> = members.into_iter().map(change).collect();
        changes.sort_by_key(|change| !change.differs);
        changes
    }

    /// What else it tells: each member and its value.
    pub(super) fn facts(&self, told: &Value) -> Vec<(String, Vec<String>)> {
        let Some(members) = told.as_object() else { return Vec::new() };
        let is_change =
            members.get("before").is_some_and(Value::is_object) && members.get("after").is_some_and(Value::is_object);
        let others =
            members.iter().filter(|(member, _)| !(is_change && ["before", "after"].contains(&member.as_str())));
        others.map(|(member, value)| (member.clone(), self.lines(value))).collect()
    }
}
