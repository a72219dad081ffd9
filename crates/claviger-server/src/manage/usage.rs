//! `/v1/usage`: how much credentials are used and how many access tokens are issued, from the roll-ups that both leave behind.

use axum::{extract::State, http::StatusCode};
use claviger_store::{Counted, UsageFilter, Used};
use claviger_token::{CredentialId, OrganizationId, Permission, Refusal, ServiceAccountId, Verdict};
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
const MOST_ROWS: u32 = 10_000;

/// What was used in a time.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Usage {
    /// Where the first hour or day begins.
    from: Timestamp,
    /// Before this moment.
    to: Timestamp,
    by: By,
    group: Group,
    per: Per,
    /// Oldest first; an hour or day without use has no item.
    items: Vec<UsageItem>,
}

/// How often a credential was used, or all of an organization; or how many access tokens a service account got.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UsageItem {
    /// With `per=credential`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "key_01h455vb4pex5vsknk084sn02q")]
    credential_id: Option<CredentialId>,
    /// With `per=organization`.
    #[serde(skip_serializing_if = "Option::is_none")]
    organization_id: Option<OrganizationId>,
    /// With `per=service_account`.
    #[serde(skip_serializing_if = "Option::is_none")]
    service_account_id: Option<ServiceAccountId>,
    /// When the hour or day (UTC) begins.
    start: Timestamp,
    /// The verdict, with `group=code`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "valid")]
    code: Option<String>,
    /// The permission that was asked for, with `group=permission`.
    #[serde(skip_serializing_if = "Option::is_none")]
    permission: Option<String>,
    /// The grant by which tokens were got, with `group=grant_type`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "client_credentials")]
    grant_type: Option<String>,
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
    /// The grant by which access tokens were got. Those are no uses of a credential, and stand beside them.
    GrantType,
}

/// Whose uses are one item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Per {
    /// Those of one credential.
    Credential,
    /// Those of all credentials of an organization.
    Organization,
    /// The access tokens that were issued to a service account.
    ServiceAccount,
}

/// What the report is about.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct UsageQuery {
    /// Of one credential.
    #[param(value_type = Option<String>)]
    credential_id: Option<CredentialId>,
    /// Of the credentials of one service account.
    service_account_id: Option<ServiceAccountId>,
    /// Of the credentials of one organization.
    organization_id: Option<OrganizationId>,
    /// Uses that ended with this verdict: `valid`, or why they were refused.
    code: Option<String>,
    /// Uses that asked for this permission; it means `group=permission`.
    permission: Option<Permission>,
    /// Hours or days that start at this moment or later (RFC 3339); 24 hours before `to` if absent.
    from: Option<Timestamp>,
    /// And before this one (RFC 3339); now if absent.
    to: Option<Timestamp>,
    /// `hour` (the default, but with `group=permission`) or `day`.
    by: Option<By>,
    /// `code` (the default); `permission`, which is counted by day only; or `grant_type`: how many access tokens were issued to the service account
    /// of `service_account_id`.
    group: Option<Group>,
    /// `credential` (the default); `organization`: all of its credentials together, however many they are; or `service_account`, which goes with
    /// `group=grant_type`.
    per: Option<Per>,
}

/// A question that can be answered.
struct Question<'a> {
    by: By,
    group: Group,
    per: Per,
    filter: UsageFilter<'a>,
}

/// Show how much credentials are used
///
/// With `group=grant_type`: how many access tokens were issued to a service account, by grant; they are no uses, and in no other report.
/// Counts are a second or two behind. Hours are kept for 35 days and days for 400, unless the operator says otherwise; asked by the hour for
/// earlier ones, 422 `hours_not_kept` tells since when there are hours. At most 10 000 items, of 250 000 counts that are looked at; 422
/// `too_many_items` asks for a narrower question. A picture of an organization comes with `per=organization`.
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
    let Question { by, group, per, filter } = query.question(&app)?;
    let mut view = app.store.within(caller.reach());
    let items: Option<Vec<UsageItem>> = match per {
        Per::Credential => {
            let used = view.usage(&filter, MOST_ROWS).await?;
            used.map(|used| used.into_iter().map(|one| UsageItem::of_credential(one, group)).collect())
        }
        Per::Organization => {
            let used = view.organization_usage(&filter, MOST_ROWS).await?;
            used.map(|used| used.into_iter().map(UsageItem::of_organization).collect())
        }
        Per::ServiceAccount => {
            let issued = view.issued(&filter, MOST_ROWS).await?;
            issued.map(|issued| issued.into_iter().map(UsageItem::issued).collect())
        }
    };
    if by == By::Hour {
        let since = view.hours_since(app.config.usage_kept, app.now()).await?;
        if filter.from < since {
            let detail = format!("hours are kept since {since}, and days for longer; ask from then on, or by=day");
            return Err(refused("hours_not_kept", &detail));
        }
    }
    let Some(items) = items else {
        let detail = "more than 10000 items, or more than 250000 counts and credentials to look at for them, whatever code or permission is \
                      asked for; narrow it with from and to, credential_id, service_account_id or organization_id, or ask by=day or \
                      per=organization";
        return Err(refused("too_many_items", detail));
    };
    Ok(Answer(Usage { from: filter.from, to: filter.to, by, group, per, items }))
}

impl UsageQuery {
    fn question(&self, app: &App) -> Result<Question<'_>, RequestError> {
        let unasked = if self.permission.is_some() { Group::Permission } else { Group::Code };
        let group = self.group.unwrap_or(unasked);
        let of_one = if group == Group::GrantType { Per::ServiceAccount } else { Per::Credential };
        let per = self.per.unwrap_or(of_one);
        let (by, counted) = match (group, self.by) {
            (Group::Code, None | Some(By::Hour)) => (By::Hour, Counted::CodesByHour),
            (Group::Code, Some(By::Day)) => (By::Day, Counted::CodesByDay),
            (Group::Permission, None | Some(By::Day)) => (By::Day, Counted::PermissionsByDay),
            (Group::GrantType, None | Some(By::Hour)) => (By::Hour, Counted::GrantsByHour),
            (Group::GrantType, Some(By::Day)) => (By::Day, Counted::GrantsByDay),
            (Group::Permission, Some(By::Hour)) => {
                return Err(refused("invalid_query", "permissions are counted by day; ask with by=day"));
            }
        };
        let what = match (group, &self.code, &self.permission) {
            (Group::Code, Some(code), None) if is_code(code) => Some(code.as_str()),
            (Group::Code, Some(_), None) => {
                return Err(refused("invalid_query", "code is valid, or why a use was refused, such as expired"));
            }
            (Group::Permission, None, Some(permission)) => Some(permission.as_str()),
            (_, None, None) => None,
            _ => {
                let detail = "uses are counted by verdict or by permission; ask with code, or with permission and group=permission";
                return Err(refused("invalid_query", detail));
            }
        };
        let is_of_some = self.credential_id.is_some() || self.service_account_id.is_some();
        if per == Per::Organization && (is_of_some || group == Group::Permission) {
            let detail = "per=organization counts the verdicts of all credentials; ask with per=credential for fewer, or for permissions";
            return Err(refused("invalid_query", detail));
        }
        let is_of_one = self.service_account_id.is_some() && self.credential_id.is_none();
        if (group == Group::GrantType) != (per == Per::ServiceAccount) || (per == Per::ServiceAccount && !is_of_one) {
            let detail = "access tokens are counted by grant and service account; ask with group=grant_type and service_account_id, and without \
                          credential_id";
            return Err(refused("invalid_query", detail));
        }
        let to = self.to.unwrap_or_else(|| app.now());
        let from = self.from.unwrap_or_else(|| to.saturating_sub(SignedDuration::from_hours(24)).unwrap_or(to));
        if from >= to {
            return Err(refused("invalid_query", "from must be before to"));
        }
        let filter = UsageFilter {
            credential: self.credential_id,
            principal: self.service_account_id.map(Into::into),
            organization: self.organization_id,
            what,
            counted,
            from,
            to,
        };
        Ok(Question { by, group, per, filter })
    }
}

/// Whether uses can end so.
fn is_code(text: &str) -> bool {
    let refusals = Refusal::ALL.into_iter().map(Verdict::Refused);
    std::iter::once(Verdict::Valid).chain(refusals).any(|verdict| verdict.code() == text)
}

fn refused(code: &'static str, detail: &str) -> RequestError {
    RequestError::unreadable(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
}

impl UsageItem {
    fn of_credential(used: Used, group: Group) -> Self {
        let (code, permission) = match group {
            Group::Permission => (None, Some(used.what)),
            Group::Code | Group::GrantType => (Some(used.what), None),
        };
        Self { credential_id: Some(used.id), code, permission, ..Self::at(used.start, used.uses) }
    }

    fn of_organization(used: Used<OrganizationId>) -> Self {
        Self { organization_id: Some(used.id), code: Some(used.what), ..Self::at(used.start, used.uses) }
    }

    fn issued(issued: Used<ServiceAccountId>) -> Self {
        let (service_account_id, grant_type) = (Some(issued.id), Some(issued.what));
        Self { service_account_id, grant_type, ..Self::at(issued.start, issued.uses) }
    }

    fn at(start: Timestamp, uses: i64) -> Self {
        Self {
            credential_id: None,
            organization_id: None,
            service_account_id: None,
            start,
            code: None,
            permission: None,
            grant_type: None,
            uses,
        }
    }
}
