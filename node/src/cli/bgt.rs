//! `dgt bgt`: a client of the demo tokens.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use ledger_types::PrivateKey;
use ledger_types::signature::Curve;
use serde_json::{Value, json};
use txfamilies::bgt::{NAMESPACE, Payload, Verb, Wallets, address, decode_wallets};

use super::client::Connection;
use super::item::bytes_at;
use super::output::{Cell, Column, DocumentFormat, List, ListStyle, Row, print_document};
use super::pages::{Window, read_list};
use super::submit;
use crate::keys::{KeyFiles, client_folder, generate, read_private};

const COLUMNS: &[Column] = &[
    Column { key: "name", heading: "NAME" },
    Column { key: "value", heading: "VALUE" },
    Column { key: "owner", heading: "OWNER" },
];

/// What to do with demo tokens.
#[derive(Debug, Subcommand)]
pub(super) enum Bgt {
    /// Open a wallet with a balance; the key that signs owns it.
    Set(Change),
    /// Add to a wallet.
    Inc(Change),
    /// Take from a wallet.
    Dec(Change),
    /// Pay from one wallet to another.
    Trans(Transfer),
    /// Show one wallet.
    Show {
        /// The wallet's name.
        name: String,
        #[command(flatten)]
        connection: Connection,
        /// How it looks: a line, or a document with the owner.
        #[arg(short = 'F', long, value_enum, default_value_t = DocumentFormat::Default)]
        format: DocumentFormat,
    },
    /// List all wallets.
    List {
        #[command(flatten)]
        connection: Connection,
        #[command(flatten)]
        style: ListStyle,
    },
}

/// A change of one wallet.
#[derive(Debug, Args)]
pub(super) struct Change {
    /// The wallet's name, at most 20 characters.
    name: String,
    /// The amount.
    value: u32,
    #[command(flatten)]
    signing: Signing,
}

/// A payment.
#[derive(Debug, Args)]
pub(super) struct Transfer {
    /// The wallet that pays.
    name: String,
    /// The wallet that is paid.
    to: String,
    /// The amount.
    value: u32,
    #[command(flatten)]
    signing: Signing,
}

/// Who signs, and how long to wait.
#[derive(Debug, Args)]
struct Signing {
    #[command(flatten)]
    connection: Connection,
    /// The private key's file [default: ~/.dgt/keys/default.priv, made when it is not there].
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Seconds to wait for a decision; 0 returns at once.
    #[arg(long, default_value_t = 30, value_name = "SECONDS")]
    wait: u64,
}

impl Bgt {
    pub(super) fn run(self, out: &mut dyn Write) -> Result<()> {
        match self {
            Self::Set(change) => change.submit(out, Verb::Set),
            Self::Inc(change) => change.submit(out, Verb::Inc),
            Self::Dec(change) => change.submit(out, Verb::Dec),
            Self::Trans(Transfer { name, to, value, signing }) => {
                signing.submit(out, &Payload { verb: Verb::Trans { to }, name, value })
            }
            Self::Show { name, connection, format } => show(out, &connection, &name, format),
            Self::List { connection, style } => list(out, &connection, style),
        }
    }
}

impl Change {
    fn submit(self, out: &mut dyn Write, verb: Verb) -> Result<()> {
        self.signing.submit(out, &Payload { verb, name: self.name, value: self.value })
    }
}

impl Signing {
    fn submit(&self, out: &mut dyn Write, payload: &Payload) -> Result<()> {
        let key = self.private_key()?;
        // The nonce makes equal payments two payments.
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
        let nonce = data_encoding::HEXLOWER.encode(&nonce);
        let batch = txfamilies::sign_batch(&key, &[payload.transaction().with_nonce(nonce)]);
        let id = batch.header_signature.clone();
        submit::submit(&self.connection, vec![batch])?;
        submit::report(out, &self.connection, &[id], Duration::from_secs(self.wait))
    }

    fn private_key(&self) -> Result<PrivateKey> {
        if let Some(path) = &self.key {
            return read_private(path, Curve::Ed25519);
        }
        let files = KeyFiles::new(&client_folder()?, "default");
        if let Some(key) = files.read(Curve::Ed25519)? {
            return Ok(key);
        }
        let key = generate(Curve::Ed25519)?;
        files.write(&key, false)?;
        eprintln!("made a new key: {}", files.private.display());
        Ok(key)
    }
}

fn show(out: &mut dyn Write, connection: &Connection, name: &str, format: DocumentFormat) -> Result<()> {
    let found = connection.find(&format!("/state/{}", address(name)), &[])?;
    let wallets = found.as_ref().map(wallets_of).transpose()?.unwrap_or_default();
    let wallet = wallets.get(name).with_context(|| format!("there is no wallet {name:?}"))?;
    match format {
        DocumentFormat::Default => writeln!(out, "{name} {}", wallet.decimals)?,
        format => {
            let document = json!({"name": name, "owner": wallet.owner_key, "value": wallet.decimals});
            print_document(out, format, &document)?;
        }
    }
    Ok(())
}

fn list(out: &mut dyn Write, connection: &Connection, style: ListStyle) -> Result<()> {
    let mut list = List::new(out, style.format, COLUMNS);
    read_list(connection, "/state", &[("address", NAMESPACE)], &Window::default(), &mut |items| {
        let rows = items.iter().map(|item| Ok(rows(&wallets_of(item)?)));
        list.print(&rows.collect::<Result<Vec<_>>>()?.concat())
    })?;
    list.finish(None)
}

fn rows(wallets: &Wallets) -> Vec<Row> {
    let cells = wallets.iter().map(|(name, wallet)| {
        vec![
            Cell::Text(name.clone()),
            Cell::Number(wallet.decimals.into()),
            Cell::Text(wallet.owner_key.clone()),
        ]
    });
    cells.collect()
}

/// The wallets in an item of /state, or in the answer of /state/{address}: both have them under `data`.
fn wallets_of(item: &Value) -> Result<Wallets> {
    decode_wallets(&bytes_at(item, "/data")?).map_err(|error| anyhow::anyhow!("{error}"))
}
