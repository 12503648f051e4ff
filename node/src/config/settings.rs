use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use api::ApiLimits;
use ledger_types::ValidatorId;

use crate::network::Transport;

/// The API's port of the first node of the first cluster.
const API_PORT: u16 = 8108;
/// A node's administration port lies so far above that of its API.
const ADMIN_PORT_DISTANCE: u16 = 7;

/// Checked settings of one node.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Where the REST interface listens.
    pub(crate) api: SocketAddr,
    /// The certificate chain of the REST interface, if it speaks TLS.
    pub(crate) tls_certificate: Option<PathBuf>,
    /// The certificate's private key.
    pub(crate) tls_key: Option<PathBuf>,
    /// What it grants its clients.
    pub(crate) limits: ApiLimits,
    /// Where the routes for the operator listen.
    pub(crate) admin: SocketAddr,
    /// Where other validators reach this one; none in a network of one.
    pub(crate) network: Option<SocketAddr>,
    /// What carries the links to them.
    pub(crate) transport: Transport,
    /// The other validators, each as `HOST:PORT`.
    pub(crate) peers: Vec<(ValidatorId, String)>,
    /// The `HOST:PORT` that is shown to others instead of `network`.
    pub(crate) advertise: Option<String>,
    /// The largest size of each LMDB file, GiB.
    pub(crate) map_gib: usize,
    /// Files up to this size, MiB, are checked whole before the node serves; larger ones while it runs.
    pub(crate) check_mib: usize,
    /// What is logged, and how.
    pub(crate) log: LogSettings,
}

/// What is logged, and how.
#[derive(Clone, Debug)]
pub(crate) struct LogSettings {
    /// How a line looks.
    pub(crate) format: LogFormat,
    /// The least level, or levels by target: `info`, `info,consensus=debug`.
    pub(crate) level: String,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for Settings {
    fn default() -> Self {
        let api = SocketAddr::from((Ipv4Addr::LOCALHOST, API_PORT));
        Self {
            api,
            tls_certificate: None,
            tls_key: None,
            limits: ApiLimits::default(),
            admin: admin_beside(api),
            network: None,
            transport: Transport::Tcp,
            peers: Vec::new(),
            advertise: None,
            map_gib: 64,
            check_mib: 256,
            log: LogSettings { format: LogFormat::Text, level: "info".to_owned() },
        }
    }
}

impl Settings {
    /// `check_mib` in bytes.
    pub(crate) fn check_bytes(&self) -> u64 {
        (self.check_mib as u64) << 20
    }
}

/// Where the operator's routes listen when nobody says: on loopback, beside the API's port. An API port that the system
/// chooses leaves the other one to the system as well.
pub(super) fn admin_beside(api: SocketAddr) -> SocketAddr {
    let port = match api.port() {
        0 => 0,
        port => port.checked_add(ADMIN_PORT_DISTANCE).unwrap_or(0),
    };
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("it is text or json".to_owned()),
        }
    }
}
