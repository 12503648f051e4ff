//! `dgt testnet status`.

use std::io::Write;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use serde_json::Value;

use super::site::{Member, Selection};
use crate::cli::output::{Cell, Column, List, ListStyle, Row};

const COLUMNS: &[Column] = &[
    Column { key: "node", heading: "NODE" },
    Column { key: "pid", heading: "PID" },
    Column { key: "url", heading: "URL" },
    Column { key: "height", heading: "HEIGHT" },
    Column { key: "view", heading: "VIEW" },
    Column { key: "role", heading: "ROLE" },
    Column { key: "duty", heading: "DUTY" },
    Column { key: "heard", heading: "HEARD/QUORUM" },
    Column { key: "state", heading: "STATE" },
];

/// How long a node may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Arguments of `dgt testnet status`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Status {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    style: ListStyle,
}

impl Status {
    pub(super) fn run(self, out: &mut dyn Write) -> Result<()> {
        let members = self.selection.members()?;
        // Nodes that hang are waited for at the same time.
        let rows = std::thread::scope(|scope| {
            let asked: Vec<_> = members.iter().map(|member| scope.spawn(|| row(member))).collect();
            asked.into_iter().filter_map(|row| row.join().ok()).collect::<Vec<_>>()
        });
        let mut list = List::new(out, self.style.format, COLUMNS);
        list.print(&rows)?;
        list.finish(None)
    }
}

fn row(member: &Member) -> Row {
    let pid = member.process();
    let answer = pid.and_then(|_| member.connection().probe("/status", PATIENCE).ok());
    let state = match (&pid, &answer) {
        (None, _) => "down",
        (Some(_), None) => "no answer",
        (Some(_), Some(_)) => "up",
    };
    let node = answer.map(|answer| answer["data"]["node"].clone()).unwrap_or_default();
    let heard = match (shown(&node["heard"]), shown(&node["quorum"])) {
        (heard, quorum) if heard.is_empty() && quorum.is_empty() => String::new(),
        (heard, quorum) => format!("{heard}/{quorum}"),
    };
    let texts = [
        member.validator.to_string(),
        pid.map(|pid| pid.as_raw_nonzero().to_string()).unwrap_or_default(),
        member.url.clone(),
        shown(&node["height"]),
        shown(&node["view"]),
        shown(&node["role"]),
        shown(&node["duty"]),
        heard,
        state.to_owned(),
    ];
    texts.map(Cell::Text).to_vec()
}

/// A text or a number as people read it; nothing when it is not there.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
