//! Every decision that is not the verdict: issue, roll, revoke, grant, limit by policy, chain the audit trail.
//!
//! Values in and values out. Nothing here reads a clock, rolls dice, opens a file or knows SQL or HTTP:
//! time and randomness are arguments, so every rule can be tested as a table. One module per noun; a
//! change is a transition `old -> (new, Event)` that the store runs inside its transaction.

mod access_token;
mod actor;
mod api;
mod api_key;
mod assignment;
mod audit;
mod authenticators;
mod binding;
mod builtin;
mod certificate;
mod certificate_authority;
mod certificate_name;
mod certificate_request;
mod claim_code;
mod client_credential;
mod client_key;
mod client_secret;
mod credential;
mod device_request;
mod distinguished_name;
mod email;
mod enrolment;
mod explanation;
mod federation;
#[cfg(test)]
mod fixtures;
mod fleet;
mod fleet_authority;
mod group_role;
mod identity;
mod invalid;
mod invitation;
mod issuing;
mod limit;
mod link_code;
mod link_maker;
mod membership;
mod metadata;
mod mqtt;
mod name;
pub mod oauth;
mod one_time_code;
mod organization;
mod passkey;
mod password;
mod pepper;
mod person;
mod personal_access_token;
mod policy;
mod portal_look;
mod portal_origins;
mod portal_session;
mod public_key;
mod registration;
mod rights;
mod role;
mod route_rule;
mod seal;
mod service_account;
mod session;
mod signing_key;
mod single_use;
mod standing;
mod tightening;
mod totp;
mod user;

pub use access_token::EndedToken;
pub use actor::{Actor, By};
pub use api::{AccessTokens, AlsoAccepts, Api, ApiChanges, DeclaredPermission, NewApi, TokenFormat};
pub use api_key::NewApiKey;
pub use assignment::{Assignment, Granted, NewAssignment, Scope, ScopeName, names_in};
pub use audit::{Action, Chain, ChainKey, ChainLink, Event, Touched};
pub use authenticators::{Authenticators, PasswordChange, Totp};
pub use builtin::{BUILTIN_ROLES, BuiltinPermission, BuiltinRole, PERMISSIONS, default_ceiling, permission};
pub use certificate::{AddedCertificate, ClientCertificate, NewCertificate, NoClientCertificate};
pub use certificate_authority::{CertificateAuthority, NewCertificateAuthority, any_vouches};
pub use certificate_name::CertificateName;
pub use certificate_request::{CertificateRequest, CertificateRequestError, RequestedKey};
pub use claim_code::{ClaimCode, ClaimCodeStatus, NewClaimCode};
pub use client_credential::ClientCredentialChanges;
pub use client_key::{ClientKey, NoClientKey};
pub use client_secret::NewClientSecret;
pub use credential::{
    Approval, Credential, CredentialChanges, CredentialStatus, LastUsed, Revocation, RevokeReason, SecretRecord,
};
pub use device_request::{
    CLI_CLIENT, DEVICE_CODE, DeviceApproval, DeviceAsk, DeviceClient, DeviceRequest, DeviceState, Polled, UserCode,
};
pub use email::{Email, EmailError};
pub use enrolment::{Device, DeviceStatus, NewEnrolment, NewRenewal, ProvedKey, RENEWAL_OVERLAP, Renewal};
pub use explanation::{Case, Outcome, PermissionTrace, Source, Step, TokenTrace};
pub use federation::{
    Conditions, Federation, IssuerKeySource, IssuerKeys, MadeFederation, NewFederation, NoFederation, Preset,
    UnknownPreset, Unmet,
};
pub use fleet::{Fleet, FleetChanges, MOST_DEVICES, NewFleet};
pub use fleet_authority::{AuthorityUnusable, FleetAuthority};
pub use group_role::{GroupRole, MappedRole, follow_groups};
pub use identity::{Admission, Claims, Identity, Known, NotAdmitted};
pub use invalid::{FieldError, FieldErrors, Rejection, present};
pub use invitation::{Invitation, InvitationStatus, NewInvitation};
pub use issuing::{Issued, IssuingContext};
pub use limit::{NewQuota, NewRateLimit, Rate, Try};
pub use link_code::{is_link_code, link_code};
pub use link_maker::LinkMaker;
pub use membership::{MemberRights, Membership};
pub use metadata::Metadata;
pub use mqtt::{About, ObjectTemplate, TemplateError, Topic, TopicError};
pub use name::Name;
pub use one_time_code::{CodePurpose, NewPasswordReset, OneTimeCode};
pub use organization::{NewOrganization, Organization, OrganizationChanges, Slug};
pub use passkey::{
    AssertedPasskey, AuthenticatorTransports, NewPasskey, PASSKEY_ALGORITHMS, Passkey, PasskeyAssertion,
    PasskeyCreation, PasskeyError, RelyingParty, TooManyPasskeys, is_last_way_in,
};
pub use password::{Password, PasswordError, PasswordHash};
pub use pepper::{Digest, Pepper, Peppers};
pub use person::Person;
pub use personal_access_token::NewPersonalAccessToken;
pub use policy::{Kind, Policy, PolicyChanges};
pub use portal_look::{Color, PortalLook};
pub use portal_origins::{PortalOrigins, WayBackError};
pub use portal_session::{NamedUser, NewPortalSession};
pub use public_key::{NewPublicKey, RegisteredKey};
pub use registration::{
    ChangedMetadata, ClientMetadata, MOST_REGISTERED, Registration, direct, is_confined, registration_ceiling,
};
pub use rights::{Grantor, Reach, Widening};
pub use role::{NewRole, Role, RoleChanges};
pub use route_rule::{Address, AddressError, RouteRule, Routes, Ruled};
pub use seal::{DataKey, MasterKey, Sealed, UnsealError};
pub use service_account::{NewServiceAccount, ServiceAccount, ServiceAccountChanges};
pub use session::{NewSession, Session, SessionEnd, SessionKind, SessionLife, SignInMethod};
pub use signing_key::{
    ALWAYS, Due, KEY_SET_LIFE, KeyState, KeyUnusable, LONGEST_TOKEN, NewPrivateKey, RotateSigningKeys, Rotated,
    SigningKeyRecord, due, next_rotation,
};
pub use single_use::single_use_key;
pub use standing::Standing;
pub use tightening::{Effect, Overlong, Tightening, Touches};
pub use totp::{TotpSeed, new_recovery_codes, presented_recovery_code};
pub use user::{NewUser, User, UserByExternalId, UserChanges};
