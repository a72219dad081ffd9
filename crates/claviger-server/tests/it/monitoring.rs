//! What the guide, the dashboard and the alerts say of metrics is what `/metrics` shows.

use std::{collections::BTreeSet, io::ErrorKind, process::Command};

use serde_json::Value;

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

#[test]
fn every_question_of_the_dashboard_and_the_alerts_can_be_answered() {
    let database = TestDatabase::fresh(Engine::Sqlite);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let scraped = runtime.block_on(async {
        let app = TestApp::start(&database.url, |_| {}).await;
        scrape(&app).await
    });
    let dashboard: Value = serde_json::from_str(include_str!("../../../../docs/grafana/claviger.json")).unwrap();
    let targets = dashboard["panels"].as_array().unwrap().iter().flat_map(|panel| panel["targets"].as_array());
    let mut asked = 0;
    for target in targets.flatten() {
        let question = target["expr"].as_str().unwrap();
        let labels = scraped.check(question);
        let legend = target["legendFormat"].as_str().unwrap_or_default();
        for label in legend.split("{{").skip(1).map(|rest| rest.split("}}").next().unwrap().trim()) {
            assert!(labels.contains(label), "the legend {legend} of {question}");
        }
        asked += 1;
    }
    for question in alerts(include_str!("../../../../docs/prometheus/alerts.yml")) {
        scraped.check(&question);
        asked += 1;
    }
    assert!(asked > 40, "{asked}");
    for wrong in [
        "claviger_verdict_total",
        "sum by (kode) (claviger_verdicts_total)",
        "claviger_verdicts_total{surfaces=\"verify\"}",
        "claviger_verdicts_total{code=~\"valid|fine\"}",
        "sum(rate(claviger_cache_entries_bucket[5m])) by (le)",
    ] {
        assert!(std::panic::catch_unwind(|| scraped.check(wrong)).is_err(), "{wrong}");
    }
}

/// The expressions of the alerts, which may stand on several lines.
fn alerts(rules: &str) -> Vec<String> {
    let mut questions: Vec<String> = Vec::new();
    let mut inside = false;
    for line in rules.lines() {
        if let Some(first) = line.trim_start().strip_prefix("expr:") {
            questions.push(first.trim().trim_start_matches('|').to_owned());
            inside = true;
        } else if inside && line.starts_with("          ") {
            questions.last_mut().unwrap().push_str(line);
        } else {
            inside = false;
        }
    }
    questions
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
    /// Looks whether there is each metric of a PromQL expression with each label that it is asked by, and whether the label has
    /// the words that are asked for. Answers with the labels that the result may have.
    fn check(&self, question: &str) -> BTreeSet<String> {
        // Those that Prometheus adds.
        let mut labels: BTreeSet<String> = ["job", "instance"].map(str::to_owned).into();
        let mut names: Vec<&str> = metrics_named_in(question).collect();
        names.extend(question.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| *word == "up"));
        assert!(!names.is_empty(), "{question} asks for nothing");
        for name in names.into_iter().filter(|name| *name != "up") {
            assert!(self.knows(name), "{question}: no {name}");
            let of_it = |series: &str| series.split('{').next() == Some(name);
            let samples: Vec<_> = self.samples.iter().filter(|sample| of_it(&sample.series)).collect();
            assert!(!samples.is_empty(), "{question}: no {name}");
            let own: Vec<&(String, String)> = samples.iter().flat_map(|sample| &sample.labels).collect();
            labels.extend(own.iter().map(|(label, _)| label.clone()));
            for rest in question.split(name).skip(1).filter_map(|rest| rest.strip_prefix('{')) {
                for matcher in rest.split('}').next().unwrap().split(',').map(str::trim) {
                    let at = matcher.find(['=', '!']).unwrap_or_else(|| panic!("{question}: {matcher}"));
                    let (label, asked) = (matcher[..at].trim(), matcher[at..].trim_start_matches(['=', '!', '~']));
                    if matches!(label, "job" | "instance") {
                        continue;
                    }
                    for word in asked.trim_matches('"').split('|') {
                        let is = own.iter().any(|(own, value)| own == label && value == word);
                        assert!(is, "{question}: {name} is never {label}={word}");
                    }
                }
            }
        }
        for rest in question.split("by (").skip(1) {
            for label in rest.split(')').next().unwrap().split(',').map(str::trim) {
                assert!(labels.contains(label), "{question}: by {label}");
            }
        }
        labels
    }

    fn knows(&self, name: &str) -> bool {
        let suffixes = ["_bucket", "_sum", "_count"];
        let family = suffixes.iter().find_map(|suffix| name.strip_suffix(suffix));
        self.kinds.contains_key(name)
            || family.and_then(|name| self.kinds.get(name)).is_some_and(|kind| kind == "histogram")
    }
}
