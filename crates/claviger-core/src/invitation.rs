//! Invitations: a link that makes whoever opens it a member of an organization, once.
//!
//! Whoever invites gives, and so must hold what they give: when they invite, and still when somebody accepts.

use claviger_token::{
    CredentialId, InvitationId, OrganizationId, Permission, PermissionSet, RoleId, Secret, TypedId as _, UserId,
};
use jiff::{SignedDuration, Timestamp};
use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    actor::Actor,
    assignment::Granted,
    audit::{Action, Chain, Event, Touched},
    email::Email,
    invalid::{FieldErrors, Rejection},
    link_code::link_code,
    link_maker::LinkMaker,
};

const DEFAULT_DAYS: u32 = 7;
const LONGEST_DAYS: u32 = 30;

/// An invitation, in whatever state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Its id, which opens nothing.
    pub id: InvitationId,
    /// To where.
    pub organization: OrganizationId,
    /// For whom it was meant. Whoever has the link may accept it, under whatever address.
    pub email: Email,
    /// The roles that it brings, as long as they are there.
    pub roles: Vec<RoleId>,
    /// The direct permissions that it brings.
    pub permissions: PermissionSet,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who gives.
    pub created_by: String,
    /// With which credential.
    pub created_with: Option<CredentialId>,
    /// When it is dead.
    pub ends_at: Timestamp,
    /// When and by whom it was accepted.
    pub accepted: Option<(Timestamp, UserId)>,
    /// When it was taken back.
    pub revoked_at: Option<Timestamp>,
}

/// What a list shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum InvitationStatus {
    /// The link works.
    Open,
    /// It was used.
    Accepted,
    /// It was taken back.
    Revoked,
    /// Nobody used it in time.
    Expired,
}

/// Body of `POST /v1/organizations/{id}/invitations`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewInvitation {
    /// Whom it is meant for, at most 254 bytes.
    #[cfg_attr(feature = "openapi", schema(example = "bob@acme.test"))]
    pub email: String,
    /// Names or ids of the roles that it brings.
    #[cfg_attr(feature = "openapi", schema(example = json!(["member"])))]
    pub roles: Vec<String>,
    /// Direct permissions that it brings; none if absent.
    #[serde(default)]
    pub permissions: Vec<String>,
    /// For how many days the link works, 1 to 30; 7 if absent.
    pub expires_in_days: Option<u32>,
}

impl Invitation {
    /// A new one that brings `given`, which the caller was found to be able to give.
    pub fn create(
        organization: OrganizationId,
        new: &NewInvitation,
        given: &[Granted],
        maker: &Actor,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
    ) -> Result<(Self, Secret, Event), Rejection> {
        let mut errors = FieldErrors::default();
        let email = errors.keep("/email", "invalid_email", Email::parse(&new.email));
        let days = new.expires_in_days.unwrap_or(DEFAULT_DAYS);
        if days == 0 || days > LONGEST_DAYS {
            let message = format!("an invitation works for 1 to {LONGEST_DAYS} days");
            errors.add("/expires_in_days", "invalid_expiry", message);
        }
        errors.finish()?;
        let Some(email) = email else { return Err(Rejection::Invalid(Vec::new())) };
        let mut roles = Vec::new();
        let mut permissions: Vec<Permission> = Vec::new();
        for granted in given {
            match granted {
                Granted::Role { id, .. } if roles.contains(id) => {}
                Granted::Role { id, .. } => roles.push(*id),
                Granted::Permission(permission) => permissions.push(permission.clone()),
            }
        }
        let invitation = Self {
            id: InvitationId::generate(now, rng),
            organization,
            email,
            roles,
            permissions: permissions.into_iter().collect(),
            created_at: now,
            created_by: maker.id(),
            created_with: maker.credential(),
            ends_at: now + SignedDuration::from_hours(24 * i64::from(days)),
            accepted: None,
            revoked_at: None,
        };
        let mut details = told(given);
        details["expires_at"] = json!(invitation.ends_at);
        let personal = Some(json!({ "email": invitation.email.as_str() }));
        let event = Event { personal, ..invitation.event(Action::InvitationCreated, details) };
        Ok((invitation, link_code(rng), event))
    }

    /// What a list shows. Half open: expired at the instant of its end.
    pub fn status(&self, now: Timestamp) -> InvitationStatus {
        if self.accepted.is_some() {
            InvitationStatus::Accepted
        } else if self.revoked_at.is_some() {
            InvitationStatus::Revoked
        } else if self.ends_at <= now {
            InvitationStatus::Expired
        } else {
            InvitationStatus::Open
        }
    }

    /// Takes it back.
    pub fn revoke(self, now: Timestamp) -> Result<(Self, Event), Rejection> {
        self.must_be_open(now)?;
        let new = Self { revoked_at: Some(now), ..self };
        let event = new.event(Action::InvitationRevoked, json!({}));
        Ok((new, event))
    }

    /// Uses it for `user`. `given` is what it brings by now: of its roles and permissions those that are still there, each with
    /// what it holds.
    pub fn accept(
        self,
        user: UserId,
        inviter: &LinkMaker,
        given: &[(Granted, PermissionSet)],
        now: Timestamp,
    ) -> Result<(Self, Event), Rejection> {
        self.must_be_open(now)?;
        let brought = given.iter().fold(PermissionSet::default(), |all, (_, permissions)| all.union(permissions));
        if !inviter.may_still_invite(&brought) {
            let message = "whoever invited can no longer give what the invitation brings; ask for a new one";
            return Err(Rejection::conflict("inviter_lost_rights", message));
        }
        let new = Self { accepted: Some((now, user)), ..self };
        let granted: Vec<Granted> = given.iter().map(|(granted, _)| granted.clone()).collect();
        let mut details = told(&granted);
        details["user"] = json!(user);
        let touched = vec![Touched::Principal(user.into())];
        let event = Event { touched, ..new.event(Action::InvitationAccepted, details) };
        Ok((new, event))
    }

    /// One answer for all the ways in which it can have ended: whoever has an old link learns nothing more.
    pub fn ended() -> Rejection {
        let message = "this invitation was used, taken back or is too old; ask for a new one";
        Rejection::conflict("invitation_ended", message)
    }

    fn must_be_open(&self, now: Timestamp) -> Result<(), Rejection> {
        if self.status(now) == InvitationStatus::Open { Ok(()) } else { Err(Self::ended()) }
    }

    fn event(&self, action: Action, details: Value) -> Event {
        Event {
            chain: Chain::Organization(self.organization),
            action,
            target: self.id.to_string(),
            details,
            personal: None,
            touched: Vec::new(),
        }
    }
}

fn told(given: &[Granted]) -> Value {
    let (mut roles, mut permissions) = (Vec::new(), Vec::new());
    for granted in given {
        match granted {
            Granted::Role { name, .. } => roles.push(name.as_str()),
            Granted::Permission(permission) => permissions.push(permission.as_str()),
        }
    }
    json!({ "roles": roles, "permissions": permissions })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{at, elsewhere, now, rng, said, set};

    const DAY: i64 = 24 * 3600;

    fn given() -> Vec<(Granted, PermissionSet)> {
        let role = Granted::Role { id: RoleId::generate(now(), &mut rng()), name: "reader".to_owned() };
        let permission = Granted::Permission("invoices:write".parse().unwrap());
        vec![(role, set("invoices:read")), (permission, set("invoices:write"))]
    }

    fn create(body: Value) -> Result<(Invitation, Secret, Event), Rejection> {
        let mut whole = json!({ "email": "bob@acme.test", "roles": ["reader"] });
        whole.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        let new = serde_json::from_value(whole).unwrap();
        let given: Vec<Granted> = given().into_iter().map(|(granted, _)| granted).collect();
        Invitation::create(elsewhere(), &new, &given, &Actor::Operator, now(), &mut rng())
    }

    fn open() -> Invitation {
        create(json!({})).unwrap().0
    }

    fn bob() -> UserId {
        UserId::generate(now(), &mut rng())
    }

    #[test]
    fn every_wrong_member_is_named() {
        let check = |body, expected: &str| assert_eq!(said(&create(body)), expected);
        check(json!({ "email": "x", "expires_in_days": 0 }), "/email invalid_email, /expires_in_days invalid_expiry");
        check(json!({ "expires_in_days": 31 }), "/expires_in_days invalid_expiry");
        check(json!({ "expires_in_days": 30 }), "ok");
        assert_eq!(create(json!({ "expires_in_days": 1 })).unwrap().0.ends_at, at(DAY));
        assert_eq!(open().ends_at, at(7 * DAY));
    }

    #[test]
    fn the_address_stands_beside_the_record_only() {
        let (invitation, secret, event) = create(json!({})).unwrap();
        assert!(!event.details.to_string().contains("bob@"), "{}", event.details);
        assert!(!format!("{invitation:?} {event:?}").contains(secret.expose()));
        assert_eq!(event.personal, Some(json!({ "email": "bob@acme.test" })));
        assert_eq!(event.details["roles"], json!(["reader"]));
        assert_eq!((event.chain, event.target), (Chain::Organization(elsewhere()), invitation.id.to_string()));
    }

    #[test]
    fn an_invitation_works_once_and_until_the_instant_of_its_end() {
        let accept = |invitation: Invitation, when| invitation.accept(bob(), &LinkMaker::Operator, &given(), at(when));
        assert_eq!(said(&accept(open(), 7 * DAY - 1)), "ok");
        assert_eq!(said(&accept(open(), 7 * DAY)), "conflict invitation_ended");
        let (accepted, event) = accept(open(), 5).unwrap();
        assert_eq!(accepted.accepted, Some((at(5), bob())));
        assert_eq!(event.touched, [Touched::Principal(bob().into())]);
        assert_eq!(event.details["permissions"], json!(["invoices:write"]));
        assert_eq!(said(&accept(accepted.clone(), 6)), "conflict invitation_ended");
        assert_eq!(said(&accepted.clone().revoke(at(6))), "conflict invitation_ended");
        let (revoked, _) = open().revoke(at(5)).unwrap();
        assert_eq!(said(&accept(revoked.clone(), 6)), "conflict invitation_ended");
        assert_eq!(said(&revoked.clone().revoke(at(6))), "conflict invitation_ended");
        let status = |invitation: &Invitation, when| invitation.status(at(when));
        assert_eq!(status(&open(), 0), InvitationStatus::Open);
        assert_eq!(status(&open(), 7 * DAY), InvitationStatus::Expired);
        assert_eq!(status(&accepted, 8 * DAY), InvitationStatus::Accepted);
        assert_eq!(status(&revoked, 8 * DAY), InvitationStatus::Revoked);
    }

    #[test]
    fn whoever_lost_the_right_cannot_give_it_any_more() {
        let check = |inviter: LinkMaker, expected: &str| {
            assert_eq!(said(&open().accept(bob(), &inviter, &given(), at(5))), expected, "{inviter:?}");
        };
        const LOST: &str = "conflict inviter_lost_rights";
        let holds = |permissions: &str| LinkMaker::Holds(set(permissions));
        check(LinkMaker::Operator, "ok");
        check(LinkMaker::Gone, LOST);
        check(holds("claviger:members:write invoices:read invoices:write"), "ok");
        check(holds("claviger:members:write invoices:read"), LOST);
        check(holds("invoices:read invoices:write"), LOST);
        check(holds("claviger:members:write claviger:grants:write"), "ok");
        check(holds("claviger:grants:write"), LOST);
    }
}
