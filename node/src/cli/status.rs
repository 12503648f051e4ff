//! `dgt status` and `dgt healthcheck`.

use std::io::Write;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use serde_json::Value;

use super::client::Connection;
use super::item::text_at;
use super::output::{DocumentFormat, DocumentStyle, print_document, printable};
use super::peer::print_links;

/// Arguments of `dgt status`.
#[derive(Debug, Args)]
pub(super) struct Status {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    style: DocumentStyle,
}

impl Status {
    pub(super) fn run(self, out: &mut dyn Write) -> Result<()> {
        let found = self.connection.get("/status", &[])?;
        match self.style.format {
            DocumentFormat::Default => print_status(out, &found["data"]),
            format => print_document(out, format, &found["data"]),
        }
    }
}

/// Prints a node's status for people: a line for each thing to know, then the links if there are other validators.
fn print_status(out: &mut dyn Write, status: &Value) -> Result<()> {
    let node = &status["node"];
    let text = |name: &str| text_at(node, name);
    let count = |name: &str| node[name].as_u64().unwrap_or_default();
    let (heard, all, must_vote) = (count("heard"), count("validators"), count("quorum"));
    let quorum =
        if node["is_quorum_heard"].as_bool().unwrap_or_default() { "reached" } else { "not reached" };
    let lines = [
        ("node", format!("{} at {}", text("/name")?, text_at(status, "/endpoint")?)),
        ("network", text("/network_id")?.to_owned()),
        ("height", format!("{}, {} behind what is final{}", text("/height")?, text("/lag")?, going(node))),
        ("head", text("/head")?.to_owned()),
        ("view", format!("{}, led by {}", text("/view")?, text("/leader")?)),
        ("role", format!("{}, {}", text("/role")?, text("/duty")?)),
        ("quorum", format!("{quorum}: {heard} of {all} heard, {must_vote} must vote")),
        ("pool", format!("{} batches", count("pool_batches"))),
        ("offenders", offenders(node)?),
    ];
    let fault = node["fault"].as_str().map(|fault| ("fault", fault.to_owned()));
    for (name, line) in lines.into_iter().chain(fault) {
        writeln!(out, "{name:<9}  {}", printable(&line))?;
    }
    if all > 1 {
        writeln!(out)?;
        print_links(out, status)?;
    }
    Ok(())
}

/// How catching up goes, if it is going on.
fn going(node: &Value) -> String {
    let going = &node["catching_up"];
    let rate = going["blocks_per_second"].as_u64().map(|rate| format!(": {rate} blocks a second"));
    let remaining = going["remaining_seconds"].as_u64().map(|seconds| format!(", {seconds} s left"));
    rate.unwrap_or_default() + &remaining.unwrap_or_default()
}

/// The validators that are proven to have lied.
fn offenders(node: &Value) -> Result<String> {
    let offenders = node["offenders"].as_array().map(Vec::as_slice).unwrap_or_default();
    let shown = |offender| {
        Ok(format!("{} in view {}", text_at(offender, "/validator")?, text_at(offender, "/view")?))
    };
    let shown = offenders.iter().map(shown).collect::<Result<Vec<_>>>()?;
    Ok(if shown.is_empty() { "none".to_owned() } else { shown.join(", ") })
}

/// Arguments of `dgt healthcheck`.
#[derive(Debug, Args)]
pub(super) struct Healthcheck {
    #[command(flatten)]
    connection: Connection,
    /// Seconds that the node may take to answer.
    #[arg(long, default_value_t = 5, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
}

impl Healthcheck {
    /// Fails unless the node takes part and accepts batches.
    pub(super) fn run(self, out: &mut dyn Write) -> Result<()> {
        self.connection.probe("/readyz", Duration::from_secs(self.timeout))?;
        writeln!(out, "ready")?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::print_status;

    fn printed(status: &Value) -> String {
        let mut out = Vec::new();
        print_status(&mut out, status).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn status() -> Value {
        json!({
            "endpoint": "tcp://127.0.0.1:8101",
            "node": {
                "duty": "votes", "final_height": "9", "head": "beef", "heard": 1, "height": "7", "is_quorum_heard": false,
                "lag": "2", "leader": "c1-2", "links": [{"endpoint": "tcp://127.0.0.1:8102", "is_up": false, "validator": "c1-2"}],
                "name": "c1-1", "network_id": "cafe", "offenders": [{"validator": "c1-2", "view": "3"}], "pool_batches": 4,
                "quorum": 2, "role": "validator", "validators": 2, "view": "11",
            },
            "peers": [],
        })
    }

    #[test]
    fn people_see_a_line_for_each_thing_to_know() {
        let expected = "\
node       c1-1 at tcp://127.0.0.1:8101
network    cafe
height     7, 2 behind what is final
head       beef
view       11, led by c1-2
role       validator, votes
quorum     not reached: 1 of 2 heard, 2 must vote
pool       4 batches
offenders  c1-2 in view 3

VALIDATOR  ENDPOINT              STATE  WHY
c1-2       tcp://127.0.0.1:8102  down
";
        assert_eq!(printed(&status()), expected);
    }

    #[test]
    fn a_network_of_one_has_no_table_and_a_terminal_is_never_steered() {
        let mut status = status();
        let node = &mut status["node"];
        node["validators"] = json!(1);
        node["is_quorum_heard"] = json!(true);
        node["offenders"] = json!([]);
        node["name"] = json!("\u{1b}[2J");
        node["fault"] = json!("no room");
        let printed = printed(&status);
        assert!(printed.starts_with("node       \\u{1b}[2J at tcp:"), "{printed}");
        assert!(
            printed.contains("\nquorum     reached: ")
                && printed.ends_with("\noffenders  none\nfault      no room\n"),
            "{printed}"
        );
    }
}
