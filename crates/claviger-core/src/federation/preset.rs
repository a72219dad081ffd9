//! What is known of issuers by name: where they are, and which of their claims say who asks. Most sign for everybody, so that a
//! federation that names nobody would let everybody in.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::conditions::{Conditions, Wanted};

/// Whose tokens they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// GitHub Actions.
    Github,
    /// GitLab CI/CD.
    Gitlab,
    /// Service accounts of a Kubernetes cluster.
    Kubernetes,
    /// JWT-SVIDs of a SPIFFE trust domain.
    Spiffe,
    /// Any other issuer that OpenID Connect Discovery finds.
    Oidc,
}

/// The text names none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a preset is github, gitlab, kubernetes, spiffe or oidc")]
pub struct UnknownPreset;

pub(super) const GITHUB: &str = "https://token.actions.githubusercontent.com";
pub(super) const GITLAB: &str = "https://gitlab.com";

const ENTRIES: &[&str] = &["sub", "azp", "oid"];
const GITHUB_IDS: &[&str] = &["repository_id", "repository_owner_id"];
/// Not `job_workflow_ref`: that is whose workflow is called, and not who calls it.
const GITHUB_NAMES: &[&str] = &["sub", "repository", "repository_owner"];
const GITHUB_REFS: &[&str] = &["ref", "environment", "sub", "ref_protected", "workflow_ref"];
/// How a subject begins that says whose repository it is; each repository may choose others for itself.
const GITHUB_SUBJECTS: &[&str] =
    &["repo:", "repository:", "repository_id:", "repository_owner:", "repository_owner_id:"];
const GITLAB_IDS: &[&str] = &["project_id", "namespace_id"];
const GITLAB_NAMES: &[&str] = &["sub", "project_path", "namespace_path"];
const GITLAB_REFS: &[&str] = &["environment", "sub", "ref_protected", "environment_protected", "ref_path", "ref_type"];
const NAMESPACE: &str = "/kubernetes.io/namespace";
const ACCOUNT_UID: &str = "/kubernetes.io/serviceaccount/uid";

impl Preset {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Github, Self::Gitlab, Self::Kubernetes, Self::Spiffe, Self::Oidc];

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Github => "github",
            Self::Gitlab => "gitlab",
            Self::Kubernetes => "kubernetes",
            Self::Spiffe => "spiffe",
            Self::Oidc => "oidc",
        }
    }

    /// The one of whoever names none.
    pub(super) fn of_issuer(issuer: Option<&str>) -> Self {
        match issuer {
            Some(GITHUB) => Self::Github,
            Some(GITLAB) => Self::Gitlab,
            Some(_) | None => Self::Oidc,
        }
    }

    /// Where it is, if whoever asks names no issuer.
    pub(super) fn issuer(self) -> Option<&'static str> {
        match self {
            Self::Github => Some(GITHUB),
            Self::Gitlab => Some(GITLAB),
            Self::Kubernetes | Self::Spiffe | Self::Oidc => None,
        }
    }

    /// Why these conditions say nobody in particular, if they do not.
    pub(super) fn must_name_somebody(self, conditions: &Conditions) -> Result<(), &'static str> {
        if conditions.all().any(|(claim, wanted)| {
            self.names_somebody(claim)
                && wanted.iter().all(|wanted| {
                    let is_whose = self != Self::Github
                        || claim != "sub"
                        || GITHUB_SUBJECTS.iter().any(|start| wanted.as_str().starts_with(start));
                    // What stands before the name of somebody is fixed, and that name too: `repo:acme/*`,
                    // `system:serviceaccount:prod:*`, `spiffe://prod.acme.test/payments/*`, `acme/*`.
                    let fixed = match claim {
                        "sub" if self == Self::Kubernetes || wanted.as_str().contains("://") => 3,
                        "sub" => 2,
                        _ => 1,
                    };
                    is_whose && wanted.fixed_segments().is_none_or(|segments| segments >= fixed)
                })
        }) {
            return Ok(());
        }
        Err(match self {
            Self::Github => {
                "GitHub signs for everybody's workflows: say whose by repository_id or repository_owner_id (gh api repos/OWNER/NAME --jq .id), or at least by repository, or by a sub that begins with repo:, without * for the owner"
            }
            Self::Gitlab => {
                "GitLab signs for everybody's pipelines: say whose by project_id or namespace_id (Settings > General shows both), or at least by sub or project_path, without * for the group"
            }
            Self::Kubernetes => {
                "a cluster signs for all of its service accounts: say which by sub (system:serviceaccount:NAMESPACE:NAME), /kubernetes.io/serviceaccount/uid or /kubernetes.io/namespace"
            }
            Self::Spiffe => "a trust domain signs for all of its workloads: say which by sub (spiffe://DOMAIN/PATH)",
            Self::Oidc => {
                "an issuer signs for all of its subjects: say which by sub, azp, oid or another claim whose name ends in id"
            }
        })
    }

    fn names_somebody(self, claim: &str) -> bool {
        match self {
            Self::Github => GITHUB_IDS.contains(&claim) || GITHUB_NAMES.contains(&claim),
            Self::Gitlab => GITLAB_IDS.contains(&claim) || GITLAB_NAMES.contains(&claim),
            Self::Kubernetes => claim == "sub" || claim == NAMESPACE || claim == ACCOUNT_UID,
            Self::Spiffe => claim == "sub",
            Self::Oidc => ENTRIES.contains(&claim) || claim.ends_with("id"),
        }
    }

    /// What somebody should think of who has these conditions.
    pub(super) fn warnings(self, conditions: &Conditions) -> Vec<&'static str> {
        let any = |claims: &[&str]| claims.iter().any(|claim| conditions.on(claim).is_some());
        let mut warnings = Vec::new();
        let mut warn = |wanted: bool, warning| {
            if wanted {
                warnings.push(warning);
            }
        };
        match self {
            Self::Github => {
                warn(
                    !any(GITHUB_IDS),
                    "only names are compared: whoever gets the name after a renaming or a deletion gets in; add repository_id or repository_owner_id",
                );
                warn(
                    !any(GITHUB_REFS),
                    "every branch, tag and pull request of the repository gets in; add ref or environment",
                );
            }
            Self::Gitlab => {
                warn(
                    !any(GITLAB_IDS),
                    "only names are compared: whoever gets the name after a renaming or a deletion gets in; add project_id or namespace_id",
                );
                warn(
                    !any(GITLAB_REFS),
                    "every branch and tag of the project gets in, or whatever has the name of the ref; add ref, ref_type=branch and ref_protected=true, or environment",
                );
            }
            Self::Kubernetes => {
                let names_accounts = |wanted: &[Wanted]| wanted.iter().all(|one| one.fixed_segments().is_none());
                let one_account = conditions.on("sub").is_some_and(names_accounts) || any(&[ACCOUNT_UID]);
                warn(!one_account, "every service account of the namespace gets in; add sub");
            }
            Self::Spiffe | Self::Oidc => {}
        }
        warnings
    }

    /// Whether it is what tokens of this kind are for when nobody asks for an audience: then they are shown to others too.
    pub(super) fn has_for_others(self, audience: &str, issuer: Option<&str>) -> bool {
        let bare = audience.strip_prefix("https://").unwrap_or(audience);
        match self {
            Self::Github => audience.starts_with("https://github.com/"),
            Self::Kubernetes => Some(audience) == issuer || bare.starts_with("kubernetes.default.svc"),
            Self::Gitlab | Self::Spiffe | Self::Oidc => Some(audience) == issuer,
        }
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Preset {
    type Err = UnknownPreset;

    fn from_str(text: &str) -> Result<Self, UnknownPreset> {
        Self::ALL.into_iter().find(|preset| preset.as_str() == text).ok_or(UnknownPreset)
    }
}
