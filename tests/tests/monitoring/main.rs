//! What operators watch: every query of the dashboard and every alert asks for what a real node tells, and what it tells is
//! true.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod promql;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use ledger_types::signature::Curve;
use promql::{Matcher, Query, Scrape, parse};
use serde_json::Value;
use tests::binary::run;
use tests::load::{dec, key, set};
use tests::testnet::Testnet;
use tests::workspace;
use txfamilies::sign_batch;

/// What Prometheus itself adds: where a sample came from, and whether the node answered.
const ADDED_LABELS: [&str; 2] = ["instance", "job"];
const ADDED_METRICS: [&str; 1] = ["up"];

fn monitoring(name: &str) -> String {
    let path: PathBuf = workspace::root().join("docker/monitoring").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A query with the place where it stands.
struct Asked {
    place: String,
    query: Query,
}

impl Asked {
    fn read(place: String, expression: &str) -> Self {
        let query = parse(expression).unwrap_or_else(|error| panic!("{place}: {error}"));
        Self { place, query }
    }
}

fn dashboard() -> Vec<Asked> {
    let dashboard: Value =
        serde_json::from_str(&monitoring("grafana/dashboards/dgt.json")).expect("the dashboard is JSON");
    let mut asked = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        let targets = panel["targets"].as_array().map(Vec::as_slice).unwrap_or_default();
        assert_eq!(targets.is_empty(), panel["type"] == "row", "{title} asks for something");
        if panel["type"] != "row" {
            assert!(!panel["description"].as_str().unwrap().is_empty(), "{title} says what it is about");
            assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{title} has a unit");
        }
        for target in targets {
            // What Grafana puts in itself.
            let expression =
                target["expr"].as_str().unwrap().replace("$__rate_interval", "1m").replace("$instance", ".*");
            assert!(!expression.contains('$'), "{title}: {expression}");
            asked.push(Asked::read(format!("panel {title}"), &expression));
        }
    }
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        if let Some(values) =
            variable["query"]["query"].as_str().and_then(|query| query.strip_prefix("label_values("))
        {
            let (metric, _) = values.split_once(',').unwrap();
            asked.push(Asked::read("a variable".to_owned(), metric));
        }
    }
    asked
}

/// The alerts' names and expressions; each on a line of its own.
fn alerts() -> Vec<Asked> {
    let text = monitoring("alerts.yml");
    let value = |line: &str, key: &str| line.trim().strip_prefix(key).map(str::to_owned);
    let names: Vec<String> = text.lines().filter_map(|line| value(line, "- alert: ")).collect();
    let expressions: Vec<String> = text.lines().filter_map(|line| value(line, "expr: ")).collect();
    let count = |word: &str| text.lines().filter(|line| line.trim().starts_with(word)).count();
    for word in ["expr: ", "labels: {severity: ", "summary: ", "description: "] {
        assert_eq!(count(word), names.len(), "every alert has its {word}");
    }
    let different: BTreeSet<&String> = names.iter().collect();
    assert_eq!(different.len(), names.len(), "no alert twice");
    names.iter().zip(&expressions).map(|(name, expression)| Asked::read(name.clone(), expression)).collect()
}

/// Whether a node tells what is asked for: each metric, with each label, and where a value is named, with that value.
fn check(asked: &Asked, scrape: &Scrape) -> Result<(), String> {
    let place = &asked.place;
    let is_told = |label: &str, metric: &str| {
        scrape.samples(metric, &[]).any(|sample| sample.labels.contains_key(label))
    };
    for selector in &asked.query.selectors {
        let metric = selector.metric.as_str();
        if !ADDED_METRICS.contains(&metric) && scrape.samples(metric, &[]).next().is_none() {
            return Err(format!("{place}: no node tells {metric}"));
        }
        for Matcher { label, operator, value } in &selector.matchers {
            if ADDED_LABELS.contains(&label.as_str()) {
                continue;
            }
            if !is_told(label, metric) {
                return Err(format!("{place}: {metric} has no label {label}"));
            }
            if operator == "=" && scrape.samples(metric, &[(label, value)]).next().is_none() {
                return Err(format!("{place}: {metric} never has {label}={value}"));
            }
        }
    }
    let told = |label: &String| asked.query.selectors.iter().any(|selector| is_told(label, &selector.metric));
    let mut groups = asked.query.groups.iter().filter(|label| !ADDED_LABELS.contains(&label.as_str()));
    groups
        .find(|label| !told(label))
        .map_or(Ok(()), |label| Err(format!("{place}: nothing has the label {label}")))
}

fn scrape(network: &Testnet, node: usize) -> Scrape {
    let answer = network.client(node).try_get("/metrics").unwrap();
    assert_eq!(answer.status, 200);
    Scrape::read(&answer.text)
}

/// Asserts that the operators' page explains every metric of a node, and none that there is not.
fn check_page(scrape: &Scrape) {
    let page = std::fs::read_to_string(workspace::root().join("docs/operators.md")).unwrap();
    let without_suffix = |name: &str| {
        let suffix = ["_bucket", "_count", "_sum"].iter().find_map(|suffix| name.strip_suffix(suffix));
        suffix.unwrap_or(name).to_owned()
    };
    let told: BTreeSet<String> = scrape.0.iter().map(|sample| without_suffix(&sample.name)).collect();
    let words = page.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let explained: BTreeSet<String> =
        words.filter(|word| word.starts_with("dgt_") && *word != "dgt_clust").map(str::to_owned).collect();
    assert_eq!(explained, told, "left: docs/operators.md, right: /metrics");
}

#[test]
fn the_dashboard_and_the_alerts_ask_for_what_a_node_tells_and_it_is_true() {
    let mut network = Testnet::start(1, 4);
    let wallets = key(Curve::Ed25519, "alice");
    network.commit(0, &sign_batch(&wallets, &[set("a", 1), set("b", 1)]));
    // There is no such wallet: a block rejects it.
    let rejected = sign_batch(&wallets, &[dec("nobody", 1)]);
    network.client(0).decide(&rejected);
    let before = network.wait("both are counted", || {
        let told = scrape(&network, 0);
        let counted = told.sum("dgt_batch_decision_seconds_count", &[]);
        if counted >= 2.0 { Ok(told) } else { Err(counted.to_string()) }
    });

    let (dashboard, alerts) = (dashboard(), alerts());
    assert!(dashboard.len() > 30 && alerts.len() > 15, "{} and {}", dashboard.len(), alerts.len());
    for asked in dashboard.iter().chain(&alerts) {
        check(asked, &before).unwrap();
    }
    check_page(&before);

    let total = |name: &str| before.sum(name, &[]) as u64;
    assert_eq!(total("dgt_transactions_committed_total"), 2);
    assert_eq!(total("dgt_batches_committed_total"), 1);
    assert_eq!(total("dgt_batches_rejected_total"), 1);
    assert_eq!(total("dgt_batch_decision_seconds_count"), 2);
    assert_eq!((total("dgt_validators"), total("dgt_quorum"), total("dgt_links_up")), (4, 3, 3));
    assert_eq!((total("dgt_ready"), total("dgt_fault"), total("dgt_votes")), (1, 0, 1));
    assert!(total("dgt_finality_seconds_count") >= total("dgt_blocks_committed_total"));
    // Each stage was measured, if not here then where the leader was; a whole takes at least as long as a part of it.
    let all: Vec<Scrape> = (0..network.len()).map(|node| scrape(&network, node)).collect();
    for stage in ["verify", "pool", "build", "check", "notarize", "finalize", "commit"] {
        let sum = |part: &str| -> f64 {
            let name = format!("dgt_stage_duration_seconds_{part}");
            all.iter().map(|scrape| scrape.sum(&name, &[("stage", stage)])).sum()
        };
        assert!(sum("count") > 0.0 && sum("sum") > 0.0, "{stage}");
    }
    // Blocks that were notarized and are not final yet count for one stage and not for the whole.
    for scrape in &all {
        let finalize = scrape.sum("dgt_stage_duration_seconds_sum", &[("stage", "finalize")]);
        let whole = scrape.sum("dgt_finality_seconds_sum", &[]);
        assert!(finalize <= whole, "{finalize} of {whole}");
    }

    missed_votes(&mut network, &wallets);
    network.stop_all();
}

/// A validator that is away misses votes, and nobody else does.
fn missed_votes(network: &mut Testnet, wallets: &ledger_types::PrivateKey) {
    network.stop(3);
    for round in 0..12 {
        network.commit(0, &sign_batch(wallets, &[set(&format!("w{round}"), 1)]));
    }
    let told = scrape(network, 0);
    let missed = |validator| told.sum("dgt_votes_missed_total", &[("validator", validator)]);
    assert!(missed("c1-4") >= 1.0, "{told:?}");
    for present in ["c1-1", "c1-2", "c1-3"] {
        assert!(missed(present) < missed("c1-4"), "{present} missed {}", missed(present));
    }
    assert!(told.sum("dgt_link_up", &[("validator", "c1-4")]) == 0.0);
    assert_eq!(told.samples("dgt_peer_clock_offset_seconds", &[("validator", "c1-4")]).count(), 0);
    // On one machine all clocks are one; what is left is the way.
    for sample in told.samples("dgt_peer_clock_offset_seconds", &[]) {
        assert!(sample.value.abs() < 5.0, "{sample:?}");
    }
}

#[test]
fn a_query_for_what_no_node_tells_is_found() {
    let text = "dgt_a 1\ndgt_b_total{route=\"/x\",code=\"200\"} 1\n# EOF\n";
    let scrape = Scrape::read(text);
    let holds = |expression: &str| check(&Asked::read("a test".to_owned(), expression), &scrape).is_ok();
    for good in
        ["up == 0", "dgt_a{instance=~\"x\"}", "sum by (code, job) (rate(dgt_b_total{route=\"/x\"}[1m]))"]
    {
        assert!(holds(good), "{good}");
    }
    for bad in ["dgt_c", "dgt_a{route=\"/x\"}", "dgt_b_total{route=\"/y\"}", "sum by (file) (dgt_a)"] {
        assert!(!holds(bad), "{bad}");
    }
}

#[test]
#[allow(clippy::print_stderr, reason = "a skipped test says so")]
fn promtool_takes_the_configuration_and_the_alerts_come_when_they_should() {
    if let Err(error) = Command::new("promtool").arg("--version").output() {
        eprintln!("SKIPPED: Prometheus' own look at its files: there is no promtool: {error}");
        return;
    }
    let folder = workspace::root().join("docker/monitoring");
    for arguments in [["check", "config", "prometheus.yml"], ["test", "rules", "alerts_test.yml"]] {
        let ran = run(Command::new("promtool").args(arguments).current_dir(&folder));
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }
}
