//! Organizations: the customers, and the SaaS itself. Each has a ceiling and a policy.

use std::fmt;

use claviger_token::{Limits, OrganizationId, PermissionMask, PermissionSet, TypedId as _};
use jiff::Timestamp;
use rand::CryptoRng;
use serde::Deserialize;
use serde_json::json;

use crate::{
    audit::{Action, Chain, Event, Touched},
    builtin::default_ceiling,
    invalid::{FieldErrors, Rejection, present},
    limit::{self, NewQuota, NewRateLimit},
    metadata::Metadata,
    name::Name,
    policy::{Policy, PolicyChanges},
    portal_look::PortalLook,
    portal_origins::PortalOrigins,
};

/// How many permissions a list names at most.
const MAX_PERMISSIONS: usize = 500;

/// A customer.
#[derive(Debug, Clone, PartialEq)]
pub struct Organization {
    /// Its id.
    pub id: OrganizationId,
    /// Its handle in URLs and on the command line; unique in the instance.
    pub slug: Slug,
    /// Its name.
    pub name: Name,
    /// What the SaaS calls it; unique in the instance.
    pub external_id: Option<String>,
    /// What it may use at all; `None`: [`default_ceiling`].
    pub ceiling: Option<PermissionMask>,
    /// Its rules.
    pub policy: Policy,
    /// How often all the credentials in it together may be used.
    pub limits: Limits,
    /// Where its portal may stand in a frame.
    pub portal_origins: PortalOrigins,
    /// What its portal is called and looks like.
    pub portal_look: PortalLook,
    /// What the SaaS hangs on it.
    pub metadata: Metadata,
    /// Since when nothing in it works.
    pub disabled_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ended.
    pub deleted_at: Option<Timestamp>,
}

/// `[a-z0-9]`, then up to 62 of `[a-z0-9-]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slug(String);

impl Slug {
    /// Checks a slug that somebody chose.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if (1..=63).contains(&text.len()) && text.bytes().all(fits) && !text.starts_with('-') && !text.ends_with('-') {
            Ok(Self(text.to_owned()))
        } else {
            Err("a slug is 1 to 63 of a-z, 0-9 and -, and neither starts nor ends with -")
        }
    }

    /// The slug that a name suggests; `org` for a name without Latin letters or digits.
    fn suggested_by(name: &Name) -> Self {
        let mut slug = String::new();
        for character in name.as_str().chars().flat_map(char::to_lowercase) {
            if character.is_ascii_alphanumeric() {
                slug.push(character);
            } else if !slug.is_empty() && !slug.ends_with('-') {
                slug.push('-');
            }
        }
        slug.truncate(63);
        let slug = slug.trim_matches('-');
        Self(if slug.is_empty() { "org".to_owned() } else { slug.to_owned() })
    }

    /// The slug as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Body of `POST /v1/organizations`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewOrganization {
    /// 1 to 100 characters.
    #[cfg_attr(feature = "openapi", schema(example = "Acme"))]
    pub name: String,
    /// Handle; made from the name if absent.
    pub slug: Option<String>,
    /// What the SaaS calls it.
    pub external_id: Option<String>,
    /// How often all the credentials in it together may be used: every one of these must allow a request. At most 10.
    pub rate_limits: Option<Vec<NewRateLimit>>,
    /// How much they may together be used in a calendar period.
    pub quota: Option<NewQuota>,
    /// Where its portal may stand in a frame, and lead back to: `https://host[:port]`. At most 20.
    #[cfg_attr(feature = "openapi", schema(example = json!(["https://app.acme.test"])))]
    pub portal_origins: Option<Vec<String>>,
    /// What its portal is called: your product's name, 1 to 100 characters. The organization's name if absent.
    #[cfg_attr(feature = "openapi", schema(example = "Acme Cloud"))]
    pub portal_name: Option<String>,
    /// The colour of its portal, `#rrggbb`. Shades that can be read in light and dark follow from it.
    #[cfg_attr(feature = "openapi", schema(example = "#0a7d4b"))]
    pub portal_color: Option<String>,
    /// Any JSON object up to 4 KiB.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub metadata: Option<serde_json::Value>,
}

/// Body of `PATCH /v1/organizations/{id}`: absent members stay.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OrganizationChanges {
    /// New name.
    pub name: Option<String>,
    /// New slug.
    pub slug: Option<String>,
    /// New external id, or `null` for none.
    #[serde(deserialize_with = "present")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub external_id: Option<Option<String>>,
    /// All its rate limits from now on. Needs instance scope.
    #[serde(deserialize_with = "present")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<NewRateLimit>>))]
    pub rate_limits: Option<Option<Vec<NewRateLimit>>>,
    /// Its quota from now on. Needs instance scope.
    #[serde(deserialize_with = "present")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<NewQuota>))]
    pub quota: Option<Option<NewQuota>>,
    /// All the origins at which its portal may stand in a frame from now on.
    #[serde(deserialize_with = "present")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<String>>))]
    pub portal_origins: Option<Option<Vec<String>>>,
    /// What its portal is called from now on, or `null` for the organization's name.
    #[serde(deserialize_with = "present")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub portal_name: Option<Option<String>>,
    /// The colour of its portal from now on, `#rrggbb`, or `null` for Claviger's.
    #[serde(deserialize_with = "present")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub portal_color: Option<Option<String>>,
    /// New metadata; replaces the old.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub metadata: Option<serde_json::Value>,
    /// What it may use at all, or `null` for the default. Needs instance scope.
    #[serde(deserialize_with = "present")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<String>>))]
    pub ceiling: Option<Option<Vec<String>>>,
    /// Stops, or restarts, every credential in it. Needs instance scope.
    pub disabled: Option<bool>,
}

impl OrganizationChanges {
    /// Whether only somebody whose permission has instance scope may make these changes.
    pub fn need_instance_scope(&self) -> bool {
        let limits = self.rate_limits.is_some() || self.quota.is_some();
        self.ceiling.is_some() || self.disabled.is_some() || self.slug.is_some() || self.external_id.is_some() || limits
    }
}

impl Organization {
    /// A new one.
    pub fn create(new: NewOrganization, now: Timestamp, rng: &mut dyn CryptoRng) -> Result<(Self, Event), Rejection> {
        let mut errors = FieldErrors::default();
        let name = errors.keep("/name", "invalid_name", Name::parse(&new.name));
        let slug = new.slug.map(|slug| errors.keep("/slug", "invalid_slug", Slug::parse(&slug)));
        let external_id = new.external_id.and_then(|id| parse_external_id(&id, &mut errors));
        let limits = limit::given(new.rate_limits.as_deref(), new.quota, &mut errors);
        let origins = PortalOrigins::parse(new.portal_origins.as_deref().unwrap_or_default(), &mut errors);
        let (called, color) = (new.portal_name.as_deref(), new.portal_color.as_deref());
        let look = PortalLook::default().changed(Some(called), Some(color), &mut errors);
        let metadata = parse_metadata(new.metadata.as_ref(), &mut errors);
        errors.finish()?;
        let (Some(name), Some(metadata)) = (name, metadata) else { return Err(Rejection::Invalid(Vec::new())) };
        let organization = Self {
            id: OrganizationId::generate(now, rng),
            slug: slug.flatten().unwrap_or_else(|| Slug::suggested_by(&name)),
            name,
            external_id,
            ceiling: None,
            policy: Policy::default(),
            limits,
            portal_origins: origins.unwrap_or_default(),
            portal_look: look,
            metadata,
            disabled_at: None,
            created_at: now,
            deleted_at: None,
        };
        let event =
            Event { chain: Chain::Instance, ..organization.event(Action::OrganizationCreated, organization.told()) };
        Ok((organization, event))
    }

    /// What it may use at all.
    pub fn effective_ceiling(&self) -> PermissionMask {
        self.ceiling.clone().unwrap_or_else(default_ceiling)
    }

    /// Changes what `changes` names. `declared` are the permissions that APIs declare.
    pub fn update(
        self,
        changes: OrganizationChanges,
        declared: &PermissionSet,
        now: Timestamp,
    ) -> Result<(Self, Event), Rejection> {
        let mut errors = FieldErrors::default();
        let mut new = self.clone();
        if let Some(name) = changes.name {
            new.name = errors.keep("/name", "invalid_name", Name::parse(&name)).unwrap_or(new.name);
        }
        if let Some(slug) = changes.slug {
            new.slug = errors.keep("/slug", "invalid_slug", Slug::parse(&slug)).unwrap_or(new.slug);
        }
        if let Some(external_id) = changes.external_id {
            new.external_id = external_id.and_then(|id| parse_external_id(&id, &mut errors));
        }
        new.limits = limit::changed(new.limits, changes.rate_limits.as_ref(), changes.quota, &mut errors);
        if let Some(origins) = changes.portal_origins {
            let origins = PortalOrigins::parse(&origins.unwrap_or_default(), &mut errors);
            new.portal_origins = origins.unwrap_or_default();
        }
        let (called, color) = (changes.portal_name.as_ref(), changes.portal_color.as_ref());
        let (called, color) = (called.map(Option::as_deref), color.map(Option::as_deref));
        new.portal_look = new.portal_look.changed(called, color, &mut errors);
        if changes.metadata.is_some() {
            new.metadata = parse_metadata(changes.metadata.as_ref(), &mut errors).unwrap_or_default();
        }
        match changes.ceiling {
            None => {}
            Some(None) => new.ceiling = None,
            Some(Some(entries)) => new.ceiling = parse_mask("/ceiling", &entries, declared, &mut errors),
        }
        errors.finish()?;
        let mut action = Action::OrganizationUpdated;
        if let Some(disabled) = changes.disabled
            && disabled != new.disabled_at.is_some()
        {
            new.disabled_at = disabled.then_some(now);
            action = if disabled { Action::OrganizationDisabled } else { Action::OrganizationEnabled };
        }
        let event = new.event(action, json!({ "before": self.told(), "after": new.told() }));
        Ok((new, event))
    }

    /// Whether everything that counted in `old` still does: it is not stopped, and its ceiling is no lower.
    pub fn allows_all_of(&self, old: &Self) -> bool {
        let ceiling = |of: &Self| of.ceiling.clone().unwrap_or_else(default_ceiling);
        (self.disabled_at.is_none() || old.disabled_at.is_some()) && ceiling(old).is_within(&ceiling(self))
    }

    /// Changes its policy.
    pub fn update_policy(self, changes: PolicyChanges) -> Result<(Self, Event), Rejection> {
        let policy = self.policy.update(changes)?;
        let details = json!({ "before": self.policy, "after": policy });
        let new = Self { policy, ..self };
        let event = new.event(Action::PolicyUpdated, details);
        Ok((new, event))
    }

    /// Ends it. Its digests stay, its name does not.
    pub fn delete(self, now: Timestamp) -> (Self, Event) {
        let new = Self { deleted_at: Some(now), disabled_at: self.disabled_at.or(Some(now)), ..self };
        let event = Event { chain: Chain::Instance, ..new.event(Action::OrganizationDeleted, new.told()) };
        (new, event)
    }

    fn event(&self, action: Action, details: serde_json::Value) -> Event {
        Event {
            chain: Chain::Organization(self.id),
            action,
            target: self.id.to_string(),
            details,
            personal: None,
            touched: vec![Touched::Organization(self.id)],
        }
    }

    fn told(&self) -> serde_json::Value {
        json!({
            "name": self.name.as_str(), "slug": self.slug.as_str(), "external_id": self.external_id,
            "ceiling": self.ceiling, "disabled": self.disabled_at.is_some(), "metadata_sha256": self.metadata.sha256(),
            "rate_limits": self.limits.rates, "quota": self.limits.quota, "portal_origins": self.portal_origins,
            "portal_name": self.portal_look.name.as_ref().map(Name::as_str), "portal_color": self.portal_look.color,
        })
    }
}

pub(crate) fn parse_external_id(text: &str, errors: &mut FieldErrors) -> Option<String> {
    if (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Some(text.to_owned());
    }
    errors.add("/external_id", "invalid_external_id", "an external id is 1 to 255 visible ASCII characters");
    None
}

pub(crate) fn parse_metadata(value: Option<&serde_json::Value>, errors: &mut FieldErrors) -> Option<Metadata> {
    match value {
        None => Some(Metadata::default()),
        Some(value) => errors.keep("/metadata", "invalid_metadata", Metadata::parse(value)),
    }
}

/// A list of permissions and wildcards whose named entries must be declared by an API.
pub(crate) fn parse_mask(
    pointer: &str,
    entries: &[String],
    declared: &PermissionSet,
    errors: &mut FieldErrors,
) -> Option<PermissionMask> {
    errors.at_most(MAX_PERMISSIONS, pointer, entries.len())?;
    let mut sound = true;
    for (index, entry) in entries.iter().enumerate() {
        match PermissionMask::parse([entry]) {
            Err(error) => {
                errors.add(format!("{pointer}/{index}"), "invalid_permission", error.to_string());
                sound = false;
            }
            Ok(mask) => {
                if let Some(unknown) = mask.named().iter().find(|permission| !declared.contains(permission.as_str())) {
                    errors.add(
                        format!("{pointer}/{index}"),
                        "unknown_permission",
                        format!("no API declares {unknown}; `claviger api list` (GET /v1/apis) tells what there is"),
                    );
                    sound = false;
                }
            }
        }
    }
    if sound { PermissionMask::parse(entries).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{at, mask, now, rng, said, set};

    fn create(body: serde_json::Value) -> Result<(Organization, Event), Rejection> {
        Organization::create(serde_json::from_value(body).unwrap(), now(), &mut rng())
    }

    fn acme() -> Organization {
        create(json!({ "name": "Acme", "external_id": "42", "metadata": { "plan": "pro" } })).unwrap().0
    }

    fn update(body: serde_json::Value) -> Result<(Organization, Event), Rejection> {
        acme().update(serde_json::from_value(body).unwrap(), &set("invoices:read claviger:verify"), at(1))
    }

    #[test]
    fn a_slug_comes_from_the_name_when_none_is_given() {
        let check = |name: &str, slug: &str| assert_eq!(Slug::suggested_by(&Name::parse(name).unwrap()).as_str(), slug);
        check("Acme", "acme");
        check("Acme & Sons, Ltd.", "acme-sons-ltd");
        check("請求書", "org");
        check(&format!("{} b", "a".repeat(62)), &"a".repeat(62));
    }

    #[test]
    fn a_suggested_slug_is_one_that_could_be_chosen() {
        for name in ["Acme", "- x -", "ÄÖÜ", "İstanbul", "a--b", &"é ".repeat(49), &"x".repeat(100)] {
            let name = name.trim();
            let slug = Slug::suggested_by(&Name::parse(name).unwrap());
            assert_eq!(Slug::parse(slug.as_str()), Ok(slug), "{name}");
        }
    }

    #[test]
    fn a_chosen_slug_is_lower_case_and_fits_an_address() {
        let check = |slug: &str, sound: bool| assert_eq!(Slug::parse(slug).is_ok(), sound, "{slug}");
        check("a", true);
        check("acme-2", true);
        check(&"a".repeat(63), true);
        for wrong in ["", "-a", "a-", "A", "a_b", "a b", "é", &"a".repeat(64)] {
            check(wrong, false);
        }
    }

    #[test]
    fn every_wrong_member_of_a_new_organization_is_named() {
        let check = |body, expected: &str| assert_eq!(said(&create(body)), expected);
        check(json!({ "name": "Acme" }), "ok");
        check(
            json!({ "name": "", "slug": "A", "external_id": "a b", "portal_origins": ["x"], "metadata": 1 }),
            "/name invalid_name, /slug invalid_slug, /external_id invalid_external_id, /portal_origins/0 invalid_origin, \
             /metadata invalid_metadata",
        );
        check(json!({ "name": "Acme", "external_id": "" }), "/external_id invalid_external_id");
        check(json!({ "name": "Acme", "external_id": "x".repeat(256) }), "/external_id invalid_external_id");
        assert!(serde_json::from_value::<NewOrganization>(json!({ "name": "Acme", "id": "org_x" })).is_err());
    }

    #[test]
    fn a_new_organization_may_use_the_default_and_is_told_in_the_instance_chain() {
        let (organization, event) = create(json!({ "name": "Acme" })).unwrap();
        assert_eq!(organization.effective_ceiling(), default_ceiling());
        assert_eq!((event.action, event.chain), (Action::OrganizationCreated, Chain::Instance));
        assert_eq!(event.touched, [Touched::Organization(organization.id)]);
    }

    #[test]
    fn an_update_changes_what_it_names_and_null_clears() {
        assert_eq!(update(json!({})).unwrap().0, acme());
        let (new, event) = update(json!({ "name": "B", "slug": "b", "external_id": null, "metadata": {} })).unwrap();
        assert_eq!((new.name.as_str(), new.slug.as_str(), new.external_id), ("B", "b", None));
        assert_eq!((new.metadata, event.action), (Metadata::default(), Action::OrganizationUpdated));
        assert_ne!(event.details["before"]["metadata_sha256"], event.details["after"]["metadata_sha256"]);
        assert_eq!(event.chain, Chain::Organization(new.id));
        let (capped, _) = update(json!({ "ceiling": ["invoices:read", "claviger:*"] })).unwrap();
        assert_eq!(capped.effective_ceiling(), mask("claviger:* invoices:read"));
        let lifted = capped.update(serde_json::from_value(json!({ "ceiling": null })).unwrap(), &set(""), at(2));
        assert_eq!(lifted.unwrap().0.ceiling, None);
    }

    #[test]
    fn the_origins_of_a_portal_are_all_named_anew() {
        let origins = json!(["https://app.acme.test", "http://localhost:3000"]);
        let (acme, event) = create(json!({ "name": "Acme", "portal_origins": origins })).unwrap();
        assert_eq!((json!(acme.portal_origins), &event.details["portal_origins"]), (origins.clone(), &origins));
        let update = |body| acme.clone().update(serde_json::from_value(body).unwrap(), &set(""), at(1)).unwrap().0;
        assert_eq!(update(json!({ "name": "B" })).portal_origins, acme.portal_origins);
        assert_eq!(
            json!(update(json!({ "portal_origins": ["https://b.test"] })).portal_origins),
            json!(["https://b.test"])
        );
        assert!(update(json!({ "portal_origins": [] })).portal_origins.is_empty());
        assert!(update(json!({ "portal_origins": null })).portal_origins.is_empty());
    }

    #[test]
    fn a_portal_is_called_and_coloured_as_its_product_is() {
        let (acme, event) =
            create(json!({ "name": "Acme", "portal_name": "Cloud", "portal_color": "#AA0011" })).unwrap();
        let told = |details: &serde_json::Value| (details["portal_name"].clone(), details["portal_color"].clone());
        assert_eq!(told(&event.details), (json!("Cloud"), json!("#aa0011")));
        let update = |body| acme.clone().update(serde_json::from_value(body).unwrap(), &set(""), at(1)).unwrap();
        assert_eq!(update(json!({ "name": "B" })).0.portal_look, acme.portal_look);
        let (_, event) = update(json!({ "portal_name": null, "portal_color": "#00bb00" }));
        assert_eq!(told(&event.details["after"]), (json!(null), json!("#00bb00")));
    }

    #[test]
    fn every_wrong_change_is_named() {
        let check = |body, expected: &str| assert_eq!(said(&update(body)), expected);
        check(json!({ "name": "" }), "/name invalid_name");
        check(json!({ "slug": "" }), "/slug invalid_slug");
        check(json!({ "external_id": " " }), "/external_id invalid_external_id");
        check(json!({ "metadata": [] }), "/metadata invalid_metadata");
        check(json!({ "portal_origins": ["https://*.test"] }), "/portal_origins/0 invalid_origin");
        check(json!({ "portal_name": " " }), "/portal_name invalid_name");
        check(json!({ "portal_color": "red;}" }), "/portal_color invalid_color");
        check(
            json!({ "ceiling": ["*", "x:y", "x y"] }),
            "/ceiling/1 unknown_permission, /ceiling/2 invalid_permission",
        );
    }

    #[test]
    fn stopping_restarting_and_ending_have_events_of_their_own() {
        let (stopped, event) = update(json!({ "disabled": true })).unwrap();
        assert_eq!((stopped.disabled_at, event.action), (Some(at(1)), Action::OrganizationDisabled));
        let again = serde_json::from_value(json!({ "disabled": true })).unwrap();
        let (stopped, event) = stopped.update(again, &set(""), at(2)).unwrap();
        assert_eq!((stopped.disabled_at, event.action), (Some(at(1)), Action::OrganizationUpdated));
        let restart = serde_json::from_value(json!({ "disabled": false })).unwrap();
        let (restarted, event) = stopped.clone().update(restart, &set(""), at(2)).unwrap();
        assert_eq!((restarted.disabled_at, event.action), (None, Action::OrganizationEnabled));
        let (ended, event) = restarted.delete(at(3));
        assert_eq!((ended.disabled_at, ended.deleted_at), (Some(at(3)), Some(at(3))));
        assert_eq!((event.action, event.chain), (Action::OrganizationDeleted, Chain::Instance));
        assert_eq!(stopped.delete(at(3)).0.disabled_at, Some(at(1)));
    }

    #[test]
    fn a_policy_change_tells_both_sides() {
        let (new, event) =
            acme().update_policy(serde_json::from_value(json!({ "expiry_required": true })).unwrap()).unwrap();
        assert!(new.policy.expiry_required);
        assert_eq!(event.action, Action::PolicyUpdated);
        assert_eq!(event.details["before"]["expiry_required"], false);
        assert_eq!(event.details["after"]["expiry_required"], true);
    }

    #[test]
    fn what_counts_beyond_one_organization_needs_instance_scope() {
        let check = |body: serde_json::Value, expected| {
            let changes: OrganizationChanges = serde_json::from_value(body.clone()).unwrap();
            assert_eq!(changes.need_instance_scope(), expected, "{body}");
        };
        check(json!({}), false);
        check(json!({ "name": "B", "metadata": {}, "portal_origins": [], "portal_color": null }), false);
        check(json!({ "ceiling": null }), true);
        check(json!({ "disabled": false }), true);
        check(json!({ "slug": "b" }), true);
        check(json!({ "external_id": null }), true);
    }
}
