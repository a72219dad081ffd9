//! Two servers side by side: the same load on one and then on the other, several times over, and the medians.

use std::time::Duration;

use crate::{
    Result,
    process::Process,
    run::Bench,
    wrk::{Load, Outcome, Requests},
};

/// Enough connections that the server is never without work.
pub(crate) const CONNECTIONS: u32 = 64;

/// A server, and what it is asked.
pub(crate) struct Side<'a> {
    /// The process whose time counts.
    pub(crate) process: &'a Process,
    pub(crate) requests: Requests,
}

impl<'a> Side<'a> {
    /// The bare server on its port, and then ours: the same requests to both.
    pub(crate) fn pair((bare, port): &'a (Process, u16), ours: &'a Process, requests: Requests) -> [Self; 2] {
        [Self { process: bare, requests: requests.to(*port) }, Self { process: ours, requests }]
    }
}

/// Medians of all rounds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figures {
    /// What one request costs the server: its time on a core, user and system, until all that it caused is done.
    pub(crate) cost: Duration,
    pub(crate) rate: f64,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    /// All requests of all rounds.
    pub(crate) requests: usize,
}

impl Bench {
    /// As much as the servers can take.
    pub(crate) fn saturated(&self, sides: &[Side<'_>]) -> Result<Vec<Figures>> {
        self.compare(sides, &self.full(CONNECTIONS))
    }

    /// The same rate for all, of which no server has trouble: about 16,000 requests each second.
    pub(crate) fn paced(&self, sides: &[Side<'_>]) -> Result<Vec<Figures>> {
        self.compare(sides, &self.gentle())
    }

    pub(crate) fn full(&self, connections: u32) -> Load {
        Load { connections, seconds: self.scale.seconds, pause: None }
    }

    pub(crate) fn gentle(&self) -> Load {
        Load { pause: Some(4), ..self.full(CONNECTIONS) }
    }

    /// Each side in turn: what this machine does besides hits all of them alike.
    pub(crate) fn compare(&self, sides: &[Side<'_>], load: &Load) -> Result<Vec<Figures>> {
        let mut next = vec![0; sides.len()];
        let mut rounds: Vec<Vec<(Duration, Outcome)>> = vec![Vec::new(); sides.len()];
        for _ in 0..self.scale.rounds {
            for (number, side) in sides.iter().enumerate() {
                let before = side.process.cpu()?;
                let outcome = side.requests.send(load, next[number], self.scratch())?;
                side.process.settle()?;
                let spent = side.process.cpu()?.saturating_sub(before);
                next[number] += outcome.requests;
                rounds[number].push((spent.div_f64(outcome.requests as f64), outcome));
            }
        }
        Ok(rounds.iter().map(|rounds| Figures::medians(rounds)).collect())
    }
}

impl Figures {
    fn medians(rounds: &[(Duration, Outcome)]) -> Self {
        let duration = |read: fn(&(Duration, Outcome)) -> Duration| median(rounds.iter().map(read).collect());
        let rates = rounds.iter().map(|(_, outcome)| Duration::from_secs_f64(1.0 / outcome.rate)).collect();
        Self {
            cost: duration(|(cost, _)| *cost),
            rate: 1.0 / median(rates).as_secs_f64(),
            p50: duration(|(_, outcome)| outcome.p50),
            p99: duration(|(_, outcome)| outcome.p99),
            requests: rounds.iter().map(|(_, outcome)| outcome.requests).sum(),
        }
    }
}

/// The middle one; of an even number the later of the two.
pub(crate) fn median(mut values: Vec<Duration>) -> Duration {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or_default()
}
