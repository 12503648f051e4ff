//! A network in another place: what its members do when they change machines.

use std::collections::BTreeSet;

use ledger_types::ValidatorId;

use super::{PORTS_PER_NODE, Seat, Testnet, free_ports};
use crate::lmdb;
use crate::node::Home;

impl Testnet {
    /// The stopped network in folders and on ports of its own, with its keys and settings, its data by `mdb_dump` and
    /// `mdb_load`. The original stays where it is.
    pub fn moved(&self, name: &str) -> Self {
        lmdb::require_tools();
        let place =
            |validator: ValidatorId| format!("{name}/c{}/dgt{}", validator.cluster + 1, validator.node + 1);
        let settings =
            |home: &Home| std::fs::read_to_string(home.path().join("etc/dgt.toml")).expect("its settings");
        let old: Vec<u16> = self.seats.iter().flat_map(|seat| ports(&settings(&seat.home))).collect();
        let first = *old.iter().min().expect("a network has ports");
        let base = free_ports(self.seats.len() as u64 * PORTS_PER_NODE);
        let seat = |seat: &Seat| {
            let (from, home) = (&seat.home, Home::within(&self.folder, place(seat.validator)));
            for folder in ["etc", "keys", "data"] {
                std::fs::create_dir_all(home.path().join(folder)).expect("making a folder");
            }
            for folder in ["etc", "keys"] {
                for entry in std::fs::read_dir(from.path().join(folder)).expect("a folder").flatten() {
                    let to = home.path().join(folder).join(entry.file_name());
                    std::fs::copy(entry.path(), to).expect("copying a file");
                }
            }
            // Of two ports the higher one first: no new port is taken for an old one.
            let mut text = settings(from);
            for port in ports(&text).into_iter().collect::<BTreeSet<_>>() {
                text = text.replace(&format!(":{port}"), &format!(":new{}", port - first + base));
            }
            std::fs::write(home.path().join("etc/dgt.toml"), text.replace(":new", ":"))
                .expect("its settings");
            for file in lmdb::FILES {
                lmdb::load_new(&lmdb::dump(&from.file(file)), &home.file(file));
            }
            Seat { validator: seat.validator, home, node: None, wrapper: Vec::new() }
        };
        let turn = self._turn.try_clone().expect("the lock of networks");
        let seats = self.seats.iter().map(seat).collect();
        Self { seats, folder: self.folder.clone(), _turn: turn }
    }
}

/// The ports in a node's settings.
fn ports(settings: &str) -> Vec<u16> {
    let parts =
        settings.lines().filter(|line| !line.starts_with('#')).flat_map(|line| line.split(':').skip(1));
    let digits = |part: &str| part.chars().take_while(char::is_ascii_digit).collect::<String>();
    parts.filter_map(|part| digits(part).parse().ok()).collect()
}
