//! Names that can be taken for each other, as whoever makes, sees or approves a credential is told.

use claviger_core::Kind;
use claviger_store::LookAlike;
use claviger_token::{CredentialId, PrincipalId};
use serde::Serialize;
use utoipa::ToSchema;

/// A credential that is called alike.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = LookAlike)]
pub(crate) struct LookAlikeView {
    pub(crate) id: CredentialId,
    kind: Kind,
    pub(crate) name: String,
    /// Whose it is.
    pub(crate) principal_id: PrincipalId,
}

/// Those of one credential.
#[derive(Debug, Clone)]
pub(crate) struct LookAlikes {
    /// Whether there are any.
    pub(crate) any: bool,
    /// Those that whoever asks may see.
    pub(crate) seen: Vec<LookAlikeView>,
}

impl LookAlikes {
    pub(super) fn new(found: Vec<LookAlike>, sees: impl Fn(&LookAlike) -> bool) -> Self {
        let view = |one: LookAlike| LookAlikeView {
            id: one.id,
            kind: Kind::of(one.id),
            name: one.name.to_string(),
            principal_id: one.principal,
        };
        Self { any: !found.is_empty(), seen: found.into_iter().filter(sees).map(view).collect() }
    }
}
