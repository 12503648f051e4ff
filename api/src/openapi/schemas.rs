//! The shapes of answers. Every property is present unless its schema leaves it out of `required`.

#![allow(clippy::needless_pass_by_value, reason = "schemas made in place read as a table")]

use serde_json::{Map, Value, json};

use super::reference;

/// All schemas by name.
pub(super) fn all() -> Map<String, Value> {
    let groups = [envelopes(), chain(), finality(), node()];
    groups.into_iter().flatten().map(|(name, schema)| (name.to_owned(), schema)).collect()
}

/// The schema of a request's body; without a name, bytes.
pub(super) fn body(name: &str) -> Value {
    match name {
        "Ids" => json!({"type": "array", "items": id(), "minItems": 1, "maxItems": 1000}),
        _ => json!({"type": "string", "format": "binary"}),
    }
}

#[rustfmt::skip]
fn envelopes() -> Vec<(&'static str, Value)> {
    let error = object(json!({"code": {"type": "integer"}, "message": text(), "title": text()}));
    let value = |data| with_optional(json!({"data": data, "head": id(), "link": text()}), &[]);
    vec![
        ("Any", json!({"type": "object"})),
        ("BatchAnswer", answer(reference("Batch"))),
        ("BatchList", list("Batch")),
        ("BatchStatuses", with_optional(json!({"data": array(reference("BatchStatus")), "link": text()}), &["link"])),
        ("BlockAnswer", answer(reference("Block"))),
        ("BlockList", list("Block")),
        ("CertificateAnswer", answer(reference("Certificate"))),
        ("Error", object(json!({"error": error}))),
        ("Families", answer(array(reference("Family")))),
        ("Gates", answer(array(object(json!({"cluster": text(), "gate": reference("Validator")}))))),
        ("Health", object(json!({"status": text()}))),
        ("InclusionAnswer", answer(reference("Inclusion"))),
        ("Link", object(json!({"link": text()}))),
        ("Paging", with_optional(
            json!({"limit": nullable("integer"), "next": text(), "next_position": text(), "start": nullable("string")}),
            &["next", "next_position"],
        )),
        ("Peers", answer(array(text()))),
        ("Receipts", with_optional(json!({"data": array(reference("Receipt")), "link": text()}), &["link"])),
        ("StateList", list("Value")),
        ("Status", answer(reference("Node"))),
        ("TopologyAnswer", answer(reference("Network"))),
        ("TransactionAnswer", answer(reference("Transaction"))),
        ("TransactionList", list("Transaction")),
        ("ValueAnswer", json!({"oneOf": [value(base64()), value(reference("StateProof"))]})),
        ("VertexAnswer", value(reference("Vertex"))),
        ("VertexList", list("Vertex")),
        ("Votes", answer(array(reference("CastVote")))),
    ]
}

#[rustfmt::skip]
fn chain() -> Vec<(&'static str, Value)> {
    let invalid = with_optional(json!({"id": id(), "message": text()}), &["message"]);
    let state_change = with_optional(
        json!({"address": address(), "type": {"type": "string", "enum": ["SET", "DELETE"]}, "value": base64()}),
        &["value"],
    );
    let attribute = with_optional(json!({"key": text(), "value": text()}), &["key", "value"]);
    let event = with_optional(
        json!({"attributes": array(attribute), "data": base64(), "event_type": text()}),
        &["data", "event_type"],
    );
    let status = json!({"type": "string", "enum": ["COMMITTED", "INVALID", "PENDING", "UNKNOWN"]});
    vec![
        ("Batch", object(json!({
            "header": object(json!({"signer_public_key": text(), "transaction_ids": array(id())})),
            "header_signature": id(),
            "trace": {"type": "boolean"},
            "transactions": array(reference("Transaction")),
        }))),
        ("BatchStatus", object(json!({"id": id(), "invalid_transactions": array(invalid), "status": status}))),
        ("Block", object(json!({
            "batches": array(reference("Batch")),
            "header": object(json!({
                "batch_ids": array(id()), "block_num": number(), "consensus": base64(), "previous_block_id": text(),
                "signer_public_key": text(), "state_root_hash": hash(),
            })),
            "header_signature": id(),
        }))),
        ("Receipt", object(json!({
            "data": array(base64()), "events": array(event), "id": id(), "state_changes": array(state_change),
        }))),
        ("Transaction", object(json!({
            "header": object(json!({
                "batcher_public_key": text(), "dependencies": array(text()), "family_name": text(),
                "family_version": text(), "inputs": array(text()), "nonce": text(), "outputs": array(text()),
                "payload_sha512": text(), "signer_public_key": text(),
            })),
            "header_signature": id(),
            "payload": base64(),
        }))),
        ("Value", object(json!({"address": address(), "data": base64()}))),
        ("Vertex", object(json!({
            "block_num": number(), "children": array(id()), "entries": {"type": "integer"}, "id": id(),
            "parents": array(id()), "proposer": text(), "state_root_hash": hash(), "time_ms": number(),
            "transactions": {"type": "integer"}, "view": number(),
        }))),
    ]
}

#[rustfmt::skip]
fn finality() -> Vec<(&'static str, Value)> {
    let kind = || json!({"type": "string", "enum": ["FINALIZE", "NOTARIZE", "NULLIFY"]});
    vec![
        ("CastVote", object(json!({
            "block_id": id(), "block_num": number(), "cluster": text(), "from_view": number(), "kind": kind(), "name": text(),
            "signature": text(), "validator": text(), "view": number(), "vote_key": hash(),
        }))),
        ("Certificate", object(json!({
            "certificate": base64(), "epoch": number(), "headers": array(base64()),
            "sections": array(object(json!({
                "cluster": {"type": "integer"}, "name": text(), "signers": array(reference("Vote")),
            }))),
            "statement": object(json!({"block_id": id(), "block_num": number(), "kind": kind(), "view": number()})),
        }))),
        ("FinalBlock", object(json!({
            "block_num": number(), "certificate": nullable("string"), "headers": array(base64()), "id": id(),
        }))),
        ("Inclusion", object(json!({
            "block": reference("FinalBlock"), "content": base64(), "domain": text(), "id": id(),
            "leaf_count": {"type": "integer"}, "leaf_index": {"type": "integer"}, "path": array(hash()),
            "root": {"type": "string", "enum": ["entries_root", "receipts_root"]},
            "transaction_index": {"type": "integer"},
        }))),
        ("StateProof", object(json!({
            "address": address(), "block": reference("FinalBlock"), "proof": base64(), "value": nullable("string"),
        }))),
        ("Vote", object(json!({
            "from_view": number(), "kind": kind(), "name": text(), "signature": text(), "validator": text(),
            "vote_key": hash(),
        }))),
    ]
}

#[rustfmt::skip]
fn node() -> Vec<(&'static str, Value)> {
    let children = |schema: &str| json!({"type": "object", "additionalProperties": reference(schema)});
    vec![
        ("Cluster", object(json!({
            "children": children("Validator"), "maxpeer": {"type": "integer"}, "name": text(), "segment": text(),
            "type": {"const": "cluster"},
        }))),
        ("Family", object(json!({
            "commands": array(text()), "name": text(), "names": array(text()), "namespaces": array(text()),
            "version": text(),
        }))),
        ("Network", object(json!({
            "cfg_hash": hash(), "children": children("Cluster"), "type": {"const": "network"},
        }))),
        ("Node", object(json!({
            "endpoint": text(),
            "node": object(json!({
                "catching_up": json!({"oneOf": [{"type": "null"}, object(json!({
                    "blocks_per_second": {"type": "integer"}, "remaining_seconds": nullable("integer"),
                }))]}),
                "duty": {"type": "string", "enum": ["votes", "asks", "forgot", "silent", "follows", "observes"]},
                "fault": nullable("string"), "final_height": number(), "head": id(), "heard": {"type": "integer"}, "height": number(),
                "is_quorum_heard": {"type": "boolean"}, "lag": number(), "leader": text(),
                "links": array(object(json!({
                    "clock_offset_ms": nullable("integer"), "endpoint": text(), "is_up": {"type": "boolean"},
                    "trouble": nullable("string"), "validator": text(),
                }))),
                "name": text(), "network_id": hash(),
                "offenders": array(object(json!({"validator": text(), "view": number()}))),
                "pool_batches": {"type": "integer"}, "quorum": {"type": "integer"},
                "role": {"type": "string", "enum": ["leader", "validator", "observer"]},
                "time_ms": number(), "validators": {"type": "integer"}, "version": text(), "view": number(),
            })),
            "peers": array(object(json!({"endpoint": text()}))),
        }))),
        ("Validator", object(json!({
            "delegate": {"type": "boolean"}, "mnemonic": text(), "name": text(), "net_key": hash(),
            "node_state": {"type": "string", "enum": ["active", "inactive"]},
            "role": {"type": "string", "enum": ["leader", "plink"]}, "type": {"const": "peer"}, "validator": text(),
            "vote_key": hash(),
        }))),
    ]
}

/// `data` and the link to it.
fn answer(data: Value) -> Value {
    object(json!({"data": data, "link": text()}))
}

/// A page of items.
fn list(item: &str) -> Value {
    object(
        json!({"data": array(reference(item)), "head": id(), "link": text(), "paging": reference("Paging")}),
    )
}

fn object(properties: Value) -> Value {
    with_optional(properties, &[])
}

/// An object some of whose properties may be left out. It has no others.
fn with_optional(properties: Value, optional: &[&str]) -> Value {
    let names = properties.as_object().into_iter().flat_map(Map::keys);
    let required: Vec<_> = names.filter(|name| !optional.contains(&name.as_str())).collect();
    json!({"type": "object", "required": required, "additionalProperties": false, "properties": properties})
}

fn array(items: Value) -> Value {
    json!({"type": "array", "items": items})
}

fn nullable(kind: &str) -> Value {
    json!({"type": [kind, "null"]})
}

fn text() -> Value {
    json!({"type": "string"})
}

fn base64() -> Value {
    json!({"type": "string", "contentEncoding": "base64"})
}

/// A 64-bit number, which JSON has none for.
fn number() -> Value {
    json!({"type": "string", "pattern": "^[0-9]+$"})
}

fn id() -> Value {
    json!({"type": "string", "pattern": "^[0-9a-f]{128}$"})
}

fn hash() -> Value {
    json!({"type": "string", "pattern": "^[0-9a-f]{64}$"})
}

fn address() -> Value {
    json!({"type": "string", "pattern": "^[0-9a-f]{70}$"})
}
