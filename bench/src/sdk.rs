//! What a service pays that verifies by itself, with `claviger-sdk`: one call, in this process, without a network. How often memory is
//! asked for is counted as well, on the thread that calls.

use std::{fs, hint::black_box, thread::sleep, time::Duration};

use claviger_core::TokenFormat;
use claviger_sdk::{Claviger, Settings, Verdict, Wanted};
use claviger_token::{Permission, SigningAlgorithm};
use tokio::runtime::{Builder, Runtime};

use crate::{
    Result,
    compare::median,
    customer::{API, PERMISSION},
    process::{SERVER, now},
    report::{Row, micros},
    run::Bench,
    service::Service,
    signature::Raw,
    site::Server,
};

const CALLS: u32 = 200_000;
const NEW: usize = 1_000;
const SOON: Duration = Duration::from_secs(10);

/// What is known of one call.
struct Cost {
    call: Duration,
    allocations: u64,
}

/// A service with the SDK in it, whose questions are the customer's.
pub(crate) struct Caller {
    runtime: Runtime,
    claviger: Claviger,
    permissions: [Permission; 1],
}

impl Caller {
    /// One that follows a server.
    pub(crate) fn follow(server: &Server) -> Result<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let internal = format!("http://127.0.0.1:{}", server.internal);
        let mut settings = Settings::new("http://127.0.0.1:7420", &internal, API);
        settings.public_address = Some(format!("http://127.0.0.1:{}", server.public));
        let claviger = runtime.block_on(async { Claviger::start(settings) })?;
        let began = now();
        while !claviger.is_followed() {
            if began.elapsed() > SOON {
                return Err("the SDK does not follow the server".into());
            }
            sleep(Duration::from_millis(20));
        }
        Ok(Self { runtime, claviger, permissions: [PERMISSION.parse()?] })
    }

    pub(crate) fn verify(&self, credential: &str) -> Result<Verdict> {
        let wanted = Wanted { permissions: &self.permissions, ..Wanted::default() };
        Ok(self.runtime.block_on(self.claviger.verify(credential, &wanted))?.verdict)
    }

    /// Verified again and again, once it is known.
    fn known(&self, credential: &str, rounds: usize) -> Result<Cost> {
        let began = now();
        while self.verify(credential)? != Verdict::Valid {
            if began.elapsed() > SOON {
                return Err("what is measured is not valid".into());
            }
        }
        // What was asked about before the feed was heard is kept by now.
        sleep(Duration::from_secs(2));
        self.verify(credential)?;
        let wanted = Wanted { permissions: &self.permissions, ..Wanted::default() };
        let mut calls = Vec::new();
        let mut allocations = 0;
        for _ in 0..rounds {
            let mut took = Duration::ZERO;
            let info = allocation_counter::measure(|| {
                // One future around all of them: to enter the runtime is not what is measured.
                took = self.runtime.block_on(async {
                    let began = now();
                    for _ in 0..CALLS {
                        let _ = black_box(self.claviger.verify(black_box(credential), &wanted).await);
                    }
                    began.elapsed()
                });
            });
            calls.push(took / CALLS);
            allocations = info.count_total / u64::from(CALLS);
        }
        Ok(Cost { call: median(calls), allocations })
    }

    /// Each for the first time.
    fn unseen(&self, tokens: &[&str]) -> Result<Duration> {
        let wanted = Wanted { permissions: &self.permissions, ..Wanted::default() };
        self.runtime.block_on(async {
            let began = now();
            for token in tokens {
                if self.claviger.verify(token, &wanted).await?.verdict != Verdict::Valid {
                    return Err("a new token is not valid".into());
                }
            }
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(began.elapsed() / u32::try_from(tokens.len())?)
        })
    }
}

pub(crate) fn alone(bench: &mut Bench) -> Result<()> {
    let (site, rounds) = (bench.few()?, bench.scale.rounds);
    let server = site.serve(SERVER)?;
    let service = Service::new(&site, &server)?;
    let caller = Caller::follow(&server)?;
    let key = caller.known(&site.customer.token, rounds)?;
    bench.report(known("SDK: API key that is kept", &key));
    for algorithm in [SigningAlgorithm::Es256, SigningAlgorithm::EdDsa] {
        site.issue(&server, algorithm, TokenFormat::Jwt)?;
        let tokens = fs::read_to_string(service.tokens(bench, &server, NEW * rounds)?.file)?;
        let tokens: Vec<&str> = tokens.lines().collect();
        let first = tokens.first().copied().ok_or("no tokens")?;
        let (raw, new) = Raw::around(algorithm, first, || {
            let calls = tokens.chunks(NEW).map(|some| caller.unseen(some));
            Ok(median(calls.collect::<Result<Vec<_>>>()?))
        })?;
        let what = format!("SDK: {algorithm} JWT for the first time");
        let more = new.saturating_sub(raw.checking).as_secs_f64() * 1e6;
        let row = Row::at_most(what, "≤ signature check + 3 µs", more, 3.0);
        bench.report(row.with(format!("signature check {}", micros(raw.checking)), micros(new), None));
        bench.report(known(&format!("SDK: {algorithm} JWT seen before"), &caller.known(first, rounds)?));
    }
    Ok(())
}

fn known(what: &str, cost: &Cost) -> Row {
    let micros = cost.call.as_secs_f64() * 1e6;
    // One allocation is as far from none as a thousand.
    let value = if cost.allocations == 0 { micros } else { f64::INFINITY };
    let shown = format!("{micros:.2} µs, {} allocations", cost.allocations);
    Row::at_most(what, "≤ 1 µs, no allocation", value, 1.0).with("", shown, None)
}
