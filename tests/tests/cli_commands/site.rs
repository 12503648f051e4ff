use std::ops::Deref;
use std::path::PathBuf;

use ledger_types::signature::Curve;
use serde_json::Value;
use tests::binary::{Ran, run};
use tests::load::{key, set};
use tests::node::{Home, Node};
use txfamilies::sign_batch;

/// A node with a folder, and commands that ask it.
pub(crate) struct Site {
    pub(crate) home: Home,
    pub(crate) node: Node,
}

impl Deref for Site {
    type Target = Node;

    fn deref(&self) -> &Node {
        &self.node
    }
}

impl Site {
    /// A node with block 0 alone.
    pub(crate) fn new() -> Self {
        let home = Home::new();
        let node = home.start();
        Self { home, node }
    }

    /// A node with so many blocks above block 0, the n-th with a batch of n transactions.
    pub(crate) fn with_blocks(count: u32) -> Self {
        let site = Self::new();
        for block in 1..=count {
            let transactions: Vec<_> = (0..block).map(|n| set(&format!("b{block}-{n}"), n)).collect();
            site.client().commit(&sign_batch(&key(Curve::Ed25519, "site"), &transactions));
        }
        site
    }

    /// Runs a command against this node.
    pub(crate) fn dgt(&self, arguments: &[&str]) -> Ran {
        run(self.home.command().args(arguments).env("DGT_API_URL", self.client().url()))
    }

    /// What a command prints that must succeed.
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        self.dgt(arguments).ok()
    }

    /// The JSON that a command prints.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.ok(&[arguments, &["-F", "json"]].concat())).unwrap()
    }

    /// The lines of a command's CSV, split at commas.
    pub(crate) fn csv(&self, arguments: &[&str]) -> Vec<Vec<String>> {
        let text = self.ok(&[arguments, &["-F", "csv"]].concat());
        text.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect()
    }

    /// The words of a command's table.
    pub(crate) fn table(&self, arguments: &[&str]) -> Vec<Vec<String>> {
        let text = self.ok(arguments);
        text.lines().map(|line| line.split_whitespace().map(str::to_owned).collect()).collect()
    }

    /// Writes an answer of the node to a file.
    pub(crate) fn save(&self, path: &str, name: &str) -> PathBuf {
        let file = self.home.scratch(name);
        std::fs::write(&file, self.client().get(path).to_string()).unwrap();
        file
    }
}

/// The text at a pointer of a document.
pub(crate) fn text<'a>(document: &'a Value, pointer: &str) -> &'a str {
    let found = document.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("no text at {pointer} of {document}"))
}
