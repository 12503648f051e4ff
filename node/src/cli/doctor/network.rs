//! The network that the node is of, and where its other validators are.

use std::collections::BTreeMap;
use std::net::{IpAddr, TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use genesis::Genesis;
use ledger_types::{PrivateKey, PublicKey, ValidatorId, VoteKey};

use super::report::Finding;
use crate::config::Settings;
use crate::home::Home;
use crate::network::Transport;
use crate::peers::network_config;
use crate::wiring::read_network;

/// How long a validator may take to accept a connection.
const PATIENCE: Duration = Duration::from_secs(2);

/// The network as its file tells it; none when there is no good file yet.
pub(super) fn file(home: &Home, settings: &Settings) -> (Option<Genesis>, Vec<Finding>) {
    let path = home.network_file();
    if !path.exists() {
        let findings = match settings.peers.is_empty() {
            // The first start makes a network of one.
            true => Vec::new(),
            false => vec![Finding::error(
                format!("network.peers is set, and {} is not there", path.display()),
                "`dgt start --network FILE` with the file that all members have; without it this node would begin a \
                 network of one",
            )],
        };
        return (None, findings);
    }
    let read = read_network(&path).and_then(|file| Ok(file.genesis()?));
    match read {
        Ok(genesis) => (Some(genesis), Vec::new()),
        Err(error) => {
            let mend = "take the file from a member whose node runs; `dgt genesis show` checks it";
            (None, vec![Finding::error(format!("{error:#}"), mend)])
        }
    }
}

/// This node's place, and whether keys and settings are those of the place.
pub(super) fn membership(
    genesis: &Genesis,
    settings: &Settings,
    (vote, net): (Option<&PrivateKey>, Option<&PrivateKey>),
) -> (Option<ValidatorId>, Vec<Finding>) {
    // What is wrong with a key that cannot be read has been said.
    let Some(vote) = vote else { return (None, Vec::new()) };
    let own = match vote.public_key() {
        PublicKey::Ed25519(bytes) => genesis.topology.find(&VoteKey(bytes)),
        PublicKey::Secp256k1(_) => None,
    };
    let Some(own) = own else {
        let what =
            format!("the vote key {} is not in the network {}", vote.public_key(), genesis.lineage.current());
        let mend = "this is another network's file, or another node's key: put together the etc/network.toml and the \
                    keys that belong together";
        return (None, vec![Finding::error(what, mend)]);
    };
    let config = net.map(|net| network_config(settings, genesis, own, net.clone())).transpose();
    let mut findings = Vec::new();
    if let Err(error) = config {
        let mend = "correct etc/dgt.toml, or put the right net key into keys (docs/operators.md, A network of several \
                    members)";
        findings.push(Finding::error(error.to_string(), mend));
    }
    let is_local = |host: &str| {
        host == "localhost"
            || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    };
    let far = settings
        .peers
        .iter()
        .filter(|(id, _)| *id != own)
        .find(|(_, address)| address.rsplit_once(':').is_some_and(|(host, _)| !is_local(host)));
    if let (Some(listen), Some((peer, address))) = (settings.network, far)
        && listen.ip().is_loopback()
    {
        let what = format!(
            "network.address is {listen}, which only this machine reaches, and {peer} is at {address}"
        );
        let mend = "set network.address to an address that the others reach, or to 0.0.0.0 and the port";
        findings.push(Finding::warning(what, mend));
    }
    (Some(own), findings)
}

/// Whether the other validators accept connections. What they are is found out by the node itself, once it runs. Before
/// its first start the others may be waiting for theirs.
pub(super) fn reach(
    genesis: &Genesis,
    settings: &Settings,
    own: ValidatorId,
    has_begun: bool,
) -> Vec<Finding> {
    if settings.transport != Transport::Tcp {
        return Vec::new();
    }
    let others: BTreeMap<_, _> = settings
        .peers
        .iter()
        .filter(|(id, _)| *id != own && genesis.topology.validator(*id).is_some())
        .map(|(id, address)| (*id, address.as_str()))
        .collect();
    let failures: Vec<(ValidatorId, String)> = std::thread::scope(|scope| {
        let dial = |(id, address): (&ValidatorId, &&str)| {
            let (id, address) = (*id, (*address).to_owned());
            scope.spawn(move || Some((id, connect(&address).err()?)))
        };
        let dialling: Vec<_> = others.iter().map(dial).collect();
        dialling.into_iter().filter_map(|thread| thread.join().ok().flatten()).collect()
    });
    let quorum = consensus::Quorum::new(genesis.topology.shape()).flat_quorum();
    let reached = 1 + others.len() - failures.len();
    let mut findings: Vec<Finding> = failures
        .iter()
        .map(|(id, reason)| {
            let what = format!("{id} is not reached at {}: {reason}", others[id]);
            let mend = "ask its member whether it runs; else correct network.peers, or open the port on the way there";
            Finding::warning(what, mend)
        })
        .collect();
    if !others.is_empty() && reached < quorum {
        let what = format!(
            "{reached} of {} validators are there, this one included, and {quorum} must vote: nothing can be decided",
            others.len() + 1
        );
        findings.push(match has_begun {
            true => Finding::error(what, "bring the validators named here back, or the network in between"),
            false => {
                Finding::warning(what, "nothing, if the others are about to start for the first time, too")
            }
        });
    }
    findings
}

/// Connects to the first of an address's meanings that answers; the last reason why none does.
fn connect(address: &str) -> Result<(), String> {
    let found = address.to_socket_addrs().map_err(|error| format!("its host name is not found: {error}"))?;
    let mut reason = "its host name has no address".to_owned();
    for place in found {
        match TcpStream::connect_timeout(&place, PATIENCE) {
            Ok(_) => return Ok(()),
            Err(error) => reason = error.to_string(),
        }
    }
    Err(reason)
}
