//! What happened to a credential, from the audit trail.

use claviger_core::{Credential, Reach, permission};
use claviger_store::{AuditEvent, AuditFilter, Page, StoreError};
use claviger_token::OrganizationId;
use jiff::Timestamp;
use serde_json::Value;

use super::{Place, shown::Names};
use crate::console::{moment::Moment, page::Frame};

/// How many are shown, the newest first.
const MOST: u32 = 20;

/// Something that happened.
pub(crate) struct Entry {
    pub(crate) what: String,
    pub(crate) who: String,
    pub(crate) from: Option<String>,
    pub(crate) when: Option<Moment>,
}

/// What happened, if somebody may read the trail.
pub(crate) async fn read(place: &Place<'_>, one: &Credential, frame: &Frame) -> Result<Option<Vec<Entry>>, StoreError> {
    of(place, one.organization, &one.id.to_string(), frame).await
}

/// The same of whatever has this id in an organization.
pub(crate) async fn of(
    place: &Place<'_>,
    organization: OrganizationId,
    target: &str,
    frame: &Frame,
) -> Result<Option<Vec<Entry>>, StoreError> {
    let person = place.person(organization).await?;
    // A session at a portal opens no trail, whatever its user may read otherwise.
    if place.is_at_portal() || !person.may(permission::AUDIT_EVENTS_READ) {
        return Ok(None);
    }
    let filter = AuditFilter { target: Some(target.to_owned()), ..AuditFilter::default() };
    let mut view = place.app.store.within(Reach::Organization(organization));
    let events = view.audit_events(&filter, &Page { after: None, limit: MOST }).await?;
    let records = events.into_iter().map(|event| {
        let record = serde_json::from_str(&event.record).unwrap_or_default();
        (event, record)
    });
    let records: Vec<(AuditEvent, Value)> = records.collect();
    let actors = records.iter().filter_map(|(_, record)| record["actor"]["id"].as_str()?.parse().ok()).collect();
    let names = Names::known(place, actors).await?;
    let now = place.app.now();
    let entry = |(event, record): (AuditEvent, Value)| {
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let when = record["at"].as_str().and_then(|at| at.parse::<Timestamp>().ok());
        let actor = record["actor"]["id"].as_str().or(record["actor"]["type"].as_str()).unwrap_or_default();
        let action = word(&record["action"]);
        Entry {
            what: words(&action).map_or(action.clone(), |key| frame.text(key)),
            who: names.who(actor, frame),
            from: event.address,
            when: when.map(|at| Moment::new(frame.language(), at, now)),
        }
    };
    Ok(Some(records.into_iter().map(entry).collect()))
}

/// The key of what an action is called here; one without is told by its name.
fn words(action: &str) -> Option<&'static str> {
    let (_, change) = action.split_once('.')?;
    Some(match change {
        "created" => "event-created",
        "updated" => "event-updated",
        "disabled" => "event-disabled",
        "enabled" => "event-enabled",
        "approved" => "event-approved",
        "denied" => "event-denied",
        "rolled" => "event-rolled",
        "overlap_ended" => "event-overlap-ended",
        "revoked" => "event-revoked",
        "retired_secret_used" => "event-retired-secret-used",
        "closed" => "event-closed",
        "reopened" => "event-reopened",
        "assertion_refused" => "event-assertion-refused",
        _ => return None,
    })
}
