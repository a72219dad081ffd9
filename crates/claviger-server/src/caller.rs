//! Who calls the management API, and with what right. A handler names the permission that it needs in its signature.

use std::{
    marker::PhantomData,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{HeaderMap, StatusCode, request::Parts},
};
use claviger_core::{Actor, By, Grantor, Reach, permission};
use claviger_token::{CredentialId, CredentialKind, Found, Permission, ProofUrl, Refusal, Required, Verdict};

use crate::{
    app::App,
    client, client_certificate,
    log::RequestId,
    presented::{Ambiguous, credential, proof},
    problem::RequestError,
    proof::{Asker, Carried, ProofFor},
    session::{AnySession, Session},
    verify::{Entry, Judged, Occasion, Surface, Use},
};

/// A permission of Claviger's own API, as a type.
pub(crate) trait Permitted: Send + Sync {
    /// Its name.
    const PERMISSION: &'static str;
}

macro_rules! permitted {
    ($($name:ident = $permission:ident,)*) => {
        $(
            #[doc = concat!("See [`permission::", stringify!($permission), "`].")]
            pub(crate) struct $name;
            impl Permitted for $name {
                const PERMISSION: &'static str = permission::$permission;
            }
        )*
    };
}
permitted! {
    ReadOrganizations = ORGANIZATIONS_READ,
    WriteOrganizations = ORGANIZATIONS_WRITE,
    ReadUsers = USERS_READ,
    WriteUsers = USERS_WRITE,
    ReadMembers = MEMBERS_READ,
    WriteMembers = MEMBERS_WRITE,
    ReadServiceAccounts = SERVICE_ACCOUNTS_READ,
    WriteServiceAccounts = SERVICE_ACCOUNTS_WRITE,
    WriteRegistrations = REGISTRATIONS_WRITE,
    ReadFleets = FLEETS_READ,
    WriteFleets = FLEETS_WRITE,
    ReadApis = APIS_READ,
    WriteApis = APIS_WRITE,
    ReadRoles = ROLES_READ,
    WriteRoles = ROLES_WRITE,
    ReadAssignments = ASSIGNMENTS_READ,
    WriteAssignments = ASSIGNMENTS_WRITE,
    ReadApiKeys = API_KEYS_READ,
    WriteApiKeys = API_KEYS_WRITE,
    ReadPersonalAccessTokens = PERSONAL_ACCESS_TOKENS_READ,
    WritePersonalAccessTokens = PERSONAL_ACCESS_TOKENS_WRITE,
    ReadCredentials = CREDENTIALS_READ,
    WriteCredentials = CREDENTIALS_WRITE,
    WritePortalSessions = PORTAL_SESSIONS_WRITE,
    ReadUsage = USAGE_READ,
    ReadAuditEvents = AUDIT_EVENTS_READ,
    ReadSigningKeys = SIGNING_KEYS_READ,
    WriteSigningKeys = SIGNING_KEYS_WRITE,
    Verify = VERIFY,
    Introspect = INTROSPECT,
}

/// A caller who holds `P`, and how far it reaches.
pub(crate) struct Caller<P> {
    known: Known,
    reach: Reach,
    permission: PhantomData<P>,
}

impl<P: Permitted> Caller<P> {
    /// The organizations in which the caller holds `P`.
    pub(crate) fn reach(&self) -> Reach {
        self.reach
    }

    /// For what concerns the whole instance: `P` must have been given with instance scope.
    pub(crate) fn must_reach_instance(&self) -> Result<(), RequestError> {
        match self.reach {
            Reach::Instance => Ok(()),
            Reach::Organization(_) => Err(instance_scope_needed(P::PERMISSION)),
        }
    }
}

/// The refusal of what concerns the whole instance.
pub(crate) fn instance_scope_needed(permission: &'static str) -> RequestError {
    RequestError::Forbidden {
        code: "instance_scope_needed",
        permission: Some(permission),
        message: format!("this concerns the whole instance; it needs {permission} with instance scope"),
    }
}

impl<P> Caller<P> {
    /// Who writes, for the audit trail.
    pub(crate) fn by(&self) -> &By {
        &self.known.by
    }

    /// What stands behind the caller's credential.
    pub(crate) fn found(&self) -> &Found {
        self.known.found()
    }

    /// The caller as somebody who gives rights.
    pub(crate) fn grantor(&self) -> Grantor<'_> {
        Grantor::Credential(self.known.found())
    }
}

impl<P: Permitted> FromRequestParts<App> for Caller<P> {
    type Rejection = RequestError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, RequestError> {
        let known = Known::from(parts, app, Asked::Permission(P::PERMISSION)).await?;
        let reach = Reach::of(known.found(), P::PERMISSION).ok_or(RequestError::NotFound)?;
        Ok(Self { known, reach, permission: PhantomData })
    }
}

/// Who manages personal access tokens: a credential with `P`, or a user who is signed in and manages their own.
pub(crate) enum TokenCaller<P> {
    /// By a credential. It wins over a cookie that comes along.
    Credential(Caller<P>),
    /// In a session, in the console or at a portal.
    Session(Box<Session>),
}

impl<P: Permitted> FromRequestParts<App> for TokenCaller<P> {
    type Rejection = RequestError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, RequestError> {
        let presents_none = matches!(credential(&parts.headers), Ok(None));
        if presents_none && AnySession::is_presented(&parts.headers, app) {
            let AnySession(session) = AnySession::from_request_parts(parts, app).await?;
            return Ok(Self::Session(Box::new(session)));
        }
        Caller::from_request_parts(parts, app).await.map(Self::Credential)
    }
}

/// A credential that asks about itself: only its state counts, and that whoever shows it holds what it is bound to. No permission
/// is needed.
pub(crate) struct Itself(Known);

/// A credential that rolls or ends itself: no permission is needed either, but its networks and its proof count, or a
/// thief could lock its owner out from anywhere.
pub(crate) struct ActsOnItself(Itself);

impl std::ops::Deref for ActsOnItself {
    type Target = Itself;

    fn deref(&self) -> &Itself {
        &self.0
    }
}

impl FromRequestParts<App> for ActsOnItself {
    type Rejection = RequestError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, RequestError> {
        Known::from(parts, app, Asked::Use).await.map(|known| Self(Itself(known)))
    }
}

impl Itself {
    /// Who writes, for the audit trail.
    pub(crate) fn by(&self) -> &By {
        &self.0.by
    }

    /// What stands behind it.
    pub(crate) fn found(&self) -> &Found {
        self.0.found()
    }
}

impl FromRequestParts<App> for Itself {
    type Rejection = RequestError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, RequestError> {
        Known::from(parts, app, Asked::State).await.map(Self)
    }
}

/// The id of the caller's credential, for what is kept per caller.
pub(crate) struct CallerId(pub CredentialId);

impl FromRequestParts<App> for CallerId {
    type Rejection = RequestError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, RequestError> {
        parts.extensions.get::<CredentialId>().copied().map(Self).ok_or(RequestError::NotFound)
    }
}

/// What must hold of the caller's credential.
#[derive(Clone, Copy)]
enum Asked {
    State,
    Use,
    Permission(&'static str),
}

struct Known {
    entry: Arc<Entry>,
    by: By,
}

impl Known {
    async fn from(parts: &mut Parts, app: &App, asked: Asked) -> Result<Self, RequestError> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
        let trusted = app.config.trusted_proxies.as_ref();
        let address = peer.map(|peer| client::address(peer, &parts.headers, trusted));
        let presented = credential(&parts.headers).map_err(|Ambiguous| {
            RequestError::unreadable(StatusCode::BAD_REQUEST, "several_credentials", Ambiguous::MESSAGE)
        })?;
        let Some(presented) = presented else { return Err(RequestError::Unauthenticated(None)) };
        let looked_up = app.look_up(presented).await?;
        let permission = match asked {
            Asked::Permission(permission) => Some(permission),
            Asked::State | Asked::Use => None,
        };
        let permissions: Vec<Permission> =
            permission.and_then(|permission| permission.parse().ok()).into_iter().collect();
        let request_id = parts.extensions.get::<RequestId>();
        let occasion = Occasion {
            surface: Surface::Management,
            method: Some(parts.method.as_str()),
            path: Some(parts.uri.path()),
            request_id: request_id.map(RequestId::as_str),
        };
        let carried = proof(&parts.headers);
        let certificate = client_certificate::shown(&parts.extensions, &parts.headers, &app.config)?;
        // Of what nobody has, no proof is looked at: its signature would cost us something, and nobody knows whose.
        let looked_at = if looked_up.found().is_some() { carried } else { Carried::Nothing };
        let urls: Vec<ProofUrl> = match looked_at {
            Carried::Nothing => Vec::new(),
            Carried::One(_) | Carried::NotOne => {
                app.config.addresses_of(parts.uri.path()).filter_map(|url| ProofUrl::parse(&url)).collect()
            }
        };
        let request = ProofFor { method: parts.method.as_str(), urls: &urls, credential: Some(presented) };
        let proving = &app.prove(looked_at, Asker::Resource, request).with(certificate.as_ref());
        let used = |required| Use { occasion, required, client_ip: address, proving, visible: None, cost: 1 };
        let judged = match asked {
            Asked::State => app.judge_holder(&looked_up, &used(Required::default())).await?,
            Asked::Use | Asked::Permission(_) => {
                let audience = permission.map(|_| app.config.public_url.as_str());
                // What a credential does to itself concerns no object of an API.
                let whatever_object = matches!(asked, Asked::Use);
                let required = Required { audience, permissions: &permissions, whatever_object, ..Required::default() };
                app.judge(&looked_up, &used(required)).await?
            }
        };
        if judged.verdict != Verdict::Valid {
            return Err(match judged.verdict {
                Verdict::Refused(refusal) if wants_proof(refusal, carried) => {
                    RequestError::Unproved(app.told_of_proof(refusal, judged.proof_problem, looked_up.found()))
                }
                Verdict::Valid | Verdict::Refused(_) => refused(&judged, permission, looked_up.kind()),
            });
        }
        let Some(entry) = looked_up.entry else { return Err(RequestError::Unauthenticated(Some(Refusal::Unknown))) };
        let Some(found) = entry.found() else { return Err(RequestError::Unauthenticated(Some(Refusal::Unknown))) };
        let actor = Actor::Principal { id: found.principal.id, credential: found.credential.id };
        let request_id = request_id.map(ToString::to_string);
        parts.extensions.insert(found.credential.id);
        Ok(Self { by: By { actor, address: address.map(|ip: IpAddr| ip.to_canonical()), request_id }, entry })
    }

    fn found(&self) -> &Found {
        #[expect(clippy::expect_used, reason = "a Known is only made from an entry with facts")]
        self.entry.found().expect("a caller has facts")
    }
}

/// Whether the refusal is told to somebody who proves something, or should have.
fn wants_proof(refusal: Refusal, carried: Carried<'_>) -> bool {
    matches!(refusal, Refusal::ProofRequired | Refusal::ProofInvalid)
        || (refusal.is_about_state() && carried != Carried::Nothing)
}

fn refused(judged: &Judged<'_>, permission: Option<&'static str>, kind: Option<CredentialKind>) -> RequestError {
    let Verdict::Refused(refusal) = judged.verdict else {
        return RequestError::Unauthenticated(Some(Refusal::Unknown));
    };
    // Our API is the audience of whatever holds one of its permissions, so that lacking one says more. But an access token is
    // for the audience that it names, whatever else it may do (RFC 9068, section 4).
    let says_more = refusal == Refusal::AudienceMismatch && kind != Some(CredentialKind::AccessToken);
    if says_more || refusal == Refusal::PermissionMissing {
        let needed = permission.unwrap_or("a permission");
        return RequestError::Forbidden {
            code: Refusal::PermissionMissing.code(),
            permission,
            message: format!("this needs {needed}, which your credential does not have; an administrator can give it"),
        };
    }
    if refusal.http_status() == 401 {
        return RequestError::Unauthenticated(Some(refusal));
    }
    if refusal.http_status() == 429 {
        let mut headers = HeaderMap::new();
        judged.spending.tell(&mut headers);
        return RequestError::Throttled { refusal, headers };
    }
    RequestError::Forbidden { code: refusal.code(), permission: None, message: refusal.message().to_owned() }
}
