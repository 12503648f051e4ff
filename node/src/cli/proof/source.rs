//! Where the answer and the network file come from.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde_json::Value;

use super::super::item::bytes_at;

/// The largest answer that is read, bytes.
const ANSWER_BYTES: u64 = 64 << 20;

/// What is checked, and what it is measured by.
#[derive(Debug, Args)]
pub(in crate::cli) struct Source {
    /// The node's answer in a file, or - for standard input.
    #[arg(default_value = "-")]
    file: PathBuf,
    /// The network file: the validators' keys and what block 0 is made of.
    #[arg(long, value_name = "FILE", default_value = "dgt_clust/c1/dgt1/etc/network.toml")]
    pub(super) network: PathBuf,
}

impl Source {
    /// What stands under `data` in the answer.
    pub(super) fn read(&self) -> Result<Value> {
        let name = self.file.display();
        let text = match self.file == Path::new("-") {
            true => read_text(std::io::stdin()),
            false => std::fs::File::open(&self.file).and_then(read_text),
        };
        let text = text.with_context(|| format!("reading {name}"))?;
        let answer: Value = serde_json::from_str(&text).with_context(|| format!("{name}: no JSON"))?;
        match &answer["data"] {
            found @ Value::Object(_) => Ok(found.clone()),
            _ => bail!("{name}: not what a node answers: there is no data in it"),
        }
    }
}

fn read_text(source: impl Read) -> std::io::Result<String> {
    let mut text = String::new();
    source.take(ANSWER_BYTES + 1).read_to_string(&mut text)?;
    match text.len() as u64 > ANSWER_BYTES {
        true => Err(std::io::Error::other("it is larger than 64 MiB")),
        false => Ok(text),
    }
}

/// The certificate of an answer, if it has one.
pub(super) fn certificate_of(answer: &Value) -> Result<Option<Vec<u8>>> {
    match answer["certificate"].is_null() {
        true => Ok(None),
        false => bytes_at(answer, "/certificate").map(Some),
    }
}

/// The encoded headers of an answer.
pub(super) fn headers_of(answer: &Value) -> Result<Vec<Vec<u8>>> {
    let count = answer["headers"].as_array().map_or(0, Vec::len);
    (0..count).map(|at| bytes_at(answer, &format!("/headers/{at}"))).collect()
}
