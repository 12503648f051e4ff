//! Members on machines of their own: each runs the Compose file of its cluster, as docs/operators.md tells it.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::path::Path;

use genesis::{NetworkFile, NetworkSettings};
use ledger_types::signature::Curve;
use ledger_types::topology::{Cluster, NetKey, Validator};
use ledger_types::{PublicKey, VoteKey};
use tests::client::{Client, Outcome};
use tests::containers::{self, Project};
use tests::load::key;
use tests::node;
use tests::testnet::wait;

use crate::{is_skipped, new_batch};

/// The public keys that `dgt init` prints in a container, as its operator hands them out.
fn make_keys(project: &Project, node: &str) -> Validator {
    let printed = project.compose(&["run", "--rm", "-T", node, "init"]);
    let key = |label: &str| -> [u8; 32] {
        let line = printed.lines().find_map(|line| line.strip_prefix(label));
        match line.unwrap_or_else(|| panic!("no {label} in {printed}")).trim().parse() {
            Ok(PublicKey::Ed25519(key)) => key,
            other => panic!("{other:?}"),
        }
    };
    Validator {
        name: node.to_owned(),
        vote_key: VoteKey(key("vote ")),
        net_key: NetKey(key("net ")),
        delegate: true,
    }
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join(name), text).unwrap();
}

/// Both members' machine: this one, by the address that it goes out with.
fn this_machine() -> IpAddr {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    // Sends nothing, it only chooses a way; nobody has this address (RFC 5737).
    socket.connect((Ipv4Addr::new(203, 0, 113, 1), 9)).unwrap();
    socket.local_addr().unwrap().ip()
}

#[test]
fn two_members_run_a_cluster_each_and_reach_the_other_by_its_machine() {
    if is_skipped() {
        return;
    }
    let folder = node::folder();
    containers::write_project(&folder, 2, 1);
    let machine = this_machine();
    let members: Vec<(Project, String, Client)> = ["c1", "c2"]
        .into_iter()
        .map(|own| {
            let place = folder.path().join("net/members").join(own);
            write(&place, ".env", &format!("C1_HOST={machine}\nC2_HOST={machine}\n"));
            let text = std::fs::read_to_string(place.join("docker-compose.yml")).unwrap();
            let (name, client) = containers::nodes(&text, "127.0.0.1").remove(0);
            (Project::new(&folder, &format!("net/members/{own}/docker-compose.yml")), name, client)
        })
        .collect();
    let clusters = members.iter().map(|(project, name, _)| Cluster {
        name: name.split('-').next().unwrap().to_owned(),
        validators: vec![make_keys(project, name)],
    });
    let settings = NetworkSettings::new(vec![key(Curve::Ed25519, "operator").public_key()]);
    let network = NetworkFile::new("members", 1_800_000_000_000, settings, clusters.collect()).unwrap();
    for own in ["c1", "c2"] {
        let place = folder.path().join("net/members").join(own).join("network");
        write(&place, "network.toml", &network.to_toml());
    }
    for (project, _, _) in &members {
        project.compose(&["up", "--detach"]);
    }
    for (project, name, _) in &members {
        project.wait_healthy(name);
    }
    let batch = new_batch();
    members[0].2.commit(&batch);
    wait("the other member has it", || match members[1].2.head() {
        head if head == members[0].2.head() => Ok(()),
        head => Err(format!("{head:?}")),
    });
    assert_eq!(members[1].2.outcome(&batch.header_signature), Outcome::Committed);
}
