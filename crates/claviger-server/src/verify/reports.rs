//! `POST /v1/usage-reports`, on both listeners: uses that verifiers judged by themselves, counted as those that are judged here.

use std::collections::{BTreeMap, BTreeSet};

use axum::{extract::State, http::StatusCode};
use claviger_core::{FieldErrors, single_use_key};
use claviger_store::StoreError;
use claviger_token::{
    Generation, Permission, Refusal, ReportedPermission, ReportedUse, UsageCounted, UsageReport, Verdict,
};
use jiff::{SignedDuration, Timestamp};

use super::usage::Reported;
use crate::{
    app::App,
    body::{Answer, Json},
    caller::{Caller, Verify},
    inside::Inside,
    problem::{Problem, RequestError},
};

const MOST_USES: usize = 200;
const MOST_PERMISSIONS: usize = 100;
const MOST_COUNT: u64 = 1_000_000;

/// How old a use may be that is told of.
const OLDEST: SignedDuration = SignedDuration::from_hours(24);

/// How far the reporter's clock may be ahead.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_secs(60);

/// Report uses that were judged elsewhere
///
/// For verifiers that decide from what they keep: the SDK and the sidecar send these by themselves. Counts the uses as if they had been judged
/// here, and remembers the last one. A report that comes again is not counted again. Uses of credentials that nobody has are ignored, and
/// told. Wants `claviger:verify` for the whole instance: whoever tells of uses shows no credential.
#[utoipa::path(
    post, path = "/v1/usage-reports", tag = "Verify", operation_id = "reportUsage",
    request_body = UsageReport,
    responses(
        (status = 200, description = "What was counted", body = UsageCounted),
        (status = 401, description = "No valid credential of the caller", body = Problem),
        (status = 403, description = "The caller lacks claviger:verify for the whole instance", body = Problem),
        (status = 422, description = "The report breaks a rule", body = Problem),
        (status = 503, description = "Storage does not answer", body = Problem),
    ),
    security(("bearer" = []), ("api_key" = [])),
)]
pub(crate) async fn report_usage(
    State(app): State<App>,
    caller: Caller<Verify>,
    Json(report): Json<UsageReport>,
) -> Result<Answer<UsageCounted>, RequestError> {
    // A verify call proves that somebody was there with a secret; here an id is enough.
    caller.must_reach_instance()?;
    let reporter = caller.found().principal.id.to_string();
    app.count_report(&reporter, report).await.map(Answer)
}

/// The same on the internal listener, whose callers see everything.
pub(crate) async fn report_usage_inside(
    _: Inside,
    State(app): State<App>,
    Json(report): Json<UsageReport>,
) -> Result<Answer<UsageCounted>, RequestError> {
    app.count_report("", report).await.map(Answer)
}

impl App {
    async fn count_report(&self, reporter: &str, report: UsageReport) -> Result<UsageCounted, RequestError> {
        let now = self.now();
        let codes = checked(&report, now)?;
        let (mut counted, mut ignored) = (Vec::new(), BTreeSet::new());
        for (used, code) in report.uses.into_iter().zip(codes) {
            let looked_up = self.look_up_key(used.credential_id, None).await?;
            let Some(found) = looked_up.found() else {
                ignored.insert(used.credential_id);
                continue;
            };
            // What the credential could never do is not counted: a reporter could make up names without end.
            let own = |name: &str| {
                found.rights.permissions.contains(name) || found.credential.permissions.named().contains(name)
            };
            let told = used.permissions.into_iter().filter(|permission| own(permission.name.as_str()));
            counted.push(Reported {
                organization: found.organization.id,
                credential: used.credential_id,
                generation: used.generation.filter(|generation| *generation != Generation::Retired),
                code,
                count: used.count,
                permissions: summed(told, used.count),
                at: used.last_used_at.min(now),
                from: used.last_used_from,
            });
        }
        let ignored = ignored.into_iter().collect();
        if counted.is_empty() {
            return Ok(UsageCounted { counted: 0, repeated: false, ignored });
        }
        if !self.usage_has_room().await {
            let detail = "what was counted before is not written yet; send it again in a moment";
            return Err(RequestError::unreadable(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail));
        }
        let key = single_use_key("usage_report", reporter, &report.id);
        // Known for longer than anything that it tells of may be told.
        let known_until = now.saturating_add(OLDEST + CLOCKS_DIFFER * 2).unwrap_or(Timestamp::MAX);
        let newest = self.newest_secrets_of(&counted).await?;
        let number = counted.len();
        // The name is taken and the uses are counted, or neither: also if the reporter is gone meanwhile.
        let app = self.clone();
        let counting = tokio::spawn(async move {
            let is_new = app.store.use_once(key, known_until).await?;
            if is_new {
                app.count_reported(counted, &newest).await;
            }
            Ok::<_, StoreError>(is_new)
        });
        let is_new = match counting.await {
            Ok(counted) => counted?,
            Err(error) => {
                tracing::error!(%error, "a report of uses was not counted to its end");
                return Err(RequestError::unreadable(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "send it again"));
            }
        };
        let counted = if is_new { number } else { 0 };
        Ok(UsageCounted { counted, repeated: !is_new, ignored })
    }
}

/// How often each was asked for: in no more than all of the uses, however often it is told.
fn summed(told: impl Iterator<Item = ReportedPermission>, uses: u64) -> Vec<(Permission, u64)> {
    let mut sums = BTreeMap::<Permission, u64>::new();
    for ReportedPermission { name, count } in told {
        let sum = sums.entry(name).or_default();
        *sum = sum.saturating_add(count).min(uses);
    }
    sums.into_iter().filter(|(_, sum)| *sum > 0).collect()
}

/// The verdicts, if all of it can be counted.
fn checked(report: &UsageReport, now: Timestamp) -> Result<Vec<&'static str>, RequestError> {
    let mut errors = FieldErrors::default();
    let of_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !(16..=64).contains(&report.id.len()) || !report.id.bytes().all(of_name) {
        errors.add("/id", "invalid_id", "16 to 64 letters, digits, - and _ of the reporter's own, such as a UUID");
    }
    if report.uses.is_empty() {
        errors.add("/uses", "required", "at least one");
    }
    errors.at_most(MOST_USES, "/uses", report.uses.len());
    let mut codes = Vec::new();
    for (index, used) in report.uses.iter().enumerate().take(MOST_USES) {
        codes.extend(checked_use(&mut errors, &format!("/uses/{index}"), used, now));
    }
    errors.finish()?;
    Ok(codes)
}

fn checked_use(errors: &mut FieldErrors, at: &str, used: &ReportedUse, now: Timestamp) -> Option<&'static str> {
    let code = code(&used.code);
    if code.is_none() {
        errors.add(format!("{at}/code"), "invalid_code", "valid, or why a credential that is known was refused");
    }
    if !(1..=MOST_COUNT).contains(&used.count) {
        errors.add(format!("{at}/count"), "out_of_range", format!("1 to {MOST_COUNT}"));
    }
    errors.at_most(MOST_PERMISSIONS, &format!("{at}/permissions"), used.permissions.len());
    let ahead = used.last_used_at.duration_since(now);
    if ahead > CLOCKS_DIFFER || ahead < -OLDEST {
        errors.add(format!("{at}/last_used_at"), "out_of_range", "within the last 24 hours");
    }
    code
}

/// Of what is malformed or unknown nobody can say whose it is.
fn code(text: &str) -> Option<&'static str> {
    let refusals = Refusal::ALL.into_iter().filter(|refusal| !matches!(refusal, Refusal::Malformed | Refusal::Unknown));
    let codes = refusals.map(|refusal| Verdict::Refused(refusal).code());
    std::iter::once(Verdict::Valid.code()).chain(codes).find(|code| *code == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_permission_no_more_uses_are_counted_than_there_were() {
        let told = |counts: &[(&str, u64)]| {
            let told =
                counts.iter().map(|(name, count)| ReportedPermission { name: name.parse().unwrap(), count: *count });
            let summed = summed(told, 5).into_iter().map(|(name, sum)| (name.to_string(), sum));
            summed.collect::<Vec<_>>()
        };
        let sums = told(&[("a:read", 2), ("a:read", 2), ("a:write", u64::MAX), ("a:write", 1), ("a:list", 0)]);
        assert_eq!(sums, [("a:read".to_owned(), 4), ("a:write".to_owned(), 5)]);
    }

    #[test]
    fn only_verdicts_on_what_is_known_are_told() {
        for (text, expected) in
            [("valid", true), ("revoked", true), ("rate_limited", true), ("unknown", false), ("x", false)]
        {
            assert_eq!(code(text).is_some(), expected, "{text}");
        }
    }
}
