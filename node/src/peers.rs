//! Where the other validators are, as this node's settings say it: checked against the network's topology.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::{Result, bail};
use consensus::quorum::faulty;
use genesis::Genesis;
use ledger_types::{PrivateKey, PublicKey, ValidatorId};

use crate::config::Settings;
use crate::network::{Config, PeerConfig};

/// What the network needs; `None` in a network of one.
///
/// # Errors
/// What is missing in the settings or keys, or does not belong there, by name.
pub(crate) fn network_config(
    settings: &Settings,
    genesis: &Genesis,
    own: ValidatorId,
    net_key: PrivateKey,
) -> Result<Option<Config>> {
    let topology = &genesis.topology;
    let strangers = settings.peers.iter().map(|(peer, _)| *peer);
    let strangers = names(strangers.filter(|peer| topology.validator(*peer).is_none()));
    if !strangers.is_empty() {
        bail!("network.peers names validators that are not in the network's topology: {strangers}");
    }
    let count = topology.validators().count();
    if count == 1 {
        return Ok(None);
    }
    let Some(address) = settings.network else {
        bail!("network.address is not set: a network of {count} validators needs IP:PORT to listen at");
    };
    let transport = settings.transport;
    if !transport.is_built() {
        bail!(
            "network.transport is {transport}, and this dgt was built without it (the cargo feature {transport})"
        );
    }
    let expected = topology.validator(own).map(|validator| PublicKey::Ed25519(validator.net_key.0));
    if expected != Some(net_key.public_key()) {
        bail!("the net key is not that of {own} in the network's topology");
    }
    // One list may serve all nodes: a node's own line in it is for the others.
    let mut addresses: BTreeMap<_, _> = settings.peers.iter().cloned().collect();
    let (mut peers, mut lacking) = (BTreeMap::new(), Vec::new());
    for (id, validator) in topology.validators().filter(|(id, _)| *id != own) {
        match addresses.remove(&id) {
            Some(address) => _ = peers.insert(id, PeerConfig { net_key: validator.net_key, address }),
            None => lacking.push(id),
        }
    }
    if !lacking.is_empty() {
        bail!("network.peers has no address of {}", names(lacking.into_iter()));
    }
    let believed = faulty(count) + 1;
    Ok(Some(Config { network_id: genesis.lineage.current(), net_key, transport, address, peers, believed }))
}

/// Where others reach this node: by its network address, or in a network of one by the API's.
pub(crate) fn endpoint(settings: &Settings, api: SocketAddr) -> String {
    let own = settings.network.unwrap_or(api).to_string();
    settings.transport.endpoint(settings.advertise.as_ref().unwrap_or(&own))
}

fn names(ids: impl Iterator<Item = ValidatorId>) -> String {
    ids.map(|id| id.to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::{endpoint, network_config};
    use crate::config::Settings;
    use crate::network::Transport;
    use crate::testing::{key, network, validator};

    fn settings(nodes: &[u16]) -> Settings {
        let peer = |node: &u16| (validator(*node), format!("10.0.0.{node}:8101"));
        Settings {
            network: Some("10.0.0.1:8101".parse().unwrap()),
            peers: nodes.iter().map(peer).collect(),
            ..Settings::default()
        }
    }

    fn refusal(settings: &Settings, nodes: u8) -> String {
        network_config(settings, &network(nodes), validator(1), key(101)).unwrap_err().to_string()
    }

    #[test]
    fn every_other_validator_needs_an_address_and_nobody_else_has_one() {
        let whole =
            network_config(&settings(&[1, 2, 3, 4]), &network(4), validator(1), key(101)).unwrap().unwrap();
        let peers: Vec<String> =
            whole.peers.iter().map(|(id, peer)| format!("{id} {}", peer.address)).collect();
        let others = ["c1-2 10.0.0.2:8101", "c1-3 10.0.0.3:8101", "c1-4 10.0.0.4:8101"];
        assert_eq!(peers, others, "the own line is passed over");
        assert_eq!(whole.believed, 2);
        assert_eq!(refusal(&settings(&[3]), 4), "network.peers has no address of c1-2, c1-4");
        let strange = refusal(&settings(&[2, 3, 9]), 3);
        assert!(strange.ends_with("not in the network's topology: c1-9"), "{strange}");
        let deaf = Settings { network: None, ..settings(&[2, 3]) };
        assert!(refusal(&deaf, 3).starts_with("network.address is not set"));
    }

    #[test]
    fn another_nodes_net_key_is_refused() {
        let wrong =
            network_config(&settings(&[2, 3]), &network(3), validator(1), key(102)).unwrap_err().to_string();
        assert_eq!(wrong, "the net key is not that of c1-1 in the network's topology");
    }

    #[test]
    fn a_transport_that_is_not_built_in_is_refused() {
        let over_quic = Settings { transport: Transport::Quic, ..settings(&[2, 3]) };
        let made = network_config(&over_quic, &network(3), validator(1), key(101));
        match cfg!(feature = "quic") {
            true => assert_eq!(made.unwrap().unwrap().transport, Transport::Quic),
            false => assert!(made.unwrap_err().to_string().contains("the cargo feature quic")),
        }
    }

    #[test]
    fn a_network_of_one_needs_nothing() {
        assert!(network_config(&Settings::default(), &network(1), validator(1), key(101)).unwrap().is_none());
        assert!(refusal(&settings(&[2]), 1).contains("c1-2"), "a peer that cannot be");
    }

    #[test]
    fn the_endpoint_is_what_others_reach() {
        let api = "127.0.0.1:8108".parse().unwrap();
        assert_eq!(endpoint(&Settings::default(), api), "tcp://127.0.0.1:8108");
        assert_eq!(endpoint(&settings(&[]), api), "tcp://10.0.0.1:8101");
        let over_quic = Settings { transport: Transport::Quic, ..settings(&[]) };
        assert_eq!(endpoint(&over_quic, api), "quic://10.0.0.1:8101");
        let behind = Settings { advertise: Some("a.example:1".to_owned()), ..settings(&[]) };
        assert_eq!(endpoint(&behind, api), "tcp://a.example:1");
    }
}
