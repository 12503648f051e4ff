//! The characters in a small theatre: a wire with little delays, no faults, and honest nodes that are bare replicas.
//! The simulator proper is in `sim`; here every act must be seen, nothing may panic, and forks come where they must.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use consensus::{Committee, Message, Signer, Timing};
use ledger_types::topology::{Cluster, NetKey, Validator};
use ledger_types::{
    BlockHeader, BlockId, ConfigHash, Hash, NetworkId, Signature, Topology, ValidatorId, VoteKey,
};

use super::face::{Clock, Face};
use super::plot::Plot;
use super::twist::say;
use super::{Casting, Character, Stage, cast};
use crate::random::Random;
use crate::sim::mixing;

const SECONDS: u64 = 1_000;

/// Signs with what everybody could compute: the characters are trusted not to.
#[derive(Clone)]
struct Toy(VoteKey);

impl Signer for Toy {
    fn sign(&self, message: &[u8]) -> Signature {
        Signature(mixing::digest(mixing::hash(0, &self.0.0), message))
    }
}

fn key(id: ValidatorId) -> VoteKey {
    VoteKey([1 + u8::try_from(16 * id.cluster + id.node).unwrap(); 32])
}

fn committee(shape: &[usize]) -> (Arc<Committee>, BlockHeader) {
    let clusters = (0u16..).zip(shape).map(|(cluster, size)| {
        let validator = |node| {
            let id = ValidatorId { cluster, node };
            let net_key = NetKey(key(id).0.map(|byte| !byte));
            Validator { name: id.to_string(), vote_key: key(id), net_key, delegate: true }
        };
        let size = u16::try_from(*size).unwrap();
        Cluster { name: format!("c{cluster}"), validators: (0..size).map(validator).collect() }
    });
    let topology = Topology::new(clusters.collect()).unwrap();
    let genesis = BlockHeader {
        network_id: NetworkId([1; 32]),
        epoch: 0,
        view: 0,
        height: 0,
        parent: BlockId::ZERO,
        proposer: ValidatorId { cluster: 0, node: 0 },
        time_ms: 1_700_000_000_000,
        entry_count: 0,
        receipt_count: 0,
        entries_root: Hash::ZERO,
        state_root: Hash::ZERO,
        receipts_root: Hash::ZERO,
        cfg_hash: ConfigHash(topology.cfg_hash().0),
        next_cfg_hash: None,
    };
    (Arc::new(Committee::new(genesis.network_id, 0, topology, &genesis.id())), genesis)
}

/// Somebody's turn: a message from a validator, or a tick.
type Event = (ValidatorId, Option<(ValidatorId, Bytes)>);

enum Player {
    Honest(Box<Face>),
    Liar(Box<dyn Character>),
}

struct Theatre {
    committee: Arc<Committee>,
    genesis: BlockHeader,
    liars: Vec<ValidatorId>,
    players: BTreeMap<ValidatorId, (Player, Random)>,
    random: Random,
    acts: BTreeMap<&'static str, usize>,
    /// What honest nodes have decided, by height.
    decided: BTreeMap<u64, BTreeSet<BlockId>>,
}

impl Theatre {
    fn new(shape: &[usize], liars: &[(u16, u16)], casting: Casting, seed: u64) -> Self {
        let (committee, genesis) = committee(shape);
        let liars: Vec<_> =
            liars.iter().map(|(cluster, node)| ValidatorId { cluster: *cluster, node: *node }).collect();
        let (random, acts, decided) = (Random::new(seed), BTreeMap::new(), BTreeMap::new());
        let players = BTreeMap::new();
        let mut theatre = Self { committee, genesis, liars, players, random, acts, decided };
        let plot = theatre.random.fork();
        let all: Vec<_> = theatre.committee.topology().validators().map(|(id, _)| id).collect();
        for id in all {
            let player = if theatre.liars.contains(&id) {
                Player::Liar(cast(casting, &plot))
            } else {
                Player::Honest(Box::new(theatre.turn(id, 0, |stage| Face::new(stage, Clock::Right)).0))
            };
            let random = theatre.random.fork();
            theatre.players.insert(id, (player, random));
        }
        theatre
    }

    /// Sets a stage for one turn of a validator; what comes of it, and what it sends.
    fn turn<T>(
        &mut self,
        own: ValidatorId,
        now_ms: u64,
        play: impl FnOnce(&mut Stage<'_>) -> T,
    ) -> (T, Vec<(ValidatorId, Bytes)>) {
        let (mut outbox, mut acts) = (Vec::new(), Vec::new());
        let liars = self.liars.clone();
        let mut random = self.random.fork();
        let may_sign = |id: ValidatorId| id == own || (liars.contains(&id) && liars.contains(&own));
        let played = play(&mut Stage {
            committee: &self.committee,
            genesis: &self.genesis,
            timing: Timing::LAN,
            own,
            liars: &self.liars,
            now_ms,
            random: &mut random,
            signer: &|id| may_sign(id).then(|| Box::new(Toy(key(id))) as Box<dyn Signer>),
            elsewhere: &|id, committee, statement| Toy(key(id)).sign(&committee.statement_bytes(statement)),
            outbox: &mut outbox,
            acts: &mut acts,
        });
        for act in acts {
            *self.acts.entry(act).or_default() += 1;
        }
        (played, outbox)
    }

    fn act(
        &mut self,
        own: ValidatorId,
        now_ms: u64,
        heard: Option<&(ValidatorId, Bytes)>,
    ) -> Vec<(ValidatorId, Bytes)> {
        let Some((mut player, random)) = self.players.remove(&own) else { return Vec::new() };
        let (_, outbox) = self.turn(own, now_ms, |stage| match (&mut player, heard) {
            (Player::Liar(liar), Some((from, bytes))) => liar.on_message(stage, *from, bytes),
            (Player::Liar(liar), None) => liar.on_tick(stage),
            (Player::Honest(face), Some((from, bytes))) => {
                let Ok(message) = Message::decode(bytes.clone()) else { return };
                // Unlike a liar's own replica it looks at signatures.
                let Ok(message) = message.verify(stage.committee, &Looks) else { return };
                let words = face.hear(stage, *from, message.message().clone());
                words.iter().for_each(|word| say(stage, face, word));
            }
            (Player::Honest(face), None) => {
                let words = face.tick(stage);
                words.iter().for_each(|word| say(stage, face, word));
            }
        });
        if let Player::Honest(face) = &player {
            for (header, _) in face.decided() {
                self.decided.entry(header.height).or_default().insert(header.id());
            }
        }
        self.players.insert(own, (player, random));
        outbox
    }

    fn run(&mut self, until_ms: u64) {
        let mut events: BTreeMap<(u64, u64), Event> = BTreeMap::new();
        let mut count = 0;
        let all: Vec<_> = self.players.keys().copied().collect();
        for id in all {
            count += 1;
            events.insert((0, count), (id, None));
        }
        while let Some(((now_ms, _), (own, heard))) = events.pop_first() {
            if now_ms > until_ms {
                return;
            }
            let outbox = self.act(own, now_ms, heard.as_ref());
            for (to, bytes) in outbox {
                count += 1;
                events.insert((now_ms + self.random.below(2..20), count), (to, Some((own, bytes))));
            }
            if heard.is_none() {
                count += 1;
                events.insert((now_ms + self.random.below(20..100), count), (own, None));
            }
        }
    }

    fn height(&self) -> u64 {
        self.decided.keys().next_back().copied().unwrap_or(0)
    }

    fn has_forked(&self) -> bool {
        self.decided.values().any(|blocks| blocks.len() > 1)
    }
}

struct Looks;

impl consensus::Verifier for Looks {
    fn verify(&self, key: &VoteKey, message: &[u8], signature: &Signature) -> bool {
        Toy(*key).sign(message) == *signature
    }
}

#[test]
fn every_character_acts_and_one_of_four_stops_and_forks_nothing() {
    for casting in Casting::ALL {
        for seed in 0..2 {
            let mut theatre = Theatre::new(&[4], &[(0, 1)], casting, seed);
            theatre.run(3 * SECONDS);
            println!("{:20} seed {seed}: height {:4} {:?}", casting.name(), theatre.height(), theatre.acts);
            assert!(!theatre.has_forked(), "{casting:?} forked seed {seed}");
            // Honest nodes are gullible here, so what a wrong header does to them means nothing.
            let is_measured = casting != Casting::WrongRoot;
            assert!(
                !is_measured || theatre.height() >= 5,
                "{casting:?} stopped seed {seed}: {}",
                theatre.height()
            );
            let is_seldom = matches!(casting, Casting::LiarInSync | Casting::Flooder);
            assert!(is_seldom || !theatre.acts.is_empty(), "{casting:?} did nothing in seed {seed}");
        }
    }
}

#[test]
fn two_of_four_who_act_together_fork_the_chain() {
    for casting in Casting::FORKING {
        let forks = (0..10).filter(|seed| {
            let mut theatre = Theatre::new(&[4], &[(0, 1), (0, 2)], casting, *seed);
            theatre.run(5 * SECONDS);
            theatre.has_forked()
        });
        let count = forks.count();
        println!("{}: {count} of 10 runs forked", casting.name());
        assert!(count >= 5, "{casting:?} forks only {count} of 10");
    }
}

#[test]
fn six_of_sixteen_in_four_clusters_fork_the_chain_and_five_do_not() {
    let six = [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (3, 0)];
    for casting in Casting::FORKING {
        let forked = |liars: &[(u16, u16)], seed| {
            let mut theatre = Theatre::new(&[4, 4, 4, 4], liars, casting, seed);
            theatre.run(4 * SECONDS);
            theatre.has_forked()
        };
        let count = (0..4).filter(|seed| forked(&six, *seed)).count();
        println!("{}: {count} of 4 runs with six liars forked", casting.name());
        assert!(count >= 1, "{casting:?} forks only {count} of 4");
        assert_eq!((0..2).filter(|seed| forked(&six[..5], *seed)).count(), 0, "{casting:?} with five");
    }
}

#[test]
fn liars_with_one_stream_have_one_plan_and_it_lets_both_halves_decide() {
    let mut theatre = Theatre::new(&[4], &[(0, 0), (0, 3)], Casting::Silent, 1);
    let stream = Random::new(7);
    for turn in 0..50 {
        let mut plan = |node| {
            let own = ValidatorId { cluster: 0, node };
            theatre.turn(own, 0, |stage| {
                let halves = Plot::new(&stream).halves_of_turn(stage, turn);
                assert!(halves.can_both_decide(stage));
                halves
            })
        };
        let ((halves, _), (others, _)) = (plan(0), plan(3));
        assert_eq!(halves, others);
        assert_eq!((halves.half(0).len(), halves.half(1).len()), (1, 1));
    }
}

#[test]
fn no_bytes_make_a_character_panic() {
    let own = ValidatorId { cluster: 0, node: 1 };
    for casting in Casting::ALL {
        let mut theatre = Theatre::new(&[4], &[(0, 1)], casting, 3);
        let mut random = Random::new(11);
        let mut liar = cast(casting, &Random::new(5));
        assert_eq!(liar.name(), casting.name());
        assert_eq!(Casting::from_name(casting.name()), Some(casting));
        for turn in 0..200 {
            let mut bytes: Vec<u8> =
                (0..random.below(0..300)).map(|_| random.draw().to_be_bytes()[0]).collect();
            if bytes.len() > 2 {
                (bytes[0], bytes[1]) = (1, 1 + bytes[1] % 9);
            }
            let from = ValidatorId { cluster: 0, node: 2 };
            theatre.turn(own, turn, |stage| liar.on_message(stage, from, &bytes.clone().into()));
            theatre.turn(own, turn, |stage| liar.on_tick(stage));
        }
    }
}
