//! The operations: what can be asked, with what, and which errors may come back.

use serde_json::{Value, json};

use crate::error::ErrorKind::{self, *};

/// One method of one path.
pub(super) struct Operation {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    pub(super) parameters: &'static [Parameter],
    pub(super) body: Option<Body>,
    pub(super) answer: Answer,
    pub(super) errors: &'static [ErrorKind],
}

/// What a request carries.
#[derive(Clone, Copy)]
pub(super) struct Body {
    pub(super) media: &'static str,
    pub(super) schema: &'static str,
    pub(super) description: &'static str,
}

/// The answer when all is well. Without a media type it has no content, without a schema it is text.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) media: &'static str,
    pub(super) schema: &'static str,
    pub(super) description: &'static str,
}

/// What a path or a query may name.
#[derive(Clone, Copy)]
pub(super) enum Parameter {
    PathId,
    PathAddress,
    Head,
    Start,
    Limit,
    Reverse(&'static str),
    Ids,
    IdsRequired,
    Wait,
    Prefix,
    Prefixes,
    Proof,
    Height,
    LastEventId,
}

use Parameter::{
    Head, Height, Ids, IdsRequired, LastEventId, Limit, PathAddress, PathId, Prefix, Prefixes, Proof,
    Reverse, Start, Wait,
};

impl Parameter {
    pub(super) fn describe(&self) -> Value {
        let id = json!({"type": "string", "pattern": "^[0-9a-f]{128}$"});
        let text = |pattern: &str| json!({"type": "string", "pattern": pattern});
        let (place, name, required, schema, description) = match self {
            PathId => ("path", "id", true, id, "The id: 128 lower-case hex characters."),
            PathAddress => {
                let schema = text("^[0-9a-f]{70}$");
                ("path", "address", true, schema, "The address: 70 lower-case hex characters.")
            }
            Head => ("query", "head", false, id, "Answer as of this block."),
            Start => (
                "query",
                "start",
                false,
                json!({"type": "string"}),
                "The position of the first item, inclusive.",
            ),
            Limit => {
                let schema = json!({"type": "integer", "minimum": 1, "maximum": u64::MAX});
                (
                    "query",
                    "limit",
                    false,
                    schema,
                    "The most items of a page, by default 100, never above 1,000.",
                )
            }
            Reverse(key) => {
                let schema = json!({"type": "string", "enum": ["", "false", key]});
                ("query", "reverse", false, schema, "Turns the list round.")
            }
            Ids => ("query", "id", false, ids(), "Only these, separated by commas."),
            IdsRequired => ("query", "id", true, ids(), "These, separated by commas."),
            Wait => {
                let schema = json!({"type": "integer", "minimum": 0});
                ("query", "wait", false, schema, "Seconds to wait until none is PENDING. The node bounds it.")
            }
            Prefix => {
                let schema = text("^([0-9a-f]{2}){0,35}$");
                (
                    "query",
                    "address",
                    false,
                    schema,
                    "Only addresses that begin so: whole bytes in lower-case hex.",
                )
            }
            Prefixes => {
                let schema = text("^(([0-9a-f]{2}){1,35}(,([0-9a-f]{2}){1,35})*)?$");
                (
                    "query",
                    "address",
                    false,
                    schema,
                    "Only addresses that begin with one of these, separated by commas.",
                )
            }
            Proof => {
                let schema = json!({"type": "string", "enum": ["true", "false"]});
                ("query", "proof", false, schema, "Answer with a proof, also when there is no value.")
            }
            Height => {
                let schema = text("^[0-9]+$");
                ("query", "height", false, schema, "The block's height in decimal, by default the head's.")
            }
            LastEventId => {
                let schema = text("^[0-9]+$");
                ("header", "Last-Event-ID", false, schema, "The id of the last event that the client has.")
            }
        };
        json!({"in": place, "name": name, "required": required, "schema": schema, "description": description})
    }
}

fn ids() -> Value {
    json!({"type": "string", "pattern": "^[0-9a-f]{128}(,[0-9a-f]{128})*$"})
}

const fn json(schema: &'static str, description: &'static str) -> Answer {
    Answer { status: 200, media: "application/json", schema, description }
}

const fn text(media: &'static str, description: &'static str) -> Answer {
    Answer { status: 200, media, schema: "", description }
}

const fn get(
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    parameters: &'static [Parameter],
    answer: Answer,
    errors: &'static [ErrorKind],
) -> Operation {
    Operation { method: "get", path, id, summary, parameters, body: None, answer, errors }
}

const ID_LIST: Body = Body {
    media: "application/json",
    schema: "Ids",
    description: "The ids, at least one and at most 1,000.",
};
const BATCH_LIST: Body = Body {
    media: "application/octet-stream",
    schema: "",
    description: "A protobuf BatchList. All of its batches are admitted, or none.",
};

const LIST: &[ErrorKind] =
    &[CountInvalid, HeadNotFound, PagingInvalid, SortInvalid, InvalidResourceId, TooManyIds];
const BODY: [ErrorKind; 3] = [BodyTooLarge, BodyIncomplete, Busy];

/// All operations, in order of their paths. A table: one look is worth more than even lines.
#[rustfmt::skip]
pub(super) const OPERATIONS: &[Operation] = &[
    get("/batch_statuses", "getBatchStatuses", "What became of batches", &[IdsRequired, Wait],
        json("BatchStatuses", "The statuses in the order asked."),
        &[StatusIdQueryInvalid, InvalidResourceId, TooManyIds]),
    Operation {
        method: "post", path: "/batch_statuses", id: "postBatchStatuses", summary: "What became of many batches",
        parameters: &[Wait], body: Some(ID_LIST), answer: json("BatchStatuses", "The statuses in the order asked."),
        errors: &[StatusWrongContentType, StatusBodyInvalid, InvalidResourceId, TooManyIds, BODY[0], BODY[1], BODY[2]],
    },
    get("/batches", "getBatches", "Committed batches, newest block first",
        &[Head, Ids, Start, Limit, Reverse("default")], json("BatchList", "A page of batches."), LIST),
    Operation {
        method: "post", path: "/batches", id: "postBatches", summary: "Submits batches", parameters: &[],
        body: Some(BATCH_LIST),
        answer: Answer {
            status: 202, media: "application/json", schema: "Link",
            description: "Admitted. The link tells what becomes of them.",
        },
        errors: &[SubmittedBatchesInvalid, BatchQueueFull, NoBatchesSubmitted, BadProtobufSubmitted,
            SubmissionWrongContentType, ValidatorNotReady, TooManyBatches, BODY[0], BODY[1], BODY[2]],
    },
    get("/batches/{id}", "getBatch", "A committed batch", &[PathId], json("BatchAnswer", "The batch."),
        &[InvalidResourceId, BatchNotFound]),
    get("/blocks", "getBlocks", "Blocks, newest first", &[Head, Ids, Start, Limit, Reverse("block_num")],
        json("BlockList", "A page of blocks."),
        &[CountInvalid, HeadNotFound, PagingInvalid, SortInvalid, InvalidResourceId, TooManyIds, AnswerTooLarge]),
    get("/blocks/{id}", "getBlock", "A block", &[PathId], json("BlockAnswer", "The block with its batches in full."),
        &[InvalidResourceId, BlockNotFound]),
    get("/blocks/{id}/certificate", "getCertificate", "Who made a block final", &[PathId],
        json("CertificateAnswer", "The certificate, for people and in its canonical bytes."),
        &[InvalidResourceId, BlockNotFound, CertificateNotFound]),
    get("/dag", "getDag", "Blocks as the vertices of a graph, newest first",
        &[Head, Start, Limit, Reverse("block_num")], json("VertexList", "A page of vertices."),
        &[CountInvalid, HeadNotFound, PagingInvalid, SortInvalid, InvalidResourceId]),
    get("/dag/{id}", "getVertex", "A block as a vertex", &[PathId, Head], json("VertexAnswer", "The vertex."),
        &[InvalidResourceId, HeadNotFound, BlockNotFound]),
    get("/docs", "getDocs", "This description for people", &[], text("text/html", "A page that needs nothing else."), &[]),
    get("/events", "getEvents", "Block commits and state deltas as they happen", &[Prefixes, LastEventId],
        text("text/event-stream", "`block-commit` and `state-delta` events; the latter's id is the height."),
        &[InvalidStateAddress, TooManyIds, HeightInvalid, TooManyStreams]),
    get("/gates", "getGates", "The delegates of the clusters", &[], json("Gates", "The delegates."), &[]),
    get("/graph", "getGraph", "A page of the chain as Graphviz text", &[Head, Start, Limit, Reverse("block_num")],
        text("text/vnd.graphviz", "Graphviz text."),
        &[CountInvalid, HeadNotFound, PagingInvalid, SortInvalid, InvalidResourceId]),
    get("/healthz", "getHealth", "Whether the process answers", &[], json("Health", "It does."), &[]),
    get("/metrics", "getMetrics", "Metrics for Prometheus", &[],
        text("application/openmetrics-text", "OpenMetrics text."), &[]),
    get("/openapi.json", "getOpenApi", "This description", &[], json("Any", "An OpenAPI document."), &[]),
    get("/peers", "getPeers", "Endpoints of the peers connected", &[], json("Peers", "The endpoints."), &[]),
    get("/readyz", "getReadiness", "Whether the node takes batches", &[], json("Health", "It does."),
        &[NodeNotReady]),
    get("/receipts", "getReceipts", "What transactions did", &[IdsRequired], json("Receipts", "The receipts as asked."),
        &[ReceiptIdQueryInvalid, InvalidResourceId, TooManyIds, AnswerTooLarge, ReceiptNotFound]),
    Operation {
        method: "post", path: "/receipts", id: "postReceipts", summary: "What many transactions did", parameters: &[],
        body: Some(ID_LIST), answer: json("Receipts", "The receipts as asked."),
        errors: &[ReceiptWrongContentType, ReceiptBodyInvalid, InvalidResourceId, TooManyIds, AnswerTooLarge,
            ReceiptNotFound, BODY[0], BODY[1], BODY[2]],
    },
    get("/receipts/{id}/proof", "getReceiptProof", "That a transaction did what its receipt says", &[PathId],
        json("InclusionAnswer", "The proof."), &[InvalidResourceId, ReceiptNotFound, CertificateNotFound]),
    get("/state", "getState", "State by prefix, in address order", &[Head, Prefix, Start, Limit, Reverse("default")],
        json("StateList", "A page of values."),
        &[CountInvalid, PagingInvalid, SortInvalid, InvalidResourceId, InvalidStateAddress, BlockNotFound, StateNotKept]),
    get("/state/{address}", "getValue", "The value at an address", &[PathAddress, Head, Proof],
        json("ValueAnswer", "The value in base64, or the proof when asked for."),
        &[InvalidResourceId, InvalidStateAddress, BlockNotFound, StateNotFound, StateNotKept, CertificateNotFound]),
    get("/status", "getStatus", "The node itself", &[], json("Status", "The node."), &[]),
    Operation {
        method: "get", path: "/subscriptions", id: "getSubscriptions",
        summary: "State deltas over a WebSocket: subscribe, unsubscribe, get_block_deltas", parameters: &[], body: None,
        answer: Answer { status: 101, media: "", schema: "", description: "The connection is a WebSocket." },
        errors: &[WebSocketExpected, OriginNotAllowed, TooManyStreams],
    },
    get("/topology", "getTopology", "Clusters and their validators", &[], json("TopologyAnswer", "The tree."), &[]),
    get("/transactions", "getTransactions", "Committed transactions, newest block first",
        &[Head, Ids, Start, Limit, Reverse("default")], json("TransactionList", "A page of transactions."), LIST),
    get("/transactions/{id}", "getTransaction", "A committed transaction", &[PathId],
        json("TransactionAnswer", "The transaction."), &[InvalidResourceId, TransactionNotFound]),
    get("/transactions/{id}/proof", "getTransactionProof", "That a transaction is in a block", &[PathId],
        json("InclusionAnswer", "The proof."), &[InvalidResourceId, TransactionNotFound, CertificateNotFound]),
    get("/tx_families", "getFamilies", "The families that the node executes", &[], json("Families", "The families."), &[]),
    get("/votes", "getVotes", "The votes that made a block final", &[Height], json("Votes", "The votes."),
        &[HeightInvalid, CertificateNotFound]),
];
