//! Credentials in memory by their ids, for the tokens that were made from them: what a token may do follows from what its
//! credential may do now.
//!
//! The room must not know a token.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use claviger_core::Touched;
use claviger_store::{Changes, FoundCredential, Mark, StoreError};
use claviger_token::{CredentialFacts, CredentialId, OrganizationFacts, Presented, PrincipalFacts, RoleId};
use jiff::Timestamp;
use quick_cache::sync::Cache;

use super::{
    credentials::{Entry, LookedUp, REFRESH_AGE, REFRESH_PAUSE, shared_facts},
    fills::Fills,
};
use crate::{
    app::{App, monotonic},
    limits::Meters,
};

/// A credential that tokens were made from, with all that they have from it.
pub(super) struct Parent {
    pub(super) credential: CredentialFacts,
    pub(super) principal: Arc<PrincipalFacts>,
    pub(super) organization: Arc<OrganizationFacts>,
    pub(super) roles: Arc<[RoleId]>,
    /// What the credential counts against: its tokens count against the same.
    pub(super) meters: Option<Arc<Meters>>,
    /// When the oldest part of it was read: that may be the catalog.
    pub(super) read_at: Instant,
    /// The number of its newest secret, if it has one.
    pub(super) newest_secret: Option<u32>,
    /// What is known of whoever was let in before. One, so that many questions share its tally; it ends with this, and so with the catalog
    /// that it was made from.
    let_in: OnceLock<Arc<Entry>>,
    mark: Mark,
    filled_at: Instant,
    refreshing: AtomicBool,
}

/// What is known of parents, by their ids. That there is none is not kept: nobody but us could have made a token of it.
pub(super) struct Parents {
    entries: Cache<CredentialId, Arc<Parent>>,
    fills: Fills<CredentialId, Option<Arc<Parent>>>,
}

impl Parents {
    pub(super) fn new(entries: usize) -> Self {
        Self { entries: Cache::new(entries), fills: Fills::default() }
    }
}

impl Parent {
    fn holds(&self, changes: &Changes, now: Instant) -> bool {
        now.saturating_duration_since(self.read_at) < Changes::ENTRY_LIFE
            && changes.hold_since(self.mark, self.depends())
    }

    /// When nothing that it depends on had changed yet.
    pub(super) fn mark(&self) -> Mark {
        self.mark
    }

    fn held_at_last(&self, changes: &Changes) -> bool {
        changes.held_at_last(self.mark, self.read_at, self.depends())
    }

    fn depends(&self) -> impl Iterator<Item = Touched> {
        let own = [
            Touched::Credential(self.credential.id),
            Touched::Principal(self.principal.id),
            Touched::Organization(self.organization.id),
            Touched::Catalog,
        ];
        own.into_iter().chain(self.roles.iter().copied().map(Touched::Role))
    }
}

impl App {
    /// What is known of a key that a client has proved to hold, by something that `ends_at` this moment if it ends; it has no secret to find it
    /// by.
    pub(crate) async fn look_up_key(
        &self,
        id: CredentialId,
        ends_at: Option<Timestamp>,
    ) -> Result<LookedUp, StoreError> {
        let entry = self.parent(id).await?.map(|parent| Arc::new(Entry::of_key(&parent, ends_at)));
        Ok(LookedUp { presented: Presented::WellFormed, entry })
    }

    /// What is known of a credential whose secret somebody else has seen: a broker that let its bearer in. Which secret that was, nobody
    /// knows any more.
    pub(crate) async fn look_up_let_in(&self, id: CredentialId) -> Result<LookedUp, StoreError> {
        let Some(parent) = self.parent(id).await? else {
            return Ok(LookedUp { presented: Presented::WellFormed, entry: None });
        };
        let entry = match parent.let_in.get() {
            Some(entry) => Arc::clone(entry),
            None => {
                let catalog = self.catalog().await?;
                Arc::clone(parent.let_in.get_or_init(|| Arc::new(Entry::let_in(&parent, &catalog))))
            }
        };
        Ok(LookedUp { presented: Presented::WellFormed, entry: Some(entry) })
    }

    /// The credential as it is now: from memory, or in one round trip to the database.
    pub(super) async fn parent(&self, id: CredentialId) -> Result<Option<Arc<Parent>>, StoreError> {
        if let Some(parent) = self.remembered_parent(id) {
            return Ok(Some(parent));
        }
        let (changes, fills) = (self.store.changes(), &self.credentials.parents.fills);
        let holds = |found: &Option<Arc<Parent>>| {
            found.as_ref().is_some_and(|parent| parent.holds(self.store.changes(), monotonic()))
        };
        fills.read_together(id, changes, holds, || self.read_parent(id)).await
    }

    /// The same; or as it was last known while storage does not answer, unless something of it is known to have changed since.
    pub(super) async fn last_known_parent(&self, id: CredentialId) -> Result<Option<Arc<Parent>>, StoreError> {
        let last = || {
            let parent = self.credentials.parents.entries.get(&id)?;
            parent.held_at_last(self.store.changes()).then_some(Some(parent))
        };
        self.or_last_known(last, self.parent(id)).await
    }

    fn remembered_parent(&self, id: CredentialId) -> Option<Arc<Parent>> {
        let (changes, now) = (self.store.changes(), monotonic());
        let parent = self.credentials.parents.entries.get(&id)?;
        if changes.staleness(now) > self.config.max_staleness || !parent.holds(changes, now) {
            return None;
        }
        if now.saturating_duration_since(parent.filled_at) > REFRESH_AGE
            && !parent.refreshing.swap(true, Ordering::Relaxed)
        {
            let (app, old) = (self.clone(), Arc::clone(&parent));
            tokio::spawn(async move {
                if let Err(error) = app.read_parent(id).await {
                    tracing::debug!(%error, "a credential could not be read again");
                    tokio::time::sleep(REFRESH_PAUSE).await;
                    old.refreshing.store(false, Ordering::Relaxed);
                }
            });
        }
        Some(parent)
    }

    async fn read_parent(&self, id: CredentialId) -> Result<Option<Arc<Parent>>, StoreError> {
        let (mark, filled_at) = (self.store.changes().mark(), monotonic());
        let Some(found) = self.store.find_credential(id).await? else { return Ok(None) };
        let catalog = self.catalog().await?;
        let FoundCredential { credential, principal, roles, organization, newest_secret } = found;
        let roles = self.credentials.common.roles(roles);
        let (credential, principal, organization) =
            shared_facts(credential, principal, organization, &catalog, &self.credentials.common);
        let meters = self.meters(&credential, &principal, &organization).await?;
        let parent = Arc::new(Parent {
            credential,
            principal,
            organization,
            roles,
            meters: meters.map(Arc::new),
            // Its mark needs no such care: a catalog that holds here was not named before `mark` either.
            read_at: filled_at.min(catalog.read_at),
            newest_secret,
            let_in: OnceLock::new(),
            mark,
            filled_at,
            refreshing: AtomicBool::new(false),
        });
        // The guard against a stale fill is the same test that every use makes.
        if parent.holds(self.store.changes(), monotonic()) {
            self.credentials.parents.entries.insert(id, Arc::clone(&parent));
        } else {
            self.metrics.fills_discarded.inc();
        }
        Ok(Some(parent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::tests::app;

    #[tokio::test]
    async fn many_questions_about_who_was_let_in_share_one_entry() {
        let (app, _directory) = app().await;
        let made = app.bootstrap(true).await.unwrap();
        let entry = async || app.look_up_let_in(made.api_key_id).await.unwrap().entry.unwrap();
        // The log repeats once what this node named already, and that voids what was remembered.
        let (mut first, mut is_shared) = (entry().await, false);
        for _ in 0..3 {
            let next = entry().await;
            is_shared |= Arc::ptr_eq(&first, &next);
            first = next;
        }
        assert!(is_shared);
    }
}
