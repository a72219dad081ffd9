//! Devices that ask for a token of a person (RFC 8628): a command line, or whatever has no browser of its own. The person approves in a
//! browser somewhere else, and what the device gets then is a personal access token of theirs.
//!
//! The room must not know what a page shows, nor how codes are kept: storage takes a [`crate::Digest`] of each.

use std::{fmt, net::IpAddr, str::FromStr};

use claviger_token::{
    DeviceRequestId, OrganizationId, Permission, PermissionSet, PersonalAccessTokenId, Secret, ServiceAccountId,
    TokenHash, TypedId as _, UserId, same_audience,
};
use jiff::{SignedDuration, Timestamp};
use rand::CryptoRng;
use serde_json::{Value, json};

use crate::{
    api::Api,
    audit::{Action, Chain, Event},
    link_code::link_code,
    name::hides_something,
    oauth::{OAuthError, OAuthErrorCode, Parameters, Target, target},
    personal_access_token::NewPersonalAccessToken,
    policy::{Kind, Policy},
};

/// The name of the grant (RFC 8628, section 3.4).
pub const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// The client that needs no registration and has no secret: our own command line.
pub const CLI_CLIENT: &str = "claviger-cli";

/// How long a request waits for somebody.
const LIFE: SignedDuration = SignedDuration::from_mins(10);

/// How many seconds a device waits between two polls, at first.
const INTERVAL: u32 = 5;

/// By how many seconds that grows whenever it did not wait (RFC 8628, section 3.5).
const SLOWER: u32 = 5;

/// What a poll may be early by: of two answers, one may have been on its way for longer.
const EARLY: SignedDuration = SignedDuration::from_millis(500);

/// How long what a device gets lasts, where policy allows it.
const TOKEN_LIFE: SignedDuration = SignedDuration::from_hours(30 * 24);

/// How many scopes one may ask for.
const MOST_SCOPES: usize = 100;

/// No address of an API is longer.
const LONGEST_RESOURCE: usize = 2000;

/// How much of what a device calls itself is kept, in characters.
const LONGEST_DEVICE_NAME: usize = 60;

/// The longest name of a token, in characters.
const LONGEST_NAME: usize = 100;

/// Which client a device runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceClient {
    /// Our own command line, which proves nothing.
    Cli,
    /// One that proved who it is.
    ServiceAccount(ServiceAccountId),
}

impl fmt::Display for DeviceClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cli => f.write_str(CLI_CLIENT),
            Self::ServiceAccount(id) => id.fmt(f),
        }
    }
}

impl FromStr for DeviceClient {
    type Err = claviger_token::IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == CLI_CLIENT { Ok(Self::Cli) } else { text.parse().map(Self::ServiceAccount) }
    }
}

/// What a person types: eight letters of an alphabet in which no word can be written and no two look alike (RFC 8628, section 6.1); 34 bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserCode(String);

impl UserCode {
    const ALPHABET: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
    const LENGTH: usize = 8;

    /// A new one.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        // Of a byte's values, as many as the alphabet divides evenly.
        const EVEN: u8 = 240;
        let mut code = String::with_capacity(Self::LENGTH);
        while code.len() < Self::LENGTH {
            let mut byte = [0];
            rng.fill_bytes(&mut byte);
            let [byte] = byte;
            if let Some(letter) = Self::ALPHABET.get(usize::from(byte % 20)).filter(|_| byte < EVEN) {
                code.push(char::from(*letter));
            }
        }
        Self(code)
    }

    /// What somebody typed, in whatever case and with whatever between the letters. `None` if it cannot be a code.
    pub fn parse(text: &str) -> Option<Self> {
        let between =
            |character: &char| !(character.is_whitespace() || matches!(character, '-' | '\u{2010}'..='\u{2015}'));
        // A bound first, for a form may be long.
        let letters = text.chars().take(8 * Self::LENGTH).filter(between).map(|letter| letter.to_ascii_uppercase());
        let code: String = letters.take(Self::LENGTH + 1).collect();
        let known = |byte: u8| Self::ALPHABET.contains(&byte);
        (code.len() == Self::LENGTH && code.bytes().all(known)).then_some(Self(code))
    }

    /// What storage looks for.
    pub fn hash(&self) -> TokenHash {
        Secret::new(format!("device user code {}", self.0)).hash()
    }
}

impl fmt::Display for UserCode {
    /// As people read it: `XXXX-XXXX`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, second) = self.0.split_at(Self::LENGTH / 2);
        write!(f, "{first}-{second}")
    }
}

/// What a device asks for, as a form says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceAsk {
    /// The identifier of the API that it is for. `None`: the one that declares the scopes.
    pub resource: Option<String>,
    /// The permissions; `None`: all that the person has there.
    pub scope: Option<PermissionSet>,
    /// What the device calls itself.
    pub device_name: Option<String>,
}

impl DeviceAsk {
    /// From a form. What a person may give is found out when there is one; here a text is refused that can be no scope, and
    /// of `own`, the API that everybody knows, whatever it does not declare.
    pub fn read(form: &Parameters, client: DeviceClient, own: &Api) -> Result<Self, OAuthError> {
        let invalid = |description: String| OAuthError::new(OAuthErrorCode::InvalidScope, description);
        let scope = form.get("scope").map(|text| {
            let mut asked: Vec<Permission> = Vec::new();
            for name in text.split(' ').filter(|name| !name.is_empty()) {
                let no_scope = |_| invalid(format!("{name} is no scope: scopes look like invoices:read"));
                asked.push(name.parse().map_err(no_scope)?);
            }
            match asked.len() {
                0 => Err(invalid("scope names nothing".to_owned())),
                1..=MOST_SCOPES => Ok(asked.into_iter().collect::<PermissionSet>()),
                _ => Err(invalid(format!("at most {MOST_SCOPES} scopes"))),
            }
        });
        let scope = scope.transpose()?;
        let mut resources = form.all("resource");
        let resource = resources.next();
        let wrong = |description: &str| Err(OAuthError::new(OAuthErrorCode::InvalidTarget, description));
        if resource.is_some_and(|first| resources.any(|other| !same_audience(other, first))) {
            return wrong("a token is for one API: name one resource, and ask again for the next");
        }
        if resource.is_some_and(|resource| resource.len() > LONGEST_RESOURCE || resource.contains(char::is_control)) {
            return wrong("resource is the identifier of an API, and none is so long or has control characters");
        }
        let resource = resource.map(str::to_owned);
        let resource =
            resource.or_else(|| (client == DeviceClient::Cli && scope.is_none()).then(|| own.identifier.clone()));
        let is_own = resource.as_ref().is_some_and(|resource| same_audience(resource, &own.identifier));
        let is_declared = |name: &Permission| own.permissions.iter().any(|declared| declared.name == *name);
        let is_known = |name: &Permission| is_declared(name) || !is_own && !name.as_str().starts_with("claviger:");
        if let Some(unknown) = scope.iter().flat_map(PermissionSet::iter).find(|name| !is_known(name)) {
            return Err(invalid(format!("{} does not declare {unknown}", own.identifier)));
        }
        if resource.is_none() && scope.is_none() {
            return Err(invalid("name what is asked for: scope, resource, or both".to_owned()));
        }
        Ok(Self { resource, scope, device_name: form.get("device_name").and_then(cleaned) })
    }
}

/// Without what hides something, and no longer than fits a name.
fn cleaned(text: &str) -> Option<String> {
    let seen = text.chars().take(8 * LONGEST_DEVICE_NAME).filter(|character| !hides_something(*character));
    let seen: String = seen.collect();
    let words: Vec<&str> = seen.split_whitespace().collect();
    let name: String = words.join(" ").chars().take(LONGEST_DEVICE_NAME).collect();
    let name = name.trim_end();
    (!name.is_empty()).then(|| name.to_owned())
}

/// A device that asks, in whatever state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRequest {
    /// Its id, which opens nothing.
    pub id: DeviceRequestId,
    /// Which client it runs.
    pub client: DeviceClient,
    /// What it asks for.
    pub ask: DeviceAsk,
    /// From where it asked.
    pub address: Option<IpAddr>,
    /// When.
    pub created_at: Timestamp,
    /// When it is dead.
    pub expires_at: Timestamp,
    /// How many seconds it must wait between two polls.
    pub interval: u32,
    /// When it polled last.
    pub polled_at: Option<Timestamp>,
    /// How far it is.
    pub state: DeviceState,
}

/// How far a request is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceState {
    /// Nobody has decided.
    Waits,
    /// The device may have its token, once.
    Approved(DeviceApproval),
    /// It gets none.
    Denied,
    /// It has it, from this person.
    Redeemed(UserId),
}

impl DeviceState {
    /// The word in storage.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Waits => "waits",
            Self::Approved(_) => "approved",
            Self::Denied => "denied",
            Self::Redeemed(_) => "redeemed",
        }
    }
}

/// What somebody approved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceApproval {
    /// Who.
    pub user: UserId,
    /// Where the token will act.
    pub organization: OrganizationId,
    /// What it may do: exactly this.
    pub permissions: PermissionSet,
}

/// What a poll comes to before anything is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Polled {
    /// It waits on.
    Waits,
    /// It gets a token now, if nobody was first.
    Approved(DeviceApproval),
}

impl DeviceRequest {
    /// A new one, what the device holds, and what it shows.
    pub fn create(
        client: DeviceClient,
        ask: DeviceAsk,
        address: Option<IpAddr>,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
    ) -> (Self, Secret, UserCode) {
        let request = Self {
            id: DeviceRequestId::generate(now, rng),
            client,
            ask,
            address,
            created_at: now,
            expires_at: now + LIFE,
            interval: INTERVAL,
            polled_at: None,
            state: DeviceState::Waits,
        };
        (request, link_code(rng), UserCode::generate(rng))
    }

    /// How many seconds are left.
    pub fn seconds_left(&self, now: Timestamp) -> u64 {
        u64::try_from(self.expires_at.duration_since(now).as_secs()).unwrap_or(0)
    }

    /// What a poll of `client` comes to. Half open: dead at the instant of its end.
    pub fn poll(&self, client: DeviceClient, now: Timestamp) -> Result<Polled, OAuthError> {
        if self.client != client {
            return Err(Self::no_such_code());
        }
        match &self.state {
            DeviceState::Denied => Err(Self::denied("the person denied it, or does not stand by it any more")),
            DeviceState::Redeemed(_) => Err(Self::no_such_code()),
            DeviceState::Waits | DeviceState::Approved(_) if now >= self.expires_at => {
                Err(OAuthError::new(OAuthErrorCode::ExpiredToken, "the code has expired; begin again"))
            }
            DeviceState::Waits => Ok(Polled::Waits),
            DeviceState::Approved(approval) => Ok(Polled::Approved(approval.clone())),
        }
    }

    /// The one answer to whoever has no code, another client's or one that is used up.
    pub fn no_such_code() -> OAuthError {
        let description = "this device_code is not one of this client's, or was redeemed already";
        OAuthError::new(OAuthErrorCode::InvalidGrant, description)
    }

    /// There will be no token.
    pub fn denied(why: &str) -> OAuthError {
        OAuthError::new(OAuthErrorCode::AccessDenied, why)
    }

    /// Who has decided in favour of it.
    pub fn approver(&self) -> Option<UserId> {
        match &self.state {
            DeviceState::Approved(approval) => Some(approval.user),
            DeviceState::Redeemed(user) => Some(*user),
            DeviceState::Waits | DeviceState::Denied => None,
        }
    }

    /// Whether a device that polls now can only be told to wait, so that nothing need be written: it was too fast so often that its wait is
    /// as long as its life.
    pub fn waits_to_its_end(&self, now: Timestamp) -> bool {
        u64::from(self.interval) >= self.seconds_left(now)
    }

    /// The refusal of a poll that was in time.
    pub fn pending() -> OAuthError {
        OAuthError::new(OAuthErrorCode::AuthorizationPending, "nobody has decided yet; go on asking")
    }

    /// The refusal of one that was not, and of which the wait is `interval` seconds from now on.
    pub fn too_fast(interval: u32) -> OAuthError {
        let description = format!("too fast: from now on, wait {interval} seconds between two requests");
        OAuthError::new(OAuthErrorCode::SlowDown, description)
    }

    /// By what a poll that comes too early makes the wait longer.
    pub const SLOWER: u32 = SLOWER;

    /// What a poll may be early by.
    pub const EARLY: SignedDuration = EARLY;

    /// What of it somebody can give who holds this: of one API, and `None` if that is nothing.
    pub fn target<'a>(&self, apis: &'a [Api], held: &PermissionSet) -> Option<Target<'a>> {
        let scope = match &self.ask.scope {
            None => None,
            Some(asked) => {
                let given: PermissionSet = asked.iter().filter(|name| held.contains(name.as_str())).cloned().collect();
                Some(given.to_text()).filter(|text| !text.is_empty())
            }
        };
        if scope.is_none() && self.ask.scope.is_some() {
            return None;
        }
        let resources: Vec<&str> = self.ask.resource.as_deref().into_iter().collect();
        target(apis, held, scope.as_deref(), &resources).ok()
    }

    /// What was asked for and is not given.
    pub fn left_out(&self, given: &PermissionSet) -> PermissionSet {
        self.ask.scope.as_ref().map(|asked| asked.difference(given)).unwrap_or_default()
    }

    /// How the token will be called. `client` is what the client is called, if it is not ours.
    pub fn token_name(&self, client: Option<&str>) -> String {
        let client = client.unwrap_or("claviger login");
        match &self.ask.device_name {
            None => client.to_owned(),
            Some(device) => {
                // The client's own name gives way, for the device's tells one token from the next.
                let room = LONGEST_NAME.saturating_sub(device.chars().count() + " on ".len());
                let client: String = client.chars().take(room).collect();
                format!("{} on {device}", client.trim_end())
            }
        }
    }

    /// When the token will end.
    pub fn token_end(policy: &Policy, now: Timestamp) -> Timestamp {
        let latest = policy.latest_end(Kind::PersonalAccessToken, now);
        latest.unwrap_or(Timestamp::MAX).min(now + TOKEN_LIFE)
    }

    /// The token that is made of an approval.
    pub fn token(
        &self,
        approval: &DeviceApproval,
        client: Option<&str>,
        policy: &Policy,
        now: Timestamp,
    ) -> NewPersonalAccessToken {
        let DeviceApproval { user, organization, permissions } = approval;
        let named = permissions.iter().map(Permission::as_str);
        let new = NewPersonalAccessToken::named(*user, *organization, &self.token_name(client), named);
        NewPersonalAccessToken { expires_at: Some(Some(Self::token_end(policy, now))), ..new }
    }

    /// Somebody lets the device have a token.
    #[must_use]
    pub fn approve(self, approval: DeviceApproval) -> (Self, Event) {
        let chain = Chain::Organization(approval.organization);
        let details = json!({
            "client": self.client.to_string(), "user": approval.user, "permissions": approval.permissions,
            "asked_at": self.created_at,
        });
        let event = self.event(chain, Action::DeviceRequestApproved, details);
        (Self { state: DeviceState::Approved(approval), ..self }, event)
    }

    /// Somebody does not, or the rules do not any more: then it was approved, and `why` tells the rule.
    #[must_use]
    pub fn deny(self, why: Option<&str>) -> (Self, Event) {
        let chain = match &self.state {
            DeviceState::Approved(approval) => Chain::Organization(approval.organization),
            DeviceState::Waits | DeviceState::Denied | DeviceState::Redeemed(_) => Chain::Instance,
        };
        let details = json!({ "client": self.client.to_string(), "reason": why });
        let event = self.event(chain, Action::DeviceRequestDenied, details);
        (Self { state: DeviceState::Denied, ..self }, event)
    }

    /// The device got this token.
    pub fn redeemed(&self, approval: &DeviceApproval, token: PersonalAccessTokenId) -> Event {
        let details = json!({ "client": self.client.to_string(), "user": approval.user, "credential": token });
        self.event(Chain::Organization(approval.organization), Action::DeviceRequestRedeemed, details)
    }

    fn event(&self, chain: Chain, action: Action, details: Value) -> Event {
        Event { chain, action, target: self.id.to_string(), details, personal: None, touched: Vec::new() }
    }
}

#[cfg(test)]
mod tests;
