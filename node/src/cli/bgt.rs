//! `dgt bgt`: a client of the demo tokens.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use clap::{Args, Subcommand};
use ledger_types::PrivateKey;
use ledger_types::signature::Curve;
use serde_json::Value;
use txfamilies::bgt::{NAMESPACE, Payload, Verb, Wallets, address, decode_wallets};

use super::client::{BatchStatus, Connection};
use crate::keys::{KeyFiles, generate, read_private};

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
    },
    /// List all wallets.
    List {
        #[command(flatten)]
        connection: Connection,
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
    pub(super) fn run(self) -> Result<()> {
        match self {
            Self::Set(change) => change.submit(Verb::Set),
            Self::Inc(change) => change.submit(Verb::Inc),
            Self::Dec(change) => change.submit(Verb::Dec),
            Self::Trans(Transfer { name, to, value, signing }) => {
                signing.submit(&Payload { verb: Verb::Trans { to }, name, value })
            }
            Self::Show { name, connection } => show(&connection, &name),
            Self::List { connection } => list(&connection),
        }
    }
}

impl Change {
    fn submit(self, verb: Verb) -> Result<()> {
        self.signing.submit(&Payload { verb, name: self.name, value: self.value })
    }
}

impl Signing {
    fn submit(&self, payload: &Payload) -> Result<()> {
        let key = self.private_key()?;
        // The nonce makes equal payments two payments.
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
        let nonce = data_encoding::HEXLOWER.encode(&nonce);
        let batch = txfamilies::sign_batch(&key, &[payload.transaction().with_nonce(nonce)]);
        let id = self.connection.submit(batch)?;
        let wait = Duration::from_secs(self.wait);
        let status = match self.wait {
            0 => BatchStatus::Pending,
            _ => self.connection.batch_status(&id, wait)?,
        };
        match status {
            BatchStatus::Committed => println!("COMMITTED {id}"),
            BatchStatus::Pending => println!("PENDING {id}"),
            BatchStatus::Invalid(reason) => bail!("INVALID {id}: {reason}"),
        }
        Ok(())
    }

    fn private_key(&self) -> Result<PrivateKey> {
        if let Some(path) = &self.key {
            return read_private(path, Curve::Ed25519);
        }
        let files = KeyFiles::new(&super::client_keys()?, "default");
        if let Some(key) = files.read(Curve::Ed25519)? {
            return Ok(key);
        }
        let key = generate(Curve::Ed25519)?;
        files.write(&key, false)?;
        eprintln!("made a new key: {}", files.private.display());
        Ok(key)
    }
}

fn show(connection: &Connection, name: &str) -> Result<()> {
    let found = connection.get(&format!("/state/{}", address(name)))?;
    let wallets = found.as_ref().map(wallets_of).transpose()?.unwrap_or_default();
    let wallet = wallets.get(name).with_context(|| format!("there is no wallet {name:?}"))?;
    println!("{name} {}", wallet.decimals);
    Ok(())
}

fn list(connection: &Connection) -> Result<()> {
    println!("NAME                 VALUE      OWNER");
    for entry in connection.list(&format!("/state?address={NAMESPACE}"))? {
        for (name, wallet) in wallets_of(&entry)? {
            println!("{name:<20} {:<10} {}", wallet.decimals, wallet.owner_key);
        }
    }
    Ok(())
}

/// The wallets in an item of /state, or in the answer of /state/{address}: both have them under `data`.
fn wallets_of(item: &Value) -> Result<Wallets> {
    let data = item["data"].as_str().context("the answer has no data")?;
    let bytes = BASE64_STANDARD.decode(data).context("the data is not base64")?;
    decode_wallets(&bytes).map_err(|error| anyhow::anyhow!("{error}"))
}
