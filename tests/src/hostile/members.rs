//! Attacks with the keys of a validator, below what it says: on connections, streams, frames and limits. Each goes on until it
//! is dropped.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use consensus::Message;
use consensus::message::Entries;
use ledger_types::codec::Writer;
use ledger_types::signature::Curve;
use ledger_types::{Batch, BlockId};
use tokio::io::AsyncWriteExt as _;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use txfamilies::sign_batch;

use super::Acts;
use super::dial::proposal;
use super::liar::{Door, HOME, Liar};
use super::link::{BLOCKS, CONSENSUS, Ears, say};
use super::raw::{self, CREDIT, Raw, Said};
use crate::load::{key, set};

/// How long one act may take before the next connection is tried.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two connections where the connections are not the attack.
const PAUSE: Duration = Duration::from_millis(20);
/// Streams that are left half open at a time.
const HALF_OPEN: usize = 200;
/// Different useless messages.
const USELESS: usize = 2_000;
/// Batches in one frame.
const BATCHES_PER_FRAME: u64 = 100;
/// Frames of new batches on one link, and how often each is sent: all that are good must be committed in the end.
const FRAMES: u64 = 4;
const COPIES: usize = 20;
/// Bytes of the entries that nobody asked for.
const LARGE: usize = 8 << 20;
/// Pings that are written at once.
const PINGS: u32 = 200;
/// Who takes nothing for so long has a full socket.
const STUCK: Duration = Duration::from_secs(1);
/// Connections that are left full at a time: fewer than a process may open.
const FULL: usize = 400;
/// How late a ping is answered: so long the way to this peer seems to be.
const LATE: Duration = Duration::from_secs(1);
/// Streams of a raw connection.
const FIRST: u32 = 1;
const SECOND: u32 = 3;

/// What a lying validator does again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Member {
    /// Says that it lives, and nothing else: what honest nodes stand without trouble.
    OnlyLives,
    /// Opens streams and agrees on nothing, on what is unknown, or on the same thing again.
    OpensStreams,
    /// Sends frames that are too long, come byte by byte, or are nothing.
    BreaksFrames,
    /// Sends signed messages that are of no use, as fast as it can.
    SaysUseless,
    /// Asks, and does not read the answers.
    IsDeaf,
    /// Sends new, known and wrong batches.
    SendsBatches,
    /// Connects again and again, each time as another process.
    IsRestless,
    /// Fills the node's sockets, so that they cannot be closed.
    FillsSockets,
    /// Answers pings late, so that large windows seem useful, and fills them.
    SeemsFarAway,
}

impl Member {
    /// Attacks all honest nodes.
    pub async fn attack(self, liar: Arc<Liar>, acts: Acts) {
        let count = if matches!(self, Self::SaysUseless | Self::IsDeaf) { USELESS } else { 0 };
        let useless: Arc<[Bytes]> = liar.useless(count).into();
        let mut all = JoinSet::new();
        for door in liar.doors.clone() {
            let attacker = Attacker {
                liar: liar.clone(),
                door,
                useless: useless.clone(),
                acts: acts.clone(),
                number: 0,
            };
            all.spawn(attacker.go_on(self));
        }
        while all.join_next().await.is_some() {}
    }
}

/// One validator towards one node.
struct Attacker {
    liar: Arc<Liar>,
    door: Door,
    useless: Arc<[Bytes]>,
    acts: Acts,
    number: u64,
}

impl Attacker {
    async fn go_on(mut self, member: Member) {
        let mut full = Vec::new();
        loop {
            self.number += 1;
            let _ended = match member {
                Member::OnlyLives => self.only_live().await,
                Member::OpensStreams => self.open_streams().await,
                Member::BreaksFrames => timeout(PATIENCE, self.break_frames()).await.unwrap_or(Ok(())),
                Member::SaysUseless => self.say_useless(Ears::Open).await,
                Member::IsDeaf => self.say_useless(Ears::Closed).await,
                Member::SendsBatches => self.send_batches().await,
                Member::IsRestless => timeout(PATIENCE, self.be_restless()).await.unwrap_or(Ok(())),
                Member::FillsSockets => self.fill_a_socket(&mut full).await,
                Member::SeemsFarAway => self.seem_far_away().await,
            };
            if !matches!(member, Member::IsRestless | Member::FillsSockets | Member::BreaksFrames) {
                sleep(PAUSE).await;
            }
        }
    }

    async fn only_live(&self) -> io::Result<()> {
        let (mut link, mut ways) = self.liar.link(self.door, Ears::Open).await?;
        let heartbeat = self.liar.heartbeat();
        let mut life = tokio::time::interval(Duration::from_secs(1));
        loop {
            tokio::select! {
                heard = link.heard() => if heard.is_none() { return Ok(()) },
                _ = life.tick() => {
                    say(&mut ways.consensus, &heartbeat).await?;
                    say(&mut ways.blocks, &[]).await?;
                    say(&mut ways.batches, &[]).await?;
                    self.acts.add();
                }
            }
        }
    }

    async fn open_streams(&self) -> io::Result<()> {
        let link = self.liar.dial(self.door, Ears::Open).await?;
        let mut held = Vec::new();
        for number in 0_u64.. {
            let mut stream = link.open().await?;
            match number % 4 {
                0 => stream.write_all(b"\x13/multistream").await?,
                1 => stream.write_all(&proposal("/dgt/unknown/1")).await?,
                2 => stream.write_all(&proposal(CONSENSUS)).await?,
                // As much as may come before anybody reads it.
                _ => stream.write_all(&[&proposal(BLOCKS)[..], &[0; 200 << 10]].concat()).await?,
            }
            stream.flush().await?;
            held.push(stream);
            if held.len() > HALF_OPEN {
                held.clear();
            }
            self.acts.add();
        }
        Ok(())
    }

    async fn break_frames(&self) -> io::Result<()> {
        let (_link, mut ways) = self.liar.link(self.door, Ears::Open).await?;
        self.acts.add();
        match self.number % 4 {
            0 => ways.blocks.write_all(&u32::MAX.to_be_bytes()).await?,
            1 => {
                ways.consensus.write_all(&u32::try_from(LARGE).expect("megabytes").to_be_bytes()).await?;
                for _ in 0..100 {
                    ways.consensus.write_all(&[0]).await?;
                    ways.consensus.flush().await?;
                    sleep(PAUSE).await;
                }
            }
            2 => say(&mut ways.consensus, b"junk").await?,
            _ => say(&mut ways.batches, &[0xff; 1_000]).await?,
        }
        ways.blocks.flush().await?;
        // The node closes the connection.
        std::future::pending().await
    }

    async fn say_useless(&self, ears: Ears) -> io::Result<()> {
        let (_link, mut ways) = self.liar.link(self.door, ears).await?;
        let unasked =
            Message::Entries(Entries { block: BlockId([3; 64]), entries: vec![7; LARGE].into() }).encode();
        for round in 0_u64.. {
            for word in &*self.useless {
                say(&mut ways.consensus, word).await?;
                self.acts.add();
            }
            if round % 4 == 0 && ears == Ears::Open {
                say(&mut ways.blocks, &unasked).await?;
            }
        }
        Ok(())
    }

    async fn send_batches(&self) -> io::Result<()> {
        let (_link, mut ways) = self.liar.link(self.door, Ears::Open).await?;
        let signer = key(Curve::Ed25519, "mallory");
        let mut frame = Bytes::new();
        for number in 0..FRAMES {
            frame = batches(&signer, &format!("{}-{}-{number}", self.door.validator, self.number));
            for _ in 0..COPIES {
                say(&mut ways.batches, &frame).await?;
                self.acts.add();
            }
        }
        // The last byte belongs to a signature.
        let mut wrong = frame.to_vec();
        if let Some(last) = wrong.last_mut() {
            *last ^= 1;
        }
        say(&mut ways.batches, &wrong).await?;
        std::future::pending().await
    }

    async fn be_restless(&self) -> io::Result<()> {
        let link = self.liar.dial(self.door, Ears::Open).await?;
        let process = (self.number / 2).to_be_bytes();
        let mut name = [1; 16];
        name[..process.len()].copy_from_slice(&process);
        self.acts.add();
        let _ways = link.introduce(name).await?;
        Ok(())
    }

    async fn fill_a_socket(&self, full: &mut Vec<(Raw, raw::Ears)>) -> io::Result<()> {
        let liar = &self.liar;
        let (mut raw, ears) = Raw::dial(HOME, self.door.address, liar.network, &liar.key).await?;
        // Nobody reads the pongs, until neither side can write.
        while let Ok(sent) = timeout(STUCK, raw.pings(PINGS)).await {
            sent?;
        }
        full.push((raw, ears));
        if full.len() > FULL {
            full.clear();
        }
        self.acts.add();
        // Whoever is heard here lets the node close the others.
        let (_link, _ways) = liar.link(self.door, Ears::Open).await?;
        Ok(())
    }

    async fn seem_far_away(&self) -> io::Result<()> {
        let liar = &self.liar;
        let (mut raw, mut ears) = Raw::dial(HOME, self.door.address, liar.network, &liar.key).await?;
        raw.open(FIRST).await?;
        raw.data(FIRST, &[&proposal(CONSENSUS)[..], &liar.process].concat()).await?;
        raw.open(SECOND).await?;
        let begin = proposal(BLOCKS);
        raw.data(SECOND, &begin).await?;
        let mut credit = CREDIT - u32::try_from(begin.len()).expect("a short name");
        let entries = Entries { block: BlockId([3; 64]), entries: vec![7; LARGE].into() };
        let message = Message::Entries(entries).encode();
        let length = u32::try_from(message.len()).expect("megabytes").to_be_bytes();
        let frame = [&length[..], &message].concat();
        let mut rest = &frame[..];
        loop {
            while credit > 0 {
                let size = rest.len().min(usize::try_from(credit).expect("a size")).min(64 << 10);
                raw.data(SECOND, &rest[..size]).await?;
                credit -= u32::try_from(size).expect("a small piece");
                rest = if size == rest.len() { &frame[..] } else { &rest[size..] };
                self.acts.add();
            }
            match ears.read().await? {
                Said::Ping(number) => {
                    sleep(LATE).await;
                    raw.pong(number).await?;
                }
                Said::Window(SECOND, more) => credit = credit.saturating_add(more),
                Said::Window(..) | Said::Other => {}
            }
        }
    }
}

/// A frame of new batches, all of them good.
fn batches(signer: &ledger_types::PrivateKey, name: &str) -> Bytes {
    let mut writer = Writer::new();
    for number in 0..BATCHES_PER_FRAME {
        let batch = sign_batch(signer, &[set(&format!("{name}-{number}"), 1)]);
        Batch::from_proto(batch).expect("a good batch").encode(&mut writer);
    }
    writer.finish().into()
}
