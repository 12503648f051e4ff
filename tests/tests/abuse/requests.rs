//! Requests that no client of HTTP would send, or not to this route.

use ledger_types::signature::Curve;
use tests::load::{key, set};
use txfamilies::sign_batch;

use crate::victim::Victim;
use crate::wire::{Reply, cut_off, exchange, post, request};

/// Sends requests, each of which must be answered once, with this kind.
fn check(victim: &mut Victim, cases: &[(&str, Vec<u8>)]) {
    for (expected, bytes) in cases {
        let replies = exchange(victim.address(), bytes);
        let words = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]);
        assert_eq!(replies.iter().map(Reply::kind).collect::<Vec<_>>(), [*expected], "{words}: {replies:?}");
        victim.count(&replies);
    }
}

fn get(path: &str) -> Vec<u8> {
    request(&format!("GET {path}"), "", b"")
}

#[test]
fn methods_paths_and_content_types_that_are_foreign() {
    let mut victim = Victim::start(&[]);
    let line = |line: &str| request(line, "", b"");
    let (octets, json) = ("application/octet-stream", "application/json");
    let ids = format!("[\"{}\"]", "0".repeat(128));
    let deep = [b"[".repeat(1 << 20), b"]".repeat(1 << 20)].concat();
    let cases = [
        ("405", line("PUT /batches")),
        ("405", line("DELETE /blocks")),
        ("405", line("PATCH /state")),
        ("405", line("POST /status")),
        ("405", line("BREW /transactions")),
        ("405", line("get /status")),
        ("404", line("GET /admin")),
        ("404", line("GET /batches/")),
        ("404", line("GET /../../etc/passwd")),
        ("404", line("GET //status")),
        ("404", line(&format!("GET /{}", "a".repeat(60_000)))),
        ("414", line(&format!("GET /{}", "a".repeat(100_000)))),
        ("400/42", request("POST /batches", "Content-Length: 0\r\n", b"")),
        ("400/42", post("/batches", json, b"{}")),
        ("400/42", post("/batches", "application/octet-stream; charset=utf-8", b"")),
        ("400/42", post("/batches", "multipart/form-data; boundary=x", b"--x--")),
        ("400/34", post("/batches", octets, b"")),
        ("400/35", post("/batches", octets, b"{\"batches\": []}")),
        ("400/43", post("/batch_statuses", octets, ids.as_bytes())),
        ("400/43", post("/batch_statuses", "text/json", ids.as_bytes())),
        ("400/81", post("/receipts", "text/plain", ids.as_bytes())),
        ("200", post("/batch_statuses", json, ids.as_bytes())),
        ("404/80", post("/receipts", json, ids.as_bytes())),
    ];
    check(&mut victim, &cases);
    let bodies: [&[u8]; 10] =
        [b"", b"[]", b"{}", b"null", b"[1]", b"[null]", b"[[]]", b"[\"\xff\"]", b"[\"a\"", &deep];
    for body in bodies {
        check(
            &mut victim,
            &[("400/46", post("/batch_statuses", json, body)), ("400/82", post("/receipts", json, body))],
        );
    }
    check(&mut victim, &[("400/60", post("/batch_statuses", json, b"[\"\"]"))]);
    victim.survived("foreign methods, paths and content types");
    victim.stop();
}

#[test]
fn questions_beyond_the_ends() {
    let mut victim = Victim::start(&[]);
    let (unknown, all_f) = ("0".repeat(128), "f".repeat(70));
    let mut cases: Vec<(&str, String)> = Vec::new();
    for list in ["blocks", "batches", "transactions", "state"] {
        let mut ask = |kind, query: &str| cases.push((kind, format!("/{list}?{query}")));
        for limit in ["0", "-1", "x", "1e3", "18446744073709551616", "", "%00", "\u{ff11}"] {
            ask("400/53", &format!("limit={}", limit.replace('\u{ff11}', "%EF%BC%91")));
        }
        ask("200", "limit=18446744073709551615");
        ask("400/54", "start=nonsense");
        ask("400/54", "start=0xffffffffffffffff");
        ask("400/54", &format!("start={unknown}"));
        ask("400/57", "reverse=sideways");
        ask("400/60", "head=latest");
        ask("400/60", &format!("head={}", unknown.to_uppercase().replace('0', "A")));
        ask(if list == "state" { "404/70" } else { "404/50" }, &format!("head={unknown}"));
        ask("200", "&&&=&%zz=%&limit=1");
    }
    for (kind, path) in [
        ("400/62", "/state?address=1cf12".to_owned()),
        ("400/62", "/state?address=1CF126".to_owned()),
        ("400/62", format!("/state?address={all_f}00")),
        ("200", format!("/state?address={all_f}")),
        ("400/54", format!("/state?address=1cf126&start={all_f}zz")),
        ("400/62", "/state/%31cf126".to_owned()),
        ("404/75", format!("/state/{all_f}")),
        ("404/75", "/state/1cf126".to_owned()),
        ("400/60", "/blocks/0".to_owned()),
        ("400/60", format!("/batches/{}", &unknown[1..])),
        ("404/70", format!("/blocks/{unknown}")),
        ("404/71", format!("/batches/{unknown}")),
        ("404/72", format!("/transactions/{unknown}")),
        ("400/66", "/batch_statuses".to_owned()),
        ("400/60", "/batch_statuses?id=".to_owned()),
        ("400/60", format!("/batch_statuses?id={unknown},")),
        ("400/83", "/receipts".to_owned()),
        ("404/80", format!("/receipts?id={unknown}")),
        ("400/107", "/votes?height=18446744073709551615".to_owned()),
        ("400/107", "/votes?height=-1".to_owned()),
        ("400/110", "/subscriptions".to_owned()),
    ] {
        cases.push((kind, path));
    }
    let cases: Vec<_> = cases.iter().map(|(kind, path)| (*kind, get(path))).collect();
    check(&mut victim, &cases);
    victim.survived("questions beyond the ends");
    victim.stop();
}

#[test]
fn old_and_hasty_clients_are_served() {
    let mut victim = Victim::start(&[]);
    let old = exchange(victim.address(), b"GET /status HTTP/1.0\r\n\r\n");
    assert_eq!(old.iter().map(Reply::kind).collect::<Vec<_>>(), ["200"], "{old:?}");
    let kept = exchange(
        victim.address(),
        b"GET /status HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /status HTTP/1.0\r\n\r\n",
    );
    assert_eq!(kept.len(), 2, "{kept:?}");
    // A thousand requests before the first answer is read, bodies among them.
    let batch = sign_batch(&key(Curve::Ed25519, "bob"), &[set("hasty", 1)]);
    let path = format!("GET /batch_statuses?id={} HTTP/1.1\r\nHost: node\r\n\r\n", batch.header_signature);
    let json = format!("[\"{}\"]", batch.header_signature);
    let body = format!(
        "POST /batch_statuses HTTP/1.1\r\nHost: node\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{json}",
        json.len()
    );
    let hasty = [(path + &body).repeat(500).into_bytes(), get("/status")].concat();
    let replies = exchange(victim.address(), &hasty);
    assert_eq!(replies.len(), 1_001);
    assert!(replies.iter().all(|reply| reply.status == 200), "{replies:?}");
    victim.count(&[old, kept, replies].concat());
    victim.survived("old and hasty clients");
    victim.stop();
}

#[test]
fn lies_about_lengths_are_seen_through() {
    let mut victim = Victim::start(&["api.limits.body_timeout_ms=500"]);
    let posted = |headers: &str, body: &[u8]| {
        request("POST /batches", &format!("Content-Type: application/octet-stream\r\n{headers}"), body)
    };
    let chunked = |body: &[u8]| posted("Transfer-Encoding: chunked\r\n", body);
    let refused = [
        chunked(b"ffffffffffffffff\r\nx"),
        chunked(b"10000000000000000\r\nx"),
        chunked(b"-1\r\nx\r\n0\r\n\r\n"),
        chunked(b"five\r\nhello\r\n0\r\n\r\n"),
        chunked(b"2\r\nhello\r\n0\r\n\r\n"),
        chunked(b"\r\n\r\n\r\n"),
        chunked(b"5;"),
        chunked(&[b"1;".to_vec(), vec![b'x'; 1 << 20]].concat()),
        chunked(b"0\r\nTrailer-Without-End: "),
        posted("Content-Length: 100\r\n", b"too short"),
        posted("Content-Length: 5\r\nContent-Length: 6\r\n", b"hello"),
        posted("Content-Length: 99999999999999999999\r\n", b"hello"),
        posted("Content-Length: -5\r\n", b"hello"),
        posted("Content-Length: 0x5\r\n", b"hello"),
        posted("Transfer-Encoding: gzip\r\n", b"hello"),
        posted("Transfer-Encoding: chunked, identity\r\n", b"5\r\nhello\r\n0\r\n\r\n"),
        posted("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", b"5\r\nhello\r\n0\r\n\r\n"),
    ];
    // Whether the client waits for its answer or leaves: refused by name, or ended; never accepted, never our fault.
    for bytes in &refused {
        for replies in [exchange(victim.address(), bytes), cut_off(victim.address(), bytes)] {
            let is_refused = replies.iter().all(|reply| (400..500).contains(&reply.status));
            assert!(
                is_refused && replies.len() <= 1,
                "{}: {replies:?}",
                String::from_utf8_lossy(&bytes[..200.min(bytes.len())])
            );
            victim.count(&replies);
        }
    }
    let incomplete = exchange(victim.address(), &posted("Content-Length: 100\r\n", b"too short"));
    assert_eq!(incomplete[0].kind(), "408/104");
    victim.survived("lies about lengths");
    victim.stop();
}

#[test]
fn what_is_no_http_is_not_answered_as_if_it_were() {
    let mut victim = Victim::start(&[]);
    let tls_hello =
        [&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03][..], &[0x5a; 506]].concat();
    let many = (0..1_000).map(|number| format!("X-{number}: y\r\n")).collect::<String>();
    let inputs = [
        tls_hello,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        b"GET /status HTTP/9.9\r\n\r\n".to_vec(),
        b"GET /status\r\n\r\n".to_vec(),
        b"GET\t/status\tHTTP/1.1\r\n\r\n".to_vec(),
        b"GET /status HTTP/1.1\r\nNo colon\r\n\r\n".to_vec(),
        b"GET /status HTTP/1.1\r\nHost: a\0b\r\n\r\n".to_vec(),
        b"GET /sta tus HTTP/1.1\r\nHost: node\r\n\r\n".to_vec(),
        request("GET /status", &many, b""),
        request("GET /status", &format!("X-Long: {}\r\n", "y".repeat(1 << 20)), b""),
        vec![b'\r'; 1 << 20],
        vec![0; 1 << 20],
        vec![b'A'; 4 << 20],
    ];
    for bytes in inputs {
        let replies = cut_off(victim.address(), &bytes);
        let is_refused = replies.iter().all(|reply| (400..500).contains(&reply.status));
        assert!(
            is_refused && replies.len() <= 1,
            "{}: {replies:?}",
            String::from_utf8_lossy(&bytes[..40.min(bytes.len())])
        );
        victim.count(&replies);
    }
    victim.survived("no HTTP at all");
    victim.stop();
}
