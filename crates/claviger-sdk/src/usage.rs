//! Counting what is decided here, and telling the instance of it, in batches. What is not told yet is lost with the process: ten seconds of
//! uses at most, while the instance is there. The room must not decide.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use claviger_token::{
    CredentialId, Found, Generation, Permission, ReportedPermission, ReportedUse, UsageReport, Verdict,
};
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::time::sleep;

use crate::{keeper::Kept, remote::RemoteError};

/// How often what was counted is told, so that a crash loses no more.
const EVERY: Duration = Duration::from_secs(8);

/// How many uses one report has.
const MOST_USES: usize = 100;

/// How many different uses are counted between two reports; what comes beyond is not.
const MOST_COUNTED: usize = 50_000;

/// How many reports wait while the instance is away; of more the oldest are lost.
const MOST_WAITING: usize = 500;

/// How many permissions of one use are told.
const MOST_PERMISSIONS: usize = 50;

const HOUR_MS: i64 = 3_600_000;

#[derive(Debug, Default)]
pub(crate) struct Usage {
    counts: Mutex<HashMap<What, Count>>,
    waiting: tokio::sync::Mutex<VecDeque<UsageReport>>,
}

/// What is counted together.
#[derive(Debug, PartialEq, Eq, Hash)]
struct What {
    credential: CredentialId,
    generation: Option<Generation>,
    code: &'static str,
    hour: i64,
}

#[derive(Debug)]
struct Count {
    uses: u64,
    permissions: Vec<(Permission, u64)>,
    last: Timestamp,
    from: Option<IpAddr>,
}

impl Usage {
    /// Counts one use of what is known.
    pub(crate) fn count(
        &self,
        found: &Found,
        verdict: Verdict,
        permissions: &[Permission],
        from: Option<IpAddr>,
        now: Timestamp,
    ) {
        let generation = found.generation(now);
        let hour = now.as_millisecond().div_euclid(HOUR_MS);
        let what = What { credential: found.credential.id, generation, code: verdict.code(), hour };
        let mut counts = self.counts.lock();
        if counts.len() >= MOST_COUNTED && !counts.contains_key(&what) {
            return;
        }
        let count = counts.entry(what).or_insert_with(|| Count { uses: 0, permissions: Vec::new(), last: now, from });
        count.uses += 1;
        (count.last, count.from) = (now, from.or(count.from));
        for permission in permissions {
            if let Some((_, uses)) = count.permissions.iter_mut().find(|(counted, _)| counted == permission) {
                *uses += 1;
            } else if count.permissions.len() < MOST_PERMISSIONS {
                count.permissions.push((permission.clone(), 1));
            }
        }
    }

    /// What was counted since the last time, as reports.
    fn taken(&self) -> Vec<UsageReport> {
        let counts = std::mem::take(&mut *self.counts.lock());
        let uses: Vec<ReportedUse> = counts.into_iter().map(|(what, count)| what.told(count)).collect();
        uses.chunks(MOST_USES).map(|uses| UsageReport { id: id(), uses: uses.to_vec() }).collect()
    }
}

impl What {
    fn told(self, count: Count) -> ReportedUse {
        let permissions = count.permissions.into_iter();
        ReportedUse {
            credential_id: self.credential,
            generation: self.generation,
            code: self.code.to_owned(),
            count: count.uses,
            permissions: permissions.map(|(name, count)| ReportedPermission { name, count }).collect(),
            last_used_at: count.last,
            last_used_from: count.from,
        }
    }
}

/// One that nobody else has: 128 bits of the generator that hash maps are seeded by.
fn id() -> String {
    let random = || std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0);
    format!("{:016x}{:016x}", random(), random())
}

impl Kept {
    pub(crate) async fn report_every_while(self: Arc<Self>) {
        loop {
            sleep(EVERY).await;
            self.report().await;
        }
    }

    /// Tells the instance what was counted. What it does not take now it is told the next time, in the same words.
    pub(crate) async fn report(&self) {
        let mut waiting = self.usage.waiting.lock().await;
        waiting.extend(self.usage.taken());
        while waiting.len() > MOST_WAITING {
            waiting.pop_front();
            tracing::warn!("a report of uses is lost: the instance was away for too long");
        }
        while let Some(report) = waiting.front() {
            match self.remote.report(report).await {
                Ok(()) => {}
                Err(RemoteError::Status(status)) if status.is_client_error() => {
                    tracing::warn!(%status, "a report of uses was refused, and is lost");
                }
                Err(error) => {
                    tracing::debug!(%error, "uses could not be reported; they will be");
                    return;
                }
            }
            waiting.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Answer;

    fn found() -> Found {
        let id = |prefix: &str| format!("{prefix}_01h2xcejqtf2nbrexx3vqjhp41");
        let answer = json!({
            "valid": true, "code": "valid", "permissions": ["a:read"], "objects": null, "metadata": {}, "limits": [],
            "credential": { "id": id("key"), "kind": "api_key", "name": "x", "generation": "current", "environment": "live", "expires_at": null },
            "principal": { "id": id("sa"), "type": "service_account", "name": "x", "external_id": null },
            "organization": { "id": id("org"), "slug": "x", "external_id": null }, "cache": null,
        });
        Answer::read(answer.to_string().as_bytes()).unwrap().found.unwrap()
    }

    #[test]
    fn uses_are_told_apart_by_verdict_and_hour_and_each_permission_is_counted() {
        let (usage, found) = (Usage::default(), found());
        let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).unwrap();
        let permissions: Vec<Permission> = ["a:read", "a:write"].map(|name| name.parse().unwrap()).into();
        let refused = Verdict::Refused(claviger_token::Refusal::PermissionMissing);
        usage.count(&found, Verdict::Valid, &permissions[..1], Some([192, 0, 2, 1].into()), at(0));
        usage.count(&found, Verdict::Valid, &permissions, None, at(1));
        usage.count(&found, refused, &[], None, at(2));
        usage.count(&found, Verdict::Valid, &[], None, at(3600));
        let mut uses = usage.taken().remove(0).uses;
        uses.sort_by_key(|used| (used.last_used_at, used.code.clone()));
        let told: Vec<_> = uses.iter().map(|used| (used.code.as_str(), used.count, used.last_used_at)).collect();
        assert_eq!(told, [("valid", 2, at(1)), ("permission_missing", 1, at(2)), ("valid", 1, at(3600))]);
        let counts: Vec<u64> = uses[0].permissions.iter().map(|permission| permission.count).collect();
        assert_eq!((counts, uses[0].last_used_from), (vec![2, 1], Some([192, 0, 2, 1].into())));
        assert!(usage.taken().is_empty());
        assert_ne!(id(), id());
    }
}
