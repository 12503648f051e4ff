//! The REST interface of a real node under malformed requests: each has an answer, and the node stays whole.
//!
//! `DGT_FUZZ_REQUESTS` says how many (default 4,000), `DGT_SEED` repeats a run's choices.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "what was run must be seen")]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use ledger_types::proto::client as proto;
use ledger_types::signature::Curve;
use prost::Message as _;
use tests::client::Client;
use tests::fuzz_bodies::mutate;
use tests::load::{key, set};
use tests::node::Home;
use tests::random::Random;
use txfamilies::sign_batch;

/// How long an answer may take. No request here waits for a batch that is not decided.
const PATIENCE: Duration = Duration::from_secs(30);

/// A request that is answered with 200 or 202.
#[derive(Clone)]
struct Request {
    target: Vec<u8>,
    /// Content type and body of a POST.
    body: Option<(&'static str, Vec<u8>)>,
}

/// What came back.
struct Answer {
    status: u16,
    is_json: bool,
    /// `None` when the answer has no end: a stream of events.
    body: Option<Vec<u8>>,
}

/// A connection that is made anew when the node has closed it, as it does after a request it cannot read.
struct Connection {
    address: String,
    stream: Option<BufReader<TcpStream>>,
}

impl Connection {
    fn exchange(&mut self, request: &Request) -> Answer {
        let kept = self.stream.take();
        let is_kept = kept.is_some();
        let mut stream = kept.unwrap_or_else(|| self.connect());
        let answer = match Self::attempt(&mut stream, request) {
            Err(_) if is_kept => {
                stream = self.connect();
                Self::attempt(&mut stream, request)
            }
            answer => answer,
        };
        let answer = answer.unwrap_or_else(|error| panic!("no answer: {error}"));
        // After a bad request the node closes: what it then reads is not an answer to the next one.
        self.stream = (answer.status != 400 && answer.body.is_some()).then_some(stream);
        answer
    }

    fn connect(&self) -> BufReader<TcpStream> {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        BufReader::new(stream)
    }

    fn attempt(stream: &mut BufReader<TcpStream>, request: &Request) -> std::io::Result<Answer> {
        stream.get_mut().write_all(&request.bytes())?;
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| std::io::Error::other(format!("no status in {line:?}")))?;
        let mut headers = BTreeMap::new();
        loop {
            line.clear();
            stream.read_line(&mut line)?;
            let Some((name, value)) = line.trim().split_once(':') else { break };
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        let is_json = headers.get("content-type").is_some_and(|it| it.starts_with("application/json"));
        let length = headers.get("content-length").map(|length| length.parse().unwrap());
        let mut body = length.map(|length| vec![0; length]);
        body.as_mut().map_or(Ok(()), |body| stream.read_exact(body))?;
        Ok(Answer { status, is_json, body })
    }
}

impl Request {
    /// The request on the wire. What would end the request line stands as `%` and two digits.
    fn bytes(&self) -> Vec<u8> {
        let mut line = Vec::new();
        for byte in &self.target {
            match byte {
                0..=b' ' | 0x7f => line.extend(format!("%{byte:02x}").bytes()),
                byte => line.push(*byte),
            }
        }
        let method = if self.body.is_some() { "POST" } else { "GET" };
        let content = self.body.as_ref().map(|(content_type, body)| {
            format!("Content-Type: {content_type}\r\nContent-Length: {}\r\n", body.len())
        });
        let head = format!(" HTTP/1.1\r\nHost: node\r\n{}\r\n", content.unwrap_or_default());
        let body = self.body.as_ref().map_or(&[][..], |(_, body)| body);
        [method.as_bytes(), b" ", &line, head.as_bytes(), body].concat()
    }
}

/// Requests about what is on the chain.
fn sound_requests(client: &Client, batch: &proto::Batch) -> Vec<Request> {
    let (head, id) = (client.head().id, &batch.header_signature);
    let transaction = &batch.transactions[0].header_signature;
    let address = txfamilies::intkey::address("a");
    let targets = [
        format!("/blocks?limit=2&start=0x0000000000000001&head={head}"),
        format!("/blocks?id={head}&reverse=block_num"),
        format!("/blocks/{head}"),
        format!("/batches?head={head}&start={id}&limit=1"),
        format!("/batches/{id}"),
        format!("/transactions?start={transaction}&reverse"),
        format!("/transactions/{transaction}"),
        format!("/state?address=1cf126&head={head}&start={address}&limit=1000"),
        format!("/state/{address}?head={head}"),
        format!("/batch_statuses?id={id},{id}&wait=0"),
        format!("/receipts?id={transaction}"),
        "/peers".to_owned(),
        "/status".to_owned(),
    ];
    let get = |target: String| Request { target: target.into_bytes(), body: None };
    let post = |target: &str, content_type, body| Request {
        target: target.into(),
        body: Some((content_type, body)),
    };
    let list = proto::BatchList { batches: vec![batch.clone()], ..proto::BatchList::default() };
    let mut requests: Vec<Request> = targets.into_iter().map(get).collect();
    requests.extend([
        post("/batches", "application/octet-stream", list.encode_to_vec()),
        post("/batch_statuses?wait=false", "application/json", format!("[\"{id}\"]").into_bytes()),
        post("/receipts", "application/json", format!("[\"{transaction}\"]").into_bytes()),
    ]);
    requests
}

/// Changes the target, the body, or both.
fn mutated(requests: &[Request], random: &mut Random) -> Request {
    let mut request = requests[random.below(0..requests.len() as u64) as usize].clone();
    let targets: Vec<Vec<u8>> = requests.iter().map(|request| request.target.clone()).collect();
    if request.body.is_none() || random.once_in(4) {
        mutate(&mut request.target, &targets, random);
        request.target.truncate(8_000);
    }
    if let Some((_, body)) = &mut request.body {
        let others = [body.clone()];
        mutate(body, &others, random);
    }
    request
}

#[test]
fn any_request_has_an_answer_and_leaves_the_node_whole() {
    let requests = std::env::var("DGT_FUZZ_REQUESTS").map_or(4_000, |text| text.parse().expect("a number"));
    let (home, mut random) = (Home::new(), Random::from_env());
    let node = home.start();
    let batch = sign_batch(&key(Curve::Ed25519, "alice"), &[set("a", 1)]);
    node.client().commit(&batch);
    let before = node.client().head();
    let sound = sound_requests(node.client(), &batch);
    let address = node.client().url().strip_prefix("http://").unwrap().to_owned();
    let mut connection = Connection { address, stream: None };
    for request in &sound {
        let answer = connection.exchange(request);
        let target = String::from_utf8_lossy(&request.target);
        assert!([200, 202].contains(&answer.status) && answer.is_json, "{}: {target}", answer.status);
    }

    let mut statuses: BTreeMap<u16, u64> = BTreeMap::new();
    for _ in 0..requests {
        let request = mutated(&sound, &mut random);
        let answer = connection.exchange(&request);
        let shown = || format!("{} to {:?}", answer.status, String::from_utf8_lossy(&request.bytes()));
        assert!((200..500).contains(&answer.status), "{}", shown());
        if let (true, Some(body)) = (answer.is_json, &answer.body) {
            let json: serde_json::Value =
                serde_json::from_slice(body).unwrap_or_else(|error| panic!("{error}: {}", shown()));
            let is_error = answer.status >= 400;
            assert_eq!(json.pointer("/error/code").is_some(), is_error, "{}", shown());
        }
        *statuses.entry(answer.status).or_default() += 1;
    }
    println!("{requests} requests: {statuses:?}");
    assert!([200, 400, 404].iter().all(|status| statuses.contains_key(status)), "{statuses:?}");

    assert_eq!(node.client().head(), before, "a malformed request changed the chain");
    let said = node.stop();
    assert!(!said.contains("panicked"), "{said}");
}
