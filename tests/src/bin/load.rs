//! `load`: posts signed batches to ledger nodes and measures what they commit. See `load --help`.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "the report")]

use anyhow::Result;
use clap::Parser as _;
use tests::load_generator::{Options, run};

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::parse();
    let json = options.json;
    let report = run(options).await?;
    if json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!("{report}");
    }
    Ok(())
}
