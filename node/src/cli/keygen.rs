//! `dgt keygen`.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueEnum};
use ledger_types::signature::Curve;

use crate::keys::{KeyFiles, client_folder, generate};

/// Arguments of `dgt keygen`.
#[derive(Debug, Args)]
pub(super) struct Keygen {
    /// The key's name.
    #[arg(default_value = "default")]
    name: String,
    /// The folder of the two files [default: ~/.dgt/keys].
    #[arg(long, value_name = "DIR")]
    key_dir: Option<PathBuf>,
    /// The signature scheme; secp256k1 is that of Sawtooth clients.
    #[arg(long, value_enum, default_value_t = KeyType::Ed25519)]
    key_type: KeyType,
    /// Replace existing files.
    #[arg(long)]
    force: bool,
}

/// A signature scheme by its name on the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum KeyType {
    Ed25519,
    Secp256k1,
}

impl Keygen {
    pub(super) fn run(self, out: &mut dyn Write) -> Result<()> {
        if self.name.is_empty() || self.name.contains(['/', '\0']) || self.name.starts_with('.') {
            anyhow::bail!("{:?} is not a name for a file", self.name);
        }
        let curve = match self.key_type {
            KeyType::Ed25519 => Curve::Ed25519,
            KeyType::Secp256k1 => Curve::Secp256k1,
        };
        let folder = self.key_dir.map_or_else(client_folder, Ok)?;
        let files = KeyFiles::new(&folder, &self.name);
        let key = generate(curve)?;
        files.write(&key, self.force)?;
        writeln!(out, "private key: {}", files.private.display())?;
        writeln!(out, "public key:  {}", files.public.display())?;
        writeln!(out, "{}", key.public_key())?;
        Ok(())
    }
}
