//! The smallest HTTP client: one request, one connection.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// The HTTP status and the code of the error in the body.
    pub(crate) fn error(&self) -> (u16, u64) {
        (self.status, self.json()["error"]["code"].as_u64().unwrap_or_default())
    }
}

/// An answer that comes piece by piece.
pub(crate) struct Stream {
    stream: BufReader<TcpStream>,
}

impl Stream {
    /// Asks for a stream and reads the head of the answer.
    pub(crate) async fn open(address: SocketAddr, path: &str, headers: &str) -> (Answer, Self) {
        let mut stream = BufReader::new(TcpStream::connect(address).await.unwrap());
        let request = format!("GET {path} HTTP/1.1\r\nhost: node:8108\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(stream.read_line(&mut head).await.unwrap(), 0, "closed after {head:?}");
        }
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (Answer { status, head: head.to_lowercase(), body: String::new() }, Self { stream })
    }

    /// The next piece; `None` when the answer has ended.
    pub(crate) async fn next(&mut self) -> Option<String> {
        let piece = async {
            let mut line = String::new();
            self.stream.read_line(&mut line).await.unwrap();
            let length = usize::from_str_radix(line.trim(), 16).ok()?;
            let mut bytes = vec![0; length + 2];
            self.stream.read_exact(&mut bytes).await.unwrap();
            bytes.truncate(length);
            (length > 0).then(|| String::from_utf8(bytes).unwrap())
        };
        timeout(Duration::from_secs(20), piece).await.expect("a piece or the end")
    }
}

/// Sends bytes as they are and reads until the server closes.
pub(crate) async fn exchange(address: SocketAddr, request: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_lowercase(), body: body.to_owned() }
}

pub(crate) async fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
    body: &[u8],
) -> Answer {
    let len = if body.is_empty() { String::new() } else { format!("content-length: {}\r\n", body.len()) };
    let head =
        format!("{method} {path} HTTP/1.1\r\nhost: node:8108\r\nconnection: close\r\n{headers}{len}\r\n");
    exchange(address, &[head.as_bytes(), body].concat()).await
}
