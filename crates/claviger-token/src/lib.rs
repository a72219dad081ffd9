//! What both sides of the wire agree on: credential format, permissions, facts, and the one decision.
//!
//! Everything here is a value or a pure function of values. The crate does no I/O, reads no clock and
//! owns no random generator: time and randomness are arguments, but for what aws-lc draws when it makes keys and signs. It must not know where facts are
//! stored or how a request arrived.

mod access_token;
mod assertion;
mod authorization_details;
mod certificate;
mod change;
mod client_auth;
mod confirmation;
mod decide;
mod dpop;
mod facts;
mod id;
mod jose;
mod limit;
mod network;
mod object;
mod permission;
mod secret;
mod status_list;
mod text;
mod usage_report;
mod wire;

pub use access_token::{AccessTokenClaims, ActorClaim, StatusClaim, StatusReference};
pub use assertion::AssertionClaims;
pub use authorization_details::{AuthorizationDetail, AuthorizationDetails, DetailType, DetailsError};
pub use certificate::{Certificate, CertificateError};
pub use change::{Change, ChangesMessage, Concerns};
pub use client_auth::{ClientAuthMethod, GrantTypes, UnknownClientAuthMethod};
pub use confirmation::{Confirmation, NoThumbprint, Proof, Shown, Thumbprint};
pub use decide::{Allowance, Context, Presented, Refusal, Required, Verdict, decide, holder, same_audience, state};
pub use dpop::{DpopError, DpopExpected, DpopNonce, DpopProof, ProofUrl};
pub use facts::{
    AccessTokenFacts, CredentialFacts, CredentialKind, Environment, Found, Generation, OrganizationFacts,
    PrincipalFacts, Rights, SecretFacts, UnknownEnvironment,
};
pub use id::{
    AccessTokenId, ApiId, ApiKeyId, AssignmentId, CertificateAuthorityId, CertificateId, ClaimCodeId, ClientSecretId,
    CredentialId, DeviceRequestId, EventId, FederationId, FleetId, IdError, InvitationId, OrganizationId, PasskeyId,
    PersonalAccessTokenId, PrincipalId, PrincipalType, PublicKeyId, RoleId, ServiceAccountId, SessionId, SigningKeyId,
    TypedId, UserId,
};
pub use jose::{
    Closed, IssuerAlgorithm, IssuerKey, JwkError, Jws, JwsError, KeyRejected, Named, PublicJwk, SigningAlgorithm,
    SigningFailed, SigningKey, Typ, UnknownAlgorithm, UnknownIssuerAlgorithm, VerifyingKey, read_object,
};
pub use limit::{Limits, Quota, QuotaPeriod, RateLimit, seconds_to_wait};
pub use network::{NetworkError, NetworkSet};
pub use object::{Object, ObjectError, ObjectPattern, ObjectSet};
pub use permission::{Permission, PermissionError, PermissionMask, PermissionSet};
pub use secret::{Brand, BrandError, Malformed, Opaque, Secret, SecretKind, TokenHash};
pub use status_list::{StatusList, StatusListError, TokenStatus};
pub use usage_report::{ReportedPermission, ReportedUse, UsageCounted, UsageReport};
pub use wire::{
    CacheView, CredentialView, LimitView, NetworksView, OneOrMany, OrganizationView, PermissionsView, Presentation,
    PrincipalView, ProofRequest, ProofView, VerifyAnswer, VerifyRequest,
};
