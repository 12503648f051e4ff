//! The unmodified Python SDK of Sawtooth, in an environment of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::binary::run;
use crate::{packages, workspace};

/// What a client of Sawtooth installs. A newer protobuf does not work with this SDK.
const REQUIREMENTS: [&str; 3] = ["sawtooth-sdk==1.2.5", "protobuf==3.20.3", "cbor==1.0.0"];
/// What pip needs where PyPI has no wheel for this machine.
const BUILD_PACKAGES: [&str; 4] = ["build-essential", "libffi-dev", "libsecp256k1-dev", "pkg-config"];

/// The Python interpreter of an environment with the SDK; made once, then kept.
///
/// # Panics
/// When there is no Python 3.11, or the SDK cannot be installed.
pub fn with_sdk() -> PathBuf {
    let _lock = workspace::lock("python");
    let environment = workspace::cache_dir().join("sawtooth-sdk-1.2.5");
    let (python, stamp) = (environment.join("bin/python"), environment.join("complete"));
    if !stamp.exists() {
        // Without the stamp it is what an interrupted run left.
        let _ = std::fs::remove_dir_all(&environment);
        run(Command::new(python_311()).args(["-m", "venv"]).arg(&environment)).ok();
        install_sdk(&python);
        std::fs::write(&stamp, REQUIREMENTS.join("\n")).expect("writing the stamp");
    }
    python
}

fn install_sdk(python: &Path) {
    let pip = || run(Command::new(python).args(["-m", "pip", "install", "--quiet"]).args(REQUIREMENTS));
    if pip().code != Some(0) {
        packages::install(&BUILD_PACKAGES);
        pip().ok();
    }
}

fn python_311() -> &'static str {
    let find = || ["python3.11", "python3"].into_iter().find(|python| is_311_with_venv(python));
    find().unwrap_or_else(|| {
        packages::install(&["python3.11", "python3.11-venv"]);
        find().expect("packages python3.11 and python3.11-venv are installed, but do not work")
    })
}

fn is_311_with_venv(python: &str) -> bool {
    let check = "import ensurepip, sys, venv; sys.exit(sys.version_info[:2] != (3, 11))";
    Command::new(python).args(["-c", check]).output().is_ok_and(|output| output.status.success())
}
