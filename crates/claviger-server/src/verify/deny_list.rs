//! Access tokens that ended by themselves, before their time: refused at once here, and on every node as soon as it follows the
//! change log.
//!
//! The log names each of them. So the list need be read only now and then: what was named since it was read has ended,
//! whatever the list says. The room must not know why a token ended.

use std::{collections::HashSet, sync::Arc, time::Instant};

use claviger_core::{Reach, Touched};
use claviger_store::{Changes, Mark, StoreError};
use claviger_token::AccessTokenId;
use parking_lot::RwLock;

use crate::app::{App, monotonic};

/// The tokens as they were read at one moment.
struct DenyList {
    ids: HashSet<AccessTokenId>,
    mark: Mark,
    read_at: Instant,
}

/// The last list that was read.
#[derive(Default)]
pub(super) struct KeptDenyList {
    current: RwLock<Option<Arc<DenyList>>>,
    /// Held by whoever reads the next one.
    turn: tokio::sync::Mutex<()>,
}

impl DenyList {
    fn names(&self, id: AccessTokenId, changes: &Changes) -> bool {
        self.ids.contains(&id) || changes.was_named_since(self.mark, Touched::AccessToken(id))
    }

    fn holds(&self, changes: &Changes, now: Instant) -> bool {
        now.saturating_duration_since(self.read_at) < Changes::ENTRY_LIFE && changes.hold_since(self.mark, [])
    }
}

impl App {
    /// Whether a token ended by itself, if that is known without a read of the database.
    pub(super) fn is_known_to_have_ended(&self, id: AccessTokenId) -> Option<bool> {
        let list = self.credentials.deny_list.current.read().clone()?;
        let (changes, now) = (self.store.changes(), monotonic());
        // Looked up before it is asked whether names may be missing, so that none goes missing in between.
        let has_ended = list.names(id, changes);
        let holds = list.holds(changes, now) && changes.staleness(now) <= self.config.max_staleness;
        // Nobody comes back from there, so that a name counts however old the list is.
        (has_ended || holds).then_some(has_ended)
    }

    /// Whether a token ended by itself. While storage does not answer, what was known last counts for one that our signature
    /// proves.
    pub(super) async fn has_ended(&self, id: AccessTokenId, signed: bool) -> Result<bool, StoreError> {
        let changes = self.store.changes();
        let list = if signed {
            let held = |list: &Arc<DenyList>| changes.held_at_last(list.mark, list.read_at, []);
            let last = || self.credentials.deny_list.current.read().clone().filter(held);
            self.or_last_known(last, self.deny_list()).await?
        } else {
            self.deny_list().await?
        };
        Ok(list.names(id, changes))
    }

    async fn deny_list(&self) -> Result<Arc<DenyList>, StoreError> {
        let _turn = self.credentials.deny_list.turn.lock().await;
        // Whose turn it was before has read it for all.
        let (changes, now) = (self.store.changes(), monotonic());
        let current = self.credentials.deny_list.current.read().clone();
        match current.filter(|list| list.holds(changes, now) && changes.staleness(now) <= self.config.max_staleness) {
            Some(list) => Ok(list),
            None => self.read_deny_list().await,
        }
    }

    /// Reads it anew: often enough that no verification has to, and that it is there when storage goes away.
    pub(crate) async fn tend_deny_list(&self) -> Result<(), StoreError> {
        let _turn = self.credentials.deny_list.turn.lock().await;
        self.read_deny_list().await.map(drop)
    }

    async fn read_deny_list(&self) -> Result<Arc<DenyList>, StoreError> {
        let (mark, read_at) = (self.store.changes().mark(), monotonic());
        let ids = self.store.within(Reach::Instance).revoked_access_tokens(self.now()).await?;
        let list = Arc::new(DenyList { ids: ids.into_iter().collect(), mark, read_at });
        *self.credentials.deny_list.current.write() = Some(Arc::clone(&list));
        Ok(list)
    }
}
