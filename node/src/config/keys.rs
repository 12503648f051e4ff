use std::ops::RangeInclusive;

use super::field::Field;
use super::settings::Settings;

const MIB: u64 = 1 << 20;
const HOUR_MS: u64 = 3_600_000;

/// One setting: its name, and where its value is.
pub(crate) struct Key {
    /// The dotted name: TOML tables, then the key.
    pub(crate) name: &'static str,
    /// What it does, a sentence.
    pub(crate) about: &'static str,
    /// What a number may be.
    pub(super) range: RangeInclusive<u64>,
    field: fn(&mut Settings) -> Field<'_>,
}

impl Key {
    const fn number(
        name: &'static str,
        about: &'static str,
        range: RangeInclusive<u64>,
        field: fn(&mut Settings) -> Field<'_>,
    ) -> Self {
        Self { name, about, range, field }
    }

    const fn text(name: &'static str, about: &'static str, field: fn(&mut Settings) -> Field<'_>) -> Self {
        Self { name, about, range: 0..=0, field }
    }

    /// The setting of a name.
    pub(super) fn find(name: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.name == name)
    }

    /// The setting with the name nearest to a wrong one, if one is near.
    pub(super) fn nearest(name: &str) -> Option<&'static str> {
        let last = name.rsplit('.').next().unwrap_or(name);
        let distance = |key: &&Key| {
            let own_last = key.name.rsplit('.').next().unwrap_or(key.name);
            edits(name, key.name).min(1 + edits(last, own_last))
        };
        KEYS.iter().min_by_key(distance).filter(|key| distance(key) <= 3).map(|key| key.name)
    }

    /// The variable of the environment that sets it.
    pub(crate) fn variable(&self) -> String {
        format!("DGT_{}", self.name.replace('.', "_").to_ascii_uppercase())
    }

    /// The place of its value.
    pub(super) fn field<'a>(&self, settings: &'a mut Settings) -> Field<'a> {
        (self.field)(settings)
    }
}

/// How many letters differ (Levenshtein's distance).
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// All settings, table by table.
pub(crate) const KEYS: &[Key] = &[
    Key::text("api.address", "Where the REST interface listens.", |it| Field::Address(&mut it.api)),
    Key::text(
        "api.tls_certificate",
        "The PEM file of the certificate chain for https; empty for http. Wants api.tls_key as well.",
        |it| Field::Path(&mut it.tls_certificate),
    ),
    Key::text("api.tls_key", "The PEM file of the certificate's private key.", |it| {
        Field::Path(&mut it.tls_key)
    }),
    Key::text(
        "api.cors",
        "Sites whose pages may call this node from a browser: off, any, or origins with commas between them.",
        |it| Field::Cors(&mut it.limits.cors),
    ),
    Key::number("api.limits.body_bytes", "Bytes of one request body.", 1..=1024 * MIB, |it| {
        Field::Number(&mut it.limits.body_bytes)
    }),
    Key::number(
        "api.limits.bodies_bytes",
        "Bytes of all request bodies held at the same time; at least body_bytes.",
        1..=1024 * 1024 * MIB,
        |it| Field::Number(&mut it.limits.bodies_bytes),
    ),
    Key::number(
        "api.limits.answers_bytes",
        "Bytes of all large answers that their clients have not read yet.",
        1..=1024 * 1024 * MIB,
        |it| Field::Number(&mut it.limits.answers_bytes),
    ),
    Key::number(
        "api.limits.body_timeout_ms",
        "How long a request body may take to arrive.",
        1..=HOUR_MS,
        |it| Field::Millis(&mut it.limits.body_timeout),
    ),
    Key::number("api.limits.batches_per_list", "Batches in one submitted list.", 1..=100_000, |it| {
        Field::Number(&mut it.limits.batches_per_list)
    }),
    Key::number("api.limits.ids", "Ids in one query or one JSON array.", 1..=100_000, |it| {
        Field::Number(&mut it.limits.ids)
    }),
    Key::number(
        "api.limits.page_default",
        "Items of a page when the client names no limit.",
        1..=100_000,
        |it| Field::Number(&mut it.limits.page_default),
    ),
    Key::number("api.limits.page_max", "The most items of a page.", 1..=100_000, |it| {
        Field::Number(&mut it.limits.page_max)
    }),
    Key::number(
        "api.limits.page_bytes",
        "Bytes of content after which a page ends early.",
        1..=1024 * MIB,
        |it| Field::Number(&mut it.limits.page_bytes),
    ),
    Key::number(
        "api.limits.concurrent_heavy",
        "Lists read, and large submissions decoded, at the same time; more wait.",
        1..=100_000,
        |it| Field::Number(&mut it.limits.concurrent_heavy),
    ),
    Key::number("api.limits.wait_max_ms", "The longest wait for a batch's status.", 0..=HOUR_MS, |it| {
        Field::Millis(&mut it.limits.wait_max)
    }),
    Key::number(
        "api.limits.connections",
        "Connections served at the same time; more wait to be accepted.",
        1..=1_000_000,
        |it| Field::Number(&mut it.limits.connections),
    ),
    Key::number(
        "api.limits.header_timeout_ms",
        "How long the head of a request may take to arrive, and a connection may stay without one.",
        1..=HOUR_MS,
        |it| Field::Millis(&mut it.limits.header_timeout),
    ),
    Key::number(
        "api.limits.streams",
        "Subscribers at the same time; more are refused.",
        0..=1_000_000,
        |it| Field::Number(&mut it.limits.streams),
    ),
    Key::number(
        "api.limits.stream_bytes",
        "Bytes of messages to subscribers held at the same time; more wait.",
        1..=1024 * 1024 * MIB,
        |it| Field::Number(&mut it.limits.stream_bytes),
    ),
    Key::number(
        "api.limits.message_bytes",
        "Bytes of one message that a subscriber sends.",
        1..=16 * MIB,
        |it| Field::Number(&mut it.limits.message_bytes),
    ),
    Key::number(
        "api.limits.ping_every_ms",
        "How often a subscriber is asked whether it is there.",
        1..=HOUR_MS,
        |it| Field::Millis(&mut it.limits.ping_every),
    ),
    Key::number(
        "api.limits.write_timeout_ms",
        "How long a client may leave an answer unread before its connection is dropped.",
        1..=HOUR_MS,
        |it| Field::Millis(&mut it.limits.write_timeout),
    ),
    Key::number(
        "api.limits.shutdown_grace_ms",
        "How long requests in progress may take to end after a shutdown began.",
        0..=HOUR_MS,
        |it| Field::Millis(&mut it.limits.shutdown_grace),
    ),
    Key::text(
        "admin.address",
        "Where the operator's routes listen; by default on loopback, 7 ports above the API.",
        |it| Field::Address(&mut it.admin),
    ),
    Key::text(
        "network.address",
        "Where this node listens for the other validators; empty in a network of one.",
        |it| Field::OptionalAddress(&mut it.network),
    ),
    Key::text(
        "network.transport",
        "What carries the links to the other validators: tcp or quic; the same on all nodes.",
        |it| Field::Transport(&mut it.transport),
    ),
    Key::text(
        "network.peers",
        "The other validators by name, as c1-2=HOST:PORT,c2-1=HOST:PORT; hosts are DNS names or IP addresses.",
        |it| Field::Peers(&mut it.peers),
    ),
    Key::text(
        "network.advertise",
        "The HOST:PORT that others are told instead of network.address, when they reach it by another one.",
        |it| Field::Endpoint(&mut it.advertise),
    ),
    Key::text("log.format", "How a line of the log looks: text or json.", |it| {
        Field::Format(&mut it.log.format)
    }),
    Key::text(
        "log.level",
        "What is logged: error, warn, info, debug, trace or off; by target after a comma.",
        |it| Field::Level(&mut it.log.level),
    ),
    Key::number(
        "store.map_gib",
        "The largest size of each LMDB file, GiB. Files grow only as needed.",
        1..=4096,
        |it| Field::Number(&mut it.map_gib),
    ),
    Key::number(
        "store.check_mib",
        "LMDB files up to this size, MiB, are checked for damage before the node serves; larger ones while it runs.",
        0..=1 << 30,
        |it| Field::Number(&mut it.check_mib),
    ),
];
