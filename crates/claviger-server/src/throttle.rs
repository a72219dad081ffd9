//! How often somebody may try to prove who they are.
//!
//! A stranger is bounded by address, by account and address, and by account; a browser from which the account was signed in
//! before only by itself, so that no stranger can lock its owner out. What is counted does not depend on whether there is
//! such an account. The states are of this node, and bounded: what was tried least is forgotten first.
//!
//! Strangers who use up the tries of an account from many places keep its owner waiting in a new browser, but not for long: each
//! place has one try in a quarter of an hour beside them. Of these there are 50 a minute for an account, so that the owner's first
//! try counts at once, or, while strangers come from more than 50 new places every minute, when one becomes free, which is every
//! 1.2 seconds. That makes 72,000 guesses a day at most, of passwords that take a
//! hundred million (`claviger_core::Password`). A place is an IPv4 address or an IPv6 /48 here, for a /64 costs nothing.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

use claviger_core::{Rate, Try};
use claviger_token::{DeviceRequestId, RateLimit, UserId};
use jiff::Timestamp;
use parking_lot::Mutex;

/// How many states of one sort are kept; some 5 MB.
const MOST_STATES: usize = 50_000;

/// What stands for an account: a keyed hash, of an address that may be nobody's.
pub(crate) type Account = [u8; 32];

/// All that is counted.
pub(crate) struct Throttle {
    addresses: Buckets<IpAddr>,
    accounts_at_addresses: Buckets<(Account, Option<IpAddr>)>,
    accounts: Buckets<Account>,
    newcomers: Buckets<Account>,
    newcomers_at_places: Buckets<(Account, Option<IpAddr>)>,
    accounts_at_known_devices: Buckets<Account>,
    second_factors: Buckets<(Account, bool)>,
    returns: Buckets<IpAddr>,
    returned: Buckets<[u8; 32]>,
    failures_told: Buckets<Account>,
    copies_told: Buckets<Account>,
    exports: Buckets<UserId>,
    proofs: Buckets<UserId>,
    client_failures: Buckets<IpAddr>,
    devices: Buckets<IpAddr>,
    polls: Buckets<DeviceRequestId>,
    codes: Buckets<Account>,
    codes_from: Buckets<IpAddr>,
}

/// Somebody tries to prove who they are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempt {
    /// As whom.
    pub(crate) account: Account,
    /// From where.
    pub(crate) address: Option<IpAddr>,
    /// Whether this browser was signed in to the account before.
    pub(crate) known_device: bool,
}

impl Default for Throttle {
    fn default() -> Self {
        const MINUTE: u32 = 60;
        Self {
            addresses: Buckets::new(60, 5 * MINUTE),
            accounts_at_addresses: Buckets::new(10, 15 * MINUTE),
            accounts: Buckets::new(100, 60 * MINUTE),
            newcomers: Buckets::new(50, MINUTE),
            newcomers_at_places: Buckets::new(1, 15 * MINUTE),
            accounts_at_known_devices: Buckets::new(20, 15 * MINUTE),
            // Whoever gets that far has the password. A code is one of a million, and three count at a time.
            second_factors: Buckets::new(10, 60 * MINUTE),
            returns: Buckets::new(60, 5 * MINUTE),
            // Longer than a way to a provider and back may take.
            returned: Buckets::new(1, 15 * MINUTE),
            failures_told: Buckets::new(1, MINUTE),
            copies_told: Buckets::new(1, MINUTE),
            // Each may read all that ever happened, and nobody wants many.
            exports: Buckets::new(10, 5 * MINUTE),
            // The page of a long chain presses its button by itself, some times in a second.
            proofs: Buckets::new(120, MINUTE),
            client_failures: Buckets::new(60, MINUTE),
            devices: Buckets::new(30, 5 * MINUTE),
            // Which of them was too fast is storage's to say, exactly; it need not say so to a flood.
            polls: Buckets::new(5, 5),
            // RFC 8628, section 5.1: with 34 bits, and what is wrong is counted alone.
            codes: Buckets::new(5, 15 * MINUTE),
            codes_from: Buckets::new(5, 15 * MINUTE),
        }
    }
}

impl Throttle {
    /// Counts an attempt, or tells how long to wait. Asked before any work is done.
    pub(crate) fn attempt(&self, attempt: &Attempt, now: Timestamp) -> Result<(), Duration> {
        if attempt.known_device {
            return self.accounts_at_known_devices.spend(attempt.account, now);
        }
        let network = attempt.address.map(network);
        if let Some(network) = network {
            self.addresses.spend(network, now)?;
        }
        self.accounts_at_addresses.spend((attempt.account, network), now)?;
        self.accounts.spend(attempt.account, now).or_else(|wait| {
            let here = (attempt.account, attempt.address.map(place));
            // Looked at before anything is spent: whoever is refused takes nothing from the next.
            self.newcomers_at_places.would_fit(&here, now).map_err(|_| wait)?;
            self.newcomers.spend(attempt.account, now)?;
            self.newcomers_at_places.spend(here, now)
        })
    }

    /// The same for the second factor, of which no more is counted than who was half-way in already.
    pub(crate) fn attempt_second_factor(&self, attempt: &Attempt, now: Timestamp) -> Result<(), Duration> {
        self.second_factors.spend((attempt.account, attempt.known_device), now)
    }

    /// It was them: they start anew.
    pub(crate) fn succeeded(&self, attempt: &Attempt) {
        self.accounts_at_addresses.forget(&(attempt.account, attempt.address.map(network)));
        self.second_factors.forget(&(attempt.account, attempt.known_device));
        if attempt.known_device {
            self.accounts_at_known_devices.forget(&attempt.account);
        }
    }

    /// Counts a passkey that proved nobody, or tells how long to wait. Asked after it was looked at, like the proof of a client:
    /// a signature needs no protection from guessing. It counts among the tries of its place at all accounts.
    pub(crate) fn passkey_failed(&self, address: Option<IpAddr>, now: Timestamp) -> Result<(), Duration> {
        address.map(network).map_or(Ok(()), |network| self.addresses.spend(network, now))
    }

    /// Counts somebody who comes back from an outside provider, or tells how long to wait.
    pub(crate) fn attempt_elsewhere(&self, address: Option<IpAddr>, now: Timestamp) -> Result<(), Duration> {
        address.map(network).map_or(Ok(()), |network| self.returns.spend(network, now))
    }

    /// Whether nobody has come back with this yet.
    pub(crate) fn is_first_return(&self, departure: [u8; 32], now: Timestamp) -> bool {
        self.returned.spend(departure, now).is_ok()
    }

    /// Counts an OAuth client that did not prove who it is, or tells how long to wait. Asked after the proof was looked at: a
    /// secret of 190 bits needs no protection from guessing, and whoever has it is never kept out.
    pub(crate) fn client_failed(&self, address: Option<IpAddr>, now: Timestamp) -> Result<(), Duration> {
        address.map(network).map_or(Ok(()), |network| self.client_failures.spend(network, now))
    }

    /// Counts a device that asks for a token of a person, or tells how long to wait. A place is what costs something here: each request takes
    /// one of the codes that there are.
    pub(crate) fn device_asks(&self, address: Option<IpAddr>, now: Timestamp) -> Result<(), Duration> {
        address.map(place).map_or(Ok(()), |place| self.devices.spend(place, now))
    }

    /// Counts a device that asks whether somebody has decided, or tells how long to wait.
    pub(crate) fn device_polls(&self, id: DeviceRequestId, now: Timestamp) -> Result<(), Duration> {
        self.polls.spend(id, now)
    }

    /// Counts a code of a device that somebody types, or tells how long to wait. Asked before it is looked for: of many tries at once no
    /// more are looked for than count.
    pub(crate) fn user_code_typed(
        &self,
        account: Account,
        address: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<(), Duration> {
        self.codes.spend(account, now)?;
        let from = address.map(network).map_or(Ok(()), |network| self.codes_from.spend(network, now));
        from.inspect_err(|_| self.codes.give_back(&account))
    }

    /// The code was right, and does not count.
    pub(crate) fn user_code_found(&self, account: Account, address: Option<IpAddr>) {
        self.codes.give_back(&account);
        if let Some(network) = address.map(network) {
            self.codes_from.give_back(&network);
        }
    }

    /// Whether a failure is to be told, for each account once a minute.
    pub(crate) fn is_failure_to_be_told(&self, account: Account, now: Timestamp) -> bool {
        self.failures_told.spend(account, now).is_ok()
    }

    /// Whether a passkey that was copied is to be told, likewise, and whatever else failed before: who has a copy could fail on purpose.
    pub(crate) fn is_copy_to_be_told(&self, account: Account, now: Timestamp) -> bool {
        self.copies_told.spend(account, now).is_ok()
    }

    /// Counts somebody who takes the audit trail as a file, or tells how long to wait.
    pub(crate) fn exports(&self, user: UserId, now: Timestamp) -> Result<(), Duration> {
        self.exports.spend(user, now)
    }

    /// Counts somebody who has a stretch of a chain proved, or tells how long to wait.
    pub(crate) fn proves(&self, user: UserId, now: Timestamp) -> Result<(), Duration> {
        self.proofs.spend(user, now)
    }
}

/// What one customer of a provider has: an IPv4 address, or an IPv6 /64.
fn network(address: IpAddr) -> IpAddr {
    prefix(address, 64)
}

/// What one customer has at most without paying for it.
fn place(address: IpAddr) -> IpAddr {
    prefix(address, 48)
}

/// An IPv4 address, or the first bits of an IPv6 address.
fn prefix(address: IpAddr, bits: u32) -> IpAddr {
    match address.to_canonical() {
        v4 @ IpAddr::V4(_) => v4,
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << (128 - bits)))),
    }
}

struct Buckets<K> {
    limit: RateLimit,
    states: Mutex<HashMap<K, Rate>>,
}

impl<K: std::hash::Hash + Eq> Buckets<K> {
    fn new(limit: u32, window_seconds: u32) -> Self {
        Self { limit: RateLimit { name: String::new(), limit, window_seconds }, states: Mutex::default() }
    }

    fn spend(&self, key: K, now: Timestamp) -> Result<(), Duration> {
        let now = since_epoch(now);
        let mut states = self.states.lock();
        let state = states.get(&key).copied().unwrap_or_default();
        match state.try_spend(&self.limit, 1, now) {
            Try::Fits(spent) => {
                if states.len() >= MOST_STATES && !states.contains_key(&key) {
                    make_room(&mut states, now);
                }
                states.insert(key, spent);
                Ok(())
            }
            Try::TooMuch(wait) => Err(wait),
            Try::Never => Err(Duration::from_secs(self.limit.window_seconds.into())),
        }
    }

    /// Whether one more fits, without counting it.
    fn would_fit(&self, key: &K, now: Timestamp) -> Result<(), Duration> {
        let state = self.states.lock().get(key).copied().unwrap_or_default();
        match state.try_spend(&self.limit, 1, since_epoch(now)) {
            Try::Fits(_) => Ok(()),
            Try::TooMuch(wait) => Err(wait),
            Try::Never => Err(Duration::from_secs(self.limit.window_seconds.into())),
        }
    }

    /// As if one had not been spent.
    fn give_back(&self, key: &K) {
        if let Some(state) = self.states.lock().get_mut(key) {
            *state = state.give_back(&self.limit, 1);
        }
    }

    fn forget(&self, key: &K) {
        self.states.lock().remove(key);
    }
}

/// What is as good as new goes first, then the half that was tried least: whoever comes from many addresses does not
/// wash away what is known of who tries one account again and again.
fn make_room<K: std::hash::Hash + Eq>(states: &mut HashMap<K, Rate>, now: Duration) {
    states.retain(|_, rate| !rate.is_full(now));
    if states.len() < MOST_STATES / 2 {
        return;
    }
    let mut rates: Vec<Rate> = states.values().copied().collect();
    let middle = rates.len() / 2;
    let (_, median, _) = rates.select_nth_unstable(middle);
    let median = *median;
    let mut at_median = 0;
    states.retain(|_, rate| {
        at_median += usize::from(*rate == median);
        *rate > median || (*rate == median && at_median % 2 == 0)
    });
}

/// A rate wants a clock that does not go back. The system's may, and then nothing is owed for longer than a window.
fn since_epoch(now: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(now.as_millisecond()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use claviger_token::TypedId as _;
    use jiff::SignedDuration;

    use super::*;

    const ZOE: Account = [1; 32];
    const YANN: Account = [2; 32];

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn from(account: Account, address: &str) -> Attempt {
        Attempt { account, address: Some(address.parse().unwrap()), known_device: false }
    }

    /// How many of `most` attempts get through.
    fn passed(throttle: &Throttle, most: usize, attempt: impl Fn(usize) -> Attempt) -> usize {
        (0..most).filter(|n| throttle.attempt(&attempt(*n), at(0)).is_ok()).count()
    }

    #[test]
    fn a_stranger_has_ten_tries_at_one_account_from_one_place() {
        let throttle = Throttle::default();
        assert_eq!(passed(&throttle, 50, |_| from(ZOE, "192.0.2.1")), 10);
        assert_eq!(throttle.attempt(&from(ZOE, "192.0.2.1"), at(0)), Err(Duration::from_secs(90)));
        assert!(throttle.attempt(&from(ZOE, "192.0.2.1"), at(90)).is_ok());
        assert!(throttle.attempt(&from(YANN, "192.0.2.1"), at(0)).is_ok());
    }

    #[test]
    fn an_ipv6_network_counts_as_one_address() {
        let throttle = Throttle::default();
        assert_eq!(passed(&throttle, 50, |n| from(ZOE, &format!("2001:db8:0:7::{n:x}"))), 10);
        assert!(throttle.attempt(&from(ZOE, "2001:db8:0:8::1"), at(0)).is_ok());
        assert_eq!(passed(&throttle, 50, |_| from(YANN, "::ffff:192.0.2.1")), 10);
        assert!(throttle.attempt(&from(YANN, "192.0.2.1"), at(0)).is_err());
    }

    #[test]
    fn one_place_has_sixty_tries_at_all_accounts() {
        let throttle = Throttle::default();
        let account = |n: usize| {
            let mut account = [0; 32];
            account[..8].copy_from_slice(&n.to_be_bytes());
            account
        };
        assert_eq!(passed(&throttle, 100, |n| from(account(n), "192.0.2.1")), 60);
    }

    #[test]
    fn all_strangers_together_have_a_bounded_number_of_tries_and_do_not_lock_the_owner_out() {
        let throttle = Throttle::default();
        // A hundred, and fifty of places that are new.
        assert_eq!(passed(&throttle, 1000, |n| from(ZOE, &format!("10.0.{}.{}", n / 256, n % 256))), 150);
        let owner = Attempt { known_device: true, ..from(ZOE, "10.0.0.1") };
        assert_eq!(passed(&throttle, 50, |_| owner), 20);
    }

    #[test]
    fn in_a_new_browser_the_owner_waits_for_strangers_a_second_or_two_at_most() {
        let throttle = Throttle::default();
        // Ten places use up what the account has, and go on.
        let stranger = |n: usize| from(ZOE, &format!("10.0.0.{}", n % 10));
        assert_eq!(passed(&throttle, 1000, stranger), 100);
        assert!(throttle.attempt(&from(ZOE, "192.0.2.1"), at(0)).is_ok());
        // Once: then the place waits like everybody.
        assert!(throttle.attempt(&from(ZOE, "192.0.2.1"), at(0)).is_err());
        // A thousand new places at once take all that is free, and the next is free soon.
        passed(&throttle, 1000, |n| from(ZOE, &format!("10.1.{}.{}", n / 256, n % 256)));
        let wait = throttle.attempt(&from(ZOE, "192.0.2.2"), at(0)).unwrap_err();
        assert!(wait <= Duration::from_millis(1200), "{wait:?}");
        assert!(throttle.attempt(&from(ZOE, "192.0.2.2"), at(2)).is_ok());
        assert!(throttle.attempt(&from(YANN, "192.0.2.2"), at(2)).is_ok());
    }

    #[test]
    fn of_one_ipv6_network_that_costs_nothing_no_more_than_one_is_new() {
        let throttle = Throttle::default();
        assert_eq!(passed(&throttle, 1000, |n| from(ZOE, &format!("2001:db8:1:{n:x}::1"))), 101);
        assert!(throttle.attempt(&from(ZOE, "2001:db8:2::1"), at(0)).is_ok());
    }

    #[test]
    fn whoever_has_the_password_has_ten_codes_an_hour() {
        let throttle = Throttle::default();
        let tries =
            |attempt: &Attempt| (0..50).filter(|_| throttle.attempt_second_factor(attempt, at(0)).is_ok()).count();
        assert_eq!(tries(&from(ZOE, "192.0.2.1")), 10);
        assert_eq!(tries(&from(ZOE, "192.0.2.2")), 0);
        assert_eq!(tries(&Attempt { known_device: true, ..from(ZOE, "192.0.2.2") }), 10);
        throttle.succeeded(&from(ZOE, "192.0.2.1"));
        assert_eq!(tries(&from(ZOE, "192.0.2.1")), 10);
    }

    #[test]
    fn who_succeeds_starts_anew() {
        let throttle = Throttle::default();
        for known_device in [false, true] {
            let attempt = Attempt { known_device, ..from(ZOE, "192.0.2.1") };
            for _ in 0..40 {
                throttle.attempt(&attempt, at(0)).unwrap();
                throttle.succeeded(&attempt);
            }
        }
    }

    #[test]
    fn a_failure_is_told_once_a_minute() {
        let throttle = Throttle::default();
        let told = |seconds| throttle.is_failure_to_be_told(ZOE, at(seconds));
        assert_eq!([told(0), told(1), told(59), told(60)], [true, false, false, true]);
        let copy = |seconds| throttle.is_copy_to_be_told(ZOE, at(seconds));
        assert_eq!([copy(0), copy(59), copy(60)], [true, false, true], "whatever else failed");
    }

    #[test]
    fn v01_five_wrong_codes_count_and_right_ones_do_not() {
        let throttle = Throttle::default();
        let address = |text: &str| Some(text.parse().unwrap());
        let typed = |account, from: &str, seconds| throttle.user_code_typed(account, address(from), at(seconds));
        for _ in 0..50 {
            typed(ZOE, "192.0.2.1", 0).unwrap();
            throttle.user_code_found(ZOE, address("192.0.2.1"));
        }
        for _ in 0..5 {
            typed(ZOE, "192.0.2.1", 0).unwrap();
        }
        // Neither from elsewhere, nor somebody else from there.
        assert_eq!(typed(ZOE, "192.0.2.2", 0), Err(Duration::from_secs(180)));
        assert_eq!(typed(YANN, "192.0.2.1", 0), Err(Duration::from_secs(180)));
        assert!(typed(YANN, "192.0.2.2", 0).is_ok() && typed(ZOE, "192.0.2.1", 180).is_ok());
    }

    #[test]
    fn whoever_reads_the_audit_trail_takes_ten_files_and_a_hundred_and_twenty_stretches_at_once() {
        let throttle = Throttle::default();
        let user = |number: u128| UserId::from_uuid(uuid::Uuid::from_u128(number));
        let exports = |of, seconds| (0..200).filter(|_| throttle.exports(user(of), at(seconds)).is_ok()).count();
        let proofs = |of, seconds| (0..200).filter(|_| throttle.proves(user(of), at(seconds)).is_ok()).count();
        assert_eq!((exports(1, 0), exports(1, 29), exports(1, 60), exports(2, 0)), (10, 0, 2, 10));
        assert_eq!((proofs(1, 0), proofs(1, 1), proofs(2, 0)), (120, 2, 120));
    }

    #[test]
    fn one_place_asks_for_thirty_codes() {
        let throttle = Throttle::default();
        let asks =
            |n: usize| throttle.device_asks(Some(format!("2001:db8:1:{n:x}::1").parse().unwrap()), at(0)).is_ok();
        assert_eq!((0..100).filter(|n| asks(*n)).count(), 30);
        assert!(throttle.device_asks(Some("2001:db8:2::1".parse().unwrap()), at(0)).is_ok());
    }

    #[test]
    fn memory_is_bounded_and_what_was_tried_most_is_kept() {
        let buckets = Buckets::<usize>::new(10, 900);
        for _ in 0..10 {
            buckets.spend(usize::MAX, at(0)).unwrap();
        }
        for key in 0..3 * MOST_STATES {
            buckets.spend(key, at(0)).unwrap();
            assert!(buckets.states.lock().len() <= MOST_STATES);
        }
        assert!(buckets.spend(usize::MAX, at(0)).is_err());
        buckets.spend(0, at(0) + SignedDuration::from_hours(24)).unwrap();
    }
}
