//! A network whose nodes each live in a network namespace of their own, with a cable to a common switch. Cables are pulled
//! and packets dropped inside the namespaces: the nodes know nothing of it.
//!
//! The switch is a bridge in one more namespace, with a cable to where the tests run, so that clients reach every node.
//! Needs root, `ip` and `nft`. Everything is removed with the test, and what runs left that were killed by the next one.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::binary::{Ran, run};
use crate::packages;
use crate::testnet::Testnet;

/// All names begin so; the process id of the test follows.
const PREFIX: &str = "dgt-cut-";
/// The tests' own side of their cable.
const TESTS_HOST: u8 = 254;
/// Where nodes listen for each other, for clients, and for their operator. Each has these ports for itself.
const NETWORK_PORT: u16 = 8101;
const API_PORT: u16 = 8108;
const ADMIN_PORT: u16 = 8115;

/// At which end of its way a packet is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Before it leaves.
    Sender,
    /// When it arrives.
    Receiver,
}

/// The namespaces of a network's nodes.
#[derive(Debug)]
pub struct Namespaces {
    pid: u32,
    nodes: usize,
}

/// Why namespaces cannot be made here, if so.
pub fn obstacle() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("network namespaces need root".to_owned());
    }
    packages::require("ip", "iproute2");
    packages::require("nft", "nftables");
    remove_leftovers();
    let probe = Namespaces { pid: std::process::id(), nodes: 0 };
    let switch = probe.switch();
    let tries: [&[&str]; 3] = [
        &["netns", "add", &switch],
        &["-n", &switch, "link", "add", "br0", "type", "bridge"],
        &["netns", "exec", &switch, "nft", "add", "table", "ip", "cut"],
    ];
    let refused = tries.into_iter().map(try_ip).find(|ran| ran.code != Some(0));
    refused.map(|ran| format!("network namespaces cannot be made or filtered: {}", ran.stderr.trim()))
}

impl Namespaces {
    /// Gives every node of a network that does not run yet a namespace, and settings with the addresses there.
    pub fn house(network: &mut Testnet) -> Self {
        let namespaces = Self { pid: std::process::id(), nodes: network.len() };
        namespaces.wire();
        for node in 0..network.len() {
            let settings = network.home(node).path().join("etc/dgt.toml");
            std::fs::write(&settings, namespaces.settings(network, node))
                .unwrap_or_else(|error| panic!("{}: {error}", settings.display()));
            let enter = ["ip", "netns", "exec", &namespaces.name(node)].map(OsString::from);
            network.run_under(node, enter.to_vec());
        }
        namespaces
    }

    fn wire(&self) {
        let (switch, outside) = (self.switch(), format!("dgt{}", self.pid));
        let tests_address = format!("{}/24", self.host(TESTS_HOST));
        ip(&["netns", "add", &switch]);
        ip(&["-n", &switch, "link", "add", "br0", "up", "type", "bridge"]);
        ip(&["link", "add", &outside, "type", "veth", "peer", "name", "tests", "netns", &switch]);
        ip(&["address", "add", &tests_address, "dev", &outside]);
        ip(&["link", "set", &outside, "up"]);
        ip(&["-n", &switch, "link", "set", "tests", "master", "br0", "up"]);
        for node in 0..self.nodes {
            let (name, cable) = (self.name(node), format!("node{node}"));
            let address = format!("{}/24", self.address(node));
            ip(&["netns", "add", &name]);
            ip(&[
                "-n", &switch, "link", "add", &cable, "type", "veth", "peer", "name", "eth0", "netns", &name,
            ]);
            ip(&["-n", &switch, "link", "set", &cable, "master", "br0", "up"]);
            ip(&["-n", &name, "address", "add", &address, "dev", "eth0"]);
            ip(&["-n", &name, "link", "set", "eth0", "up"]);
            ip(&["-n", &name, "link", "set", "lo", "up"]);
        }
    }

    fn settings(&self, network: &Testnet, own: usize) -> String {
        let peer = |node| format!("{}={}:{NETWORK_PORT}", network.name(node), self.address(node));
        let peers: Vec<String> = (0..self.nodes).filter(|node| *node != own).map(peer).collect();
        let (address, peers) = (self.address(own), peers.join(","));
        format!(
            "[api]\naddress = \"{address}:{API_PORT}\"\n\n[admin]\naddress = \"127.0.0.1:{ADMIN_PORT}\"\n\n\
             [network]\naddress = \"{address}:{NETWORK_PORT}\"\npeers = \"{peers}\"\n"
        )
    }

    fn switch(&self) -> String {
        format!("{PREFIX}{}-switch", self.pid)
    }

    fn name(&self, node: usize) -> String {
        format!("{PREFIX}{}-{node}", self.pid)
    }

    /// A node's address.
    fn address(&self, node: usize) -> Ipv4Addr {
        self.host(u8::try_from(node + 1).expect("invariant: a test network has few nodes"))
    }

    /// An address of the range that is kept for tests of network devices (RFC 2544).
    fn host(&self, host: u8) -> Ipv4Addr {
        Ipv4Addr::new(198, 18, u8::try_from(self.pid % 256).expect("invariant: below 256"), host)
    }

    /// Drops every packet from the first to the second node of each pair.
    pub fn silence(&self, pairs: &[(usize, usize)], end: End) {
        let mut dropped: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        for &(from, to) in pairs {
            let (at, far) = if end == End::Sender { (from, to) } else { (to, from) };
            dropped.entry(at).or_default().push(self.address(far).to_string());
        }
        let (hook, field) = if end == End::Sender { ("output", "daddr") } else { ("input", "saddr") };
        for (node, far) in dropped {
            let drop = format!("ip {field} {{ {} }} counter drop;", far.join(", "));
            let chain = format!("{{ type filter hook {hook} priority 0; {drop} }}");
            self.nft(node, &[&format!("table ip cut {{ chain cut {chain}; }}")]);
        }
    }

    /// Pulls a node's cable: clients do not reach it either.
    pub fn unplug(&self, node: usize) {
        ip(&["-n", &self.name(node), "link", "set", "eth0", "down"]);
    }

    /// Lets everything through again; how many packets were dropped by rules.
    pub fn heal(&self) -> u64 {
        let mut dropped = 0;
        for node in 0..self.nodes {
            let rules = self.nft(node, &["list", "ruleset"]);
            let counts = rules.split("packets ").skip(1).filter_map(|rest| rest.split(' ').next());
            dropped += counts.map(|count| count.parse::<u64>().expect("a counter of nft")).sum::<u64>();
            self.nft(node, &["flush", "ruleset"]);
            ip(&["-n", &self.name(node), "link", "set", "eth0", "up"]);
        }
        dropped
    }

    fn nft(&self, node: usize, words: &[&str]) -> String {
        ip(&[&["netns", "exec", &self.name(node), "nft"], words].concat())
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        all_names().iter().filter(|name| owner(name) == Some(self.pid)).for_each(|name| remove(name));
    }
}

/// Removes what test processes left that are no more.
fn remove_leftovers() {
    let is_gone = |pid: u32| !Path::new("/proc").join(pid.to_string()).exists();
    all_names().iter().filter(|name| owner(name).is_some_and(is_gone)).for_each(|name| remove(name));
}

fn all_names() -> Vec<String> {
    let listed = try_ip(&["netns", "list"]).stdout;
    listed.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

/// The test process that made a namespace.
fn owner(name: &str) -> Option<u32> {
    name.strip_prefix(PREFIX)?.split('-').next()?.parse().ok()
}

/// Removes a namespace, its cables and its processes. What is gone already is no failure.
fn remove(name: &str) {
    for pid in try_ip(&["netns", "pids", name]).stdout.split_whitespace() {
        let pid = pid.parse().ok().and_then(Pid::from_raw).expect("a process id");
        let _ = kill_process(pid, Signal::KILL);
    }
    try_ip(&["netns", "delete", name]);
}

fn ip(arguments: &[&str]) -> String {
    let ran = try_ip(arguments);
    assert_eq!(ran.code, Some(0), "ip {}: {ran:?}", arguments.join(" "));
    ran.stdout
}

fn try_ip(arguments: &[&str]) -> Ran {
    run(Command::new("ip").args(arguments).stdin(Stdio::null()))
}
