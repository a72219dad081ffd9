//! Client secrets: by which a service account, as an OAuth client, proves itself at the token endpoint (RFC 6749, section 2.3.1).
//! What becomes of one afterwards is every credential's: see `credential.rs`.

use claviger_token::{ClientSecretId, TypedId as _};
use jiff::Timestamp;
use rand::CryptoRng;
use serde::Deserialize;

use crate::{
    client_credential::must_be_few,
    invalid::Rejection,
    issuing::{Asked, Issued, IssuingContext},
};

/// Body of `POST /v1/service-accounts/{id}/secrets`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewClientSecret {
    /// 1 to 100 characters; need not be unique.
    #[cfg_attr(feature = "openapi", schema(example = "production"))]
    pub name: String,
    /// When it ends (RFC 3339).
    pub expires_at: Option<Timestamp>,
}

impl NewClientSecret {
    /// The secret that is asked for. `living` is how many its service account has.
    pub fn issue(
        self,
        context: &IssuingContext<'_>,
        living: i64,
        created_by: String,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
    ) -> Result<Issued, Rejection> {
        let id = ClientSecretId::generate(now, rng).into();
        let issued = Asked::of_client(id, &self.name, self.expires_at).issue(context, created_by, now, rng)?;
        must_be_few(id, living)?;
        Ok(issued)
    }
}

#[cfg(test)]
mod tests {
    use claviger_token::{CredentialKind, Environment, PermissionMask, ServiceAccountId};
    use serde_json::json;

    use super::*;
    use crate::{
        credential::{Credential, SecretRecord},
        fixtures::{World, at, now, rng, said, set},
        policy::{Kind, Policy},
        rights::Grantor,
    };

    fn issue(context: &IssuingContext<'_>, members: serde_json::Value) -> Result<Issued, Rejection> {
        let mut body = json!({ "name": "production" });
        body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        let new: NewClientSecret = serde_json::from_value(body).unwrap();
        new.issue(context, 0, "operator".to_owned(), now(), &mut rng())
    }

    #[test]
    fn a_secret_stands_for_all_of_its_account_and_its_event_tells_no_secret() {
        let world = World::new();
        let made = issue(&world.asked_by(Grantor::Operator), json!({ "expires_at": at(9) })).unwrap();
        let Issued { credential, secret, event } = made;
        assert!(secret.expose().starts_with("clv_cs_"));
        assert_eq!(credential.permissions, PermissionMask::everything());
        assert_eq!((credential.environment, credential.expires_at), (Environment::Live, Some(at(9))));
        assert_eq!((&credential.objects, &credential.networks, credential.epoch), (&None, &None, 1));
        assert_eq!(credential.secrets, [SecretRecord::first(&secret, "operator".to_owned(), now())]);
        assert_eq!(event.action.as_str(), "client_secret.created");
        assert!(!event.details.to_string().contains(secret.expose()));
        assert_eq!(credential.facts().kind, CredentialKind::AccessToken);
    }

    #[test]
    fn every_wrong_member_is_named_and_what_does_not_apply_is_no_request() {
        let world = World::new();
        let wrong = issue(&world.asked_by(Grantor::Operator), json!({ "name": "", "expires_at": now() }));
        assert_eq!(said(&wrong), "/name invalid_name, /expires_at in_the_past");
        for other in ["permissions", "objects", "environment", "metadata", "rate_limits", "service_account_id"] {
            assert!(serde_json::from_value::<NewClientSecret>(json!({ "name": "x", other: null })).is_err(), "{other}");
        }
        assert!(serde_json::from_value::<NewClientSecret>(json!({})).is_err());
    }

    #[test]
    fn policy_bounds_kinds_and_ends_and_leaves_its_reach_alone() {
        let mut world = World::new();
        let mut check = |policy: Policy, members, expected: &str| {
            world.organization.policy = policy;
            assert_eq!(said(&issue(&world.asked_by(Grantor::Operator), members)), expected);
        };
        let required = || Policy { expiry_required: true, ..Policy::default() };
        check(required(), json!({}), "/expires_at expiry_required");
        check(required(), json!({ "expires_at": at(9) }), "ok");
        let of_kinds = |kinds: &[Kind]| Policy { allowed_kinds: Some(kinds.to_vec()), ..Policy::default() };
        check(of_kinds(&[Kind::ApiKey, Kind::PublicKey]), json!({}), "conflict kind_not_allowed");
        check(of_kinds(&[Kind::ClientSecret]), json!({}), "ok");
        let strict = || Policy {
            wildcard_allowed: false,
            approval_required: true,
            members_must_name_objects: true,
            api_key_max_lifetime_days: Some(1),
            pat_max_lifetime_days: Some(1),
            ..Policy::default()
        };
        check(strict(), json!({}), "ok");
        let context = world.asked_by(Grantor::Operator);
        let credential = issue(&context, json!({})).unwrap().credential;
        assert!(!credential.is_pending());
        let facts = strict().applied_to(credential.facts(), &set(""));
        assert_eq!((facts.permissions, facts.disabled), (PermissionMask::everything(), false));
    }

    #[test]
    fn no_credential_mints_a_secret_that_reaches_beyond_it() {
        let world = World::new();
        let check = |members: serde_json::Value, change: fn(&mut claviger_token::Found), expected: &str| {
            let mut found = world.caller("invoices:read claviger:service_accounts:write", "");
            change(&mut found);
            let context = world.asked_by(Grantor::Credential(&found));
            assert_eq!(said(&issue(&context, members)), expected);
        };
        let beyond = "forbidden claviger:grants:write";
        // A key of the same account that cuts nothing has as much already.
        check(json!({}), |_| {}, "ok");
        check(json!({}), |found| found.credential.expires_at = Some(at(9)), beyond);
        check(json!({ "expires_at": at(9) }), |found| found.credential.expires_at = Some(at(9)), "ok");
        check(json!({}), |found| found.credential.environment = Environment::Test, beyond);
        check(json!({}), |found| found.credential.permissions = PermissionMask::from_text("*").unwrap(), beyond);
        check(json!({}), |found| found.credential.objects = claviger_token::ObjectSet::parse(["a:b"]).ok(), beyond);
        let another = |found: &mut claviger_token::Found| {
            let mut other = claviger_token::PrincipalFacts::clone(&found.principal);
            other.id = ServiceAccountId::generate(at(1), &mut rng()).into();
            found.principal = other.into();
        };
        check(json!({}), another, beyond);
        let grants = world.caller("claviger:service_accounts:write claviger:grants:write", "");
        assert_eq!(said(&issue(&world.asked_by(Grantor::Credential(&grants)), json!({}))), "ok");
        // What reaches the instance is given by whoever reaches it.
        let mut above = World::new();
        above.held_everywhere = set("claviger:apis:write");
        assert_eq!(
            said(&issue(&above.asked_by(Grantor::Credential(&grants)), json!({}))),
            "forbidden claviger:apis:write"
        );
    }

    #[test]
    fn an_account_has_few() {
        let world = World::new();
        let check = |living, expected: &str| {
            let new = NewClientSecret { name: "x".to_owned(), expires_at: None };
            let context = world.asked_by(Grantor::Operator);
            assert_eq!(said(&new.issue(&context, living, "operator".to_owned(), now(), &mut rng())), expected);
        };
        check(19, "ok");
        check(20, "conflict too_many");
    }

    #[test]
    fn a_rolled_secret_is_of_the_same_kind() {
        let world = World::new();
        let context = world.asked_by(Grantor::Operator);
        let first: Credential = issue(&context, json!({})).unwrap().credential;
        let mut rng = <rand::rngs::StdRng as rand::SeedableRng>::seed_from_u64(7);
        let rolled = first.roll(60, &context, "operator".to_owned(), at(1), &mut rng).unwrap();
        assert!(rolled.secret.expose().starts_with("clv_cs_"));
        assert_eq!((rolled.credential.secrets.len(), rolled.event.action.as_str()), (2, "client_secret.rolled"));
        assert_eq!(rolled.credential.secrets[1].ends_at, Some(at(61)));
    }
}
