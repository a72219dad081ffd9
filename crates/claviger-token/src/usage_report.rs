//! `POST /v1/usage-reports`: what a verifier that decides by itself tells of the uses that it judged.
//!
//! The room must not know who counts them, nor how.

use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{CredentialId, Generation, Permission};

/// Uses that were judged elsewhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct UsageReport {
    /// What the reporter calls it, and nobody else: 16 to 64 letters, digits, `-` and `_`. Of reports of one name one is counted.
    #[cfg_attr(feature = "openapi", schema(example = "0f6b2c9e4d1a47c8a3b5e7d9f1c3a5b7"))]
    pub id: String,
    /// At most 200.
    pub uses: Vec<ReportedUse>,
}

/// Uses of one credential with one verdict within one hour.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ReportedUse {
    /// `credential.id` of the verify answer.
    pub credential_id: CredentialId,
    /// `credential.generation` of the verify answer: of which secret this is the last use. Null of an access token.
    pub generation: Option<Generation>,
    /// The verdict.
    #[cfg_attr(feature = "openapi", schema(example = "valid"))]
    pub code: String,
    /// How many there were.
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 1_000_000))]
    pub count: u64,
    /// How many of them asked for which permission.
    #[serde(default)]
    pub permissions: Vec<ReportedPermission>,
    /// When the last of them was, within the last 24 hours. The hour that it lies in is the one that they are counted in.
    pub last_used_at: Timestamp,
    /// And from where.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, example = "203.0.113.9"))]
    pub last_used_from: Option<IpAddr>,
}

/// How often a permission was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ReportedPermission {
    /// Which.
    pub name: Permission,
    /// In how many of the uses: of more, all of them count.
    pub count: u64,
}

/// What came of a report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UsageCounted {
    /// How many of its items were counted: none of a report that came before.
    pub counted: usize,
    /// Whether it came before.
    pub repeated: bool,
    /// Credentials that nobody has: what was told of them is not counted.
    pub ignored: Vec<CredentialId>,
}
