use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use api::Cors;
use ledger_types::ValidatorId;

use super::peers::{format_peers, parse_endpoint, parse_peers};
use super::settings::LogFormat;
use crate::log;
use crate::network::Transport;

/// The place of one value in the settings, by its type.
pub(crate) enum Field<'a> {
    /// An IP address and a port.
    Address(&'a mut SocketAddr),
    /// An IP address and a port, or none.
    OptionalAddress(&'a mut Option<SocketAddr>),
    /// A host and a port, or none.
    Endpoint(&'a mut Option<String>),
    /// What carries links.
    Transport(&'a mut Transport),
    /// Other validators, each with its host and port.
    Peers(&'a mut Vec<(ValidatorId, String)>),
    /// A count or a size.
    Number(&'a mut usize),
    /// A time, written in milliseconds.
    Millis(&'a mut Duration),
    /// Whose pages may call.
    Cors(&'a mut Cors),
    /// How the log looks.
    Format(&'a mut LogFormat),
    /// A file, or none.
    Path(&'a mut Option<PathBuf>),
    /// What is logged.
    Level(&'a mut String),
}

impl Field<'_> {
    /// Whether the value is a number in TOML. If not, it is a string.
    pub(super) fn is_number(&self) -> bool {
        matches!(self, Self::Number(_) | Self::Millis(_))
    }

    /// The value as people write it, without quotes.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Address(address) => address.to_string(),
            Self::OptionalAddress(address) => address.map(|address| address.to_string()).unwrap_or_default(),
            Self::Endpoint(endpoint) => endpoint.as_deref().unwrap_or_default().to_owned(),
            Self::Transport(transport) => transport.to_string(),
            Self::Peers(peers) => format_peers(peers),
            Self::Number(number) => number.to_string(),
            Self::Millis(time) => time.as_millis().to_string(),
            Self::Cors(Cors::Off) => "off".to_owned(),
            Self::Cors(Cors::Any) => "any".to_owned(),
            Self::Cors(Cors::Origins(origins)) => origins.join(","),
            Self::Format(format) => format.to_string(),
            Self::Path(path) => path.as_ref().map(|path| path.display().to_string()).unwrap_or_default(),
            Self::Level(level) => level.to_string(),
        }
    }

    /// Sets the value. A number must lie in the range.
    ///
    /// # Errors
    /// The reason, for people.
    pub(super) fn set(self, text: &str, range: &RangeInclusive<u64>) -> Result<(), String> {
        match self {
            Self::Address(address) => *address = parse_address(text)?,
            Self::OptionalAddress(address) => {
                *address = (!text.is_empty()).then(|| parse_address(text)).transpose()?;
            }
            Self::Endpoint(endpoint) => {
                *endpoint = (!text.is_empty()).then(|| parse_endpoint(text)).transpose()?;
            }
            Self::Transport(transport) => *transport = text.parse()?,
            Self::Peers(peers) => *peers = parse_peers(text)?,
            Self::Number(number) => {
                let value = parse_number(text, range)?;
                *number = usize::try_from(value).map_err(|_| "it is too large for this machine")?;
            }
            Self::Millis(time) => *time = Duration::from_millis(parse_number(text, range)?),
            Self::Cors(cors) => *cors = parse_cors(text)?,
            Self::Format(format) => *format = text.parse()?,
            Self::Path(path) => *path = (!text.is_empty()).then(|| PathBuf::from(text)),
            Self::Level(level) => {
                log::parse_filter(text)?;
                text.clone_into(level);
            }
        }
        Ok(())
    }
}

fn parse_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "it is IP:PORT, for example 127.0.0.1:8108".to_owned())
}

fn parse_number(text: &str, range: &RangeInclusive<u64>) -> Result<u64, String> {
    let number = text.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| format!("it is a number from {} to {}", range.start(), range.end()))
}

fn parse_cors(text: &str) -> Result<Cors, String> {
    match text {
        "off" => return Ok(Cors::Off),
        "any" => return Ok(Cors::Any),
        _ => {}
    }
    let origins: Vec<String> = text.split(',').map(|origin| origin.trim().to_owned()).collect();
    match origins.iter().all(|origin| is_origin(origin)) {
        true => Ok(Cors::Origins(origins)),
        false => Err("it is off, any, or origins such as https://wallet.example".to_owned()),
    }
}

/// Whether text is a scheme, a host and perhaps a port, as browsers send it.
fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    host.is_some_and(|host| {
        !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/')
    })
}
