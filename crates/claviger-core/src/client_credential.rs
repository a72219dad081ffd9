//! What the kinds of credential share by which a service account proves itself at the token endpoint: each stands for all of
//! its account, so that little can be said about one, and an account has few.

use claviger_token::CredentialId;
use jiff::Timestamp;
use serde::Deserialize;

use crate::{
    audit::Event,
    credential::{Credential, CredentialChanges},
    invalid::{Rejection, present},
    issuing::IssuingContext,
    policy::Kind,
};

/// How many of one kind a service account may have that live: an assertion is tried with each key that can be meant.
const MOST: i64 = 20;

/// Body of `PATCH` of a client secret, a public key, a certificate or a federated identity: absent members stay.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ClientCredentialChanges {
    /// New name.
    pub name: Option<String>,
    /// Until when; `null` for no end.
    #[serde(deserialize_with = "present")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Timestamp>))]
    pub expires_at: Option<Option<Timestamp>>,
    /// Stops or restarts it.
    pub disabled: Option<bool>,
}

impl ClientCredentialChanges {
    /// Makes them. `living` is how many of its kind its service account has that live.
    pub fn make(
        self,
        credential: Credential,
        living: i64,
        context: &IssuingContext<'_>,
        by: String,
        now: Timestamp,
    ) -> Result<(Credential, Event), Rejection> {
        let was_over = credential.expires_at.is_some_and(|end| end <= now);
        let Self { name, expires_at, disabled } = self;
        let changes = CredentialChanges { name, expires_at, disabled, ..CredentialChanges::default() };
        let (new, event) = credential.update(changes, context, by, now)?;
        // What comes to life again is one more.
        if was_over && new.expires_at.is_none_or(|end| end > now) {
            must_be_few(new.id, living)?;
        }
        Ok((new, event))
    }
}

/// Refuses one more than a service account may have.
pub(crate) fn must_be_few(id: CredentialId, living: i64) -> Result<(), Rejection> {
    if living < MOST {
        return Ok(());
    }
    let message =
        format!("a service account has at most {MOST} {}; revoke one that is not used", Kind::of(id).plural());
    Err(Rejection::conflict("too_many", message))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        client_secret::NewClientSecret,
        fixtures::{World, at, now, rng, said},
        policy::Policy,
        rights::Grantor,
    };

    fn secret(world: &World, expires_at: Option<Timestamp>) -> Credential {
        let new = NewClientSecret { name: "ci".to_owned(), expires_at };
        let context = world.asked_by(Grantor::Operator);
        new.issue(&context, 0, "operator".to_owned(), now(), &mut rng()).unwrap().credential
    }

    fn change(
        world: &World,
        credential: &Credential,
        living: i64,
        body: serde_json::Value,
        seconds: i64,
    ) -> Result<(Credential, Event), Rejection> {
        let changes: ClientCredentialChanges = serde_json::from_value(body).unwrap();
        let context = world.asked_by(Grantor::Operator);
        changes.make(credential.clone(), living, &context, "operator".to_owned(), at(seconds))
    }

    #[test]
    fn name_end_and_stop_are_all_that_changes() {
        let world = World::new();
        let credential = secret(&world, None);
        assert_eq!(change(&world, &credential, 20, json!({}), 1).unwrap().0, credential);
        let changed = change(&world, &credential, 20, json!({ "name": "b", "expires_at": at(9), "disabled": true }), 1);
        let (changed, event) = changed.unwrap();
        assert_eq!((changed.name.as_str(), changed.expires_at, changed.disabled_at), ("b", Some(at(9)), Some(at(1))));
        assert_eq!((changed.epoch, event.action.as_str()), (2, "client_secret.disabled"));
        for other in ["permissions", "objects", "allowed_networks", "metadata", "not_before", "quota"] {
            assert!(serde_json::from_value::<ClientCredentialChanges>(json!({ other: null })).is_err(), "{other}");
        }
        assert_eq!(said(&change(&world, &credential, 1, json!({ "expires_at": at(1) }), 1)), "/expires_at in_the_past");
        let revoked = credential.revoke(crate::RevokeReason::Unspecified, at(1)).unwrap().0;
        assert_eq!(said(&change(&world, &revoked, 1, json!({ "name": "c" }), 1)), "conflict revoked");
    }

    #[test]
    fn what_comes_to_life_again_is_one_more() {
        let mut world = World::new();
        let credential = secret(&world, Some(at(5)));
        let longer = json!({ "expires_at": at(99) });
        assert_eq!(said(&change(&world, &credential, 20, longer.clone(), 4)), "ok");
        assert_eq!(said(&change(&world, &credential, 19, longer.clone(), 5)), "ok");
        assert_eq!(said(&change(&world, &credential, 20, longer, 5)), "conflict too_many");
        assert_eq!(said(&change(&world, &credential, 20, json!({ "expires_at": null }), 5)), "conflict too_many");
        assert_eq!(said(&change(&world, &credential, 20, json!({ "name": "x" }), 5)), "ok");
        world.organization.policy = Policy { expiry_required: true, ..Policy::default() };
        let endless = change(&world, &credential, 1, json!({ "expires_at": null }), 4);
        assert_eq!(said(&endless), "/expires_at expiry_required");
    }
}
