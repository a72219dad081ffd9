//! Counting what is decided here, and telling the instance of it, in batches. What is not told yet is lost with the process: ten seconds of
//! uses at most, while the instance is there. Whatever is lost is counted, and told once. The room must not decide.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use claviger_token::{
    CredentialId, Found, Generation, Permission, ReportedPermission, ReportedUse, UsageCounted, UsageReport, Verdict,
};
use http::StatusCode;
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::time::sleep;

use crate::{
    keeper::Kept,
    remote::{RemoteError, chance},
};

/// How often what was counted is told at least, so that a crash loses no more.
const EVERY: Duration = Duration::from_secs(8);

/// How many uses one report has.
const MOST_USES: usize = 100;

/// How many bytes one report has: the instance reads 64 KiB.
const MOST_BYTES: usize = 48 << 10;

/// The most that one item of a report counts.
const MOST_COUNT: u64 = 1_000_000;

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
    /// How many uses are counted nowhere.
    lost: AtomicU64,
    /// Whether it was told that no more are counted, since they were taken last.
    is_full_told: AtomicBool,
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
            self.lose_for_want_of_room();
            return;
        }
        let count = counts.entry(what).or_insert_with(|| Count { uses: 0, permissions: Vec::new(), last: now, from });
        count.uses += 1;
        (count.last, count.from) = (now.max(count.last), from.or(count.from));
        for (index, permission) in permissions.iter().enumerate() {
            // Whoever asks for one twice asks for it once.
            if permissions.iter().take(index).any(|before| before == permission) {
                continue;
            }
            if let Some((_, uses)) = count.permissions.iter_mut().find(|(counted, _)| counted == permission) {
                *uses += 1;
            } else if count.permissions.len() < MOST_PERMISSIONS {
                count.permissions.push((permission.clone(), 1));
            }
        }
    }

    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    fn lose_for_want_of_room(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
        if !self.is_full_told.swap(true, Ordering::Relaxed) {
            tracing::warn!("uses are counted nowhere: the instance was not told of others for too long");
        }
    }

    fn lose(&self, uses: u64, reason: &str) {
        if uses > 0 {
            self.lost.fetch_add(uses, Ordering::Relaxed);
            tracing::warn!(uses, "uses are counted nowhere: {reason}");
        }
    }

    /// What was counted since the last time, as reports.
    fn taken(&self) -> Vec<UsageReport> {
        let counts = std::mem::take(&mut *self.counts.lock());
        self.is_full_told.store(false, Ordering::Relaxed);
        reports(counts.into_iter().flat_map(|(what, count)| what.told(count)))
    }
}

impl Drop for Usage {
    fn drop(&mut self) {
        let waiting = self.waiting.get_mut().iter().map(|report| uses(&report.uses)).sum::<u64>();
        let counted = self.counts.get_mut().values().map(|count| count.uses).sum::<u64>();
        self.lose(waiting + counted, "nobody reported them before the end");
    }
}

fn uses<'a>(told: impl IntoIterator<Item = &'a ReportedUse>) -> u64 {
    told.into_iter().map(|used| used.count).sum()
}

/// In as few reports as the instance takes.
fn reports(uses: impl Iterator<Item = ReportedUse>) -> Vec<UsageReport> {
    let (mut reports, mut bytes) = (Vec::<UsageReport>::new(), 0);
    for used in uses {
        let length = serde_json::to_vec(&used).map_or(MOST_BYTES, |json| json.len() + 1);
        bytes += length;
        match reports.last_mut() {
            Some(report) if report.uses.len() < MOST_USES && bytes <= MOST_BYTES => report.uses.push(used),
            _ => {
                reports.push(UsageReport { id: id(), uses: vec![used] });
                bytes = length;
            }
        }
    }
    reports
}

/// Both halves of what was refused as a whole, under other names; none of what cannot be halved.
fn halves(report: &UsageReport) -> Vec<UsageReport> {
    let (first, second) = report.uses.split_at(report.uses.len() / 2);
    let half = |uses: &[ReportedUse]| UsageReport { id: id(), uses: uses.to_vec() };
    if first.is_empty() { Vec::new() } else { vec![half(first), half(second)] }
}

impl What {
    /// As one item, or as many as it takes.
    fn told(self, mut count: Count) -> Vec<ReportedUse> {
        let mut told = Vec::new();
        while count.uses > 0 {
            let taken = |uses: &mut u64| {
                let part = (*uses).min(MOST_COUNT);
                *uses -= part;
                part
            };
            let permissions = count.permissions.iter_mut();
            let permissions =
                permissions.map(|(name, uses)| ReportedPermission { name: name.clone(), count: taken(uses) });
            told.push(ReportedUse {
                credential_id: self.credential,
                generation: self.generation,
                code: self.code.to_owned(),
                permissions: permissions.filter(|permission| permission.count > 0).collect(),
                count: taken(&mut count.uses),
                last_used_at: count.last,
                last_used_from: count.from,
            });
        }
        told
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
            // Those that were started together do not all come at once.
            sleep(EVERY.mul_f64(1.0 - chance() / 4.0)).await;
            self.report().await;
        }
    }

    /// Tells the instance what was counted. What it does not take now it is told the next time, in the same words; while something waits,
    /// what is counted meanwhile is counted together.
    pub(crate) async fn report(&self) {
        let mut waiting = self.usage.waiting.lock().await;
        if self.tell(&mut waiting).await {
            waiting.extend(self.usage.taken());
            self.tell(&mut waiting).await;
        }
    }

    /// Returns whether nothing waits any more.
    async fn tell(&self, waiting: &mut VecDeque<UsageReport>) -> bool {
        while let Some(report) = waiting.front() {
            match self.remote.report(report).await {
                Ok(UsageCounted { ignored, .. }) => {
                    let of_nobody = report.uses.iter().filter(|used| ignored.contains(&used.credential_id));
                    self.usage.lose(uses(of_nobody), "nobody has their credentials");
                    waiting.pop_front();
                }
                // One use that is not taken takes no other with it.
                Err(RemoteError::Status(status)) if is_refused(status) => {
                    let halves = if is_of_content(status) { halves(report) } else { Vec::new() };
                    if halves.is_empty() {
                        self.usage.lose(uses(&report.uses), &format!("a report was refused with status {status}"));
                    }
                    waiting.pop_front();
                    halves.into_iter().rev().for_each(|half| waiting.push_front(half));
                }
                Err(error) => {
                    tracing::debug!(%error, "uses could not be reported; they will be");
                    let oldest = waiting.drain(..waiting.len().saturating_sub(MOST_WAITING));
                    let lost = oldest.map(|report| uses(&report.uses)).sum::<u64>();
                    self.usage.lose(lost, "the instance was away for too long");
                    return false;
                }
            }
        }
        true
    }
}

/// Whether nobody will take a report. Whatever else is said, also by a proxy, may pass.
fn is_refused(status: StatusCode) -> bool {
    is_of_content(status) || matches!(status, StatusCode::BAD_REQUEST | StatusCode::METHOD_NOT_ALLOWED)
}

/// Whether a report of less may be taken.
fn is_of_content(status: StatusCode) -> bool {
    matches!(status, StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY)
}

#[cfg(test)]
mod tests {
    use axum::{Json, Router, routing::post};

    use super::*;
    use crate::answer::{Answer, a_valid_answer};

    /// What is logged meanwhile.
    fn told_of(work: impl FnOnce()) -> Vec<String> {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let written = Arc::clone(&lines);
        let log = tracing_subscriber::fmt().with_ansi(false).with_writer(move || Lines(Arc::clone(&written)));
        tracing::subscriber::with_default(log.finish(), work);
        String::from_utf8(lines.lock().clone()).unwrap().lines().map(str::to_owned).collect()
    }

    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn found() -> Found {
        Answer::read(a_valid_answer().to_string().as_bytes()).unwrap().found.unwrap()
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

    #[test]
    fn no_more_is_counted_between_two_reports_than_fits_and_that_is_told_once() {
        let (usage, found) = (Usage::default(), found());
        let at = |hour: usize| Timestamp::from_second(i64::try_from(hour * 3600).unwrap()).unwrap();
        let count = |hours: std::ops::Range<usize>| {
            told_of(|| hours.for_each(|hour| usage.count(&found, Verdict::Valid, &[], None, at(hour))))
        };
        let told = count(0..MOST_COUNTED + 3);
        assert!(told.len() == 1 && told[0].contains("counted nowhere"), "{told:?}");
        assert!(count(0..1).is_empty() && count(MOST_COUNTED..MOST_COUNTED + 1).is_empty(), "once");
        assert_eq!((usage.counts.lock().len(), usage.lost()), (MOST_COUNTED, 4));
        usage.taken();
        assert_eq!(count(0..MOST_COUNTED + 1).len(), 1, "and once the next time");
    }

    #[test]
    fn what_nobody_reported_before_the_end_is_told() {
        let (usage, found) = (Usage::default(), found());
        (0..3).for_each(|_| usage.count(&found, Verdict::Valid, &[], None, Timestamp::UNIX_EPOCH));
        let told = told_of(|| drop(usage));
        assert!(told.len() == 1 && told[0].contains("uses=3"), "{told:?}");
        assert!(told_of(|| drop(Usage::default())).is_empty());
    }

    fn used(uses: u64, permissions: usize) -> Vec<ReportedUse> {
        let name = |number: usize| (format!("{}:p{number}", "a".repeat(50)).parse().unwrap(), uses);
        let permissions = (0..permissions).map(name).collect();
        let (credential, last) = (found().credential.id, Timestamp::from_second(1_800_000_000).unwrap());
        let what = What { credential, generation: None, code: "valid", hour: 0 };
        what.told(Count { uses, permissions, last, from: None })
    }

    #[test]
    fn a_permission_that_is_asked_for_twice_is_counted_once() {
        let (usage, found) = (Usage::default(), found());
        let permissions: Vec<Permission> = ["a:read", "a:read", "a:write"].map(|name| name.parse().unwrap()).into();
        usage.count(&found, Verdict::Valid, &permissions, None, Timestamp::UNIX_EPOCH);
        let used = usage.taken().remove(0).uses.remove(0);
        assert!(used.count == 1 && used.permissions.iter().all(|told| told.count == 1), "{used:?}");
    }

    #[test]
    fn a_report_is_no_longer_than_what_is_read_and_an_item_counts_no_more_than_is_taken() {
        let reports = reports((0..250).flat_map(|_| used(1, 50)).chain(used(2_500_000, 1)));
        assert!(reports.iter().all(|report| serde_json::to_vec(report).unwrap().len() < 64 << 10));
        assert_eq!(reports.iter().map(|report| report.uses.len()).sum::<usize>(), 253);
        assert!(reports.len() > 250 * 50 * 60 / MOST_BYTES && reports.len() < 40, "{}", reports.len());
        let counts: Vec<(u64, u64)> =
            used(2_500_000, 1).iter().map(|used| (used.count, used.permissions[0].count)).collect();
        assert_eq!(counts, [(MOST_COUNT, MOST_COUNT), (MOST_COUNT, MOST_COUNT), (500_000, 500_000)]);
    }

    fn counted(ignored: Vec<CredentialId>) -> Json<UsageCounted> {
        Json(UsageCounted { counted: 0, repeated: false, ignored })
    }

    /// Beside an instance that answers reports in this way.
    async fn beside<H: axum::handler::Handler<T, ()>, T: 'static>(take: H) -> Kept {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let routes = Router::new().route("/v1/usage-reports", post(take));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Kept::new(crate::KeeperSettings::new(&address)).unwrap()
    }

    #[tokio::test]
    async fn one_use_that_is_refused_takes_no_other_with_it() {
        static TAKEN: Mutex<Vec<u64>> = Mutex::new(Vec::new());
        let take = async |Json(report): Json<UsageReport>| {
            let counts: Vec<u64> = report.uses.iter().map(|used| used.count).collect();
            if counts.contains(&7) {
                return Err(StatusCode::UNPROCESSABLE_ENTITY);
            }
            if counts.len() > 4 {
                return Err(StatusCode::PAYLOAD_TOO_LARGE);
            }
            TAKEN.lock().extend(counts);
            Ok(counted(Vec::new()))
        };
        let kept = beside(take).await;
        kept.usage.waiting.lock().await.extend(reports((1..=11).flat_map(|count| used(count, 1))));
        kept.report().await;
        assert_eq!(*TAKEN.lock(), [1, 2, 3, 4, 5, 6, 8, 9, 10, 11]);
        assert!(kept.usage.waiting.lock().await.is_empty());
        assert_eq!(kept.usage.lost(), 7);
    }

    #[tokio::test]
    async fn uses_of_credentials_that_nobody_has_are_lost() {
        let kept = beside(async || counted(vec![found().credential.id])).await;
        let other = "key_01h2xcejqtf2nbrexx3vqjhp42".parse().unwrap();
        let mut uses = [used(3, 1), used(2, 1), used(4, 1)].concat();
        uses[1].credential_id = other;
        kept.usage.waiting.lock().await.extend(reports(uses.into_iter()));
        kept.report().await;
        assert!(kept.usage.waiting.lock().await.is_empty());
        assert_eq!(kept.usage.lost(), 7);
    }

    #[tokio::test]
    async fn what_a_proxy_says_loses_nothing_and_meanwhile_uses_are_counted_together() {
        static STATUS: Mutex<StatusCode> = Mutex::new(StatusCode::NOT_FOUND);
        static TAKEN: Mutex<Vec<u64>> = Mutex::new(Vec::new());
        let take = async |Json(report): Json<UsageReport>| {
            let status = *STATUS.lock();
            if status != StatusCode::ACCEPTED {
                return Err(status);
            }
            TAKEN.lock().extend(report.uses.iter().map(|used| used.count));
            Ok(counted(Vec::new()))
        };
        let kept = beside(take).await;
        let found = found();
        // And what is answered with 200 and is no answer.
        for status in [StatusCode::NOT_FOUND, StatusCode::FORBIDDEN, StatusCode::TOO_MANY_REQUESTS, StatusCode::OK] {
            *STATUS.lock() = status;
            kept.usage.count(&found, Verdict::Valid, &[], None, Timestamp::UNIX_EPOCH);
            kept.report().await;
            assert_eq!(kept.usage.waiting.lock().await.len(), 1, "{status}");
        }
        *STATUS.lock() = StatusCode::ACCEPTED;
        kept.report().await;
        assert_eq!((&*TAKEN.lock(), kept.usage.lost()), (&vec![1, 3], 0));
    }
}
