//! `dgt testnet create`.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use genesis::{NetworkFile, NetworkSettings};
use ledger_types::signature::Curve;
use ledger_types::topology::{Cluster, NetKey, Validator};
use ledger_types::{ValidatorId, VoteKey};

use super::plan::Plan;
use super::{compose, site, volumes};
use crate::cli::output::{Cell, Column, Format, List};
use crate::clock;
use crate::home::Home;
use crate::keys::KeyFiles;
use crate::wiring::{ed25519, node_key, write_whole};

const COLUMNS: &[Column] = &[
    Column { key: "node", heading: "NODE" },
    Column { key: "network", heading: "NETWORK" },
    Column { key: "api", heading: "API" },
    Column { key: "admin", heading: "ADMIN" },
    Column { key: "delegate", heading: "DELEGATE" },
];

/// Arguments of `dgt testnet create`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Create {
    /// How many clusters.
    #[arg(long, default_value_t = 1)]
    clusters: u16,
    /// How many nodes each cluster has.
    #[arg(long, default_value_t = 4)]
    nodes: u16,
    /// The network's folder, which must not be there yet.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The network's name.
    #[arg(long, default_value = "testnet")]
    name: String,
    /// The first port: every node takes the next three, for validators, clients and its operator [default: 8k01, 8k08 and
    /// 8k15 for the first node of cluster k].
    #[arg(long, value_name = "PORT")]
    port_base: Option<u16>,
    /// Write a Docker Compose project instead, without keys: its containers make them when they first come up.
    #[arg(long)]
    compose: bool,
    /// What such a container does: the network's folder and those of its nodes are volumes, to be filled once and handed
    /// to this user.
    #[arg(long, value_name = "UID", conflicts_with_all = ["compose", "port_base"])]
    volumes: Option<u32>,
}

impl Create {
    pub(super) fn run(self, out: &mut dyn Write) -> Result<()> {
        let plan = Plan::new(self.clusters, self.nodes, self.port_base)?;
        let target = std::path::absolute(&self.out).with_context(|| format!("{}", self.out.display()))?;
        if let Some(user) = self.volumes {
            return volumes::fill(out, &target, &self.name, plan, user);
        }
        if target.exists() {
            bail!("{} exists; a test network is made in a new folder", target.display());
        }
        let parent = target.parent().with_context(|| format!("{} is no new folder", target.display()))?;
        std::fs::create_dir_all(parent).with_context(|| format!("making {}", parent.display()))?;
        // Made beside its place and moved there: the whole network or nothing.
        let beside = tempfile::Builder::new().prefix(".dgt-testnet-").tempdir_in(parent);
        let beside = beside.with_context(|| format!("a new folder in {}", parent.display()))?;
        let made = beside.path().join("network");
        let place =
            || std::fs::rename(&made, &target).with_context(|| format!("making {}", target.display()));
        if self.compose {
            compose::write(&made, &self.name, plan)?;
            place()?;
            return compose::tell(out, &self.out);
        }
        let network = write_network(&made, &self.name, plan)?;
        place()?;
        tell(out, &self.out, plan, &network)
    }
}

/// Writes everything that a network consists of.
fn write_network(root: &Path, name: &str, plan: Plan) -> Result<NetworkFile> {
    let network = make_keys(root, name, plan)?;
    // A file that makes no block 0 is not written.
    network.genesis()?;
    write_whole(&site::network_file(root), &network.to_toml())?;
    for validator in plan.validators() {
        let home = Home::new(&site::node_folder(root, validator))?;
        write_whole(&home.network_file(), &network.to_toml())?;
        write_whole(&home.settings_file(), &settings(name, plan, validator))?;
    }
    Ok(network)
}

/// Makes the nodes' folders and all keys, and the network of them.
pub(super) fn make_keys(root: &Path, name: &str, plan: Plan) -> Result<NetworkFile> {
    let (admin, _) = KeyFiles::new(&site::keys(root), "admin").read_or_make(Curve::Ed25519)?;
    let mut clusters: Vec<Cluster> = (1..=plan.clusters())
        .map(|number| Cluster { name: format!("c{number}"), validators: Vec::new() })
        .collect();
    for validator in plan.validators() {
        let home = Home::new(&site::node_folder(root, validator))?;
        home.create()?;
        let public = |name| -> Result<[u8; 32]> { ed25519(&node_key(&home, name)?.0) };
        clusters[usize::from(validator.cluster)].validators.push(Validator {
            name: validator.to_string(),
            vote_key: VoteKey(public("vote")?),
            net_key: NetKey(public("net")?),
            delegate: is_delegate(plan, validator),
        });
    }
    let settings = NetworkSettings::new(vec![admin.public_key()]);
    Ok(NetworkFile::new(name, clock::wall_ms(), settings, clusters)?)
}

/// One delegate more than may fail in its cluster: the first nodes.
fn is_delegate(plan: Plan, validator: ValidatorId) -> bool {
    validator.node <= (plan.nodes() - 1) / 3
}

/// The settings file of a node.
fn settings(name: &str, plan: Plan, own: ValidatorId) -> String {
    let ports = plan.ports(own);
    let others = plan.validators().filter(|validator| *validator != own);
    let peers: Vec<String> = others.map(|peer| format!("{peer}={}", plan.ports(peer).network)).collect();
    format!(
        "# The settings of {own} in the test network {name}. `dgt config show` tells all that there are.\n\n\
         [api]\naddress = \"{}\"\n\n\
         [admin]\naddress = \"{}\"\n\n\
         [network]\naddress = \"{}\"\npeers = \"{}\"\n",
        ports.api,
        ports.admin,
        ports.network,
        peers.join(",")
    )
}

/// Says what was made and what to do with it.
fn tell(out: &mut dyn Write, folder: &Path, plan: Plan, network: &NetworkFile) -> Result<()> {
    let mut list = List::new(&mut *out, Format::Default, COLUMNS);
    let rows = plan.validators().map(|validator| {
        let ports = plan.ports(validator);
        let delegate = if is_delegate(plan, validator) { "yes" } else { "no" };
        let addresses = [ports.network, ports.api, ports.admin].map(|address| address.to_string());
        let texts = [vec![validator.to_string()], addresses.to_vec(), vec![delegate.to_owned()]].concat();
        texts.into_iter().map(Cell::Text).collect()
    });
    list.print(&rows.collect::<Vec<_>>())?;
    list.finish(None)?;
    let quorum = consensus::Quorum::new(network.topology().shape()).flat_quorum();
    let program = std::env::args().next().unwrap_or_else(|| "dgt".to_owned());
    let folder = folder.display();
    writeln!(out)?;
    writeln!(out, "network   {} {}", network.name(), network.network_id())?;
    writeln!(out, "quorum    {quorum} of {}", network.topology().validators().count())?;
    writeln!(out, "settings  are changed with {folder}/keys/admin.priv")?;
    writeln!(out)?;
    writeln!(out, "start it     {program} testnet up {folder}")?;
    writeln!(out, "look at it   {program} testnet status {folder}")?;
    writeln!(out, "stop it      {program} testnet down {folder}")?;
    Ok(())
}
