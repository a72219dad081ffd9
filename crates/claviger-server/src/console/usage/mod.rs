//! How much an organization's credentials are used, as its overview shows it: over time and by outcome, why uses were refused, who is
//! busiest, what is new, and permissions that nobody asks for. And how many access tokens a service account got, for its page.
//!
//! Each box is for whoever may know what stands in it, and reads so much and no more, however many credentials there are.

pub(super) mod busiest;
pub(super) mod chart;
pub(super) mod issued;
pub(super) mod refusals;
#[cfg(test)]
pub(super) mod samples;
pub(super) mod unused;
pub(super) mod window;

use claviger_core::{Reach, permission};
use claviger_store::UsageFilter;

use super::{credential::Place, page::Frame, trouble::Trouble};
use busiest::Busy;
use chart::{Chart, USES};
use refusals::Refused;
use unused::Unused;
use window::Window;

/// How many of each a box shows.
const MOST: usize = 5;

/// Hours or days of an organization by code are fewer than this in every window.
const MOST_ROWS: u32 = 10_000;

/// What the overview shows of use.
pub(crate) struct Boxes {
    /// Address, words, and whether this is the one that is shown.
    pub(crate) windows: Vec<(String, String, bool)>,
    /// `None` if there was no use at all.
    pub(crate) chart: Option<Chart>,
    pub(crate) refusals: Vec<Refused>,
    pub(crate) busiest: Vec<Busy>,
    /// What somebody who may see no API keys is not shown: those that are new, and what their permissions are good for.
    pub(crate) keys: Option<Keys>,
}

/// The boxes about API keys.
pub(crate) struct Keys {
    pub(crate) newest: Vec<Busy>,
    pub(crate) unused: Vec<Unused>,
    /// The address of all of those.
    pub(crate) unused_path: String,
}

impl Boxes {
    /// Of the organization where somebody is, if they may see how much it is used.
    pub(super) async fn read(place: &Place<'_>, window: Window, frame: &Frame) -> Result<Option<Self>, Trouble> {
        let Some(here) = place.here.filter(|here| here.person.may(permission::USAGE_READ)) else { return Ok(None) };
        let (now, organization) = (place.app.now(), here.organization.id);
        let starts = window.starts(now);
        let from = starts.first().copied().unwrap_or(now);
        let filter = UsageFilter {
            credential: None,
            principal: None,
            organization: Some(organization),
            what: None,
            counted: window.counted(),
            from,
            to: now,
        };
        let mut view = place.app.store.within(Reach::Organization(organization));
        let used = view.organization_usage(&filter, MOST_ROWS).await?.unwrap_or_default();
        let uses = || used.iter().map(|one| (one.start, one.what.as_str(), one.uses));
        let keys = if here.person.may(permission::API_KEYS_READ) {
            let newest = busiest::newest(place, from, frame).await?;
            let unused_path = here.path("/unused-permissions");
            Some(Keys { newest, unused: unused::some(place, frame).await?, unused_path })
        } else {
            None
        };
        Ok(Some(Self {
            windows: window.links(&here.path(""), frame),
            chart: Some(Chart::of(uses(), USES, window.words(), &starts, window.label()))
                .filter(|chart| !chart.is_empty()),
            refusals: refusals::top(uses(), here, frame),
            busiest: busiest::busiest(place, from, frame).await?,
            keys,
        }))
    }
}
