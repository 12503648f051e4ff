//! What befalls containers and their networks, under load.

use std::ops::Range;
use std::time::{Duration, Instant};

use tests::client::Outcome;
use tests::containers::Containers;
use tests::crowd::Crowd;
use tests::random::Random;
use tests::testnet::wait;

use crate::{is_skipped, new_batch};

/// How long trouble lasts.
const TROUBLE: Duration = Duration::from_secs(4);

/// The nodes of the two clusters of a network of 2 x 4.
const FIRST: Range<usize> = 0..4;
const SECOND: Range<usize> = 4..8;

/// Clusters that are cut off, nodes that are cut off, killed, paused, stopped and made anew, under load: nothing that was
/// answered is lost, nobody votes twice, and all files are the same in the end.
#[test]
fn a_network_of_containers_goes_on_whatever_befalls_them() {
    if is_skipped() {
        return;
    }
    let network = Containers::up(2, 4);
    let begun = Instant::now();
    for index in network.all() {
        network.commit(index, &new_batch(), network.all());
    }
    let crowd = network.crowd();
    let mut random = Random::from_env();
    crowd.submit_during(&mut random, || {
        let scene = Scene { network: &network, crowd: &crowd };
        scene.suffer("a node without networks", &[5], |node| cut(&network, node, &["c2", "backbone"]));
        scene.suffer("a cluster without its network", &[], |_| cut_cluster(&network, "c2"));
        scene.suffer("clusters without the backbone", &[], |_| cut_backbone(&network));
        scene.suffer("a killed node", &[2], |node| {
            network.docker("kill", node);
            Box::new(move |network| network.docker("start", node))
        });
        scene.suffer("a paused node", &[0], |node| {
            network.docker("pause", node);
            Box::new(move |network| network.docker("unpause", node))
        });
        scene.suffer("a stopped node", &[6], |node| {
            network.docker("stop", node);
            assert_eq!(network.inspect(node, "{{.State.ExitCode}}"), "0");
            Box::new(move |network| network.docker("start", node))
        });
        scene.suffer("a new container on the same volume", &[3], |node| {
            let old = network.inspect(node, "{{.Id}}");
            network.recreate(node);
            assert_ne!(network.inspect(node, "{{.Id}}"), old);
            Box::new(|_| ())
        });
    });
    network.wait_ready(network.all());
    let head = network.wait_same_head();
    eprintln!("{:?}, height {}, after {:?}", crowd.check(), head.height, begun.elapsed());
    let stopped = network.bring_out();
    stopped.check_same_files();
    stopped.check_votes();
    stopped.check_chain(0);
}

/// What ends a trouble.
type Cure = Box<dyn FnOnce(&Containers)>;

/// The network and who uses it.
struct Scene<'a> {
    network: &'a Containers,
    crowd: &'a Crowd,
}

impl Scene<'_> {
    /// Trouble for a while, of nodes that clients do not reach meanwhile; afterwards a new batch must be committed
    /// everywhere.
    fn suffer(&self, what: &str, away: &[usize], begin: impl FnOnce(usize) -> Cure) {
        away.iter().for_each(|node| self.crowd.avoid(*node, true));
        let cure = begin(away.first().copied().unwrap_or_default());
        // The trouble's length; nothing is waited for.
        std::thread::sleep(TROUBLE);
        cure(self.network);
        let healed = Instant::now();
        away.iter().for_each(|node| self.crowd.avoid(*node, false));
        let node = away.first().copied().unwrap_or_default();
        let batch = new_batch();
        // A node that stood still may not know yet that it lost its links.
        wait("the batch is taken", || {
            match self.network.client(node).try_submit(std::slice::from_ref(&batch)) {
                Ok(answer) if answer.status == 202 => Ok(()),
                answer => Err(format!("{answer:?}")),
            }
        });
        let id = [batch.header_signature];
        for node in self.network.all() {
            let client = self.network.client(node);
            wait("the batch is committed", || match client.try_outcomes(&id, 1) {
                Ok(outcomes) if outcomes == [Outcome::Committed] => Ok(()),
                outcomes => Err(format!("{}: {outcomes:?}", self.network.name(node))),
            });
        }
        eprintln!("{what}: progress after {:?}", healed.elapsed());
    }
}

/// Takes a node off networks.
fn cut(network: &Containers, node: usize, networks: &'static [&'static str]) -> Cure {
    let project = network.project();
    networks.iter().for_each(|name| project.disconnect(network.name(node), name));
    Box::new(move |network| {
        networks.iter().for_each(|name| network.project().connect(network.name(node), name));
    })
}

/// Takes all nodes of the second cluster off its own network: they hear each other no more.
fn cut_cluster(network: &Containers, name: &'static str) -> Cure {
    SECOND.for_each(|node| network.project().disconnect(network.name(node), name));
    Box::new(move |network| {
        SECOND.for_each(|node| network.project().connect(network.name(node), name));
    })
}

/// Takes the second cluster off the backbone. Neither side is a quorum: nothing is decided.
fn cut_backbone(network: &Containers) -> Cure {
    let cure = cut_cluster(network, "backbone");
    wait("both sides know that they are no quorum", || {
        let hears = |node: usize| network.status(node)["is_quorum_heard"] == true;
        match [FIRST.start, SECOND.start].into_iter().filter(|node| hears(*node)).count() {
            0 => Ok(()),
            some => Err(format!("{some} of two hear a quorum")),
        }
    });
    let heads = || [FIRST.start, SECOND.start].map(|node| network.client(node).head().height);
    let batch = new_batch();
    for node in [FIRST.start, SECOND.start] {
        let answer = network.client(node).try_submit(std::slice::from_ref(&batch)).unwrap();
        assert_eq!(answer.status, 503, "{answer:?}");
    }
    let before = heads();
    Box::new(move |network| {
        let after = [FIRST.start, SECOND.start].map(|node| network.client(node).head().height);
        assert_eq!(after, before, "blocks are decided below the quorum");
        cure(network);
    })
}
