//! What the guide, the dashboard and the alerts say of metrics is what `/metrics` shows.

use std::{io::ErrorKind, process::Command};

use crate::{
    app::TestApp,
    database::{Engine, TestDatabase},
    metrics::{Scraped, scrape},
};

#[test]
fn the_guide_the_dashboard_and_the_alerts_know_the_metrics_that_there_are() {
    let database = TestDatabase::fresh(Engine::Sqlite);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let scraped = runtime.block_on(async {
        let app = TestApp::start(&database.url, |_| {}).await;
        scrape(&app).await
    });
    promtool(&["check", "rules", concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/prometheus/alerts.yml")]);
    let guide = include_str!("../../../../docs/monitoring.md");
    let described: Vec<(&str, &str)> = guide.lines().filter_map(row_of_the_table).collect();
    let mut shown: Vec<(&str, &str)> =
        scraped.kinds.iter().map(|(name, kind)| (name.as_str(), kind.as_str())).collect();
    shown.sort_unstable();
    let mut sorted = described.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, shown, "docs/monitoring.md and /metrics");
    for (file, text) in [
        ("docs/monitoring.md", guide),
        ("docs/prometheus/alerts.yml", include_str!("../../../../docs/prometheus/alerts.yml")),
        ("docs/grafana/claviger.json", include_str!("../../../../docs/grafana/claviger.json")),
    ] {
        for name in metrics_named_in(text) {
            assert!(scraped.knows(name), "{file} names {name}, which does not exist");
        }
    }
    let dashboard: serde_json::Value =
        serde_json::from_str(include_str!("../../../../docs/grafana/claviger.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        let targets = panel["targets"].as_array().unwrap();
        let asks = |target: &serde_json::Value| metrics_named_in(target["expr"].as_str().unwrap()).next().is_some();
        assert!(!targets.is_empty() && targets.iter().all(asks), "{}", panel["title"]);
    }
}

/// Prometheus' own opinion, where its tool is installed.
fn promtool(arguments: &[&str]) {
    match Command::new("promtool").args(arguments).output() {
        Ok(done) => assert!(done.status.success(), "{done:?}"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "{error}"),
    }
}

/// "| `name` | counter | …": the name and the type.
fn row_of_the_table(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.strip_prefix("| `")?.split_once("` | ")?;
    let kind = rest.split(' ').next()?;
    ["counter", "gauge", "histogram"].contains(&kind).then_some((name, kind))
}

/// Whatever looks like a metric of ours or of the process.
fn metrics_named_in(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|character: char| !character.is_ascii_alphanumeric() && character != '_');
    let family = |word: &&str| word.starts_with("claviger_") || word.starts_with("process_");
    words.filter(family).filter(|word| !word.ends_with('_'))
}

impl Scraped {
    fn knows(&self, name: &str) -> bool {
        let suffixes = ["_bucket", "_sum", "_count"];
        let family = suffixes.iter().find_map(|suffix| name.strip_suffix(suffix));
        self.kinds.contains_key(name)
            || family.and_then(|name| self.kinds.get(name)).is_some_and(|kind| kind == "histogram")
    }
}
