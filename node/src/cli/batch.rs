//! `dgt batch`.

use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::Value;

use super::client::Connection;
use super::item::{cell_at, count_of, part};
use super::output::{Cell, Column, DocumentStyle, List, ListStyle, Row, print_document};
use super::pages::{Window, path_of, read_list};
use super::submit;

const COLUMNS: &[Column] = &[
    Column { key: "batch_id", heading: "BATCH_ID" },
    Column { key: "txns", heading: "TXNS" },
    Column { key: "signer", heading: "SIGNER" },
];
/// Ids in one question for statuses.
const IDS_PER_REQUEST: usize = 100;

/// Arguments of `dgt batch`.
#[derive(Debug, Args)]
pub(super) struct Batch {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List committed batches, the newest block's first.
    List {
        #[command(flatten)]
        window: Window,
        #[command(flatten)]
        style: ListStyle,
    },
    /// Show one committed batch.
    Show {
        /// The batch's id.
        batch_id: String,
        /// Only this key of the batch or its header.
        #[arg(short, long)]
        key: Option<String>,
        #[command(flatten)]
        style: DocumentStyle,
    },
    /// Show what became of batches.
    Status {
        /// Ids of batches, with commas or spaces between them.
        #[arg(required = true, value_delimiter = ',')]
        batch_ids: Vec<String>,
        /// Seconds to wait until none is PENDING.
        #[arg(long, default_value_t = 0, value_name = "SECONDS")]
        wait: u64,
        #[command(flatten)]
        style: DocumentStyle,
    },
    /// Submit the signed batches of a file: an encoded BatchList.
    Submit {
        /// The file, or - for standard input.
        file: PathBuf,
        /// Seconds to wait until all are decided. With a wait, the command fails unless all are COMMITTED.
        #[arg(long, default_value_t = 0, value_name = "SECONDS")]
        wait: u64,
    },
}

impl Batch {
    pub(super) fn run(self, out: &mut dyn Write) -> Result<()> {
        let connection = &self.connection;
        match self.command {
            Command::List { window, style } => {
                let mut list = List::new(out, style.format, COLUMNS);
                let end = read_list(connection, "/batches", &[], &window, &mut |batches| {
                    list.print(&batches.iter().map(row).collect::<Result<Vec<_>>>()?)
                })?;
                list.finish(None)?;
                end.hint();
                Ok(())
            }
            Command::Show { batch_id, key, style } => {
                let found = connection.get(&path_of("batches", &batch_id)?, &[])?;
                print_document(out, style.format, &part(&found["data"], key.as_deref())?)
            }
            Command::Status { batch_ids, wait, style } => {
                let statuses = statuses(connection, &batch_ids, Duration::from_secs(wait))?;
                print_document(out, style.format, &statuses.into())
            }
            Command::Submit { file, wait } => submit::run(out, connection, &file, Duration::from_secs(wait)),
        }
    }
}

/// What became of any number of batches. The wait is for all of them together.
pub(super) fn statuses(connection: &Connection, ids: &[String], wait: Duration) -> Result<Vec<Value>> {
    let start = Instant::now();
    let mut statuses = Vec::with_capacity(ids.len());
    for some in ids.chunks(IDS_PER_REQUEST) {
        loop {
            let left = wait.saturating_sub(start.elapsed());
            let found = connection.statuses(some, left)?;
            // A node may grant a shorter wait than it was asked for.
            let is_pending = found.iter().any(|status| status["status"] == "PENDING");
            if is_pending && wait.saturating_sub(start.elapsed()) >= Duration::from_secs(1) {
                continue;
            }
            statuses.extend(found);
            break;
        }
    }
    Ok(statuses)
}

fn row(batch: &Value) -> Result<Row> {
    Ok(vec![
        cell_at(batch, "/header_signature")?,
        Cell::Number(count_of(batch, "transactions")),
        cell_at(batch, "/header/signer_public_key")?,
    ])
}
