//! Key files: `NAME.priv` (mode 0600) and `NAME.pub`, each one line of lower-case hex.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use data_encoding::HEXLOWER;
use ledger_types::PrivateKey;
use ledger_types::signature::Curve;
use zeroize::Zeroizing;

/// Makes a key from the operating system's randomness.
pub(crate) fn generate(curve: Curve) -> Result<PrivateKey> {
    loop {
        let mut secret = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *secret).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
        // For secp256k1 a few of 2^256 byte strings are no key.
        if let Ok(key) = PrivateKey::from_bytes(curve, *secret) {
            return Ok(key);
        }
    }
}

/// The folder of client keys: `~/.dgt/keys`.
pub(crate) fn client_folder() -> Result<PathBuf> {
    let home = std::env::home_dir().context("no home folder; name a key by its file")?;
    Ok(home.join(".dgt").join("keys"))
}

/// Where a key's two files are.
pub(crate) struct KeyFiles {
    /// The private key's file.
    pub(crate) private: PathBuf,
    /// The public key's file.
    pub(crate) public: PathBuf,
}

impl KeyFiles {
    /// The files of a key in a folder.
    pub(crate) fn new(folder: &Path, name: &str) -> Self {
        Self { private: folder.join(format!("{name}.priv")), public: folder.join(format!("{name}.pub")) }
    }

    /// Writes both files, making the folder if needed. Existing files stay unless `force`.
    pub(crate) fn write(&self, key: &PrivateKey, force: bool) -> Result<()> {
        if let Some(folder) = self.private.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        }
        for path in [&self.private, &self.public] {
            if path.exists() && !force {
                bail!("{} exists; --force replaces it", path.display());
            }
        }
        let secret = Zeroizing::new(HEXLOWER.encode(key.secret_bytes()));
        write_line(&self.private, &secret, 0o600)?;
        write_line(&self.public, &key.public_key().to_string(), 0o644)
    }

    /// Reads the private key; `None` when its file is not there.
    pub(crate) fn read(&self, curve: Curve) -> Result<Option<PrivateKey>> {
        match self.private.exists() {
            true => read_private(&self.private, curve).map(Some),
            false => Ok(None),
        }
    }

    /// Reads the private key, or makes and writes a new one. The flag tells whether it is new.
    pub(crate) fn read_or_make(&self, curve: Curve) -> Result<(PrivateKey, bool)> {
        if let Some(key) = self.read(curve)? {
            return Ok((key, false));
        }
        let key = generate(curve)?;
        self.write(&key, false)?;
        Ok((key, true))
    }
}

/// Reads a private key. The public key's file beside it, if there is one, tells the scheme by its length; else `curve`.
pub(crate) fn read_private(path: &Path, curve: Curve) -> Result<PrivateKey> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let text = Zeroizing::new(text);
    let bytes = HEXLOWER.decode(text.trim().as_bytes()).ok().map(Zeroizing::new);
    let secret: Option<[u8; 32]> = bytes.and_then(|bytes| bytes.as_slice().try_into().ok());
    let Some(secret) = secret else {
        bail!("{}: a private key is 64 lower-case hex characters", path.display());
    };
    let beside = std::fs::read_to_string(path.with_extension("pub")).ok();
    let curve = beside
        .and_then(|key| key.trim().parse().ok())
        .map_or(curve, |key: ledger_types::PublicKey| key.curve());
    PrivateKey::from_bytes(curve, secret).with_context(|| format!("{}", path.display()))
}

/// Writes a file of one line: durable, and whole or not at all.
pub(crate) fn write_line(path: &Path, line: &str, mode: u32) -> Result<()> {
    let context = || format!("writing {}", path.display());
    // Written beside and renamed: a crash leaves a whole file or none.
    let new = path.with_extension("new");
    let _ = std::fs::remove_file(&new);
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(mode).open(&new).with_context(context)?;
    writeln!(file, "{line}").and_then(|()| file.sync_all()).with_context(context)?;
    std::fs::rename(&new, path).with_context(context)?;
    let folder = path.parent().map_or(Path::new("."), |folder| folder);
    std::fs::File::open(folder).and_then(|folder| folder.sync_all()).with_context(context)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use ledger_types::signature::Curve;

    use super::{KeyFiles, generate, read_private};

    #[test]
    fn a_key_reads_back_with_its_scheme_and_only_its_owner_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        for curve in [Curve::Ed25519, Curve::Secp256k1] {
            let files = KeyFiles::new(folder.path(), &curve.to_string());
            let key = generate(curve).unwrap();
            files.write(&key, false).unwrap();
            // The scheme comes from the public key beside it, not from the guess.
            let read = read_private(&files.private, Curve::Ed25519).unwrap();
            assert_eq!(read.public_key(), key.public_key());
            let mode = std::fs::metadata(&files.private).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            assert!(files.write(&key, false).is_err(), "never overwritten");
        }
    }

    #[test]
    fn what_is_not_a_key_is_named_by_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bad.priv");
        for text in ["", "xyz", "AB", &"g".repeat(64), &"0".repeat(63)] {
            std::fs::write(&path, text).unwrap();
            let error = read_private(&path, Curve::Ed25519).unwrap_err().to_string();
            assert!(error.contains("bad.priv"), "{error}");
        }
        std::fs::write(&path, "0".repeat(64)).unwrap();
        assert!(read_private(&path, Curve::Secp256k1).is_err(), "zero is no secp256k1 key");
    }
}
