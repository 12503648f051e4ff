//! A validator that lies: it has its keys, holds links to all others, and plays the simulator's characters on them.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use bytes::Bytes;
use consensus::{Committee, Ed25519Signer, Ed25519Verifier, Message, Signer, Timing};
use data_encoding::HEXLOWER;
use genesis::NetworkFile;
use ledger::{GenesisBlock, Ledger, OpenOptions};
use ledger_types::certificate::Statement;
use ledger_types::signature::Curve;
use ledger_types::{BlockHeader, NetworkId, PrivateKey, Signature, ValidatorId};
use libp2p::identity::{Keypair, ed25519};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::Acts;
use super::link::{Ears, Link, Ways, say};
use crate::byzantine::{Casting, Character, Stage, cast};
use crate::random::Random;
use crate::testnet::Testnet;

/// Where a liar comes from, as honest nodes do.
pub const HOME: Ipv4Addr = Ipv4Addr::LOCALHOST;
/// How often a character may act by itself.
const TICK: Duration = Duration::from_millis(20);
/// How often a sign of life is given.
const LIFE: Duration = Duration::from_secs(1);
/// Between two attempts to reach a node.
const RETRY: Duration = Duration::from_millis(50);
/// Words that wait for a character, or for a node.
const WAITING: usize = 4_096;
/// Bytes that a file of the genesis block's ledger may have.
const MAP_BYTES: usize = 1 << 28;

/// A node of the network that is attacked.
#[derive(Clone, Copy, Debug)]
pub struct Door {
    /// Which validator it is.
    pub validator: ValidatorId,
    /// Where it listens for others.
    pub address: SocketAddr,
}

/// The keys of a validator, and whom it can reach.
pub struct Liar {
    /// The network.
    pub network: NetworkId,
    /// The key that it shows in handshakes.
    pub key: Keypair,
    /// What it calls its process.
    pub process: [u8; 16],
    /// The other nodes.
    pub doors: Vec<Door>,
    own: ValidatorId,
    vote_key: PrivateKey,
    committee: Arc<Committee>,
    genesis: BlockHeader,
}

/// The places where the nodes of a network listen, in order.
pub fn doors(network: &Testnet) -> Vec<Door> {
    let file = network_file(network);
    let door = |(index, (validator, _)): (usize, _)| {
        let path = network.home(index).path().join("etc/dgt.toml");
        let text = std::fs::read_to_string(&path).expect("the settings of a node");
        let settings = text.lines().skip_while(|line| *line != "[network]");
        let address = settings.filter_map(|line| line.strip_prefix("address = ")).next();
        let address = address.expect("a network address").trim_matches('"').parse();
        Door { validator, address: address.expect("an address") }
    };
    file.topology().validators().enumerate().map(door).collect()
}

/// The network file.
pub fn network_file(network: &Testnet) -> NetworkFile {
    let text = std::fs::read_to_string(network.path().join("network.toml")).expect("the network file");
    NetworkFile::parse(&text).expect("a network file")
}

impl Liar {
    /// Takes the place of a node of a network, which must not run.
    pub fn instead_of(network: &Testnet, index: usize) -> Self {
        let file = network_file(network);
        let genesis = genesis_header(&file);
        let topology = file.topology().clone();
        let doors = doors(network);
        let read = |name: &str| {
            let path = network.home(index).path().join("keys").join(name);
            let text = std::fs::read_to_string(path).expect("a key of the node");
            let secret = HEXLOWER.decode(text.trim().as_bytes()).expect("hex");
            <[u8; 32]>::try_from(secret).expect("32 bytes")
        };
        let secret = ed25519::SecretKey::try_from_bytes(&mut read("net.priv")).expect("a net key");
        Self {
            network: file.network_id(),
            key: ed25519::Keypair::from(secret).into(),
            process: [7; 16],
            own: doors[index].validator,
            doors: doors.into_iter().enumerate().filter(|(at, _)| *at != index).map(|(_, it)| it).collect(),
            vote_key: PrivateKey::from_bytes(Curve::Ed25519, read("vote.priv")).expect("a vote key"),
            committee: Arc::new(Committee::new(file.network_id(), 0, topology, &genesis.id())),
            genesis,
        }
    }

    /// A link to a node, on which this process is known and welcome.
    ///
    /// # Errors
    /// When the node does not want.
    pub async fn link(&self, door: Door, ears: Ears) -> io::Result<(Link, Ways)> {
        let link = self.dial(door, ears).await?;
        let ways = link.introduce(self.process).await?;
        Ok((link, ways))
    }

    /// A link to a node on which nothing is said yet.
    ///
    /// # Errors
    /// When the node does not want.
    pub async fn dial(&self, door: Door, ears: Ears) -> io::Result<Link> {
        Link::dial((HOME, door.address), self.network, &self.key, ears).await
    }

    fn signer(&self) -> Box<dyn Signer> {
        Box::new(Ed25519Signer::new(self.vote_key.clone()).expect("invariant: an ed25519 key"))
    }

    /// Lets a character do something.
    fn on_stage(&self, now_ms: u64, random: &mut Random, act: impl FnOnce(&mut Stage<'_>)) -> Turn {
        let signer = |of: ValidatorId| (of == self.own).then(|| self.signer());
        let elsewhere = |of: ValidatorId, committee: &Committee, statement: &Statement| match of == self.own {
            true => self.vote_key.sign(&committee.statement_bytes(statement)),
            // What honest nodes said elsewhere is not known here.
            false => Signature::ZERO,
        };
        let mut turn = Turn::default();
        act(&mut Stage {
            committee: &self.committee,
            genesis: &self.genesis,
            timing: Timing::LAN,
            own: self.own,
            liars: &[self.own],
            now_ms,
            random,
            signer: &signer,
            elsewhere: &elsewhere,
            outbox: &mut turn.outbox,
            acts: &mut turn.acts,
        });
        turn
    }

    /// Messages that say nothing useful and are signed as they should be: far votes, questions, proposals ahead.
    pub fn useless(&self, count: usize) -> Vec<Bytes> {
        let mut random = Random::new(5);
        let mut flooder = cast(Casting::Flooder, &random.fork());
        let mut words: Vec<Bytes> = Vec::new();
        for tick in 0.. {
            let turn = self.on_stage(tick * 50, &mut random, |stage| flooder.on_tick(stage));
            words.extend(turn.outbox.into_iter().map(|(_, word)| word).filter(|word| self.is_sound(word)));
            if words.len() >= count {
                break;
            }
        }
        words
    }

    fn is_sound(&self, word: &Bytes) -> bool {
        let message = Message::decode(word.clone());
        message.is_ok_and(|message| message.verify(&self.committee, &Ed25519Verifier).is_ok())
    }

    /// A heartbeat: who says that and nothing else is there, and useless.
    pub fn heartbeat(&self) -> Bytes {
        let is_heartbeat = |word: &Bytes| matches!(Message::decode(word.clone()), Ok(Message::Heartbeat(_)));
        let words = self.useless(400);
        words.into_iter().find(is_heartbeat).expect("a node says that it lives before long")
    }

    /// Plays a character towards all nodes, without end. Its words are counted, too: some are in no hurry to act.
    pub async fn play(self: Arc<Self>, casting: Casting, acts: Acts) {
        let (tell, told) = sync_channel(WAITING);
        let (mut carriers, mut outs) = (JoinSet::new(), Vec::new());
        for door in self.doors.clone() {
            let (out, say) = mpsc::channel(WAITING);
            outs.push((door.validator, out));
            carriers.spawn(self.clone().carry(door, say, tell.clone()));
        }
        let liar = self.clone();
        // Ends when the carriers have.
        std::thread::spawn(move || liar.act(casting, &told, &outs, &acts));
        drop(tell);
        while carriers.join_next().await.is_some() {}
    }

    fn act(
        &self,
        casting: Casting,
        told: &Receiver<(ValidatorId, Bytes)>,
        outs: &[(ValidatorId, mpsc::Sender<Bytes>)],
        acts: &Acts,
    ) {
        let mut random = Random::from_env();
        let mut character: Box<dyn Character> = cast(casting, &random.fork());
        let begin = Instant::now();
        let mut tick_at = begin;
        loop {
            let next = told.recv_timeout(tick_at.saturating_duration_since(Instant::now()));
            let now_ms = u64::try_from(begin.elapsed().as_millis()).expect("a short test");
            let turn = match next {
                Ok((from, bytes)) => {
                    self.on_stage(now_ms, &mut random, |stage| character.on_message(stage, from, &bytes))
                }
                Err(RecvTimeoutError::Timeout) => {
                    tick_at = Instant::now() + TICK;
                    self.on_stage(now_ms, &mut random, |stage| character.on_tick(stage))
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
            turn.acts.iter().for_each(|_| acts.add());
            for (to, bytes) in turn.outbox {
                acts.add();
                let out = outs.iter().find(|(validator, _)| *validator == to);
                let _ = out.map(|(_, out)| out.try_send(bytes));
            }
        }
    }

    /// Carries words to a node and back, on one link after the other.
    async fn carry(
        self: Arc<Self>,
        door: Door,
        mut say: mpsc::Receiver<Bytes>,
        tell: SyncSender<(ValidatorId, Bytes)>,
    ) {
        loop {
            let _ended = self.carry_once(door, &mut say, &tell).await;
            if say.is_closed() {
                return;
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn carry_once(
        &self,
        door: Door,
        out: &mut mpsc::Receiver<Bytes>,
        tell: &SyncSender<(ValidatorId, Bytes)>,
    ) -> io::Result<()> {
        let (mut link, mut ways) = self.link(door, Ears::Open).await?;
        let mut life = tokio::time::interval(LIFE);
        loop {
            tokio::select! {
                heard = link.heard() => match heard {
                    Some(frame) => drop(tell.try_send((door.validator, frame))),
                    None => return Ok(()),
                },
                Some(frame) = out.recv() => {
                    let is_large = matches!(Message::decode(frame.clone()), Ok(Message::Entries(_) | Message::Run(_)));
                    let way = if is_large { &mut ways.blocks } else { &mut ways.consensus };
                    say(way, &frame).await?;
                }
                _ = life.tick() => {
                    for way in [&mut ways.consensus, &mut ways.blocks, &mut ways.batches] {
                        say(way, &[]).await?;
                    }
                }
            }
        }
    }
}

/// What a character did in one turn.
#[derive(Default)]
struct Turn {
    outbox: Vec<(ValidatorId, Bytes)>,
    acts: Vec<&'static str>,
}

/// The header of block 0, which every node makes for itself.
fn genesis_header(file: &NetworkFile) -> BlockHeader {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let made = file.genesis().expect("the genesis batches");
    let ledger = Ledger::open(&OpenOptions {
        directory: folder.path().to_owned(),
        map_bytes: MAP_BYTES,
        rebuild: false,
        check_bytes: u64::MAX,
        genesis: GenesisBlock {
            lineage: made.lineage,
            cfg_hash: made.cfg_hash,
            time_ms: made.time_ms,
            batches: made.batches,
        },
        registry: Arc::new(txfamilies::registry()),
    });
    let ledger = ledger.expect("the genesis block");
    ledger.reader().header(0).expect("a sound file").expect("block 0")
}
