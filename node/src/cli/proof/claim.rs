//! `dgt verify-proof`.

use std::io::Write;

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use data_encoding::HEXLOWER;
use ledger_types::receipt::Receipt;
use ledger_types::{Address, BlockHeader, Entry, TransactionId};
use serde_json::{Value, json};

use super::super::item::{bytes_at, text_at};
use super::super::output::{DocumentStyle, print_document};
use super::anchor::Anchor;
use super::check::{Digest, Place, check_inclusion, check_state};
use super::source::{Source, certificate_of, headers_of};

/// Arguments of `dgt verify-proof`.
#[derive(Debug, Args)]
pub(in crate::cli) struct VerifyProof {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    style: DocumentStyle,
}

impl VerifyProof {
    /// Prints what is proven.
    pub(in crate::cli) fn run(self, out: &mut dyn Write) -> Result<()> {
        let answer = self.source.read()?;
        let anchor = Anchor::read(&self.source.network)?;
        print_document(out, self.style.format, &proven(&anchor, &answer)?)
    }
}

/// What an answer proves of the network.
///
/// # Errors
/// When it proves nothing.
pub(super) fn proven(anchor: &Anchor, answer: &Value) -> Result<Value> {
    let block = &answer["block"];
    let found = anchor.check(certificate_of(block)?, &headers_of(block)?)?;
    let mut claim = match answer["root"].as_str() {
        None => state_claim(answer, &found.header)?,
        Some(root) => inclusion_claim(answer, root, &found.header)?,
    };
    claim["block_id"] = found.header.id().to_string().into();
    claim["block_num"] = found.header.height.into();
    claim["signers"] = found.signers.into();
    claim["valid"] = true.into();
    Ok(claim)
}

fn state_claim(answer: &Value, header: &BlockHeader) -> Result<Value> {
    let address: Address = text_at(answer, "/address")?.parse().context("the address")?;
    let value = match &answer["value"] {
        Value::Null => None,
        _ => Some(bytes_at(answer, "/value")?),
    };
    let proof = bytes_at(answer, "/proof")?;
    check_state(&proof, &header.state_root.0, &address.0, value.as_deref())?;
    Ok(json!({"address": address.to_string(), "kind": "state", "value": answer["value"]}))
}

fn inclusion_claim(answer: &Value, root: &str, header: &BlockHeader) -> Result<Value> {
    let id: TransactionId = text_at(answer, "/id")?.parse().context("the transaction's id")?;
    let content = bytes_at(answer, "/content")?;
    let (kind, domain, root, count) = match root {
        "entries_root" => ("transaction", &b"dgt-entries"[..], header.entries_root, header.entry_count),
        "receipts_root" => ("receipt", &b"dgt-receipts"[..], header.receipts_root, header.receipt_count),
        _ => bail!("no header has a root {root:?}"),
    };
    let index = answer["leaf_index"].as_u64().context("the answer has no leaf_index")?;
    check_inclusion(&content, Place { domain, index, count: count.into() }, &path_of(answer)?, &root.0)?;
    let content = bytes::Bytes::from(content);
    let has_transaction = match kind {
        "receipt" => Receipt::decode(content)?.transaction == id,
        _ => match Entry::decode(content)? {
            Entry::Batch(batch) => batch.transactions.iter().any(|transaction| transaction.id == id),
            Entry::Rejection(_) => false,
        },
    };
    ensure!(has_transaction, "what is proven is of another transaction");
    Ok(json!({"kind": kind, "transaction_id": id.to_string()}))
}

fn path_of(answer: &Value) -> Result<Vec<Digest>> {
    let hashes = answer["path"].as_array().context("the answer has no path")?;
    let digest = |hash: &Value| {
        let bytes = HEXLOWER.decode(hash.as_str()?.as_bytes()).ok()?;
        Digest::try_from(bytes).ok()
    };
    hashes.iter().map(|hash| digest(hash).context("the path has something that is no hash")).collect()
}
