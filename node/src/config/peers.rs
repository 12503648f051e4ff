//! Where other validators are, as text: `c1-2=HOST:PORT,c2-1=HOST:PORT`.

use std::net::Ipv6Addr;

use ledger_types::ValidatorId;

/// The longest name in the domain name system.
const HOST_BYTES: usize = 253;

/// Reads a list of validators and their endpoints. Empty text is an empty list.
///
/// # Errors
/// The first part that is none, for people.
pub(super) fn parse_peers(text: &str) -> Result<Vec<(ValidatorId, String)>, String> {
    let mut peers = Vec::new();
    for part in text.split(',').filter(|_| !text.is_empty()) {
        let (name, endpoint) = part
            .split_once('=')
            .ok_or_else(|| format!("{part:?} is not NAME=HOST:PORT, for example c1-2=10.0.0.2:8102"))?;
        let peer = parse_validator(name.trim())
            .ok_or_else(|| format!("{name:?} is not a validator's name, for example c1-2"))?;
        if peers.iter().any(|(other, _)| *other == peer) {
            return Err(format!("{peer} stands twice"));
        }
        let endpoint = parse_endpoint(endpoint).map_err(|reason| format!("{peer}: {reason}"))?;
        peers.push((peer, endpoint));
    }
    Ok(peers)
}

/// Writes a list as [`parse_peers`] reads it.
pub(super) fn format_peers(peers: &[(ValidatorId, String)]) -> String {
    peers.iter().map(|(peer, endpoint)| format!("{peer}={endpoint}")).collect::<Vec<_>>().join(",")
}

/// Reads `HOST:PORT`, where the host is a DNS name, an IPv4 address, or an IPv6 address in brackets.
///
/// # Errors
/// The reason, for people.
pub(super) fn parse_endpoint(text: &str) -> Result<String, String> {
    let text = text.trim();
    let parts = text.rsplit_once(':').filter(|(host, port)| is_host(host) && is_port(port));
    parts.map(|_| text.to_owned()).ok_or_else(|| {
        format!("{text:?} is not HOST:PORT, for example node2.example:8102, 10.0.0.2:8102 or [fd00::2]:8102")
    })
}

/// Reads a name as [`ValidatorId`] shows it, and no other spelling of it: `c01-1` is none.
pub(crate) fn parse_validator(name: &str) -> Option<ValidatorId> {
    let (cluster, node) = name.strip_prefix('c')?.split_once('-')?;
    let index = |text: &str| text.parse::<u16>().ok()?.checked_sub(1);
    let validator = ValidatorId { cluster: index(cluster)?, node: index(node)? };
    (validator.to_string() == name).then_some(validator)
}

fn is_host(host: &str) -> bool {
    match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').is_some_and(|address| address.parse::<Ipv6Addr>().is_ok()),
        None => {
            let is_label = |label: &str| {
                !label.is_empty()
                    && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
            };
            host.len() <= HOST_BYTES && host.split('.').all(is_label)
        }
    }
}

fn is_port(port: &str) -> bool {
    port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port != 0)
}
