//! What nodes that run say of themselves and of each other.

use std::time::Duration;

use genesis::Genesis;
use serde_json::Value;

use super::machine::{CLOCK_MEND, CLOCK_MS};
use super::report::Finding;
use crate::cli::client::{Connection, reached};
use crate::clock::wall_ms;
use crate::config::Settings;

/// How long a node may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Blocks that a node may be behind without a word.
const LAG: u64 = 100;
/// This program's version.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Where a node's own clients reach it from its own machine.
pub(super) fn url(settings: &Settings) -> String {
    format!("http://{}", reached(settings.api))
}

/// The node of this folder, which runs.
pub(super) fn own(url: &str, genesis: &Genesis) -> Vec<Finding> {
    let node = match status(url) {
        Ok((node, _)) => node,
        Err(error) => {
            let mend = "name its REST interface with --api if flags or the environment say where it is; else look at \
                        its log: it starts, stops or hangs";
            return vec![Finding::error(format!("the node runs and does not answer: {error}"), mend)];
        }
    };
    let mut findings = of_network(&node, genesis, "the process that runs");
    if node["version"].as_str().is_some_and(|version| version != VERSION) {
        let what =
            format!("the process that runs is version {}, this dgt is {VERSION}", text(&node, "version"));
        findings.push(Finding::warning(what, "restart the node, and it runs the new version"));
    }
    let duty = text(&node, "duty");
    if let Some(fault) = node["fault"].as_str() {
        let mend = "docs/operators.md, Start and stop, has what to do for each fault";
        findings.push(Finding::error(format!("it does not take part: {fault}"), mend));
    } else if !["votes", "silent", "asks"].contains(&duty.as_str()) {
        let what = format!("it does not vote: its duty is {duty}");
        findings.push(Finding::error(what, "docs/operators.md, Restoring votes, says what brings it back"));
    }
    if node["is_quorum_heard"] == Value::Bool(false) {
        let what = format!(
            "{} of {} validators are heard and {} must vote: nothing can be decided",
            node["heard"], node["validators"], node["quorum"]
        );
        findings.push(Finding::error(what, "bring the validators back whose links are down"));
    }
    let lag: u64 = text(&node, "lag").parse().unwrap_or(0);
    if lag > LAG {
        let mend =
            "wait: `dgt status` shows rate and time left; if it grows, the disk or the processor is too slow";
        findings.push(Finding::warning(format!("it is {lag} blocks behind what is final"), mend));
    }
    for offender in node["offenders"].as_array().into_iter().flatten() {
        let what = format!("{} is proven to have lied", text(offender, "validator"));
        findings.push(Finding::warning(what, "ask its member: most likely its vote key runs twice"));
    }
    findings.extend(links(&node));
    findings
}

/// The links of a node, and the clocks at their other ends.
fn links(node: &Value) -> Vec<Finding> {
    let links = node["links"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut findings = Vec::new();
    for link in links.iter().filter(|link| link["is_up"] == Value::Bool(false)) {
        let why = link["trouble"].as_str().unwrap_or("it is not known why");
        let what = format!("no link to {} at {}: {why}", text(link, "validator"), text(link, "endpoint"));
        let mend = "ask its member whether it runs with the same network file; else correct network.peers";
        findings.push(Finding::warning(what, mend));
    }
    let offset = |link: &Value| Some((text(link, "validator"), link["clock_offset_ms"].as_i64()?));
    let clocks: Vec<(String, i64)> = links.iter().filter_map(offset).collect();
    let off: Vec<_> = clocks.iter().filter(|(_, ms)| ms.unsigned_abs() > CLOCK_MS).collect();
    let all = |sign: fn(i64) -> bool| off.iter().filter(|(_, ms)| sign(*ms)).count();
    let with_us = clocks.len() - off.len();
    // Most of the others agree with each other and not with this one.
    let is_own = all(i64::is_positive).max(all(i64::is_negative)) > with_us;
    let named: Vec<String> = off.iter().map(|(validator, ms)| format!("{validator} by {ms} ms")).collect();
    match (off.is_empty(), is_own) {
        (true, _) => {}
        (false, true) => {
            let what = format!("this machine's clock is wrong: others are ahead of it, {}", named.join(", "));
            findings.push(Finding::error(what, CLOCK_MEND));
        }
        (false, false) => {
            let what = format!("clocks of other validators are ahead of this one: {}", named.join(", "));
            findings.push(Finding::warning(what, "ask their members to let NTP set them"));
        }
    }
    findings
}

/// Another node, which the operator named: its network, its version and its clock.
pub(super) fn other(url: &str, genesis: &Genesis) -> Vec<Finding> {
    let (node, offset_ms) = match status(url) {
        Ok(answer) => answer,
        Err(error) => {
            let mend =
                "ask its member whether it runs, and whether its REST interface can be reached from here";
            return vec![Finding::warning(error, mend)];
        }
    };
    let mut findings = of_network(&node, genesis, url);
    if node["version"].as_str().is_some_and(|version| version != VERSION) {
        let what = format!("{url} is version {}, this dgt is {VERSION}", text(&node, "version"));
        findings.push(Finding::warning(
            what,
            "let all members run the same version; CHANGELOG.md says what changed",
        ));
    }
    if let Some(offset_ms) = offset_ms.filter(|ms| ms.unsigned_abs() > CLOCK_MS) {
        let what = format!("the clock of {url} is ahead of this machine's by {offset_ms} ms");
        findings.push(Finding::error(what, CLOCK_MEND));
    }
    findings
}

fn of_network(node: &Value, genesis: &Genesis, who: &str) -> Vec<Finding> {
    let (found, own) = (text(node, "network_id"), genesis.lineage.current().to_string());
    let finding = (found != own).then(|| {
        let what = format!("{who} is of network {found}, the network file here of {own}");
        let mend = "compare etc/network.toml, its [[rollback]] tables too: all members have the same (`dgt genesis show`)";
        Finding::error(what, mend)
    });
    finding.into_iter().collect()
}

/// What a node says of itself, and how far its clock is ahead of this one's, milliseconds, less what the way may hide.
fn status(url: &str) -> Result<(Value, Option<i64>), String> {
    let before_ms = wall_ms();
    let answer = Connection::new(url.to_owned()).probe("/status", PATIENCE);
    let after_ms = wall_ms();
    let node = answer.map_err(|error| format!("{error:#}"))?["data"]["node"].take();
    let Some(theirs_ms) = text(&node, "time_ms").parse().ok() else { return Ok((node, None)) };
    // It was read at some time between the two.
    let offset_ms = match theirs_ms {
        theirs_ms if theirs_ms < before_ms => -i64::try_from(before_ms - theirs_ms).unwrap_or(i64::MAX),
        theirs_ms => i64::try_from(u64::saturating_sub(theirs_ms, after_ms)).unwrap_or(i64::MAX),
    };
    Ok((node, Some(offset_ms)))
}

/// A text of a document; what is no text is empty.
fn text(document: &Value, name: &str) -> String {
    document[name].as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::links;
    use crate::cli::doctor::report::Severity;

    fn found(offsets: &[Option<i64>]) -> Vec<(Severity, String)> {
        let link = |offset: &Option<i64>| json!({"validator": "c1-2", "endpoint": "tcp://h:1", "is_up": true, "clock_offset_ms": offset});
        let node: Value = json!({"links": offsets.iter().map(link).collect::<Vec<_>>()});
        links(&node).into_iter().map(|finding| (finding.severity, finding.what)).collect()
    }

    #[test]
    fn the_majority_of_clocks_tells_whose_is_wrong() {
        assert_eq!(found(&[Some(400), Some(-20), None]), []);
        let one = found(&[Some(3_000), Some(2), Some(-2)]);
        assert!(one.len() == 1 && one[0].0 == Severity::Warning, "{one:?}");
        let own = found(&[Some(-3_000), Some(-3_001), Some(-2)]);
        assert!(own.len() == 1 && own[0].0 == Severity::Error && own[0].1.contains("-3001 ms"), "{own:?}");
    }
}
