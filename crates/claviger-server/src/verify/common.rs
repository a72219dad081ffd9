//! Facts that many entries have in common, in memory once: the principal and the organization of a hundred keys, and the
//! lists that a thousand keys have alike.
//!
//! Only equal facts are shared, so that nothing here decides how fresh an entry is.

use std::{hash::Hash, sync::Arc};

use claviger_token::{OrganizationFacts, OrganizationId, PermissionMask, PrincipalFacts, PrincipalId, RoleId};
use quick_cache::sync::Cache;

/// How many of each are remembered for those who come next.
const MOST: usize = 10_000;

/// The facts that were read last, by whom they are about.
pub(super) struct CommonFacts {
    principals: Cache<PrincipalId, Arc<PrincipalFacts>>,
    organizations: Cache<OrganizationId, Arc<OrganizationFacts>>,
    roles: Cache<Arc<[RoleId]>, Arc<[RoleId]>>,
    lists: Cache<PermissionMask, PermissionMask>,
    audiences: Cache<Arc<[String]>, Arc<[String]>>,
}

impl Default for CommonFacts {
    fn default() -> Self {
        Self {
            principals: Cache::new(MOST),
            organizations: Cache::new(MOST),
            roles: Cache::new(MOST),
            lists: Cache::new(MOST),
            audiences: Cache::new(MOST),
        }
    }
}

impl CommonFacts {
    /// The same facts, as others have them if they do.
    pub(super) fn principal(&self, facts: PrincipalFacts) -> Arc<PrincipalFacts> {
        shared(&self.principals, facts.id, facts)
    }

    /// The same facts, as others have them if they do.
    pub(super) fn organization(&self, facts: OrganizationFacts) -> Arc<OrganizationFacts> {
        shared(&self.organizations, facts.id, facts)
    }

    /// The same roles, as others have them if they do.
    pub(super) fn roles(&self, roles: Vec<RoleId>) -> Arc<[RoleId]> {
        alike(&self.roles, roles.into())
    }

    /// The same list of a credential, as others have it if they do.
    pub(super) fn list(&self, list: PermissionMask) -> PermissionMask {
        alike(&self.lists, list)
    }

    /// The same identifiers of APIs, as others have them if they do.
    pub(super) fn audiences(&self, audiences: Arc<[String]>) -> Arc<[String]> {
        alike(&self.audiences, audiences)
    }
}

fn alike<T: Clone + Hash + Eq>(cache: &Cache<T, T>, list: T) -> T {
    cache.get(&list).unwrap_or_else(|| {
        cache.insert(list.clone(), list.clone());
        list
    })
}

fn shared<K: Hash + Eq, V: PartialEq>(cache: &Cache<K, Arc<V>>, key: K, facts: V) -> Arc<V> {
    if let Some(known) = cache.get(&key)
        && *known == facts
    {
        return known;
    }
    let facts = Arc::new(facts);
    cache.insert(key, Arc::clone(&facts));
    facts
}
