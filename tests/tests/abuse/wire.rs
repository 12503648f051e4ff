//! Bytes over a socket, without a client that would mend them.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use crate::victim::kind;

/// How long the node may say nothing before a test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// One answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Reply {
    /// Its kind: the status, and the code of an error.
    pub(crate) fn kind(&self) -> String {
        kind(self.status, &self.body)
    }
}

/// A request with these headers (each ending in a line end), after whose answer the node closes the connection.
pub(crate) fn request(line: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("{line} HTTP/1.1\r\nHost: node\r\nConnection: close\r\n{headers}\r\n");
    [head.as_bytes(), body].concat()
}

/// The same with a body of the length that it says.
pub(crate) fn post(path: &str, content_type: &str, body: &[u8]) -> Vec<u8> {
    let headers = format!("Content-Type: {content_type}\r\nContent-Length: {}\r\n", body.len());
    request(&format!("POST {path}"), &headers, body)
}

/// Sends bytes and reads answers until the node closes the connection.
pub(crate) fn exchange(address: SocketAddr, bytes: &[u8]) -> Vec<Reply> {
    replies(&converse(address, bytes, false))
}

/// Sends bytes and nothing more: the client's direction is closed at once.
pub(crate) fn cut_off(address: SocketAddr, bytes: &[u8]) -> Vec<Reply> {
    replies(&converse(address, bytes, true))
}

fn converse(address: SocketAddr, bytes: &[u8], is_cut_off: bool) -> Vec<u8> {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.set_write_timeout(Some(PATIENCE)).unwrap();
    // A node that has answered may close before everything is sent.
    let is_sent = socket.write_all(bytes).is_ok();
    if is_cut_off && is_sent {
        let _ = socket.shutdown(Shutdown::Write);
    }
    let mut received = Vec::new();
    if let Err(error) = socket.read_to_end(&mut received) {
        assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "no answer, and the connection stays open");
    }
    received
}

/// The answers that stand one behind the other. One without a length ends with the connection.
fn replies(mut bytes: &[u8]) -> Vec<Reply> {
    let mut found = Vec::new();
    while let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
        let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        let rest = &bytes[end + 4..];
        let length = head.split("content-length: ").nth(1).and_then(|text| text.lines().next()?.parse().ok());
        let body = &rest[..length.unwrap_or(rest.len()).min(rest.len())];
        let status = head.split(' ').nth(1).and_then(|text| text.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no answer of HTTP: {head}"));
        found.push(Reply { status, body: String::from_utf8_lossy(body).into_owned() });
        bytes = &rest[body.len()..];
    }
    assert!(bytes.is_empty(), "bytes behind the answers: {:?}", String::from_utf8_lossy(bytes));
    found
}
