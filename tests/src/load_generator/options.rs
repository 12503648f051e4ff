//! What a run is told.

use clap::{Parser, ValueEnum};
use ledger_types::limits::{PAYLOAD_BYTES, TRANSACTIONS_PER_BATCH};
use ledger_types::signature::Curve;
use serde::{Deserialize, Serialize};

/// Batches in flight, when nothing else is said.
const WINDOW: u32 = 64;
/// Transactions that are signed ahead for each second of a closed window, when nothing else is said.
const SUPPLY_PER_SECOND: u64 = 6_000;

/// Posts signed batches to ledger nodes and measures what they commit.
#[derive(Clone, Debug, Parser, Serialize)]
#[command(name = "load", max_term_width = 110)]
pub struct Options {
    /// A node's REST interface; repeat it for several nodes, which get batches in turn.
    #[arg(long = "url", value_name = "URL", default_value = "http://127.0.0.1:8108")]
    pub urls: Vec<String>,
    /// Closed window: so many batches are in flight at any time [default: 64].
    #[arg(long, value_name = "BATCHES", conflicts_with = "rate",
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub window: Option<u32>,
    /// Open loop instead: so many transactions a second, whatever the nodes answer.
    #[arg(long, value_name = "TX_PER_S", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub rate: Option<u32>,
    /// Transactions in a batch.
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=TRANSACTIONS_PER_BATCH as i64))]
    pub batch_size: u32,
    /// Whose signatures; every batch has one, and one for each of its transactions.
    #[arg(long, value_enum, default_value_t = CurveName::Ed25519)]
    pub curve: CurveName,
    /// Whose payloads.
    #[arg(long, value_enum, default_value_t = FamilyName::Intkey)]
    pub family: FamilyName,
    /// How long to measure.
    #[arg(long, value_name = "S", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub seconds: u32,
    /// How long to post before the measurement.
    #[arg(long, value_name = "S", default_value_t = 3, value_parser = clap::value_parser!(u32).range(0..=3_600))]
    pub warm_up: u32,
    /// Accounts that are made before the warm-up; each transaction changes one of them.
    #[arg(long, value_name = "N", default_value_t = 1_000,
          value_parser = clap::value_parser!(u32).range(1..=99_999_999))]
    pub accounts: u32,
    /// The accounts are there: a run with this seed made them, or more of them. Those of bgt belong to keys of its curve.
    #[arg(long, value_name = "SEED")]
    pub accounts_of: Option<u64>,
    /// Percent of the transactions that change one and the same account.
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub hot_share: u8,
    /// Bytes of each payload that changes an account: it gets one more entry, which the family leaves alone [default: no
    /// more than are needed, some 40].
    #[arg(long, value_name = "BYTES",
          value_parser = clap::value_parser!(u32).range(1..=PAYLOAD_BYTES as i64))]
    pub payload_bytes: Option<u32>,
    /// Transactions to sign ahead; a run ends when they are used up [default: enough for the open loop's rate, or 6000
    /// a second for the closed window].
    #[arg(long, value_name = "N")]
    pub transactions: Option<u64>,
    /// Makes keys, accounts and choices; a chain takes each seed once [default: random].
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,
    /// Print the report as JSON.
    #[arg(long)]
    #[serde(skip)]
    pub json: bool,
}

impl Options {
    /// Batches in flight in a closed window.
    pub(super) fn window(&self) -> u32 {
        self.window.unwrap_or(WINDOW)
    }

    /// Batches to sign ahead; at least one.
    pub(super) fn supply(&self) -> u64 {
        let seconds = u64::from(self.warm_up + self.seconds);
        let per_second = self.rate.map_or(SUPPLY_PER_SECOND, u64::from);
        let transactions = self.transactions.unwrap_or(seconds * per_second);
        // Warm-up and measurement both begin with a batch, so rounding may cost one more.
        transactions.div_ceil(u64::from(self.batch_size)).max(1) + u64::from(self.transactions.is_none())
    }
}

/// A signature scheme, as people write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CurveName {
    /// The default of our own tools.
    Ed25519,
    /// The scheme of existing clients.
    Secp256k1,
}

impl From<CurveName> for Curve {
    fn from(name: CurveName) -> Self {
        match name {
            CurveName::Ed25519 => Self::Ed25519,
            CurveName::Secp256k1 => Self::Secp256k1,
        }
    }
}

/// A family that the load may be made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FamilyName {
    /// Named integers, the field's standard load.
    Intkey,
    /// Tokens, whose owners sign.
    Bgt,
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::Options;

    fn options(words: &str) -> Result<Options, clap::Error> {
        Options::try_parse_from(["load"].into_iter().chain(words.split_whitespace()))
    }

    #[test]
    fn the_supply_lasts_for_the_run() {
        let supply = |words| options(words).unwrap().supply();
        assert_eq!(supply("--seconds 2 --warm-up 1"), 18_001);
        assert_eq!(supply("--seconds 2 --warm-up 0 --rate 50 --batch-size 100"), 2);
        assert_eq!(supply("--transactions 101 --batch-size 100"), 2);
        assert_eq!(supply("--transactions 0"), 1);
    }

    #[test]
    fn nonsense_is_refused() {
        for words in
            ["--window 0", "--batch-size 1001", "--window 2 --rate 3", "--hot-share 101", "--curve x"]
        {
            assert!(options(words).is_err(), "{words}");
        }
    }
}
