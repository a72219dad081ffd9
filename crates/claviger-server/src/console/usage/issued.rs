//! The access tokens that were issued to a service account, over time.

use claviger_core::{Reach, permission};
use claviger_store::{StoreError, UsageFilter};
use claviger_token::ServiceAccountId;

use super::{
    MOST_ROWS,
    chart::{Chart, TOKENS},
    window::Window,
};
use crate::console::{credential::Place, page::Frame};

/// What the page of a service account shows of it.
pub(crate) struct Issued {
    /// Address, words, and whether this is the one that is shown.
    pub(crate) windows: Vec<(String, String, bool)>,
    /// `None` if there was no token at all.
    pub(crate) chart: Option<Chart>,
}

impl Issued {
    /// Of one whose page has this path, if somebody may see how much is used where they are.
    pub(crate) async fn read(
        place: &Place<'_>,
        (account, path): (ServiceAccountId, &str),
        window: Window,
        frame: &Frame,
    ) -> Result<Option<Self>, StoreError> {
        let Some(here) = place.here.filter(|here| here.person.may(permission::USAGE_READ)) else { return Ok(None) };
        let (now, organization) = (place.app.now(), here.organization.id);
        let starts = window.starts(now);
        let filter = UsageFilter {
            credential: None,
            principal: Some(account.into()),
            organization: Some(organization),
            what: None,
            counted: window.counted_of_tokens(),
            from: starts.first().copied().unwrap_or(now),
            to: now,
        };
        let mut view = place.app.store.within(Reach::Organization(organization));
        let issued = view.issued(&filter, MOST_ROWS).await?.unwrap_or_default();
        let tokens = issued.iter().map(|one| (one.start, one.what.as_str(), one.uses));
        let chart = Chart::of(tokens, TOKENS, "issued", &starts, window.label());
        Ok(Some(Self { windows: window.links(path, frame), chart: Some(chart).filter(|chart| !chart.is_empty()) }))
    }
}
