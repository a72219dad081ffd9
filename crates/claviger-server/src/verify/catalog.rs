//! The APIs in memory: which of them declares which permission, and who serves it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use claviger_core::{AlsoAccepts, Api, Reach, Touched};
use claviger_store::{Changes, Mark, StoreError};
use claviger_token::{Permission, PermissionSet, PrincipalId, Required, same_audience};
use parking_lot::RwLock;

use super::credentials::REFRESH_PAUSE;
use crate::app::{App, monotonic};

/// A catalog in use is read again in the background at this age. It is short because an entry dies with the catalog that
/// it was made from.
const REFRESH_AGE: Duration = Duration::from_secs(5);

/// The APIs as they were read at one moment.
pub(crate) struct Catalog {
    apis: Vec<Api>,
    declared: PermissionSet,
    mark: Mark,
    pub(super) read_at: Instant,
    refreshing: AtomicBool,
}

/// The last catalog that was read.
#[derive(Default)]
pub(super) struct KeptCatalog {
    pub(super) current: RwLock<Option<Arc<Catalog>>>,
    /// Held by whoever reads the next one.
    turn: tokio::sync::Mutex<()>,
}

impl Catalog {
    /// Those that an API still declares: what no API declares any more is nobody's. The names are the catalog's own, so
    /// that they are in memory once.
    pub(super) fn declared(&self, permissions: &PermissionSet) -> PermissionSet {
        permissions.iter().filter_map(|permission| self.declared.get(permission.as_str())).cloned().collect()
    }

    /// The API of this identifier.
    pub(super) fn api(&self, identifier: &str) -> Option<&Api> {
        self.apis.iter().find(|api| same_audience(&api.identifier, identifier))
    }

    /// All of them.
    pub(crate) fn apis(&self) -> &[Api] {
        &self.apis
    }

    fn holds(&self, changes: &Changes, now: Instant) -> bool {
        now.saturating_duration_since(self.read_at) < Changes::ENTRY_LIFE
            && changes.hold_since(self.mark, [Touched::Catalog])
    }

    fn held_at_last(&self, changes: &Changes) -> bool {
        changes.held_at_last(self.mark, self.read_at, [Touched::Catalog])
    }

    /// The permissions of the APIs that this principal serves, if it serves any of `audiences`.
    pub(crate) fn served_by(&self, principal: PrincipalId, audiences: &[String]) -> Option<PermissionSet> {
        let PrincipalId::ServiceAccount(server) = principal else { return None };
        let served = self
            .apis
            .iter()
            .filter(|api| api.resource_servers.contains(&server) && audiences.contains(&api.identifier));
        let mut permissions = served.flat_map(permission_names).peekable();
        permissions.peek()?;
        Some(permissions.collect())
    }

    /// Whether this principal serves the API of this identifier.
    pub(crate) fn serves(&self, principal: PrincipalId, identifier: &str) -> bool {
        let PrincipalId::ServiceAccount(server) = principal else { return false };
        self.apis.iter().any(|api| api.identifier == identifier && api.resource_servers.contains(&server))
    }

    /// Where a credential may also stand in a request to the API that is asked for. Without its name, that is whichever
    /// APIs declare the permissions; all of them must accept a place.
    pub(crate) fn also_accept(&self, required: &Required<'_>) -> AlsoAccepts {
        let asked = |api: &&Api| match required.audience {
            Some(audience) => same_audience(&api.identifier, audience),
            None => permission_names(api).any(|name| required.permissions.contains(&name)),
        };
        let mut asked = self.apis.iter().filter(asked).map(|api| &api.also_accepts);
        let Some(first) = asked.next() else { return AlsoAccepts::default() };
        asked.fold(first.clone(), |all, one| AlsoAccepts {
            basic: all.basic && one.basic,
            query_parameter: all.query_parameter.filter(|name| one.query_parameter.as_ref() == Some(name)),
        })
    }

    /// The origins on which the API that is asked for answers, or else the one that declares the permissions; or else that of
    /// `audiences`. None if that can be several: one of them could pass on to another what it was sent.
    pub(crate) fn origins(&self, required: &Required<'_>, audiences: &[String]) -> Vec<String> {
        let asked = |api: &&Api| match required.audience {
            Some(audience) => same_audience(&api.identifier, audience),
            None if required.permissions.is_empty() => audiences.contains(&api.identifier),
            None => permission_names(api).any(|name| required.permissions.contains(&name)),
        };
        let mut asked = self.apis.iter().filter(asked);
        match (asked.next(), asked.next()) {
            (Some(api), None) => api.answers_on().into_iter().collect(),
            (_, _) => Vec::new(),
        }
    }

    /// The identifiers of the APIs that declare one of these permissions.
    pub(super) fn audiences(&self, permissions: &PermissionSet) -> Arc<[String]> {
        let concerned = |api: &&Api| permission_names(api).any(|name| permissions.contains(name.as_str()));
        self.apis.iter().filter(concerned).map(|api| api.identifier.clone()).collect()
    }
}

fn permission_names(api: &Api) -> impl Iterator<Item = Permission> {
    api.permissions.iter().map(|permission| permission.name.clone())
}

impl App {
    /// The APIs as they are now.
    pub(crate) async fn catalog(&self) -> Result<Arc<Catalog>, StoreError> {
        if let Some(catalog) = self.remembered_catalog() {
            return Ok(catalog);
        }
        // Boxed, or the future of every request would be as large as a read.
        Box::pin(async {
            let _turn = self.credentials.catalog.turn.lock().await;
            // Whose turn it was before has read it for all.
            match self.remembered_catalog() {
                Some(catalog) => Ok(catalog),
                None => self.read_catalog().await,
            }
        })
        .await
    }

    /// The same; or as they were last known while storage does not answer, unless they are known to have changed since. For what is
    /// asked about tokens that are verified meanwhile.
    pub(super) async fn last_known_catalog(&self) -> Result<Arc<Catalog>, StoreError> {
        if let Some(catalog) = self.remembered_catalog() {
            return Ok(catalog);
        }
        let changes = self.store.changes();
        let last = || self.credentials.catalog.current.read().clone().filter(|catalog| catalog.held_at_last(changes));
        // Boxed for the same reason.
        Box::pin(self.or_last_known(last, self.catalog())).await
    }

    fn remembered_catalog(&self) -> Option<Arc<Catalog>> {
        let now = monotonic();
        let catalog = self.credentials.catalog.current.read().clone()?;
        if !catalog.holds(self.store.changes(), now) {
            return None;
        }
        if now.saturating_duration_since(catalog.read_at) > REFRESH_AGE
            && !catalog.refreshing.swap(true, Ordering::Relaxed)
        {
            let (app, old) = (self.clone(), Arc::clone(&catalog));
            tokio::spawn(async move {
                if let Err(error) = app.read_catalog().await {
                    tracing::debug!(%error, "the catalog could not be read again");
                    tokio::time::sleep(REFRESH_PAUSE).await;
                    old.refreshing.store(false, Ordering::Relaxed);
                }
            });
        }
        Some(catalog)
    }

    pub(super) async fn read_catalog(&self) -> Result<Arc<Catalog>, StoreError> {
        let (mark, read_at) = (self.store.changes().mark(), monotonic());
        let apis = self.store.within(Reach::Instance).catalog().await?;
        let declared = apis.iter().flat_map(permission_names).collect();
        let catalog = Arc::new(Catalog { apis, declared, mark, read_at, refreshing: AtomicBool::new(false) });
        *self.credentials.catalog.current.write() = Some(Arc::clone(&catalog));
        Ok(catalog)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::tests::app;

    #[tokio::test]
    async fn while_storage_is_away_the_apis_are_those_that_were_true_when_the_log_was_read_last() {
        let (app, _directory) = app().await;
        drop(app.read_catalog().await.unwrap());
        app.store.database().close().await;
        let read_before_the_log = |age: Duration| {
            let now = monotonic();
            let mut current = app.credentials.catalog.current.write();
            let mut catalog = Arc::into_inner(current.take().unwrap()).unwrap();
            catalog.read_at = now - app.store.changes().staleness(now) - age;
            *current = Some(Arc::new(catalog));
        };
        read_before_the_log(Changes::ENTRY_LIFE - Duration::from_millis(1));
        assert!(app.catalog().await.is_err(), "too old for whoever needs what is true now");
        assert!(app.last_known_catalog().await.is_ok());
        read_before_the_log(Changes::ENTRY_LIFE);
        assert!(app.last_known_catalog().await.is_err(), "nobody knows what was true then");
        read_before_the_log(Changes::ENTRY_LIFE - Duration::from_millis(1));
        app.store.changes().name(&[Touched::Catalog], monotonic());
        assert!(app.last_known_catalog().await.is_err(), "it changed");
    }
}
