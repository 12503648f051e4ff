//! Yamux frames written by hand: what a library that keeps the rules does not send.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use ledger_types::NetworkId;
use libp2p::identity::Keypair;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio_util::compat::{Compat, FuturesAsyncReadCompatExt as _};

use super::dial::{self, Secured};
use super::link::YAMUX;

/// Frame types.
const DATA: u8 = 0;
const WINDOW: u8 = 1;
const PING: u8 = 2;
/// Flags.
const SYN: u16 = 1;
const ACK: u16 = 2;
/// The bytes of a frame's head.
const HEAD: usize = 12;
/// What a stream may be sent before its receiver allows more.
pub const CREDIT: u32 = 256 << 10;

/// The writing half of a connection whose Yamux frames are made here.
pub struct Raw(WriteHalf<Compat<Secured>>);

/// The reading half.
pub struct Ears(ReadHalf<Compat<Secured>>);

/// What a node's frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// A ping that wants an answer.
    Ping(u32),
    /// So many more bytes may be sent on a stream.
    Window(u32, u32),
    /// Something else, read to its end.
    Other,
}

impl Raw {
    /// Connects with a key.
    ///
    /// # Errors
    /// When the node does not want.
    pub async fn dial(
        from: Ipv4Addr,
        to: SocketAddr,
        network: NetworkId,
        key: &Keypair,
    ) -> io::Result<(Self, Ears)> {
        let mut secured = dial::secure(dial::connect(from, to).await?, network, key).await?.compat();
        dial::propose(&mut secured, YAMUX).await?;
        let (read, write) = tokio::io::split(secured);
        Ok((Self(write), Ears(read)))
    }

    /// Many pings: each wants a pong.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn pings(&mut self, count: u32) -> io::Result<()> {
        let pings: Vec<u8> = (0..count).flat_map(|number| head(PING, SYN, 0, number)).collect();
        self.write(&pings).await
    }

    /// Answers a ping.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn pong(&mut self, number: u32) -> io::Result<()> {
        self.write(&head(PING, ACK, 0, number)).await
    }

    /// Begins a stream.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn open(&mut self, stream: u32) -> io::Result<()> {
        self.write(&head(WINDOW, SYN, stream, 0)).await
    }

    /// Sends bytes on a stream, allowed or not.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn data(&mut self, stream: u32, bytes: &[u8]) -> io::Result<()> {
        let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        self.write(&[&head(DATA, 0, stream, length), bytes].concat()).await
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes).await?;
        self.0.flush().await
    }
}

impl Ears {
    /// Reads a frame of the node.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn read(&mut self) -> io::Result<Said> {
        let mut head = [0; HEAD];
        self.0.read_exact(&mut head).await?;
        let [_, kind, f0, f1, s0, s1, s2, s3, l0, l1, l2, l3] = head;
        let (stream, length) = (u32::from_be_bytes([s0, s1, s2, s3]), u32::from_be_bytes([l0, l1, l2, l3]));
        Ok(match kind {
            DATA => {
                let mut rest = (&mut self.0).take(u64::from(length));
                tokio::io::copy(&mut rest, &mut tokio::io::sink()).await?;
                Said::Other
            }
            WINDOW => Said::Window(stream, length),
            PING if u16::from_be_bytes([f0, f1]) == SYN => Said::Ping(length),
            _ => Said::Other,
        })
    }
}

fn head(kind: u8, flags: u16, stream: u32, length: u32) -> [u8; HEAD] {
    let [f0, f1] = flags.to_be_bytes();
    let [s0, s1, s2, s3] = stream.to_be_bytes();
    let [l0, l1, l2, l3] = length.to_be_bytes();
    [0, kind, f0, f1, s0, s1, s2, s3, l0, l1, l2, l3]
}
