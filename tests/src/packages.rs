//! Debian packages that tests need: used when they are there, else installed.

use std::process::Command;

use crate::workspace;

/// Makes sure that a command is there, installing the Debian package that has it.
///
/// # Panics
/// When it is not there and cannot be installed; the message names the package.
pub fn require(command: &str, package: &str) {
    if is_there(command) {
        return;
    }
    // Two test processes must not run apt-get at once.
    let _lock = workspace::lock("packages");
    if !is_there(command) {
        install(&[package]);
        assert!(is_there(command), "package {package} is installed, but there is no command {command}");
    }
}

fn is_there(command: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(command).is_file())
}

/// Installs Debian packages, as root or with sudo where that asks for no password.
///
/// # Panics
/// When that fails; the message names the packages.
pub fn install(packages: &[&str]) {
    let names = packages.join(" ");
    let update = apt_get(&["update", "--quiet"]);
    let installed = update.and_then(|()| apt_get(&[&["install", "--yes", "--quiet"], packages].concat()));
    if let Err(reason) = installed {
        panic!("this test needs the Debian packages {names}; please install them ({reason})");
    }
}

fn apt_get(arguments: &[&str]) -> Result<(), String> {
    let mut command = match rustix::process::geteuid().is_root() {
        true => Command::new("apt-get"),
        false => {
            let mut sudo = Command::new("sudo");
            sudo.args(["-n", "apt-get"]);
            sudo
        }
    };
    command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
    match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim())),
        Err(error) => Err(format!("{command:?}: {error}")),
    }
}
