//! Sending batches to a node, and what became of them.

use std::io::{Read as _, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use ledger_types::limits::BATCHES_PER_LIST;
use ledger_types::proto::client as proto;
use prost::Message as _;
use serde_json::Value;

use super::batch::statuses;
use super::client::Connection;

/// Bytes of batches in one request; below every node's default limit.
const REQUEST_BYTES: usize = 8 << 20;
/// The largest file that is read, bytes.
const FILE_BYTES: u64 = 1 << 30;

/// Submits the batches of a file and prints a line for each: its status and its id.
pub(super) fn run(out: &mut dyn Write, connection: &Connection, file: &Path, wait: Duration) -> Result<()> {
    let list = proto::BatchList::decode(&read_file(file)?[..])
        .with_context(|| format!("{}: not an encoded BatchList", file.display()))?;
    let ids: Vec<String> = list.batches.iter().map(|batch| batch.header_signature.clone()).collect();
    if ids.is_empty() {
        bail!("{}: there is no batch in it", file.display());
    }
    let mut accepted = 0;
    for batches in requests(list.batches) {
        let count = batches.len();
        submit(connection, batches)
            .with_context(|| format!("after {accepted} of {} batches were accepted", ids.len()))?;
        accepted += count;
    }
    report(out, connection, &ids, wait)
}

/// Submits batches as one list.
pub(super) fn submit(connection: &Connection, batches: Vec<proto::Batch>) -> Result<()> {
    let list = proto::BatchList { batches, ..proto::BatchList::default() };
    connection.submit(&list.encode_to_vec())
}

/// Waits for decisions and prints a line for each batch.
///
/// # Errors
/// After a wait, when a batch is not committed.
pub(super) fn report(
    out: &mut dyn Write,
    connection: &Connection,
    ids: &[String],
    wait: Duration,
) -> Result<()> {
    if wait.is_zero() {
        ids.iter().try_for_each(|id| writeln!(out, "PENDING {id}"))?;
        return Ok(());
    }
    let mut refusals = Vec::new();
    for (id, status) in ids.iter().zip(statuses(connection, ids, wait)?) {
        let word = status["status"].as_str().unwrap_or("UNKNOWN");
        writeln!(out, "{word} {id}")?;
        match word {
            "COMMITTED" => {}
            "INVALID" => refusals.push(format!("INVALID {id}: {}", reason(&status))),
            _ => refusals.push(format!("{word} {id} after {} s", wait.as_secs())),
        }
    }
    match refusals.is_empty() {
        true => Ok(()),
        false => bail!("{}", refusals.join("\n")),
    }
}

fn reason(status: &Value) -> &str {
    status["invalid_transactions"][0]["message"].as_str().unwrap_or("no reason given")
}

fn read_file(file: &Path) -> Result<Vec<u8>> {
    let context = || format!("reading {}", file.display());
    let mut bytes = Vec::new();
    let read = match file.as_os_str() == "-" {
        true => std::io::stdin().take(FILE_BYTES + 1).read_to_end(&mut bytes),
        false => {
            std::fs::File::open(file).with_context(context)?.take(FILE_BYTES + 1).read_to_end(&mut bytes)
        }
    };
    read.with_context(context)?;
    match bytes.len() as u64 > FILE_BYTES {
        true => bail!("{}: larger than 1 GiB", file.display()),
        false => Ok(bytes),
    }
}

/// Batches in order, in lists that a node accepts.
fn requests(batches: Vec<proto::Batch>) -> Vec<Vec<proto::Batch>> {
    let mut requests: Vec<Vec<proto::Batch>> = Vec::new();
    let mut bytes = 0;
    for batch in batches {
        let len = batch.encoded_len();
        match requests.last_mut() {
            Some(last) if last.len() < BATCHES_PER_LIST && bytes + len <= REQUEST_BYTES => {
                last.push(batch);
                bytes += len;
            }
            _ => {
                requests.push(vec![batch]);
                bytes = len;
            }
        }
    }
    requests
}

#[cfg(test)]
mod tests {
    use super::{BATCHES_PER_LIST, REQUEST_BYTES, proto, requests};

    fn batch(bytes: usize) -> proto::Batch {
        proto::Batch { header: vec![0; bytes].into(), ..proto::Batch::default() }
    }

    #[test]
    fn requests_keep_to_count_and_size() {
        let sizes = |batches| requests(batches).iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(sizes(vec![batch(1); 2 * BATCHES_PER_LIST + 1]), [BATCHES_PER_LIST, BATCHES_PER_LIST, 1]);
        assert_eq!(sizes(vec![batch(REQUEST_BYTES / 2); 3]), [1, 1, 1]);
        assert_eq!(sizes(vec![batch(REQUEST_BYTES / 3); 3]), [2, 1]);
        assert_eq!(sizes(vec![batch(2 * REQUEST_BYTES), batch(1)]), [1, 1]);
    }
}
