//! Many credentials at once: ended by somebody's query, or by the rule that ends what nobody uses, and lives that a rule cuts.

use claviger_core::{Action, By, Chain, Event, Kind, Organization, Overlong, Reach, RevokeReason};
use claviger_store::{CredentialFilter, Page, StoreError};
use claviger_token::OrganizationId;
use serde_json::{Value, json};

use crate::app::App;

/// How many end, or are cut, in one transaction: others who write wait no longer than that takes.
const BATCH: u32 = 100;

/// Which credentials end, and why.
pub(crate) struct Many {
    /// Which.
    pub filter: CredentialFilter,
    /// Why.
    pub reason: RevokeReason,
    /// The filter, as the audit trail tells it.
    pub told: Value,
}

impl App {
    /// Ends them in batches, each a change of its own, and tells how many there were. A failure leaves some of them ended.
    pub(crate) async fn revoke_many(&self, by: &By, reach: Reach, many: Many) -> Result<u64, StoreError> {
        let organization = match reach {
            Reach::Organization(id) => Some(id),
            Reach::Instance => many.filter.organization,
        };
        let chain = Chain::from(organization);
        let (mut revoked, mut after) = (0, None);
        loop {
            let mut tx = self.store.begin_alone(by).await?;
            let now = self.now();
            let ended = tx.revoke_credentials(reach, &many.filter, many.reason, now, (after, BATCH)).await?;
            if ended.is_empty() {
                // After the last of them once more from the first.
                match after.take() {
                    Some(_) => continue,
                    None => return Ok(revoked),
                }
            }
            after = ended.last().copied();
            revoked += ended.len() as u64;
            let event = Event {
                chain,
                action: Action::CredentialsRevoked,
                target: chain.to_string(),
                details: json!({ "reason": many.reason, "filters": many.told, "count": ended.len() }),
                personal: None,
                touched: Vec::new(),
            };
            tx.commit(event, now, &mut self.rng()).await?;
        }
    }

    /// Draws the ends of lives nearer in batches, each a change of its own. A failure leaves some as long as they were, until the
    /// hourly job goes on.
    pub(crate) async fn cut_lives(
        &self,
        by: &By,
        organization: OrganizationId,
        kind: Kind,
        overlong: Overlong,
    ) -> Result<(), StoreError> {
        // Most often there are none, and then nothing is locked.
        while self.store.within(Reach::Organization(organization)).has_overlong(organization, kind, overlong).await? {
            let mut after = None;
            loop {
                let mut tx = self.store.begin_alone(by).await?;
                let now = self.now();
                let (mut events, last) = tx.cut_lives(organization, kind, overlong, now, (after, BATCH)).await?;
                let Some(event) = events.pop() else { break };
                events.into_iter().for_each(|event| tx.also(event));
                tx.commit(event, now, &mut self.rng()).await?;
                after = last;
            }
            if after.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// Cuts whatever lives longer than an organization's policy allows.
    pub(crate) async fn cut_overlong(&self, by: &By, organization: &Organization) -> Result<(), StoreError> {
        for (kind, overlong) in organization.policy.overlong(self.now()) {
            self.cut_lives(by, organization.id, kind, overlong).await?;
        }
        Ok(())
    }

    /// Ends what nobody has used for as long as its organization's policy allows, and cuts what lives longer than it allows and was
    /// missed when the policy changed. Several nodes may do so at once.
    pub async fn keep_policies(&self) -> Result<(), StoreError> {
        let (by, mut after) = (By::system(), None);
        loop {
            let page = Page { after, limit: 200 };
            let organizations = self.store.within(Reach::Instance).organizations(None, &page).await?;
            let Some(last) = organizations.last() else { return Ok(()) };
            after = Some(last.id);
            for organization in organizations {
                self.cut_overlong(&by, &organization).await?;
                let now = self.now();
                let Some(since) = organization.policy.unused_since(now) else { continue };
                let reach = Reach::Organization(organization.id);
                let filter =
                    CredentialFilter { unused_since: Some(since), live_at: Some(now), ..CredentialFilter::default() };
                let many = Many { filter, reason: RevokeReason::Unused, told: json!({ "unused_since": since }) };
                self.revoke_many(&by, reach, many).await?;
            }
        }
    }
}
