//! What is fuzzed: one function for everything that reads bytes of others, used by the stable driver
//! (`tests/fuzz.rs`) and by cargo-fuzz (`fuzz/`).
//!
//! A body takes any bytes and says whether they were accepted. It panics when the code under it does, and when
//! - what was read and written again differs from what was read, or
//! - one of our own encodings, of which each value has exactly one, accepts a second one.
//!
//! Bytes that clients sign (protobuf, CBOR, text) may be written in many ways; they are never re-encoded to verify, so
//! there only values are compared.

mod consensus;
mod families;
mod mutation;
mod seeds;
mod signed;
mod state;
mod stored;
mod texts;

pub use consensus::{certificate, consensus_message, consensus_record, statement};
pub use families::{
    bgt_payload, bgt_wallets, intkey_payload, setting_value, settings_payload, settings_proposals, xo_payload,
};
pub use mutation::mutate;
pub use signed::{batch_list, transaction_header};
pub use state::{presence_record, state_node, state_node_key, state_proof};
pub use stored::{batch, batch_frame, block, block_header, entry, pages, receipt, rejection};
pub use texts::{ids, network_file};

/// One body with inputs that it accepts, from which others are made.
#[derive(Clone, Copy)]
pub struct Body {
    /// The name: that of the function, and of the target of cargo-fuzz.
    pub name: &'static str,
    /// Reads any bytes; whether they were accepted.
    pub run: fn(&[u8]) -> bool,
    /// Inputs that are accepted.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

macro_rules! bodies {
    ($($name:ident),+ $(,)?) => {
        /// All bodies.
        pub const BODIES: &[Body] =
            &[$(Body { name: stringify!($name), run: $name, seeds: seeds::$name }),+];
    };
}

bodies! {
    batch, batch_frame, batch_list, bgt_payload, bgt_wallets, block, block_header, certificate, consensus_message,
    consensus_record, entry, presence_record, ids, intkey_payload, network_file, pages, receipt, rejection, setting_value, settings_payload,
    settings_proposals, state_node, state_node_key, state_proof, statement, transaction_header, xo_payload,
}

/// Reads one of our own encodings: what is accepted must be what its value is written as.
fn has_one_encoding<T>(input: &[u8], decoded: Option<T>, encode: impl Fn(&T) -> Vec<u8>) -> bool {
    let Some(value) = decoded else { return false };
    assert_eq!(encode(&value), input, "a second encoding is accepted");
    true
}
