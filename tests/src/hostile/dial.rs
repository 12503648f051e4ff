//! Connecting to a node from any address, and the handshake, as far as it shall go.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ledger_types::NetworkId;
use libp2p::core::upgrade::OutboundConnectionUpgrade as _;
use libp2p::identity::Keypair;
use libp2p::noise;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt as _};

/// The name with which both sides begin to agree on a protocol.
const MULTISTREAM: &str = "/multistream/1.0.0";
const NOISE: &str = "/noise";
/// Lines longer than this have a length of two bytes; no name here is.
const LONGEST_LINE: usize = 127;

/// An encrypted connection on which no multiplexer is agreed yet.
pub type Secured = noise::Output<Compat<TcpStream>>;

/// The loopback address of a number: neither 127.0.0.1, where honest nodes are, nor one that is no host.
pub fn source(number: u64) -> Ipv4Addr {
    let [.., third, last] = (number % 60_000).to_be_bytes();
    Ipv4Addr::new(127, 1, third, last.clamp(1, 254))
}

/// Connects from an address. Closing resets the connection, so that ports do not run out.
///
/// # Errors
/// When the node does not take it.
pub async fn connect(from: Ipv4Addr, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(IpAddr::V4(from), 0))?;
    let stream = socket.connect(to).await?;
    stream.set_zero_linger()?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Agrees on a protocol as the one that asks.
///
/// # Errors
/// When the other side wants another one, or is gone.
pub async fn propose<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, name: &str) -> io::Result<()> {
    stream.write_all(&proposal(name)).await?;
    stream.flush().await?;
    for expected in [MULTISTREAM, name] {
        let line = read_line(stream).await?;
        if line != expected {
            return Err(io::Error::other(format!("{line:?} where {expected:?} was asked for")));
        }
    }
    Ok(())
}

/// Agrees on whatever protocol the other side asks for; its name.
///
/// # Errors
/// When the other side is gone or says something else.
pub async fn accept<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> io::Result<String> {
    read_line(stream).await?;
    stream.write_all(&line(MULTISTREAM)).await?;
    stream.flush().await?;
    let name = read_line(stream).await?;
    stream.write_all(&line(&name)).await?;
    stream.flush().await?;
    Ok(name)
}

/// The bytes that ask for a protocol.
pub fn proposal(name: &str) -> Vec<u8> {
    [line(MULTISTREAM), line(name)].concat()
}

fn line(name: &str) -> Vec<u8> {
    let length = u8::try_from(name.len() + 1).expect("a short name");
    [&[length], name.as_bytes(), b"\n"].concat()
}

async fn read_line<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<String> {
    let length = usize::from(stream.read_u8().await?);
    if length == 0 || length > LONGEST_LINE {
        return Err(io::Error::other("a line of a wrong length"));
    }
    let mut line = vec![0; length];
    stream.read_exact(&mut line).await?;
    line.pop();
    String::from_utf8(line).map_err(io::Error::other)
}

/// Shakes hands: what comes back is known to be the node, and the node knows this key.
///
/// # Errors
/// When one of the two does not want.
pub async fn secure(mut stream: TcpStream, network: NetworkId, key: &Keypair) -> io::Result<Secured> {
    propose(&mut stream, NOISE).await?;
    let noise = noise::Config::new(key).map_err(io::Error::other)?.with_prologue(network.0.to_vec());
    let (_, secured) = noise.upgrade_outbound(stream.compat(), NOISE).await.map_err(io::Error::other)?;
    Ok(secured)
}
