//! Service accounts: the non-person principals of an organization, and its OAuth clients.

use claviger_token::{ClientAuthMethod, GrantTypes, Limits, OrganizationId, ServiceAccountId, TypedId as _};
use jiff::Timestamp;
use rand::CryptoRng;
use serde::Deserialize;
use serde_json::json;

use crate::{
    assignment::{Assignment, Scope, names_in},
    audit::{Action, Chain, Event, Touched},
    invalid::{FieldErrors, Rejection, present},
    limit::{self, NewQuota, NewRateLimit},
    metadata::Metadata,
    name::Name,
    organization::{parse_external_id, parse_metadata},
};

/// An application or an integration. It outlives the person who made it.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceAccount {
    /// Its id, which is also its `client_id`.
    pub id: ServiceAccountId,
    /// Where it acts.
    pub organization: OrganizationId,
    /// Its name.
    pub name: Name,
    /// What the SaaS calls it; unique in the organization.
    pub external_id: Option<String>,
    /// The one way in which it authenticates at the token endpoint; `None`: by whatever it holds.
    pub token_endpoint_auth_method: Option<ClientAuthMethod>,
    /// Whether its assertions may name the token endpoint as their audience, as RFC 7523 had it, and not only the issuer.
    pub legacy_assertion_audience: bool,
    /// Whether it gets no tokens but those that are bound to a key (RFC 9449, section 5.2).
    pub dpop_bound_access_tokens: bool,
    /// The grants that it may use at the token endpoint; `None`: those that there are.
    pub grant_types: Option<GrantTypes>,
    /// Whether it gets no tokens but those that are bound to its certificate (RFC 8705, section 3.4).
    pub tls_client_certificate_bound_access_tokens: bool,
    /// How often all its credentials together may be used.
    pub limits: Limits,
    /// What the SaaS hangs on it.
    pub metadata: Metadata,
    /// Since when its credentials do not work.
    pub disabled_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ended.
    pub deleted_at: Option<Timestamp>,
}

/// Body of `POST /v1/service-accounts`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewServiceAccount {
    /// Where it will act.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub organization_id: OrganizationId,
    /// 1 to 100 characters.
    #[cfg_attr(feature = "openapi", schema(example = "billing sync"))]
    pub name: String,
    /// Names or ids of roles that it gets in its organization.
    #[serde(default)]
    pub roles: Vec<String>,
    /// Permissions that it gets directly in its organization.
    #[serde(default)]
    pub permissions: Vec<String>,
    /// What the SaaS calls it.
    pub external_id: Option<String>,
    /// The one way in which it authenticates at the token endpoint. Absent: by whatever it holds.
    pub token_endpoint_auth_method: Option<ClientAuthMethod>,
    /// Whether the assertions that it signs may name the token endpoint's address as their audience (RFC 7523), and not only the
    /// issuer. For clients that cannot be changed.
    #[serde(default)]
    pub legacy_assertion_audience: bool,
    /// Whether it gets no tokens but those that are bound to a key, by a DPoP proof with the request (RFC 9449).
    #[serde(default)]
    pub dpop_bound_access_tokens: bool,
    /// Whether it gets no tokens but those that are bound to the certificate that it shows with the request (RFC 8705).
    #[serde(default)]
    pub tls_client_certificate_bound_access_tokens: bool,
    /// How often all its credentials together may be used: every one of these must allow a request. At most 10.
    pub rate_limits: Option<Vec<NewRateLimit>>,
    /// How much they may together be used in a calendar period.
    pub quota: Option<NewQuota>,
    /// Any JSON object up to 4 KiB.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub metadata: Option<serde_json::Value>,
}

impl NewServiceAccount {
    /// One without rights.
    pub fn named(organization_id: OrganizationId, name: &str) -> Self {
        Self {
            organization_id,
            name: name.to_owned(),
            roles: Vec::new(),
            permissions: Vec::new(),
            external_id: None,
            token_endpoint_auth_method: None,
            legacy_assertion_audience: false,
            dpop_bound_access_tokens: false,
            tls_client_certificate_bound_access_tokens: false,
            rate_limits: None,
            quota: None,
            metadata: None,
        }
    }
}

/// Body of `PATCH /v1/service-accounts/{id}`: absent members stay.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ServiceAccountChanges {
    /// New name.
    pub name: Option<String>,
    /// New external id, or `null` for none.
    #[serde(deserialize_with = "present")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub external_id: Option<Option<String>>,
    /// The one way in which it authenticates at the token endpoint, or `null` for whatever it holds.
    #[serde(deserialize_with = "present")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<ClientAuthMethod>))]
    pub token_endpoint_auth_method: Option<Option<ClientAuthMethod>>,
    /// Whether the assertions that it signs may name the token endpoint's address as their audience.
    pub legacy_assertion_audience: Option<bool>,
    /// Whether it gets no tokens but those that are bound to a key.
    pub dpop_bound_access_tokens: Option<bool>,
    /// Whether it gets no tokens but those that are bound to its certificate.
    pub tls_client_certificate_bound_access_tokens: Option<bool>,
    /// All its rate limits from now on.
    #[serde(deserialize_with = "present")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<NewRateLimit>>))]
    pub rate_limits: Option<Option<Vec<NewRateLimit>>>,
    /// Its quota from now on.
    #[serde(deserialize_with = "present")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<NewQuota>))]
    pub quota: Option<Option<NewQuota>>,
    /// New metadata; replaces the old.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub metadata: Option<serde_json::Value>,
    /// The roles that it has in its organization from now on.
    pub roles: Option<Vec<String>>,
    /// The direct permissions that it has in its organization from now on.
    pub permissions: Option<Vec<String>>,
    /// Stops, or restarts, all its credentials.
    pub disabled: Option<bool>,
}

impl ServiceAccount {
    /// A new one, as yet without rights. `rights` is how the event tells what it will be given.
    pub fn create(
        new: &NewServiceAccount,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
    ) -> Result<(Self, Event), Rejection> {
        Self::create_as(ServiceAccountId::generate(now, rng), new, now)
    }

    /// The same under an id that was chosen before.
    pub(crate) fn create_as(
        id: ServiceAccountId,
        new: &NewServiceAccount,
        now: Timestamp,
    ) -> Result<(Self, Event), Rejection> {
        let mut errors = FieldErrors::default();
        let name = errors.keep("/name", "invalid_name", Name::parse(&new.name));
        let external_id = new.external_id.as_deref().and_then(|id| parse_external_id(id, &mut errors));
        let limits = limit::given(new.rate_limits.as_deref(), new.quota, &mut errors);
        let metadata = parse_metadata(new.metadata.as_ref(), &mut errors);
        errors.finish()?;
        let (Some(name), Some(metadata)) = (name, metadata) else { return Err(Rejection::Invalid(Vec::new())) };
        let account = Self {
            id,
            organization: new.organization_id,
            name,
            external_id,
            token_endpoint_auth_method: new.token_endpoint_auth_method,
            legacy_assertion_audience: new.legacy_assertion_audience,
            dpop_bound_access_tokens: new.dpop_bound_access_tokens,
            grant_types: None,
            tls_client_certificate_bound_access_tokens: new.tls_client_certificate_bound_access_tokens,
            limits,
            metadata,
            disabled_at: None,
            created_at: now,
            deleted_at: None,
        };
        let mut details = account.told();
        details["roles"] = json!(new.roles);
        details["permissions"] = json!(new.permissions);
        let event = account.event(Action::ServiceAccountCreated, details);
        Ok((account, event))
    }

    /// Changes what `changes` names, rights excepted: those are assignments. `held` are all that it has, for the event
    /// to tell what it loses.
    pub fn update(
        self,
        changes: &ServiceAccountChanges,
        held: &[Assignment],
        now: Timestamp,
    ) -> Result<(Self, Event), Rejection> {
        let mut errors = FieldErrors::default();
        let mut new = self.clone();
        if let Some(name) = &changes.name {
            new.name = errors.keep("/name", "invalid_name", Name::parse(name)).unwrap_or(new.name);
        }
        if let Some(external_id) = &changes.external_id {
            new.external_id = external_id.as_deref().and_then(|id| parse_external_id(id, &mut errors));
        }
        new.token_endpoint_auth_method = changes.token_endpoint_auth_method.unwrap_or(new.token_endpoint_auth_method);
        new.legacy_assertion_audience = changes.legacy_assertion_audience.unwrap_or(new.legacy_assertion_audience);
        new.dpop_bound_access_tokens = changes.dpop_bound_access_tokens.unwrap_or(new.dpop_bound_access_tokens);
        if let Some(bound) = changes.tls_client_certificate_bound_access_tokens {
            new.tls_client_certificate_bound_access_tokens = bound;
        }
        new.limits = limit::changed(new.limits, changes.rate_limits.as_ref(), changes.quota, &mut errors);
        if changes.metadata.is_some() {
            new.metadata = parse_metadata(changes.metadata.as_ref(), &mut errors).unwrap_or_default();
        }
        errors.finish()?;
        let mut action = Action::ServiceAccountUpdated;
        if let Some(disabled) = changes.disabled
            && disabled != new.disabled_at.is_some()
        {
            new.disabled_at = disabled.then_some(now);
            action = if disabled { Action::ServiceAccountDisabled } else { Action::ServiceAccountEnabled };
        }
        let (mut before, mut after) = (self.told(), new.told());
        let (roles, permissions) = names_in(held, Scope::Organization(self.organization));
        if let Some(wanted) = &changes.roles {
            (before["roles"], after["roles"]) = (json!(roles), json!(wanted));
        }
        if let Some(wanted) = &changes.permissions {
            (before["permissions"], after["permissions"]) = (json!(permissions), json!(wanted));
        }
        let event = new.event(action, json!({ "before": before, "after": after }));
        Ok((new, event))
    }

    /// Ends it, and with it every credential that it holds.
    pub fn delete(self, now: Timestamp) -> (Self, Event) {
        let new = Self { deleted_at: Some(now), disabled_at: self.disabled_at.or(Some(now)), ..self };
        let event = new.event(Action::ServiceAccountDeleted, new.told());
        (new, event)
    }

    pub(crate) fn event(&self, action: Action, details: serde_json::Value) -> Event {
        Event {
            chain: Chain::Organization(self.organization),
            action,
            target: self.id.to_string(),
            details,
            personal: None,
            touched: vec![Touched::Principal(self.id.into())],
        }
    }

    pub(crate) fn told(&self) -> serde_json::Value {
        json!({
            "name": self.name.as_str(), "external_id": self.external_id, "disabled": self.disabled_at.is_some(),
            "token_endpoint_auth_method": self.token_endpoint_auth_method,
            "legacy_assertion_audience": self.legacy_assertion_audience,
            "dpop_bound_access_tokens": self.dpop_bound_access_tokens,
            "tls_client_certificate_bound_access_tokens": self.tls_client_certificate_bound_access_tokens, "grant_types": self.grant_types,
            "rate_limits": self.limits.rates, "quota": self.limits.quota, "metadata_sha256": self.metadata.sha256(),
        })
    }
}

#[cfg(test)]
mod tests {
    use claviger_token::RoleId;

    use super::*;
    use crate::assignment::Granted;
    use crate::fixtures::{at, elsewhere, now, rng, said};

    fn create(members: serde_json::Value) -> Result<(ServiceAccount, Event), Rejection> {
        let mut body = json!({ "organization_id": elsewhere(), "name": "ci" });
        body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        let new: NewServiceAccount = serde_json::from_value(body).unwrap();
        ServiceAccount::create(&new, now(), &mut rng())
    }

    fn update(account: &ServiceAccount, body: serde_json::Value) -> Result<(ServiceAccount, Event), Rejection> {
        account.clone().update(&serde_json::from_value(body).unwrap(), &[], at(1))
    }

    #[test]
    fn every_wrong_member_is_named() {
        let wrong = json!({ "name": "a\u{0}", "external_id": "a b", "metadata": [] });
        let expected = "/name invalid_name, /external_id invalid_external_id, /metadata invalid_metadata";
        assert_eq!(said(&create(wrong.clone())), expected);
        assert_eq!(said(&update(&create(json!({})).unwrap().0, wrong)), expected);
    }

    #[test]
    fn events_tell_the_rights_that_come_with_it() {
        let (account, event) = create(json!({ "roles": ["member"], "permissions": ["invoices:read"] })).unwrap();
        assert_eq!(event.details["roles"], json!(["member"]));
        assert_eq!(event.details["permissions"], json!(["invoices:read"]));
        assert_eq!((event.action, event.chain), (Action::ServiceAccountCreated, Chain::Organization(elsewhere())));
        assert_eq!(event.touched, [Touched::Principal(account.id.into())]);
        let give =
            |scope, granted| Assignment::create(account.id.into(), elsewhere(), scope, granted, now(), &mut rng()).0;
        let role = Granted::Role { id: RoleId::generate(now(), &mut rng()), name: "member".to_owned() };
        let permission = Granted::Permission("invoices:read".parse().unwrap());
        let here = Scope::Organization(elsewhere());
        let held = [give(here, role), give(here, permission.clone()), give(Scope::Instance, permission)];
        let check = |changes: serde_json::Value, before: serde_json::Value, after: serde_json::Value| {
            let changes = serde_json::from_value(changes).unwrap();
            let (_, event) = account.clone().update(&changes, &held, at(1)).unwrap();
            for (side, expected) in [("before", before), ("after", after)] {
                let told = &event.details[side];
                assert_eq!(json!([told["roles"], told["permissions"]]), expected, "{side}");
            }
        };
        check(json!({ "roles": [] }), json!([["member"], null]), json!([[], null]));
        check(json!({ "permissions": ["a"] }), json!([null, ["invoices:read"]]), json!([null, ["a"]]));
        check(json!({ "name": "x" }), json!([null, null]), json!([null, null]));
    }

    #[test]
    fn absent_members_stay_and_null_clears() {
        let (account, _) = create(json!({ "external_id": "42", "metadata": { "a": 1 } })).unwrap();
        assert_eq!(update(&account, json!({})).unwrap().0, account);
        let (new, event) = update(&account, json!({ "name": "cd", "external_id": null, "metadata": {} })).unwrap();
        assert_eq!((new.name.as_str(), new.external_id, new.metadata), ("cd", None, Metadata::default()));
        assert_eq!(event.action, Action::ServiceAccountUpdated);
        let metadata = |side: &str| event.details[side]["metadata_sha256"].clone();
        assert_ne!(metadata("before"), metadata("after"));
        // printf '{}' | sha256sum
        assert_eq!(metadata("after"), "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
    }

    #[test]
    fn stopping_restarting_and_ending_have_events_of_their_own() {
        let (account, _) = create(json!({})).unwrap();
        let (stopped, event) = update(&account, json!({ "disabled": true })).unwrap();
        assert_eq!((stopped.disabled_at, event.action), (Some(at(1)), Action::ServiceAccountDisabled));
        let (restarted, event) = update(&stopped, json!({ "disabled": false })).unwrap();
        assert_eq!((&restarted, event.action), (&account, Action::ServiceAccountEnabled));
        let (ended, event) = restarted.delete(at(2));
        assert_eq!((ended.disabled_at, ended.deleted_at), (Some(at(2)), Some(at(2))));
        assert_eq!(event.action, Action::ServiceAccountDeleted);
        assert_eq!(stopped.delete(at(2)).0.disabled_at, Some(at(1)));
    }
}
