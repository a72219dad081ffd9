//! What a gateway asks of a credential: what its configuration names, or what an API's route rules say of the request that it holds.
//!
//! The room must not know how a gateway tells of that request, nor who sent it.

use axum::http::StatusCode;
use claviger_core::Address;
use claviger_token::{Environment, Object, Permission, Required};

use super::catalog::Catalog;
use crate::problem::RequestError;

/// What a credential must allow.
pub(crate) struct Question<'a> {
    audience: Option<&'a str>,
    environment: Option<Environment>,
    permissions: Vec<Permission>,
    objects: Vec<Object>,
    whatever_object: bool,
    /// No rule is for the request: nobody may do it.
    pub(super) is_unruled: bool,
}

impl<'a> Question<'a> {
    /// What a configuration names: permissions separated by spaces, one object, the identifier of an API.
    pub(super) fn named(
        permission: Option<&str>,
        object: Option<&str>,
        audience: Option<&'a str>,
    ) -> Result<Self, RequestError> {
        if permission.is_some_and(|names| names.trim().is_empty()) {
            // A variable of the gateway that is empty must not mean that anything goes.
            return Err(unreadable("empty_permission", "permission is there but names none"));
        }
        let permissions = permission.unwrap_or_default().split_whitespace().map(str::parse).collect::<Result<_, _>>();
        let object = object.map(str::parse::<Object>).transpose();
        Ok(Self {
            audience,
            permissions: permissions.map_err(|error| unreadable("invalid_permission", format!("{error}")))?,
            objects: object.map_err(|error| unreadable("invalid_object", format!("{error}")))?.into_iter().collect(),
            environment: None,
            whatever_object: false,
            is_unruled: false,
        })
    }

    /// The same of a request that is about these data.
    pub(super) fn about(self, environment: Option<Environment>) -> Self {
        Self { environment, ..self }
    }

    /// What the rules of the API of this identifier say of a request of this method to this target.
    pub(super) fn ruled(
        catalog: &'a Catalog,
        identifier: &str,
        method: &str,
        target: &str,
    ) -> Result<Self, RequestError> {
        let api =
            catalog.api(identifier).ok_or_else(|| unreadable("invalid_query", "no API has the identifier in api="))?;
        let address = Address::read(target).map_err(|error| unreadable("ambiguous_path", format!("{error}")))?;
        let found = api.routes.find(method, &address);
        let found = found.map_err(|error| unreadable("invalid_object", format!("{error}")))?;
        let is_unruled = found.is_none();
        let (permissions, object, whatever_object) = found
            .map_or_else(Default::default, |ruled| (ruled.permissions.to_vec(), ruled.object, ruled.filters_objects));
        let objects = object.into_iter().collect();
        let audience = Some(&*api.identifier);
        Ok(Self { audience, environment: None, permissions, objects, whatever_object, is_unruled })
    }

    pub(crate) fn required(&self) -> Required<'_> {
        Required {
            audience: self.audience,
            environment: self.environment,
            permissions: &self.permissions,
            objects: &self.objects,
            whatever_object: self.whatever_object,
        }
    }
}

fn unreadable(code: &'static str, detail: impl Into<String>) -> RequestError {
    RequestError::unreadable(StatusCode::BAD_REQUEST, code, detail)
}
