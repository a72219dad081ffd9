//! The process as the system sees it, under the names that every Prometheus client uses. Where there is no `/proc`, these
//! stay at zero.

use std::fs;

use prometheus::{Counter, IntGauge};
use rustix::{param, process};

use super::Made;

pub(super) struct Process {
    cpu_seconds: Counter,
    resident_bytes: IntGauge,
    open_files: IntGauge,
    most_files: IntGauge,
}

/// What `/proc/self/stat` says (proc(5)), in its own units.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    /// Of user and system, together.
    cpu_ticks: u64,
    started_ticks: u64,
    resident_pages: u64,
}

impl Process {
    pub(super) fn new(made: &Made) -> Self {
        let started = made.number("process_start_time_seconds", "When the process began, in Unix time.");
        let ticks = param::clock_ticks_per_second();
        if let (Some(stat), Some(booted)) = (Stat::read(), booted()) {
            started.set((booted + stat.started_ticks / ticks) as f64);
        }
        Self {
            cpu_seconds: made.sum("process_cpu_seconds_total", "Processor time of user and system."),
            resident_bytes: made.gauge("process_resident_memory_bytes", "Memory that is resident."),
            open_files: made.gauge("process_open_fds", "Open file descriptors, connections included."),
            most_files: made.gauge("process_max_fds", "The most file descriptors that may be open."),
        }
    }

    pub(super) fn read(&self) {
        if let Some(stat) = Stat::read() {
            let seconds = stat.cpu_ticks as f64 / param::clock_ticks_per_second() as f64;
            self.cpu_seconds.inc_by((seconds - self.cpu_seconds.get()).max(0.0));
            self.resident_bytes.set(signed(stat.resident_pages.saturating_mul(param::page_size() as u64)));
        }
        if let Ok(files) = fs::read_dir("/proc/self/fd") {
            self.open_files.set(super::integer(files.count()));
        }
        let most = process::getrlimit(process::Resource::Nofile).current;
        self.most_files.set(most.map_or(i64::MAX, signed));
    }
}

impl Stat {
    fn read() -> Option<Self> {
        Self::parse(&fs::read_to_string("/proc/self/stat").ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        // The name of the program stands in parentheses and may hold anything, parentheses too.
        let (_, fields) = text.rsplit_once(')')?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        // Numbered from 1 in proc(5); the first after the name is field 3.
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Self { cpu_ticks: field(14)? + field(15)?, started_ticks: field(22)?, resident_pages: field(24)? })
    }
}

/// When the system was started, in Unix time.
fn booted() -> Option<u64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_may_be_called_anything() {
        let text =
            "12 (a ) b) S 1 1 1 0 -1 4194560 900 0 3 0 250 30 0 0 20 0 3 0 8800 500000 1234 18446744073709551615 1";
        assert_eq!(Stat::parse(text), Some(Stat { cpu_ticks: 280, started_ticks: 8800, resident_pages: 1234 }));
        assert_eq!(Stat::parse("12 (a) S 1"), None);
        assert_eq!(Stat::parse(""), None);
    }
}
