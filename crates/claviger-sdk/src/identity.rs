//! Who a request comes from, as the service is told. The room must not know how that was found out.

use std::sync::Arc;

use claviger_token::{CredentialKind, Environment, Found, Object, PermissionSet};

/// Who a request comes from: an extension of every request that is let through.
#[derive(Clone, Debug)]
pub struct Identity(pub(crate) Arc<Found>);

impl Identity {
    /// The id of the credential; of an access token, of that which it was made from.
    pub fn credential(&self) -> String {
        self.0.credential.id.to_string()
    }

    /// Which kind was presented.
    pub fn kind(&self) -> CredentialKind {
        self.0.credential.kind
    }

    /// The id of whom it stands for.
    pub fn principal(&self) -> String {
        self.0.principal.id.to_string()
    }

    /// The id of the organization that it acts in.
    pub fn organization(&self) -> String {
        self.0.organization.id.to_string()
    }

    /// Whether it acts on test data.
    pub fn is_test(&self) -> bool {
        self.0.credential.environment == Environment::Test
    }

    /// What it may do.
    pub fn permissions(&self) -> &PermissionSet {
        &self.0.rights.permissions
    }

    /// Whether it may do this.
    pub fn may(&self, permission: &str) -> bool {
        self.0.rights.permissions.contains(permission)
    }

    /// Whether it is for this object: to be asked where [`Guard::whatever_object`](crate::Guard::whatever_object) was said.
    pub fn is_for(&self, object: &Object) -> bool {
        self.0.credential.objects.as_ref().is_none_or(|objects| objects.covers(object))
    }

    /// The owner's JSON object; of a JWT it is empty.
    pub fn metadata(&self) -> &str {
        self.0.credential.metadata.get()
    }
}
