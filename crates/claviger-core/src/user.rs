//! Users: people, who may belong to several organizations.
//!
//! What tells who somebody is (address, name, external id, metadata) is personal data: an event keeps it beside its record
//! and never inside, so that it goes when the user is deleted. The room must not know how a user signs in.

use claviger_token::{Presentation, TypedId as _, UserId};
use jiff::Timestamp;
use rand::CryptoRng;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    audit::{Action, Chain, Event, Touched},
    email::Email,
    invalid::{FieldErrors, Rejection, present},
    metadata::Metadata,
    name::Name,
    organization::{parse_external_id, parse_metadata},
    password::Password,
};

/// A person.
#[derive(Debug, Clone, PartialEq)]
pub struct User {
    /// Their id.
    pub id: UserId,
    /// Their address; unique in the instance, however it is spelt.
    pub email: Email,
    /// Whether the address is only claimed: whoever accepted an invitation to it has it, and nobody has shown that it is theirs.
    pub email_claimed: bool,
    /// What to call them, if they said.
    pub name: Option<Name>,
    /// What the SaaS calls them; unique in the instance.
    pub external_id: Option<String>,
    /// What the SaaS hangs on them.
    pub metadata: Metadata,
    /// Since when they cannot sign in and their tokens do not work.
    pub disabled_at: Option<Timestamp>,
    /// When they were added.
    pub created_at: Timestamp,
}

/// Body of `POST /v1/users`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewUser {
    /// Their address, at most 254 bytes.
    #[cfg_attr(feature = "openapi", schema(example = "alice@acme.test"))]
    pub email: String,
    /// 1 to 100 characters.
    #[cfg_attr(feature = "openapi", schema(example = "Alice"))]
    pub name: Option<String>,
    /// What the SaaS calls them.
    pub external_id: Option<String>,
    /// What they sign in with: 12 to 256 characters, and not easily guessed. Without, they get one by a link.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = Password))]
    pub password: Option<Presentation>,
    /// Any JSON object up to 4 KiB.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub metadata: Option<Value>,
}

impl NewUser {
    /// One of whom nothing else is known.
    pub fn with_email(email: &str) -> Self {
        Self { email: email.to_owned(), ..Self::default() }
    }

    /// The password that the body gives them, if it is one that may be chosen.
    pub fn chosen_password(&self) -> Result<Option<Password>, Rejection> {
        let Some(password) = &self.password else { return Ok(None) };
        let about = [self.email.as_str(), self.name.as_deref().unwrap_or_default()];
        let chosen = Password::chosen(password.0.expose(), &about);
        chosen.map(Some).map_err(|error| Rejection::field("/password", error.code(), error.to_string()))
    }
}

/// Body of `PATCH /v1/users/{id}`: absent members stay.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UserChanges {
    /// New address.
    pub email: Option<String>,
    /// New name, or `null` for none.
    #[serde(deserialize_with = "present")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub name: Option<Option<String>>,
    /// New external id, or `null` for none.
    #[serde(deserialize_with = "present")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub external_id: Option<Option<String>>,
    /// New metadata; replaces the old.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub metadata: Option<Value>,
    /// Ends their sessions and stops their tokens, or lets them in again.
    pub disabled: Option<bool>,
}

/// Body of `PUT /v1/users/by-external-id/{id}`. Of a user who is there already, absent members stay.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UserByExternalId {
    /// Their address, at most 254 bytes.
    #[cfg_attr(feature = "openapi", schema(example = "alice@acme.test"))]
    pub email: String,
    /// 1 to 100 characters, or `null` for none.
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub name: Option<Option<String>>,
    /// Any JSON object up to 4 KiB; replaces the old.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub metadata: Option<Value>,
}

impl UserByExternalId {
    /// As a new user.
    pub fn to_new(&self, external_id: &str) -> NewUser {
        NewUser {
            password: None,
            email: self.email.clone(),
            name: self.name.clone().flatten(),
            external_id: Some(external_id.to_owned()),
            metadata: self.metadata.clone(),
        }
    }

    /// As changes of the user who is there.
    pub fn to_changes(&self) -> UserChanges {
        UserChanges {
            email: Some(self.email.clone()),
            name: self.name.clone(),
            metadata: self.metadata.clone(),
            ..UserChanges::default()
        }
    }
}

impl User {
    /// A new one, who as yet belongs nowhere.
    pub fn create(new: &NewUser, now: Timestamp, rng: &mut dyn CryptoRng) -> Result<(Self, Event), Rejection> {
        let mut errors = FieldErrors::default();
        let email = errors.keep("/email", "invalid_email", Email::parse(&new.email));
        let name = parse_name(new.name.as_deref(), &mut errors);
        let external_id = new.external_id.as_deref().and_then(|id| parse_external_id(id, &mut errors));
        let metadata = parse_metadata(new.metadata.as_ref(), &mut errors);
        errors.finish()?;
        let (Some(email), Some(metadata)) = (email, metadata) else { return Err(Rejection::Invalid(Vec::new())) };
        let id = UserId::generate(now, rng);
        let user =
            Self { id, email, email_claimed: false, name, external_id, metadata, disabled_at: None, created_at: now };
        let event = user.event(Action::UserCreated, json!({}), Some(user.told()));
        Ok((user, event))
    }

    /// The same with an address of which is known only that somebody was invited under it.
    #[must_use]
    pub fn claimed(self) -> Self {
        Self { email_claimed: true, ..self }
    }

    /// Changes what `changes` names. Whoever gives somebody another address vouches for it.
    pub fn update(self, changes: &UserChanges, now: Timestamp) -> Result<(Self, Event), Rejection> {
        let mut errors = FieldErrors::default();
        let mut new = self.clone();
        if let Some(email) = &changes.email {
            new.email = errors.keep("/email", "invalid_email", Email::parse(email)).unwrap_or(new.email);
            new.email_claimed &= new.email.key() == self.email.key();
        }
        if let Some(name) = &changes.name {
            new.name = parse_name(name.as_deref(), &mut errors);
        }
        if let Some(external_id) = &changes.external_id {
            new.external_id = external_id.as_deref().and_then(|id| parse_external_id(id, &mut errors));
        }
        if changes.metadata.is_some() {
            new.metadata = parse_metadata(changes.metadata.as_ref(), &mut errors).unwrap_or_default();
        }
        errors.finish()?;
        let mut action = Action::UserUpdated;
        if let Some(disabled) = changes.disabled
            && disabled != new.disabled_at.is_some()
        {
            new.disabled_at = disabled.then_some(now);
            action = if disabled { Action::UserDisabled } else { Action::UserEnabled };
        }
        let (before, after) = (self.told(), new.told());
        let changed: Vec<&str> = PERSONAL.iter().copied().filter(|member| before[member] != after[member]).collect();
        let details = json!({
            "changed": changed,
            "before": { "disabled": self.disabled_at.is_some() }, "after": { "disabled": new.disabled_at.is_some() },
        });
        let event = new.event(action, details, Some(json!({ "before": before, "after": after })));
        Ok((new, event))
    }

    /// Whether the change from `old` lets somebody else be taken for this user, or lets them in again: that gives what
    /// the user holds to whoever is meant from now on.
    pub fn gives_access_beyond(&self, old: &Self) -> bool {
        let returns = old.disabled_at.is_some() && self.disabled_at.is_none();
        self.email.key() != old.email.key() || self.external_id != old.external_id || returns
    }

    /// Ends them, and with them every credential, session and right that they have. Nothing personal stays.
    pub fn delete(&self) -> Event {
        self.event(Action::UserDeleted, json!({}), None)
    }

    fn event(&self, action: Action, details: Value, personal: Option<Value>) -> Event {
        Event {
            chain: Chain::Instance,
            action,
            target: self.id.to_string(),
            details,
            personal,
            touched: vec![Touched::Principal(self.id.into())],
        }
    }

    fn told(&self) -> Value {
        json!({
            "email": self.email.as_str(), "name": self.name.as_ref().map(Name::as_str),
            "external_id": self.external_id, "metadata_sha256": self.metadata.sha256(),
        })
    }
}

/// What [`User::told`] tells.
const PERSONAL: &[&str] = &["email", "name", "external_id", "metadata_sha256"];

fn parse_name(name: Option<&str>, errors: &mut FieldErrors) -> Option<Name> {
    errors.keep("/name", "invalid_name", name.map(Name::parse).transpose()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{at, now, rng, said};

    fn create(members: Value) -> Result<(User, Event), Rejection> {
        let mut body = json!({ "email": "alice@acme.test" });
        body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        User::create(&serde_json::from_value(body).unwrap(), now(), &mut rng())
    }

    fn update(user: &User, body: Value) -> Result<(User, Event), Rejection> {
        user.clone().update(&serde_json::from_value(body).unwrap(), at(1))
    }

    fn full() -> User {
        create(json!({ "name": "Alice", "external_id": "42", "metadata": { "a": 1 } })).unwrap().0
    }

    #[test]
    fn every_wrong_member_is_named() {
        let wrong = json!({ "email": "a", "name": "a\u{0}", "external_id": "a b", "metadata": [] });
        let expected =
            "/email invalid_email, /name invalid_name, /external_id invalid_external_id, /metadata invalid_metadata";
        assert_eq!(said(&create(wrong.clone())), expected);
        assert_eq!(said(&update(&full(), wrong)), expected);
    }

    #[test]
    fn absent_members_stay_and_null_clears() {
        assert_eq!(update(&full(), json!({})).unwrap().0, full());
        let cleared = json!({ "name": null, "external_id": null, "metadata": {} });
        assert_eq!(update(&full(), cleared).unwrap().0, User { id: full().id, ..create(json!({})).unwrap().0 });
        let (new, event) = update(&full(), json!({ "email": "A@acme.test", "name": "Al" })).unwrap();
        assert_eq!((new.email.as_str(), new.name.unwrap().as_str()), ("A@acme.test", "Al"));
        assert_eq!((event.action, event.chain), (Action::UserUpdated, Chain::Instance));
    }

    #[test]
    fn a_claim_ends_with_the_address() {
        let claimed = full().claimed();
        assert!(!full().email_claimed && claimed.email_claimed);
        let stays = |changes| update(&claimed, changes).unwrap().0.email_claimed;
        assert!(stays(json!({ "email": "ALICE@acme.test", "name": "A" })) && !stays(json!({ "email": "b@acme.test" })));
    }

    #[test]
    fn nothing_personal_stands_in_what_is_hashed() {
        let personal = ["alice@", "Alice", "42"];
        let (user, created) = create(json!({ "name": "Alice", "external_id": "42" })).unwrap();
        let (_, updated) = update(&user, json!({ "email": "alice@globex.test", "metadata": { "a": 1 } })).unwrap();
        for event in [&created, &updated, &user.delete()] {
            let hashed = event.details.to_string();
            assert!(!personal.iter().any(|text| hashed.contains(text)), "{hashed}");
            assert_eq!(event.touched, [Touched::Principal(user.id.into())]);
        }
        assert_eq!(created.personal.unwrap()["name"], "Alice");
        assert_eq!(updated.details["changed"], json!(["email", "metadata_sha256"]));
        let both = updated.personal.unwrap();
        assert_eq!(
            (&both["before"]["email"], &both["after"]["email"]),
            (&json!("alice@acme.test"), &json!("alice@globex.test"))
        );
        assert_eq!(user.delete().personal, None);
    }

    #[test]
    fn stopping_and_restarting_have_events_of_their_own() {
        let (stopped, event) = update(&full(), json!({ "disabled": true })).unwrap();
        assert_eq!((stopped.disabled_at, event.action), (Some(at(1)), Action::UserDisabled));
        assert_eq!(update(&stopped, json!({ "disabled": true })).unwrap().1.action, Action::UserUpdated);
        let (restarted, event) = update(&stopped, json!({ "disabled": false })).unwrap();
        assert_eq!((&restarted, event.action), (&full(), Action::UserEnabled));
        assert_eq!(event.details["before"]["disabled"], true);
    }

    #[test]
    fn whoever_can_be_taken_for_the_user_afterwards_is_given_what_they_hold() {
        let check = |old: &User, changes: Value, expected| {
            assert_eq!(update(old, changes.clone()).unwrap().0.gives_access_beyond(old), expected, "{changes}");
        };
        let user = full();
        check(&user, json!({ "name": "Eve", "metadata": {} }), false);
        check(&user, json!({ "email": "ALICE@acme.test" }), false);
        check(&user, json!({ "email": "eve@acme.test" }), true);
        check(&user, json!({ "external_id": "43" }), true);
        check(&user, json!({ "disabled": true }), false);
        let (stopped, _) = update(&user, json!({ "disabled": true })).unwrap();
        check(&stopped, json!({ "disabled": true }), false);
        check(&stopped, json!({ "disabled": false }), true);
    }

    #[test]
    fn a_user_by_external_id_is_made_or_changed_with_one_body() {
        let body = json!({ "email": "alice@acme.test", "name": null });
        let body: UserByExternalId = serde_json::from_value(body).unwrap();
        let (made, _) = User::create(&body.to_new("42"), now(), &mut rng()).unwrap();
        assert_eq!((made.external_id.as_deref(), made.name), (Some("42"), None));
        let (changed, _) = full().update(&body.to_changes(), at(1)).unwrap();
        assert_eq!(changed, User { name: None, ..full() });
    }
}
