//! `/v1/usage`: how much credentials are used, from the roll-ups that verifying leaves behind.

use axum::{extract::State, http::StatusCode};
use claviger_store::{Counted, UsageFilter, Used};
use claviger_token::{CredentialId, OrganizationId};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    app::App,
    body::Answer,
    caller::{Caller, ReadUsage},
    listing::Asked,
    problem::{Problem, RequestError},
};

/// A report is one answer: whoever wants more of it asks for less at a time.
const MOST_ROWS: usize = 10_000;

/// What was used in a time.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Usage {
    /// Where the first hour or day begins.
    from: Timestamp,
    /// Before this moment.
    to: Timestamp,
    by: By,
    group: Group,
    /// Oldest first; an hour or day without use has no item.
    items: Vec<UsageItem>,
}

/// How often a credential was used.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UsageItem {
    #[schema(value_type = String, example = "key_01h455vb4pex5vsknk084sn02q")]
    credential_id: CredentialId,
    /// When the hour or day (UTC) begins.
    start: Timestamp,
    /// The verdict, with `group=code`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "valid")]
    code: Option<String>,
    /// The permission that was asked for, with `group=permission`.
    #[serde(skip_serializing_if = "Option::is_none")]
    permission: Option<String>,
    uses: i64,
}

/// How long a time one item counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum By {
    /// An hour.
    Hour,
    /// A day of UTC.
    Day,
}

/// What uses are told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Group {
    /// The verdict.
    Code,
    /// The permission that was asked for.
    Permission,
}

/// What the report is about.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct UsageQuery {
    /// Of one credential.
    #[param(value_type = Option<String>)]
    credential_id: Option<CredentialId>,
    /// Of the credentials of one organization.
    organization_id: Option<OrganizationId>,
    /// Hours or days that start at this moment or later (RFC 3339); 24 hours before `to` if absent.
    from: Option<Timestamp>,
    /// And before this one (RFC 3339); now if absent.
    to: Option<Timestamp>,
    /// `hour` (the default with `group=code`) or `day`.
    by: Option<By>,
    /// `code` (the default) or `permission`, which is counted by day only.
    group: Option<Group>,
}

/// Show how much credentials are used
///
/// Counts are a second or two behind, and kept for 400 days. At most 10 000 items; 422 asks for a narrower question.
#[utoipa::path(
    get, path = "/v1/usage", tag = "Usage", operation_id = "showUsage",
    params(UsageQuery),
    responses((status = 200, body = Usage), (status = "4XX", body = Problem)),
)]
pub(crate) async fn report(
    State(app): State<App>,
    caller: Caller<ReadUsage>,
    Asked(query): Asked<UsageQuery>,
) -> Result<Answer<Usage>, RequestError> {
    let group = query.group.unwrap_or(Group::Code);
    let (by, counted) = match (group, query.by) {
        (Group::Code, None | Some(By::Hour)) => (By::Hour, Counted::CodesByHour),
        (Group::Code, Some(By::Day)) => (By::Day, Counted::CodesByDay),
        (Group::Permission, None | Some(By::Day)) => (By::Day, Counted::PermissionsByDay),
        (Group::Permission, Some(By::Hour)) => {
            return Err(refused("invalid_query", "permissions are counted by day; ask with by=day"));
        }
    };
    let to = query.to.unwrap_or_else(|| app.now());
    let from = query.from.unwrap_or_else(|| to.saturating_sub(SignedDuration::from_hours(24)).unwrap_or(to));
    if from >= to {
        return Err(refused("invalid_query", "from must be before to"));
    }
    let filter =
        UsageFilter { credential: query.credential_id, organization: query.organization_id, counted, from, to };
    let used = app.store.within(caller.reach()).usage(&filter, MOST_ROWS as u32 + 1).await?;
    if used.len() > MOST_ROWS {
        let detail = "more than 10000 items; narrow it with credential_id, organization_id, from and to, or by=day";
        return Err(refused("too_many_items", detail));
    }
    let items = used.into_iter().map(|used| UsageItem::new(used, group)).collect();
    Ok(Answer(Usage { from, to, by, group, items }))
}

fn refused(code: &'static str, detail: &str) -> RequestError {
    RequestError::unreadable(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
}

impl UsageItem {
    fn new(used: Used, group: Group) -> Self {
        let (code, permission) = match group {
            Group::Code => (Some(used.what), None),
            Group::Permission => (None, Some(used.what)),
        };
        Self { credential_id: used.credential, start: used.start, code, permission, uses: used.uses }
    }
}
