//! `dgt peer`.

use std::io::Write;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::Value;

use super::client::Connection;
use super::item::cell_at;
use super::output::{Cell, Column, DocumentFormat, Format, List, ListStyle, Row, print_document};

const COLUMNS: &[Column] = &[
    Column { key: "validator", heading: "VALIDATOR" },
    Column { key: "endpoint", heading: "ENDPOINT" },
    Column { key: "state", heading: "STATE" },
    Column { key: "trouble", heading: "WHY" },
];

/// Arguments of `dgt peer`.
#[derive(Debug, Args)]
pub(super) struct Peer {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the links to the other validators; as CSV, JSON or YAML, the endpoints of those that are up.
    List {
        #[command(flatten)]
        style: ListStyle,
    },
}

impl Peer {
    pub(super) fn run(self, out: &mut dyn Write) -> Result<()> {
        let Command::List { style } = self.command;
        if style.format == Format::Default {
            return print_links(out, &self.connection.get("/status", &[])?["data"]);
        }
        // What programs read is what they know from the `sawtooth` command.
        let answer = self.connection.get("/peers", &[])?;
        let peers = answer["data"].as_array().map(Vec::as_slice).unwrap_or_default();
        let mut peers: Vec<&str> = peers.iter().filter_map(Value::as_str).collect();
        peers.sort_unstable();
        match style.format {
            Format::Default | Format::Csv => writeln!(out, "{}", peers.join(","))?,
            Format::Json => print_document(out, DocumentFormat::Json, &peers.into())?,
            Format::Yaml => print_document(out, DocumentFormat::Yaml, &peers.into())?,
        }
        Ok(())
    }
}

/// Prints the links in a node's status as a table: a line for every other validator.
pub(super) fn print_links(out: &mut dyn Write, status: &Value) -> Result<()> {
    let links = status["node"]["links"].as_array().map(Vec::as_slice).unwrap_or_default();
    let rows = links.iter().map(row).collect::<Result<Vec<_>>>()?;
    let mut list = List::new(out, Format::Default, COLUMNS);
    list.print(&rows)?;
    list.finish(None)
}

fn row(link: &Value) -> Result<Row> {
    let state = if link["is_up"].as_bool().unwrap_or_default() { "up" } else { "down" };
    let why = link["trouble"].as_str().unwrap_or_default();
    let cells = [state, why].map(|text| Cell::Text(text.to_owned()));
    Ok([cell_at(link, "/validator")?, cell_at(link, "/endpoint")?].into_iter().chain(cells).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::print_links;

    #[test]
    fn every_validator_has_a_line() {
        let link = |validator: &str, endpoint: &str, is_up| json!({"endpoint": endpoint, "is_up": is_up, "validator": validator});
        let mut links =
            [link("c1-2", "tcp://127.0.0.1:8102", true), link("c2-1", "tcp://node.example:8201", false)];
        links[1]["trouble"] = "it refuses".into();
        let mut out = Vec::new();
        print_links(&mut out, &json!({"node": {"links": links}})).unwrap();
        let expected = "\
VALIDATOR  ENDPOINT                 STATE  WHY
c1-2       tcp://127.0.0.1:8102     up
c2-1       tcp://node.example:8201  down   it refuses
";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
