//! Which events somebody asks for, as it stands in the address of a list, of an export and of the links between them.

use claviger_core::Reach;
use claviger_store::{AuditFilter, StoreError};
use claviger_token::OrganizationId;
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde::Deserialize;

use super::reader::Reader;
use crate::{
    app::App,
    console::{page::Frame, pages, whom::Whom},
};

/// What stands in `chain` where only the instance's own events are meant.
pub(super) const INSTANCE: &str = "instance";

/// What is typed into a field at most.
const LONGEST: usize = 100;

/// What is asked for.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Wanted {
    #[serde(default)]
    pub(super) action: String,
    /// A principal's id or name, `operator` or `system`.
    #[serde(default)]
    pub(super) actor: String,
    /// An id.
    #[serde(default)]
    pub(super) target: String,
    /// The id of a credential or a session.
    #[serde(default)]
    pub(super) credential: String,
    /// The first day.
    #[serde(default)]
    pub(super) from: String,
    /// The last day.
    #[serde(default)]
    pub(super) to: String,
    /// Of all that happened: an organization's handle or id, or [`INSTANCE`].
    #[serde(default)]
    pub(super) chain: String,
    /// Where the page before ended.
    #[serde(default)]
    pub(super) after: String,
    /// While one follows what happens: the newest event that was shown before.
    #[serde(default)]
    pub(super) follow: String,
}

/// What it comes to.
#[derive(Debug, Default)]
pub(super) struct Meant {
    pub(super) filter: AuditFilter,
    /// What cannot be meant, by the name of the field.
    pub(super) wrong: Vec<(&'static str, String)>,
    /// Who could be meant, if that is not clear: an id and a name of each.
    pub(super) whom: Vec<(String, String)>,
}

impl Wanted {
    /// Whether anything is left out.
    pub(super) fn filters(&self) -> bool {
        self.fields().iter().any(|(_, value)| !value.is_empty())
    }

    pub(super) fn fields(&self) -> [(&'static str, &str); 7] {
        [
            ("action", &self.action),
            ("actor", &self.actor),
            ("target", &self.target),
            ("credential", &self.credential),
            ("from", &self.from),
            ("to", &self.to),
            ("chain", &self.chain),
        ]
    }

    /// The address of something of the same events, with more in it.
    pub(super) fn address(&self, path: &str, more: &[(&str, &str)]) -> String {
        pages::address(path, &[&self.fields()[..], more].concat())
    }

    /// What is meant, as far as it can be told.
    pub(super) async fn meant(&self, reader: &Reader, app: &App, frame: &Frame) -> Result<Meant, StoreError> {
        let mut meant = Meant::default();
        let text = |value: &str| {
            let value: String = value.trim().chars().take(LONGEST).collect();
            (!value.is_empty()).then_some(value)
        };
        let filter = &mut meant.filter;
        (filter.target, filter.means) = (text(&self.target), text(&self.credential));
        filter.action = text(&self.action);
        (filter.since, filter.until) = (day(&self.from, 0), day(&self.to, 1));
        for (field, value, read) in [("from", &self.from, filter.since), ("to", &self.to, filter.until)] {
            if !value.is_empty() && read.is_none() {
                meant.wrong.push((field, frame.text("audit-day-wrong")));
            }
        }
        if filter.since.zip(filter.until).is_some_and(|(since, until)| since >= until) {
            meant.wrong.push(("to", frame.text("audit-days-wrong")));
        }
        match (&reader.here, self.chain.as_str()) {
            (Some(_), _) | (None, "") => {}
            (None, INSTANCE) => filter.instance_only = true,
            (None, called) => {
                let mut view = app.store.within(Reach::Instance);
                let found = match called.parse::<OrganizationId>() {
                    Ok(id) => view.organization(id).await?,
                    Err(_) => view.organization_by_slug(called).await?,
                };
                filter.organization = found.map(|found| found.id);
                if filter.organization.is_none() {
                    meant.wrong.push(("chain", frame.text("audit-organization-wrong")));
                }
            }
        }
        if let Some(actor) = text(&self.actor) {
            let whom = match (&reader.here, actor.as_str()) {
                (_, "operator" | "system") => None,
                (Some(here), typed) => Some(Whom::find(app, here, typed, true).await?),
                (None, typed) => Some(typed.parse().map_or(Whom::Nobody, Whom::One)),
            };
            meant.filter.actor = Some(match &whom {
                Some(Whom::One(id)) => id.to_string(),
                Some(Whom::Several(_) | Whom::Nobody) | None => actor,
            });
            match whom {
                Some(Whom::Several(all)) => {
                    meant.wrong.push(("actor", frame.text("audit-actor-several")));
                    meant.whom = all.into_iter().map(|(id, name)| (id.to_string(), name)).collect();
                }
                Some(Whom::Nobody) => meant.wrong.push(("actor", frame.text("audit-actor-wrong"))),
                Some(Whom::One(_)) | None => {}
            }
        }
        Ok(meant)
    }
}

/// The beginning of a day, or of so many days after it.
fn day(text: &str, later: i64) -> Option<Timestamp> {
    let day: Date = text.parse().ok()?;
    let day = day.checked_add(jiff::Span::new().days(later)).ok()?;
    day.to_zoned(TimeZone::UTC).ok().map(|start| start.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_what_is_asked_for_and_nothing_else() {
        let wanted = Wanted { action: "a.b".to_owned(), after: "evt_1".to_owned(), ..Wanted::default() };
        assert_eq!(wanted.address("/audit", &[("after", "evt_2")]), "/audit?action=a.b&after=evt_2");
        assert_eq!(Wanted::default().address("/audit", &[("after", "")]), "/audit");
        assert!(wanted.filters() && !Wanted { after: "x".to_owned(), ..Wanted::default() }.filters());
    }

    #[test]
    fn a_day_ends_where_the_next_begins() {
        let check = |text, later, expected: Option<&str>| {
            assert_eq!(day(text, later), expected.map(|time| time.parse().unwrap()), "{text}");
        };
        check("2027-02-28", 0, Some("2027-02-28T00:00:00Z"));
        check("2027-02-28", 1, Some("2027-03-01T00:00:00Z"));
        check("9999-12-31", 1, None);
        check("28.2.2027", 0, None);
        check("", 0, None);
    }
}
