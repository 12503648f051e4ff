//! Where exported items come from: files or a running node. Both give the same documents.

use anyhow::{Context as _, Result};
use ledger::Reader;
use ledger::reader::StateQuery;
use ledger_types::{AddressPrefix, Topology};
use serde_json::Value;

use crate::cli::client::Connection;
use crate::cli::item::text_at;
use crate::cli::pages::{Window, read_list};
use crate::cli::place::{Place, read_network};

/// Values of state read from files at a time.
const VALUES: usize = 100;
/// Receipts asked for at a time.
const RECEIPTS: usize = 20;

type Take<'a> = &'a mut dyn FnMut(Value) -> Result<()>;

/// A ledger to read from.
pub(super) trait Source {
    /// The height of the newest block when reading began.
    fn newest(&self) -> u64;
    /// Blocks between two heights, both included.
    fn blocks(&self, from: u64, to: u64, take: Take<'_>) -> Result<()>;
    /// The receipts of committed transactions, in order.
    fn receipts(&self, ids: &[String]) -> Result<Vec<Value>>;
    /// All values after the block of a height.
    fn state(&self, height: u64, take: Take<'_>) -> Result<()>;
}

/// The files of a stopped node.
pub(super) struct Stopped {
    reader: Reader,
    topology: Topology,
}

impl Stopped {
    pub(super) fn open(place: &Place) -> Result<Self> {
        let file = place.network_file()?.context("the network file is missing beside the data, in ../etc")?;
        let genesis = read_network(&file)?;
        let reader = Reader::of_stopped(&place.data()?, genesis.lineage.current())?;
        Ok(Self { reader, topology: genesis.topology })
    }
}

impl Source for Stopped {
    fn newest(&self) -> u64 {
        self.reader.head().height
    }

    fn blocks(&self, from: u64, to: u64, take: Take<'_>) -> Result<()> {
        for height in from..=to {
            let block = self.reader.block(height)?.with_context(|| format!("block {height} is missing"))?;
            let block = api::render::block(&block, &self.topology);
            take(block.with_context(|| format!("the leader of block {height} is not of this network"))?)?;
        }
        Ok(())
    }

    fn receipts(&self, ids: &[String]) -> Result<Vec<Value>> {
        let receipt = |id: &String| {
            let receipt = self.reader.receipt(&id.parse()?)?;
            receipt
                .map(|receipt| api::render::receipt(&receipt))
                .with_context(|| format!("no receipt of {id}"))
        };
        ids.iter().map(receipt).collect()
    }

    fn state(&self, height: u64, take: Take<'_>) -> Result<()> {
        // One more is read than is taken: where the next ones begin.
        let limit = VALUES + 1;
        let mut query = StateQuery { prefix: AddressPrefix::ALL, height, start: None, reverse: false, limit };
        loop {
            let mut values = self.reader.state_range(&query)?;
            query.start = if values.len() == limit { values.pop().map(|(address, _)| address) } else { None };
            values.into_iter().try_for_each(|(address, value)| take(api::render::state(address, value)))?;
            if query.start.is_none() {
                return Ok(());
            }
        }
    }
}

/// A running node, over REST. Everything is read as of the block that was the newest at the beginning.
pub(super) struct Running {
    connection: Connection,
    newest: u64,
    head: String,
}

impl Running {
    pub(super) fn new(connection: Connection) -> Result<Self> {
        let newest = connection.get("/blocks", &[("limit", "1")])?;
        let newest = newest["data"].get(0).context("/blocks: the answer has no block")?;
        let head = text_at(newest, "/header_signature")?.to_owned();
        Ok(Self { connection, newest: height_of(newest)?, head })
    }

    /// The id of the block at a height.
    fn id_at(&self, height: u64) -> Result<String> {
        let mut id = None;
        self.blocks(height, height, &mut |block| {
            id = Some(text_at(&block, "/header_signature")?.to_owned());
            Ok(())
        })?;
        id.with_context(|| format!("/blocks: no block {height}"))
    }
}

fn height_of(block: &Value) -> Result<u64> {
    text_at(block, "/header/block_num")?.parse().context("block_num is no number")
}

impl Source for Running {
    fn newest(&self) -> u64 {
        self.newest
    }

    fn blocks(&self, from: u64, to: u64, take: Take<'_>) -> Result<()> {
        let (start, limit) = (format!("{from:#018x}"), to - from + 1);
        let window = Window::reversed(Some(start), Some(limit), self.head.clone());
        let mut take_all = |blocks: Vec<Value>| blocks.into_iter().try_for_each(&mut *take);
        read_list(&self.connection, "/blocks", &[], &window, &mut |blocks| take_all(blocks.to_vec()))?;
        Ok(())
    }

    fn receipts(&self, ids: &[String]) -> Result<Vec<Value>> {
        let mut receipts = Vec::new();
        for some in ids.chunks(RECEIPTS) {
            match self.connection.get("/receipts", &[("id", &some.join(","))]) {
                Ok(mut found) => match found["data"].take() {
                    Value::Array(found) => receipts.extend(found),
                    _ => anyhow::bail!("/receipts: the answer has no list"),
                },
                // Large ones do not go into one answer together.
                Err(_) if some.len() > 1 => {
                    for id in some {
                        receipts.extend(self.receipts(std::slice::from_ref(id))?);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(receipts)
    }

    fn state(&self, height: u64, take: Take<'_>) -> Result<()> {
        let window = Window::at(self.id_at(height)?);
        let mut take_all = |values: Vec<Value>| values.into_iter().try_for_each(&mut *take);
        read_list(&self.connection, "/state", &[], &window, &mut |values| take_all(values.to_vec()))?;
        Ok(())
    }
}
