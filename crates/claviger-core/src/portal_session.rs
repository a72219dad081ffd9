//! The way into an organization's portal: a link that the SaaS's backend makes for its own signed-in user, who sees their own
//! tokens of that organization there and nothing else.
//!
//! Whoever makes one gives what the user may do there: see [`crate::Grantor::may_let_in_at_portal`]. What becomes of it is a
//! session: see [`crate::Session::enter_portal`].

use claviger_token::{OrganizationId, Secret, UserId};
use jiff::{SignedDuration, Timestamp};
use rand::CryptoRng;
use serde::Deserialize;
use serde_json::json;

use crate::{
    actor::Actor,
    audit::{Action, Chain, Event},
    invalid::{FieldErrors, Rejection},
    link_code::link_code,
    one_time_code::{CodePurpose, OneTimeCode},
    organization::Organization,
    user::User,
};

/// How long the link works: it goes straight into the page that the user is looking at.
const LINK_LIFE: SignedDuration = SignedDuration::from_mins(5);

/// Body of `POST /v1/portal-sessions`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewPortalSession {
    /// Who is let in.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub user_id: Option<UserId>,
    /// The same, by what the SaaS calls the user.
    pub user_external_id: Option<String>,
    /// Where: the user is a member there.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub organization_id: OrganizationId,
    /// Where the portal leads back to: a page of an origin that the organization's `portal_origins` name.
    #[cfg_attr(feature = "openapi", schema(example = "https://app.acme.test/settings"))]
    pub return_url: String,
}

/// How a body names its user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamedUser<'a> {
    /// By our id.
    Id(UserId),
    /// By what the SaaS calls them.
    ExternalId(&'a str),
}

impl NamedUser<'_> {
    /// The member that names them.
    pub fn pointer(self) -> &'static str {
        match self {
            Self::Id(_) => "/user_id",
            Self::ExternalId(_) => "/user_external_id",
        }
    }
}

impl NewPortalSession {
    /// Whom the body names, which is one of two ways.
    pub fn user(&self) -> Result<NamedUser<'_>, Rejection> {
        match (self.user_id, &self.user_external_id) {
            (Some(id), None) => Ok(NamedUser::Id(id)),
            (None, Some(external_id)) => Ok(NamedUser::ExternalId(external_id)),
            (Some(_), Some(_)) | (None, None) => {
                Err(Rejection::field("", "one_of", "name the user, by user_id or by user_external_id"))
            }
        }
    }

    /// The code of a link that lets `user`, who is a member of `organization`, into its portal.
    pub fn link(
        &self,
        user: &User,
        organization: &Organization,
        maker: &Actor,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
    ) -> Result<(OneTimeCode, Secret, Event), Rejection> {
        let mut errors = FieldErrors::default();
        if user.disabled_at.is_some() {
            errors.add(self.user()?.pointer(), "user_disabled", "the user is disabled; enable them first");
        }
        if organization.disabled_at.is_some() {
            errors.add("/organization_id", "organization_disabled", "the organization is disabled; enable it first");
        }
        let return_url = organization.portal_origins.way_back(&self.return_url);
        let return_url = return_url.map_err(|error| errors.add("/return_url", error.code(), error.to_string())).ok();
        errors.finish()?;
        let code = OneTimeCode {
            purpose: CodePurpose::Portal,
            user: user.id,
            organization: Some(organization.id),
            details: json!({ "return_url": return_url }),
            created_at: now,
            created_by: maker.id(),
            created_with: maker.credential(),
            ends_at: now + LINK_LIFE,
        };
        let event = Event {
            chain: Chain::Organization(organization.id),
            action: Action::PortalSessionCreated,
            target: user.id.to_string(),
            // Not where it leads back to: that may say who somebody is.
            details: json!({ "expires_at": code.ends_at }),
            personal: None,
            touched: Vec::new(),
        };
        Ok((code, link_code(rng), event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fixtures::{World, at, now, rng, said},
        portal_origins::PortalOrigins,
        user::NewUser,
    };

    fn body(members: serde_json::Value) -> NewPortalSession {
        let mut body =
            json!({ "organization_id": World::new().organization.id, "return_url": "https://app.acme.test/me" });
        body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        serde_json::from_value(body).unwrap()
    }

    fn alice() -> User {
        User::create(&NewUser::with_email("alice@acme.test"), now(), &mut rng()).unwrap().0
    }

    #[test]
    fn the_user_is_named_in_one_way() {
        let alice = alice().id;
        let check = |members, expected: Result<&str, &str>| {
            let body = body(members);
            let named = body.user();
            assert_eq!(
                named.as_ref().map(|named| named.pointer()).map_err(|_| said(&named)),
                expected.map_err(str::to_owned)
            );
        };
        check(json!({ "user_id": alice }), Ok("/user_id"));
        check(json!({ "user_external_id": "u-1001" }), Ok("/user_external_id"));
        check(json!({}), Err(" one_of"));
        check(json!({ "user_id": alice, "user_external_id": "u-1001" }), Err(" one_of"));
    }

    #[test]
    fn a_link_into_the_portal_works_for_five_minutes_and_leads_back_to_a_registered_origin() {
        let acme = World::new().organization;
        let open = Organization { portal_origins: PortalOrigins::from_text("https://app.acme.test"), ..acme.clone() };
        let alice = alice();
        let link = |user: &User, organization: &Organization, return_url: &str| {
            let new = body(json!({ "user_id": user.id, "return_url": return_url }));
            new.link(user, organization, &Actor::Operator, now(), &mut rng())
        };
        let (code, _, event) = link(&alice, &open, "https://app.acme.test/me").unwrap();
        assert_eq!((code.purpose, code.user, code.organization), (CodePurpose::Portal, alice.id, Some(open.id)));
        assert_eq!((code.ends_at, code.details), (at(300), json!({ "return_url": "https://app.acme.test/me" })));
        assert_eq!((event.action, event.target), (Action::PortalSessionCreated, alice.id.to_string()));
        assert_eq!(event.chain, Chain::Organization(open.id));
        assert!(!event.details.to_string().contains("app.acme.test"));

        let disabled = User { disabled_at: Some(now()), ..alice.clone() };
        let closed = Organization { disabled_at: Some(now()), ..acme.clone() };
        let check = |user, organization, return_url, expected: &str| {
            assert_eq!(said(&link(user, organization, return_url)), expected);
        };
        check(&alice, &acme, "https://app.acme.test/", "/return_url origin_not_registered");
        check(&alice, &open, "https://evil.test/", "/return_url origin_not_registered");
        check(&alice, &open, "app.acme.test", "/return_url invalid_url");
        check(&disabled, &open, "https://app.acme.test/", "/user_id user_disabled");
        check(
            &disabled,
            &closed,
            "",
            "/user_id user_disabled, /organization_id organization_disabled, /return_url invalid_url",
        );
    }
}
