//! One use of a credential: decided, spent of its limits, and counted. Every surface asks here, so that what is counted is
//! what was decided.
//!
//! The room must not know how a request arrived, nor how its answer looks.

use std::net::IpAddr;

use claviger_store::StoreError;
use claviger_token::{
    Allowance, Context, DpopError, Permission, PermissionSet, Proof, Refusal, Required, Verdict, decide, holder,
};
use jiff::Timestamp;

use super::{
    credentials::LookedUp,
    occasion::{CountedAs, Occasion},
};
use crate::{app::App, limits::Spending, proof::Proving};

/// How a credential is used.
#[derive(Clone, Copy)]
pub(crate) struct Use<'a> {
    /// What for; it changes no verdict.
    pub(crate) occasion: Occasion<'a>,
    /// What it must allow.
    pub(crate) required: Required<'a>,
    /// Where the request came from, as far as that can be known.
    pub(crate) client_ip: Option<IpAddr>,
    /// What is proved beside the credential.
    pub(crate) proving: &'a Proving,
    /// The permissions that whoever asks may hear of; `None`: all.
    pub(crate) visible: Option<&'a PermissionSet>,
    /// What it costs against limits and quotas; nothing means that it only asks.
    pub(crate) cost: u32,
}

/// What came of it.
pub(crate) struct Judged<'a> {
    /// The decision.
    pub(crate) verdict: Verdict,
    /// What its limits said, if they were asked.
    pub(crate) spending: Spending<'a>,
    /// Why the proof that came along does not hold, if it does not.
    pub(crate) proof_problem: Option<DpopError>,
    /// When it was made.
    pub(crate) now: Timestamp,
}

impl Use<'_> {
    fn verdict(&self, looked_up: &LookedUp, proof: Proof, allowance: Allowance, now: Timestamp) -> Verdict {
        let context = Context { client_ip: self.client_ip, proof, spend: &|| allowance };
        let hidden = |name: &Permission| self.visible.is_some_and(|visible| !visible.contains(name.as_str()));
        match decide(&looked_up.presented, looked_up.found(), &self.required, &context, now) {
            // Who sees only the permissions of the APIs that it serves does not find out about others by asking.
            Verdict::Valid if self.required.permissions.iter().any(hidden) => {
                Verdict::Refused(Refusal::PermissionMissing)
            }
            verdict @ (Verdict::Valid | Verdict::Refused(_)) => verdict,
        }
    }
}

impl App {
    /// The verdict on one use, which is counted. Limits come last, and a use that anything else refuses spends nothing. What was
    /// proved counts once, and only of what would count is that stored.
    pub(crate) async fn judge<'a>(&self, looked_up: &'a LookedUp, used: &Use<'_>) -> Result<Judged<'a>, StoreError> {
        let now = self.now();
        let mut spending = Spending::none();
        let mut proving = *used.proving;
        let open = |proof| used.verdict(looked_up, proof, Allowance::Open, now);
        let mut verdict = open(proving.proof);
        // Who is over a limit in any case makes nobody wait for a write.
        let is_over = verdict == Verdict::Valid
            && proving.counts_once()
            && looked_up.meters().is_some()
            // Boxed, or the future of every verification would hold this one.
            && Box::pin(self.would_judge(looked_up, used)).await != Verdict::Valid;
        if !is_over {
            verdict = self.once(verdict, &mut proving, open).await?;
        }
        if let (Verdict::Valid, Some(meters)) = (verdict, looked_up.meters()) {
            spending = self.limiter.spend(meters, used.cost, now).await;
            verdict = used.verdict(looked_up, proving.proof, spending.allowance, now);
        }
        // There was room meanwhile.
        if is_over {
            verdict = self.once(verdict, &mut proving, open).await?;
        }
        self.told(looked_up, used, verdict, now);
        Ok(Judged { verdict, spending, proof_problem: proving.problem, now })
    }

    /// The verdict on a use that no rule of the API is for: what else refuses the credential, or that a permission is missing, for
    /// nobody holds one for it. It is counted, and spends nothing.
    pub(crate) fn judge_unruled<'a>(&self, looked_up: &'a LookedUp, used: &Use<'_>) -> Judged<'a> {
        let now = self.now();
        let verdict = match used.verdict(looked_up, used.proving.proof, Allowance::Open, now) {
            Verdict::Valid => Verdict::Refused(Refusal::PermissionMissing),
            refused @ Verdict::Refused(_) => refused,
        };
        self.told(looked_up, used, verdict, now);
        Judged { verdict, spending: Spending::none(), proof_problem: used.proving.problem, now }
    }

    /// What the verdict on one use would be: nothing is spent, and nobody counts it.
    pub(crate) async fn would_judge(&self, looked_up: &LookedUp, used: &Use<'_>) -> Verdict {
        let now = self.now();
        let proof = used.proving.proof;
        let verdict = used.verdict(looked_up, proof, Allowance::Open, now);
        let (Verdict::Valid, Some(meters)) = (verdict, looked_up.meters()) else { return verdict };
        let limits = self.limiter.spend(meters, 0, now).await.limits;
        let mut short = limits.iter().filter(|limit| limit.remaining < u64::from(used.cost)).map(|limit| limit.name);
        let allowance = match short.next() {
            None => Allowance::Open,
            Some(first) => {
                let quota = std::iter::once(first).chain(short).any(is_quota);
                if quota { Allowance::QuotaExceeded } else { Allowance::RateLimited }
            }
        };
        used.verdict(looked_up, proof, allowance, now)
    }

    /// The verdict on the credential as such, and on what whoever shows it proves: as when it asks about itself.
    pub(crate) async fn judge_holder<'a>(
        &self,
        looked_up: &'a LookedUp,
        used: &Use<'_>,
    ) -> Result<Judged<'a>, StoreError> {
        let now = self.now();
        let judged = |proof| holder(&looked_up.presented, looked_up.found(), proof, now);
        let mut proving = *used.proving;
        let verdict = self.once(judged(proving.proof), &mut proving, judged).await?;
        self.told(looked_up, used, verdict, now);
        Ok(Judged { verdict, spending: Spending::none(), proof_problem: proving.problem, now })
    }

    /// The verdict on the credential as such, whoever shows it.
    pub(crate) fn judge_state<'a>(&self, looked_up: &'a LookedUp, used: &Use<'_>) -> Judged<'a> {
        let now = self.now();
        let verdict = claviger_token::state(&looked_up.presented, looked_up.found(), now);
        self.told(looked_up, used, verdict, now);
        Judged { verdict, spending: Spending::none(), proof_problem: None, now }
    }

    /// The same for whoever will decide about uses: that it is valid is not one of them, and is counted for nobody.
    pub(crate) fn judge_facts<'a>(&self, looked_up: &'a LookedUp, used: &Use<'_>) -> Judged<'a> {
        let now = self.now();
        let verdict = claviger_token::state(&looked_up.presented, looked_up.found(), now);
        match verdict {
            Verdict::Valid => {
                self.metrics.judged(used.occasion.surface, looked_up.found().map(CountedAs::of), verdict);
            }
            Verdict::Refused(_) => self.told(looked_up, used, verdict, now),
        }
        Judged { verdict, spending: Spending::none(), proof_problem: None, now }
    }

    /// The verdict when what was proved has counted, or what it is if that counted before.
    async fn once(
        &self,
        verdict: Verdict,
        proving: &mut Proving,
        anew: impl Fn(Proof) -> Verdict,
    ) -> Result<Verdict, StoreError> {
        if verdict != Verdict::Valid || self.is_first_use(proving).await? {
            return Ok(verdict);
        }
        *proving = proving.repeated();
        Ok(anew(proving.proof))
    }

    fn told(&self, looked_up: &LookedUp, used: &Use<'_>, verdict: Verdict, now: Timestamp) {
        self.usage.count(looked_up, verdict, used.required.permissions, used.client_ip, now);
        self.metrics.judged(used.occasion.surface, looked_up.found().map(CountedAs::of), verdict);
        self.config.access_log.tell(used, looked_up.found(), verdict, now);
    }
}

/// No rate limit may be called so, and no name of one holds a dot.
fn is_quota(name: &str) -> bool {
    name.rsplit('.').next() == Some("quota")
}
