//! Who may reach what, and who may give what to whom. The formula of effective rights itself is
//! [`claviger_token::Rights`]; here are the two rules around it: reach, and granting.

use claviger_token::{
    Confirmation, CredentialFacts, Environment, Found, Limits, NetworkSet, ObjectSet, OrganizationId, PermissionMask,
    PermissionSet, PrincipalId,
};
use jiff::Timestamp;

use crate::{builtin::permission::GRANTS_WRITE, invalid::Rejection, person::Person};

/// The organizations that a caller sees. A mandatory argument of every read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// One organization; ids of others look absent.
    Organization(OrganizationId),
    /// All of them, by an assignment of instance scope.
    Instance,
}

impl Reach {
    /// How far a permission reaches for this caller, or `None` if it does not hold it at all.
    pub fn of(found: &Found, permission: &str) -> Option<Self> {
        if found.rights.instance_permissions.contains(permission) {
            Some(Self::Instance)
        } else if found.rights.permissions.contains(permission) {
            Some(Self::Organization(found.organization.id))
        } else {
            None
        }
    }

    /// Whether this organization is inside.
    pub fn covers(self, organization: OrganizationId) -> bool {
        match self {
            Self::Organization(own) => own == organization,
            Self::Instance => true,
        }
    }
}

/// Whoever makes or widens a credential, or gives a role or permission.
#[derive(Debug, Clone, Copy)]
pub enum Grantor<'a> {
    /// The operator, who could change the database as well.
    Operator,
    /// A credential that asks about itself: what it gets is what it has.
    Itself,
    /// A principal through a credential, and bounded by both.
    Credential(&'a Found),
    /// Somebody who is signed in, and bounded by what they hold.
    Person(&'a Person),
}

/// What a credential would be able to do after a change; the grantor must be able to do as much.
#[derive(Debug, Clone, Copy)]
pub struct Widening<'a> {
    /// Whose credential it is.
    pub principal: PrincipalId,
    /// Where it acts.
    pub organization: OrganizationId,
    /// Its list.
    pub permissions: &'a PermissionMask,
    /// What its principal holds with instance scope, and the credential could therefore use everywhere.
    pub held_everywhere: &'a PermissionSet,
    /// Its objects.
    pub objects: Option<&'a ObjectSet>,
    /// Its networks.
    pub networks: Option<&'a NetworkSet>,
    /// Its end.
    pub expires_at: Option<Timestamp>,
    /// Live or test.
    pub environment: Environment,
    /// What must be proved with it.
    pub confirmation: Option<Confirmation>,
    /// How often it may be used.
    pub limits: &'a Limits,
}

static NO_LIMITS: Limits = Limits { rates: Vec::new(), quota: None };

impl<'a> Widening<'a> {
    /// What is free of any limit of the credential that asks.
    fn without_limits(found: &'a Found, held_everywhere: &'a PermissionSet) -> Self {
        Self {
            principal: found.principal.id,
            organization: found.organization.id,
            permissions: &found.credential.permissions,
            held_everywhere,
            objects: None,
            networks: None,
            expires_at: None,
            environment: Environment::Live,
            confirmation: None,
            limits: &NO_LIMITS,
        }
    }
}

impl Grantor<'_> {
    /// Whether the grantor may give anything there: `claviger:grants:write` in that scope.
    fn may_give_anything(&self, organization: Option<OrganizationId>) -> bool {
        let reach = match self {
            Self::Operator | Self::Itself => return true,
            Self::Credential(found) => Reach::of(found, GRANTS_WRITE),
            Self::Person(person) => person.reach(GRANTS_WRITE),
        };
        match (reach, organization) {
            (Some(Reach::Instance), _) => true,
            (Some(reach), Some(organization)) => reach.covers(organization),
            (Some(_) | None, None) | (None, Some(_)) => false,
        }
    }

    /// Giving `permissions` to a principal, in one organization or (`None`) with instance scope.
    pub fn may_give(&self, permissions: &PermissionSet, organization: Option<OrganizationId>) -> Result<(), Rejection> {
        if self.may_give_anything(organization) {
            return Ok(());
        }
        let (home, here, everywhere) = match self {
            Self::Operator | Self::Itself => return Ok(()),
            Self::Credential(found) => {
                (found.organization.id, &found.rights.permissions, &found.rights.instance_permissions)
            }
            Self::Person(person) => (person.organization, &person.held, &person.everywhere),
        };
        let held = if organization == Some(home) { here } else { everywhere };
        match permissions.iter().find(|permission| !held.contains(permission.as_str())) {
            None => Ok(()),
            Some(missing) => Err(Rejection::Forbidden {
                permission: missing.to_string(),
                message: format!("you can give only what you hold; you lack {missing} (or {GRANTS_WRITE}) there"),
            }),
        }
    }

    /// The same for what stays with whoever gets it, free of any limit of the credential that gives it.
    pub fn may_give_for_good(
        &self,
        permissions: &PermissionSet,
        organization: Option<OrganizationId>,
    ) -> Result<(), Rejection> {
        self.may_give(permissions, organization)?;
        let Self::Credential(found) = self else { return Ok(()) };
        if permissions.is_empty() || self.may_give_anything(organization) {
            return Ok(());
        }
        match beyond_limits(&found.credential, &Widening::without_limits(found, permissions)) {
            None => Ok(()),
            Some(how) => Err(Rejection::Forbidden {
                permission: GRANTS_WRITE.to_owned(),
                message: format!(
                    "what you give stays, and would reach beyond the credential you use: it {how}; give it by a credential \
                     without limits of its own, or by one that has {GRANTS_WRITE} there"
                ),
            }),
        }
    }

    /// Letting somebody be taken for a user who holds `held`, be it by a link on which they choose the user's password: that
    /// gives all of it, wherever it counts, and free of any limit of the credential that asks.
    pub fn may_let_in(&self, held: &PermissionSet) -> Result<(), Rejection> {
        self.may_let_in_to(None, held, held)
    }

    /// The same at the portal of one organization. It gives what the user can hand out as tokens there: what they hold there
    /// under its ceiling, of which `everywhere` has instance scope.
    pub fn may_let_in_at_portal(
        &self,
        organization: OrganizationId,
        held: &PermissionSet,
        everywhere: &PermissionSet,
    ) -> Result<(), Rejection> {
        self.may_let_in_to(Some(organization), held, everywhere)
    }

    fn may_let_in_to(
        &self,
        organization: Option<OrganizationId>,
        held: &PermissionSet,
        everywhere: &PermissionSet,
    ) -> Result<(), Rejection> {
        // Somebody who governs one organization must not get hold of a user who reaches all of them.
        self.may_give(everywhere, None)?;
        if held.is_empty() || self.may_give_anything(organization) {
            return Ok(());
        }
        self.may_give(held, organization)?;
        let Self::Credential(found) = self else { return Ok(()) };
        let wanted = Widening::without_limits(found, everywhere);
        let scope = if organization.is_some() { "there" } else { "with instance scope" };
        match beyond_limits(&found.credential, &wanted) {
            None => Ok(()),
            Some(how) => Err(Rejection::Forbidden {
                permission: GRANTS_WRITE.to_owned(),
                message: format!(
                    "whoever is let in as this user would reach beyond the credential you use: it {how}; {GRANTS_WRITE} \
                     {scope} would allow it"
                ),
            }),
        }
    }

    /// Lifting limits of a principal, which bound all its credentials, those of the caller perhaps among them.
    pub fn may_lift_limits(&self, organization: OrganizationId) -> Result<(), Rejection> {
        if self.may_give_anything(Some(organization)) {
            return Ok(());
        }
        Err(Rejection::Forbidden {
            permission: GRANTS_WRITE.to_owned(),
            message: format!("lifting or renaming limits gives more than there was; it needs {GRANTS_WRITE}"),
        })
    }

    /// Letting a certificate authority vouch for clients of an organization: whoever has it becomes each of them that its certificates
    /// name.
    pub fn may_let_vouch(&self, organization: OrganizationId) -> Result<(), Rejection> {
        if self.may_give_anything(Some(organization)) {
            return Ok(());
        }
        Err(Rejection::Forbidden {
            permission: GRANTS_WRITE.to_owned(),
            message: format!("an authority can vouch for every client of the organization; that needs {GRANTS_WRITE}"),
        })
    }

    /// Whether it may vouch for clients that hold something in all organizations, too.
    pub fn may_let_vouch_everywhere(&self) -> bool {
        self.may_give_anything(None)
    }

    /// Getting hold of the key by which a registered client manages its registration, or making it reach further. Whoever has it takes
    /// all that its account holds and will hold, though the key itself lists nothing.
    pub fn may_hold_registration(
        &self,
        organization: OrganizationId,
        everywhere: &PermissionSet,
    ) -> Result<(), Rejection> {
        self.may_give(everywhere, None)?;
        if self.may_give_anything(Some(organization)) {
            return Ok(());
        }
        Err(Rejection::Withheld {
            code: "registration_key",
            permission: GRANTS_WRITE,
            message: format!(
                "this is the key by which a registered client manages its registration: whoever holds it acts as the client. The \
                 client rolls it by itself (POST /v1/token/roll), and you may revoke it; this here needs {GRANTS_WRITE}"
            ),
        })
    }

    /// When a credential must end at the latest that the grantor makes there: its own does not outlive it.
    pub fn latest_end(&self, organization: OrganizationId) -> Option<Timestamp> {
        match self {
            Self::Credential(found) if !self.may_give_anything(Some(organization)) => found.credential.expires_at,
            Self::Operator | Self::Itself | Self::Credential(_) | Self::Person(_) => None,
        }
    }

    /// Making a credential, or handing out a new secret for one: it must not be able to do more than the
    /// credential that asks, unless that one may give anything there.
    pub fn may_issue(&self, wanted: &Widening<'_>) -> Result<(), Rejection> {
        // Somebody who administers one organization must not get hold of a principal that reaches all of them.
        self.may_give(&wanted.held_everywhere.masked_by(wanted.permissions), None)?;
        if self.may_give_anything(Some(wanted.organization)) {
            return Ok(());
        }
        self.may_give(wanted.permissions.named(), Some(wanted.organization))?;
        let follows = wanted.permissions.follows_principal();
        let beyond = match self {
            Self::Operator | Self::Itself => None,
            Self::Credential(found) if follows && !may_follow(found, wanted) => Some(
                "reach beyond the one you use: it follows another principal, or follows it further than yours does"
                    .to_owned(),
            ),
            Self::Credential(found) => {
                beyond_limits(&found.credential, wanted).map(|how| format!("reach beyond the one you use: it {how}"))
            }
            Self::Person(person) => {
                let other = follows && wanted.principal != person.user.into();
                other.then(|| "follow another principal, whatever that comes to hold".to_owned())
            }
        };
        match beyond {
            None => Ok(()),
            Some(how) => Err(Rejection::Forbidden {
                permission: GRANTS_WRITE.to_owned(),
                message: format!("the credential would {how}; {GRANTS_WRITE} would allow it"),
            }),
        }
    }
}

fn may_follow(found: &Found, wanted: &Widening<'_>) -> bool {
    let own = &found.credential.permissions;
    wanted.principal == found.principal.id
        && (own.has_wildcard_api() || !wanted.permissions.has_wildcard_api())
        && (own.has_wildcard_builtin() || !wanted.permissions.has_wildcard_builtin())
}

fn beyond_limits(own: &CredentialFacts, wanted: &Widening<'_>) -> Option<&'static str> {
    let outlives = own.expires_at.is_some_and(|own_end| wanted.expires_at.is_none_or(|end| end > own_end));
    let other_objects =
        own.objects.as_ref().is_some_and(|own| !wanted.objects.is_some_and(|objects| objects.is_within(own)));
    let other_networks =
        own.networks.as_ref().is_some_and(|own| !wanted.networks.is_some_and(|networks| networks.is_within(own)));
    if outlives {
        Some("outlives it")
    } else if other_objects {
        Some("is not limited to its objects")
    } else if other_networks {
        Some("is not limited to its networks")
    } else if own.environment == Environment::Test && wanted.environment == Environment::Live {
        Some("is live and yours is for tests")
    } else if own.confirmation.is_some_and(|own| !wanted.confirmation.is_some_and(|other| other.is_within(&own))) {
        Some("is not bound to its key")
    } else if !wanted.limits.is_within(&own.limits) {
        Some("is not limited to its rates and quota")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use claviger_token::{ServiceAccountId, TypedId as _, UserId};
    use serde_json::json;

    use super::*;
    use crate::fixtures::{World, at, elsewhere, mask, rng, said, set};

    #[test]
    fn a_permission_reaches_as_far_as_the_assignment_that_gave_it() {
        let world = World::new();
        let home = world.organization.id;
        let found = world.caller("a", "b");
        let check = |permission, expected| assert_eq!(Reach::of(&found, permission), expected, "{permission}");
        check("a", Some(Reach::Organization(home)));
        check("b", Some(Reach::Instance));
        check("c", None);
        assert!(Reach::Organization(home).covers(home) && !Reach::Organization(home).covers(elsewhere()));
        assert!(Reach::Instance.covers(elsewhere()));
    }

    #[test]
    fn whoever_gives_holds_it_there_or_may_give_anything_there() {
        let world = World::new();
        let home = Some(world.organization.id);
        let check = |(held, everywhere): (&str, &str), given: &str, organization, expected: &str| {
            let found = world.caller(held, everywhere);
            let given = Grantor::Credential(&found).may_give(&set(given), organization);
            assert_eq!(said(&given), expected, "{held} {everywhere}");
        };
        check(("a b", ""), "", home, "ok");
        check(("a b", ""), "a b", home, "ok");
        check(("a b", ""), "a c", home, "forbidden c");
        check(("a", ""), "a", Some(elsewhere()), "forbidden a");
        check(("a", ""), "a", None, "forbidden a");
        check(("", "a"), "a", home, "ok");
        check(("", "a"), "a", Some(elsewhere()), "ok");
        check(("", "a"), "a", None, "ok");
        check((GRANTS_WRITE, ""), "c", home, "ok");
        check((GRANTS_WRITE, ""), "c", Some(elsewhere()), "forbidden c");
        check((GRANTS_WRITE, ""), "c", None, "forbidden c");
        check(("", GRANTS_WRITE), "c", Some(elsewhere()), "ok");
        check(("", GRANTS_WRITE), "c", None, "ok");
        assert_eq!(said(&Grantor::Operator.may_give(&set("c"), None)), "ok");
    }

    /// What is asked for: a [`Widening`] that owns its limits.
    struct Wanted {
        principal: PrincipalId,
        organization: OrganizationId,
        held_everywhere: PermissionSet,
        objects: Option<ObjectSet>,
        networks: Option<NetworkSet>,
        expires_at: Option<Timestamp>,
        environment: Environment,
        confirmation: Option<Confirmation>,
        limits: Limits,
    }

    /// Asks for a key that may do `wanted`, after the caller's own facts and the request were adjusted.
    fn check(
        (held, everywhere): (&str, &str),
        permissions: &str,
        adjust: impl FnOnce(&mut CredentialFacts, &mut Wanted),
        expected: &str,
    ) {
        let world = World::new();
        let mut found = world.caller(held, everywhere);
        let mut wanted = Wanted {
            principal: found.principal.id,
            organization: world.organization.id,
            held_everywhere: PermissionSet::default(),
            objects: None,
            networks: None,
            expires_at: None,
            environment: Environment::Live,
            confirmation: None,
            limits: Limits::default(),
        };
        adjust(&mut found.credential, &mut wanted);
        let widening = Widening {
            principal: wanted.principal,
            organization: wanted.organization,
            permissions: &mask(permissions),
            held_everywhere: &wanted.held_everywhere,
            objects: wanted.objects.as_ref(),
            networks: wanted.networks.as_ref(),
            expires_at: wanted.expires_at,
            environment: wanted.environment,
            confirmation: wanted.confirmation,
            limits: &wanted.limits,
        };
        assert_eq!(said(&Grantor::Credential(&found).may_issue(&widening)), expected);
        assert_eq!(said(&Grantor::Operator.may_issue(&widening)), "ok");
    }

    const BEYOND: &str = "forbidden claviger:grants:write";

    #[test]
    fn a_credential_never_mints_one_that_holds_more() {
        check(("a b", ""), "a", |_, _| {}, "ok");
        check(("a b", ""), "a c", |_, _| {}, "forbidden c");
        check(("a b", ""), "a", |_, wanted| wanted.organization = elsewhere(), "forbidden a");
        check(("", "a"), "a", |_, wanted| wanted.organization = elsewhere(), "ok");
    }

    #[test]
    fn a_credential_never_mints_one_that_follows_further() {
        let other = |wanted: &mut Wanted| {
            wanted.principal = ServiceAccountId::generate(at(1), &mut rng()).into();
        };
        check(("a", ""), "* claviger:*", |_, _| {}, "ok");
        check(("a", ""), "*", |own, _| own.permissions = mask("a"), BEYOND);
        check(("a", ""), "claviger:*", |own, _| own.permissions = mask("* a"), BEYOND);
        check(("a", ""), "* claviger:*", |own, _| own.permissions = mask("claviger:*"), BEYOND);
        check(("a", ""), "*", |_, wanted| other(wanted), BEYOND);
        check(("a", ""), "a", |_, wanted| other(wanted), "ok");
    }

    #[test]
    fn a_credential_never_mints_one_with_wider_limits() {
        let objects = |own: &[&str], wanted: &[&str], expected| {
            let set = |own_facts: &mut CredentialFacts, asked: &mut Wanted| {
                (own_facts.objects, asked.objects) = (ObjectSet::parse(own).ok(), ObjectSet::parse(wanted).ok());
            };
            check(("a", ""), "a", set, expected);
        };
        objects(&[], &["base:app7"], "ok");
        objects(&["base:*"], &[], BEYOND);
        objects(&["base:*"], &["base:app7"], "ok");
        objects(&["base:*"], &["base:app7", "repo:acme"], BEYOND);
        let networks = |own: &[&str], wanted: &[&str], expected| {
            let set = |own_facts: &mut CredentialFacts, asked: &mut Wanted| {
                (own_facts.networks, asked.networks) = (NetworkSet::parse(own).ok(), NetworkSet::parse(wanted).ok());
            };
            check(("a", ""), "a", set, expected);
        };
        networks(&[], &["10.1.2.3"], "ok");
        networks(&["10.0.0.0/8"], &[], BEYOND);
        networks(&["10.0.0.0/8"], &["10.1.2.3"], "ok");
        networks(&["10.1.2.3"], &["10.0.0.0/8"], BEYOND);
        let ends = |own: Option<i64>, wanted: Option<i64>, expected| {
            let set = |own_facts: &mut CredentialFacts, asked: &mut Wanted| {
                (own_facts.expires_at, asked.expires_at) = (own.map(at), wanted.map(at));
            };
            check(("a", ""), "a", set, expected);
        };
        ends(Some(9), Some(9), "ok");
        ends(Some(9), Some(10), BEYOND);
        ends(Some(9), None, BEYOND);
        ends(None, Some(9), "ok");
        check(("a", ""), "a", |own, _| own.environment = Environment::Test, BEYOND);
        check(("a", ""), "a", |_, wanted| wanted.environment = Environment::Test, "ok");
        let bound = |number| Some(Confirmation::of_key([number; 32].into()));
        check(("a", ""), "a", |own, _| own.confirmation = bound(1), BEYOND);
        let both = |own: &mut CredentialFacts, wanted: &mut Wanted, number| {
            (own.confirmation, wanted.confirmation) = (bound(1), bound(number));
        };
        check(("a", ""), "a", |own, wanted| both(own, wanted, 1), "ok");
        check(("a", ""), "a", |own, wanted| both(own, wanted, 2), BEYOND);
        check(("a", ""), "a", |_, wanted| wanted.confirmation = bound(1), "ok");
    }

    #[test]
    fn whoever_may_give_anything_there_is_not_bounded_there() {
        let limited = |own: &mut CredentialFacts| {
            own.expires_at = Some(at(9));
            own.objects = ObjectSet::parse(["base:*"]).ok();
        };
        let wanted = "a * claviger:*";
        check((GRANTS_WRITE, ""), wanted, |own, _| limited(own), "ok");
        check((GRANTS_WRITE, ""), wanted, |_, wanted| wanted.organization = elsewhere(), "forbidden a");
        check(("", GRANTS_WRITE), wanted, |_, wanted| wanted.organization = elsewhere(), "ok");
    }

    #[test]
    fn nobody_lets_somebody_in_as_a_user_who_holds_more() {
        let check = |(held, everywhere): (&str, &str), limited: bool, users: &str, expected: &str| {
            let mut found = World::new().caller(held, everywhere);
            found.credential.expires_at = limited.then(|| at(9));
            assert_eq!(
                said(&Grantor::Credential(&found).may_let_in(&set(users))),
                expected,
                "{held} {everywhere} {users}"
            );
        };
        check(("", ""), true, "", "ok");
        check(("", "a b"), false, "a", "ok");
        check(("", "a b"), true, "a", BEYOND);
        check(("", "a b"), false, "a c", "forbidden c");
        check(("a", ""), false, "a", "forbidden a");
        check((GRANTS_WRITE, ""), false, "a", "forbidden a");
        check(("", GRANTS_WRITE), true, "a b c", "ok");
        assert_eq!(said(&Grantor::Operator.may_let_in(&set("a"))), "ok");
    }

    #[test]
    fn a_limited_credential_gives_nothing_that_outlasts_its_limits() {
        let home = World::new().organization.id;
        let check = |(held, everywhere): (&str, &str),
                     limit: fn(&mut CredentialFacts),
                     given: &str,
                     organization,
                     expected: &str| {
            let mut found = World::new().caller(held, everywhere);
            limit(&mut found.credential);
            let given = Grantor::Credential(&found).may_give_for_good(&set(given), organization);
            assert_eq!(said(&given), expected, "{held} {everywhere}");
        };
        let ends: fn(&mut CredentialFacts) = |own| own.expires_at = Some(at(9));
        let objects: fn(&mut CredentialFacts) = |own| own.objects = ObjectSet::parse(["base:a"]).ok();
        let networks: fn(&mut CredentialFacts) = |own| own.networks = NetworkSet::parse(["10.0.0.0/8"]).ok();
        for limit in [ends, objects, networks] {
            check(("a", ""), limit, "", Some(home), "ok");
            check(("a", ""), limit, "a", Some(home), BEYOND);
            check(("a", ""), limit, "b", Some(home), "forbidden b");
            check((GRANTS_WRITE, ""), limit, "a", Some(home), "ok");
            check((GRANTS_WRITE, "a"), limit, "a", None, BEYOND);
            check(("", GRANTS_WRITE), limit, "a", None, "ok");
        }
        check(("a", ""), |_| {}, "a", Some(home), "ok");
        assert_eq!(said(&Grantor::Operator.may_give_for_good(&set("a"), None)), "ok");
    }

    #[test]
    fn nobody_opens_a_portal_for_a_user_who_holds_more_there() {
        let home = World::new().organization.id;
        let check =
            |(held, everywhere): (&str, &str), limited: bool, at_home: bool, users: (&str, &str), expected: &str| {
                let mut found = World::new().caller(held, everywhere);
                found.credential.expires_at = limited.then(|| at(9));
                let there = if at_home { home } else { elsewhere() };
                let given = Grantor::Credential(&found).may_let_in_at_portal(there, &set(users.0), &set(users.1));
                assert_eq!(said(&given), expected, "{held} {everywhere} {users:?}");
            };
        check(("", ""), true, true, ("", ""), "ok");
        check(("a", ""), false, true, ("a", ""), "ok");
        check(("a", ""), true, true, ("a", ""), BEYOND);
        check(("a", ""), false, true, ("a b", ""), "forbidden b");
        check(("a", ""), false, false, ("a", ""), "forbidden a");
        check(("", "a"), false, false, ("a", ""), "ok");
        check((GRANTS_WRITE, ""), true, true, ("a b", ""), "ok");
        check((GRANTS_WRITE, ""), false, false, ("a", ""), "forbidden a");
        // A user who holds something everywhere is nobody's to hand out who holds it here alone.
        check(("a", ""), false, true, ("a", "a"), "forbidden a");
        check((GRANTS_WRITE, ""), false, true, ("a", "a"), "forbidden a");
        check(("", "a"), false, true, ("a", "a"), "ok");
        check(("", GRANTS_WRITE), true, false, ("a b", "b"), "ok");
        assert_eq!(said(&Grantor::Operator.may_let_in_at_portal(home, &set("a"), &set("a"))), "ok");
    }

    #[test]
    fn nobody_without_instance_scope_gets_a_credential_that_has_it() {
        let everywhere = |wanted: &mut Wanted| wanted.held_everywhere = set("a b");
        check(("a b", ""), "a", |_, wanted| everywhere(wanted), "forbidden a");
        check((GRANTS_WRITE, ""), "a", |_, wanted| everywhere(wanted), "forbidden a");
        check((GRANTS_WRITE, ""), "*", |_, wanted| everywhere(wanted), "forbidden a");
        check((GRANTS_WRITE, ""), "c", |_, wanted| everywhere(wanted), "ok");
        check(("a", "a"), "a", |_, wanted| everywhere(wanted), "ok");
        check(("", GRANTS_WRITE), "*", |_, wanted| everywhere(wanted), "ok");
    }

    #[test]
    fn a_refusal_says_what_would_be_allowed() {
        let world = World::new();
        let mut found = world.caller("invoices:read", "");
        found.credential.expires_at = Some(at(9));
        let key = world.key(json!({}));
        let rolled = key.roll(0, &world.asked_by(Grantor::Credential(&found)), "x".to_owned(), at(1), &mut rng());
        let Err(Rejection::Forbidden { message, .. }) = rolled else { panic!("rolled") };
        assert!(message.contains("outlives it") && message.contains(GRANTS_WRITE), "{message}");
    }

    /// What somebody who is signed in may mint: for a service account, unless `principal` is themselves.
    #[test]
    fn a_person_mints_what_they_hold_and_follows_nobody_else() {
        let world = World::new();
        let (user, limits) = (UserId::generate(at(0), &mut rng()), Limits::default());
        let account: PrincipalId = world.service_account.id.into();
        let check =
            |(held, everywhere): (&str, &str), principal: PrincipalId, of_principal: &str, list: &str, expected| {
                let (held, everywhere) = (set(held), set(everywhere));
                let held = held.union(&everywhere);
                let person = Person { user, organization: world.organization.id, held, everywhere };
                let widening = Widening {
                    principal,
                    organization: world.organization.id,
                    permissions: &mask(list),
                    held_everywhere: &set(of_principal),
                    objects: None,
                    networks: None,
                    expires_at: None,
                    environment: Environment::Live,
                    confirmation: None,
                    limits: &limits,
                };
                assert_eq!(said(&Grantor::Person(&person).may_issue(&widening)), expected, "{list}");
            };
        check(("a", ""), account, "", "a", "ok");
        check(("a", ""), account, "", "a b", "forbidden b");
        check(("a", ""), account, "", "*", BEYOND);
        check(("a", ""), user.into(), "", "*", "ok");
        check((GRANTS_WRITE, ""), account, "", "b *", "ok");
        // Whoever governs one organization gets no hold of an account that reaches all of them.
        check(("a", ""), account, "a", "a", "forbidden a");
        check((GRANTS_WRITE, ""), account, "a", "*", "forbidden a");
        check(("", GRANTS_WRITE), account, "a", "*", "ok");
        check(("", "a"), account, "a", "a", "ok");
    }

    #[test]
    fn a_person_gives_for_good_what_they_hold() {
        let world = World::new();
        let here = world.organization.id;
        let user = UserId::generate(at(0), &mut rng());
        let check = |held: &str, organization, expected: &str| {
            let person = Person { user, organization: here, held: set(held), everywhere: PermissionSet::default() };
            let grantor = Grantor::Person(&person);
            assert_eq!(said(&grantor.may_give_for_good(&set("a"), organization)), expected, "{held}");
            assert_eq!(grantor.latest_end(here), None);
        };
        check("a", Some(here), "ok");
        check("b", Some(here), "forbidden a");
        check("a", None, "forbidden a");
        check("a", Some(elsewhere()), "forbidden a");
        check(GRANTS_WRITE, Some(here), "ok");
    }
}
