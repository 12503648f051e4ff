//! Every error a client can get, in one table. Codes, titles and messages below 100 are those of Sawtooth 1.2,
//! kept to the letter because clients compare them; those from 100 are ours:
//!
//! | code | HTTP | when |
//! |---|---|---|
//! | 100 | 413 | the request body exceeds its limit |
//! | 101 | 400 | the list holds more batches than one submission may |
//! | 102 | 400 | more ids than one request may name |
//! | 103 | 400 | the items named by id are too large for one answer |
//! | 104 | 408 | the request body did not arrive in time, or broke off |
//! | 105 | 503 | other clients hold all the memory set aside for requests, or for answers not read yet |
//! | 106 | 404 | this node holds no certificate of the block: the first block has none |
//! | 107 | 400 | a height is not a decimal number, or above the head |
//! | 108 | 503 | the node takes no batches: a fault, or too few validators are heard; reads are answered all the same |
//! | 109 | 503 | other clients hold all the subscriptions that the node serves |
//! | 110 | 400 | the request does not ask for a WebSocket |
//! | 111 | 403 | another site's page may not open a WebSocket here |
//! | 112 | 400 | the text is not a filter for the log (admin port) |
//! | 113 | 404 | the state of that block is no longer kept |

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use ledger::reader::ReadError;
use serde::Serialize;

use crate::envelope;

/// Characters of a client's own text that a message repeats.
const ECHO_CHARS: usize = 256;

macro_rules! error_table {
    ($($name:ident $code:literal $status:ident $title:literal $message:literal)*) => {
        /// The kinds of errors, named as upstream names them where it has them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum ErrorKind { $($name),* }

        impl ErrorKind {
            #[cfg(test)]
            pub(crate) const ALL: &[Self] = &[$(Self::$name),*];

            /// Code, HTTP status, title and message.
            pub(crate) fn row(self) -> (u16, StatusCode, &'static str, &'static str) {
                match self { $(Self::$name => ($code, StatusCode::$status, $title, $message)),* }
            }
        }
    };
}

error_table! {
    UnknownValidatorError 10 INTERNAL_SERVER_ERROR "Unknown Validator Error"
        "An unknown error occurred with the validator while processing your request."
    ValidatorNotReady 15 SERVICE_UNAVAILABLE "Validator Not Ready"
        "The validator has no genesis block, and is not yet ready to be queried. Try your request again later."
    ResourceHeaderInvalid 21 INTERNAL_SERVER_ERROR "Invalid Resource Header"
        "The resource fetched from the validator had an invalid header, and may be corrupted."
    SubmittedBatchesInvalid 30 BAD_REQUEST "Submitted Batches Invalid"
        "The submitted BatchList was rejected by the validator. It was poorly formed, or has an invalid signature."
    BatchQueueFull 31 TOO_MANY_REQUESTS "Unable to Accept Batches"
        "The validator cannot currently accept more batches, due to a full queue.  Please submit your request again."
    NoBatchesSubmitted 34 BAD_REQUEST "No Batches Submitted"
        "The protobuf BatchList you submitted was empty and contained no Batches. You must submit at least one Batch."
    BadProtobufSubmitted 35 BAD_REQUEST "Protobuf Not Decodable"
        "The protobuf BatchList you submitted was malformed and could not be read."
    SubmissionWrongContentType 42 BAD_REQUEST "Wrong Content Type"
        "Batches must be submitted in a BatchList protobuf binary, with a 'Content-Type' header of 'application/octet-stream'."
    StatusWrongContentType 43 BAD_REQUEST "Wrong Content Type"
        "Requests for batch statuses sent as a POST must have a 'Content-Type' header of 'application/json'."
    StatusBodyInvalid 46 BAD_REQUEST "Bad Status Request"
        "Requests for batch statuses sent as a POST must have a JSON formatted body with an array of at least one id string."
    HeadNotFound 50 NOT_FOUND "Head Not Found"
        "There is no block with the id specified in the 'head' query parameter."
    CountInvalid 53 BAD_REQUEST "Invalid Count Query"
        "The 'count' query parameter must be a positive, non-zero integer."
    PagingInvalid 54 BAD_REQUEST "Invalid Paging Query"
        "Paging request failed as written. One or more of the 'min', 'max', or 'count' query parameters were invalid or out of range."
    SortInvalid 57 BAD_REQUEST "Invalid Sort Query"
        "The sort request failed as written. Some of the keys specified were not valid."
    InvalidResourceId 60 BAD_REQUEST "Invalid Resource Id"
        "Blockchain items are identified by 128 character hex-strings. A submitted block, batch, or transaction id was invalid: "
    InvalidStateAddress 62 BAD_REQUEST "Invalid State Address"
        "The state address submitted was invalid. To fetch specific state data, you must submit the full 70-character address."
    StatusIdQueryInvalid 66 BAD_REQUEST "Id Query Invalid or Missing"
        "Requests for batch statuses sent as a GET request must have an 'id' query parameter with a comma-separated list of at least one batch id."
    BlockNotFound 70 NOT_FOUND "Block Not Found"
        "There is no block with the id specified in the blockchain."
    BatchNotFound 71 NOT_FOUND "Batch Not Found"
        "There is no batch with the id specified in the blockchain."
    TransactionNotFound 72 NOT_FOUND "Transaction Not Found"
        "There is no transaction with the id specified in the blockchain."
    StateNotFound 75 NOT_FOUND "State Not Found"
        "There is no state data at the address specified."
    ReceiptNotFound 80 NOT_FOUND "Transaction Receipt Not Found"
        "There is no transaction receipt for the transaction id specified in the receipt store."
    ReceiptWrongContentType 81 BAD_REQUEST "Wrong Content Type"
        "Requests for transaction receipts sent as a POST must have a 'Content-Type' header of 'application/json'."
    ReceiptBodyInvalid 82 BAD_REQUEST "Bad Receipts Request"
        "Requests for transaction receipts sent as a POST must have a JSON formatted body with an array of at least one id string."
    ReceiptIdQueryInvalid 83 BAD_REQUEST "Id Query Invalid or Missing"
        "Requests for transaction receipts sent as a GET request must have an 'id' query parameter with a comma-separated list of at least one transaction id."
    BodyTooLarge 100 PAYLOAD_TOO_LARGE "Request Body Too Large"
        "The request body exceeds the limit of this node, in bytes: "
    TooManyBatches 101 BAD_REQUEST "Too Many Batches"
        "The submitted BatchList exceeds the number of batches that one list may hold: "
    TooManyIds 102 BAD_REQUEST "Too Many Ids"
        "The request exceeds the number of ids that one request may name: "
    AnswerTooLarge 103 BAD_REQUEST "Answer Too Large"
        "The items requested by id are too large for one answer. Request fewer ids at a time."
    BodyIncomplete 104 REQUEST_TIMEOUT "Request Body Incomplete"
        "The request body did not arrive in full within the time allowed."
    Busy 105 SERVICE_UNAVAILABLE "Node Busy"
        "The node holds as many requests or unread answers as it may. Try your request again later."
    CertificateNotFound 106 NOT_FOUND "Certificate Not Found"
        "This node holds no certificate of the block. The first block has none: nobody votes on it."
    HeightInvalid 107 BAD_REQUEST "Invalid Height"
        "A height is a decimal number that is not above the head's: "
    NodeNotReady 108 SERVICE_UNAVAILABLE "Node Not Ready"
        "The node takes no batches now: "
    TooManyStreams 109 SERVICE_UNAVAILABLE "Too Many Subscriptions"
        "The node serves as many subscriptions as it may: "
    WebSocketExpected 110 BAD_REQUEST "WebSocket Expected"
        "Subscriptions are made over a WebSocket: the request must ask for the upgrade."
    OriginNotAllowed 111 FORBIDDEN "Origin Not Allowed"
        "This node does not take WebSockets from the pages of that site."
    FilterInvalid 112 BAD_REQUEST "Invalid Log Filter"
        "The text is not a filter for the log: "
    StateNotKept 113 NOT_FOUND "State Not Kept"
        "This network keeps the state of its newest blocks only. The oldest block whose state can be read has the height "
}

/// An answer that is an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) kind: ErrorKind,
    /// Text behind the kind's message: the offending id, the limit, the reason.
    detail: String,
}

/// What every handler returns.
pub(crate) type ApiResult<T = Response> = Result<T, ApiError>;

impl ApiError {
    /// An error whose message ends with the limit that was exceeded.
    pub(crate) fn limit(kind: ErrorKind, limit: usize) -> Self {
        Self { kind, detail: limit.to_string() }
    }

    /// 30 with our reason behind the ancestor's message.
    pub(crate) fn invalid_batches(reason: &str) -> Self {
        Self { kind: ErrorKind::SubmittedBatchesInvalid, detail: format!(" Reason: {reason}") }
    }

    /// 15 with our reason behind the ancestor's message.
    pub(crate) fn batches_refused(reason: &str) -> Self {
        Self { kind: ErrorKind::ValidatorNotReady, detail: format!(" Reason: {reason}") }
    }

    /// 107: the text is not the height of a committed block.
    pub(crate) fn invalid_height(text: &str) -> Self {
        Self { kind: ErrorKind::HeightInvalid, detail: text.chars().take(ECHO_CHARS).collect() }
    }

    /// 108 with the reason.
    pub(crate) fn not_ready(reason: &str) -> Self {
        Self { kind: ErrorKind::NodeNotReady, detail: reason.to_owned() }
    }

    /// 112 with the reason.
    pub(crate) fn invalid_filter(reason: &str) -> Self {
        Self { kind: ErrorKind::FilterInvalid, detail: reason.chars().take(ECHO_CHARS).collect() }
    }

    /// 60: the text is not an id. A message repeats no more of it than is of use.
    pub(crate) fn invalid_id(text: &str) -> Self {
        Self { kind: ErrorKind::InvalidResourceId, detail: text.chars().take(ECHO_CHARS).collect() }
    }
}

impl From<ErrorKind> for ApiError {
    fn from(kind: ErrorKind) -> Self {
        Self { kind, detail: String::new() }
    }
}

/// A fault of the node's storage is not the client's business beyond its being one.
impl From<ReadError> for ApiError {
    fn from(error: ReadError) -> Self {
        if let ReadError::NoState { oldest, .. } = error {
            return Self { kind: ErrorKind::StateNotKept, detail: oldest.to_string() };
        }
        tracing::error!(%error, "cannot read committed data");
        ErrorKind::UnknownValidatorError.into()
    }
}

#[derive(Serialize)]
struct ErrorBody {
    error: ErrorShape,
}

#[derive(Serialize)]
struct ErrorShape {
    code: u16,
    message: String,
    title: &'static str,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (code, status, title, message) = self.kind.row();
        let message = format!("{message}{}", self.detail);
        envelope::json(status, &ErrorBody { error: ErrorShape { code, message, title } })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use axum::response::IntoResponse as _;

    use super::{ApiError, ErrorKind};

    /// `DGT_BLESS=1` writes the page as it is now: read the difference before committing it.
    #[test]
    fn the_page_of_errors_is_this_table() {
        let mut found = String::from(PAGE_HEAD);
        for kind in ErrorKind::ALL {
            let (code, status, title, message) = kind.row();
            found += &format!("| {code} | {} | {title} | {} |\n", status.as_u16(), message.trim_end());
        }
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/errors.md");
        if std::env::var_os("DGT_BLESS").is_some() {
            std::fs::write(page, &found).unwrap();
        }
        let agreed = std::fs::read_to_string(page).unwrap_or_default();
        assert!(found == agreed, "the errors changed; DGT_BLESS=1 takes them over into docs/errors.md");
    }

    const PAGE_HEAD: &str = "\
# Errors of the REST interface

An error is an HTTP status and `{\"error\": {\"code\", \"title\", \"message\"}}`. Codes below 100 are those of Hyperledger Sawtooth, word for
word; those from 100 are ours. A message that ends with a colon is followed by what was wrong: the id, the limit, the reason. An unknown
route is 404 with the text `404: Not Found`, a wrong method 405 with `405: Method Not Allowed`.

| code | HTTP | title | message |
|---|---|---|---|
";

    #[test]
    fn codes_are_unique_and_go_with_their_status() {
        let expected = [
            (10, 500),
            (15, 503),
            (21, 500),
            (30, 400),
            (31, 429),
            (34, 400),
            (35, 400),
            (42, 400),
            (43, 400),
            (46, 400),
            (50, 404),
            (53, 400),
            (54, 400),
            (57, 400),
            (60, 400),
            (62, 400),
            (66, 400),
            (70, 404),
            (71, 404),
            (72, 404),
            (75, 404),
            (80, 404),
            (81, 400),
            (82, 400),
            (83, 400),
            (100, 413),
            (101, 400),
            (102, 400),
            (103, 400),
            (104, 408),
            (105, 503),
            (106, 404),
            (107, 400),
            (108, 503),
            (109, 503),
            (110, 400),
            (111, 403),
            (112, 400),
            (113, 404),
        ];
        let rows: Vec<_> = ErrorKind::ALL.iter().map(|kind| kind.row()).collect();
        assert!(rows.iter().map(|row| (row.0, row.1.as_u16())).eq(expected));
        assert_eq!(rows.iter().map(|row| row.0).collect::<BTreeSet<_>>().len(), rows.len());
    }

    #[tokio::test]
    async fn the_body_names_code_message_and_title() {
        let response = ApiError::invalid_id("foo").into_response();
        assert_eq!(response.status(), 400);
        assert_eq!(response.headers()["content-type"], "application/json; charset=utf-8");
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        let expected = concat!(
            "{\n  \"error\": {\n    \"code\": 60,\n    \"message\": \"Blockchain items are identified by 128 ",
            "character hex-strings. A submitted block, batch, or transaction id was invalid: foo\",\n    ",
            "\"title\": \"Invalid Resource Id\"\n  }\n}"
        );
        assert_eq!(body, expected);
    }

    #[test]
    fn a_long_text_is_not_repeated_in_full() {
        assert_eq!(ApiError::invalid_id(&"é".repeat(5_000)).detail, "é".repeat(256));
    }
}
