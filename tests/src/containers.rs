//! A network in containers, as `dgt testnet create --compose` writes it. All is removed with the test, and what runs left
//! that were killed by the next one.

mod docker;
mod image;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ledger_types::ValidatorId;
use ledger_types::proto::client as proto;
use serde_json::Value;
use tempfile::TempDir;

use crate::binary::run;
use crate::client::{Client, HeadBlock, Outcome};
use crate::crowd::Crowd;
use crate::node::{self, Home};
use crate::testnet::{FOLDER, PORTS_PER_NODE, Testnet, free_ports, wait};
use crate::workspace;

pub use docker::{docker, try_docker};
pub use image::{Release, image};

/// All projects' names begin so; the process id of the test follows.
const PREFIX: &str = "dgt-test-";
/// How long a client of a crowd waits for an answer.
const CROWD_PATIENCE: Duration = Duration::from_secs(10);
/// Where the image keeps a node's folder.
pub const HOME: &str = "/dgt";

/// Why no containers can be run here; `None` when they can.
pub fn obstacle() -> Option<String> {
    let told = match Command::new("docker").arg("info").output() {
        Err(error) => return Some(format!("docker: {error}")),
        Ok(output) => output,
    };
    if !told.status.success() {
        return Some(format!("`docker info`: {}", String::from_utf8_lossy(&told.stderr).trim()));
    }
    let owner = |name: &str| name.strip_prefix(PREFIX)?.split('-').next()?.parse::<u32>().ok();
    let is_gone = |pid: u32| !Path::new("/proc").join(pid.to_string()).exists();
    let leftovers = docker::projects(PREFIX).into_iter().filter(|name| owner(name).is_some_and(is_gone));
    leftovers.for_each(|project| docker::remove(&project));
    None
}

/// A Compose project. Everything of it is removed when it is dropped.
pub struct Project {
    name: String,
    /// Its Compose files: what a later one says holds.
    files: Vec<PathBuf>,
    release: Release,
    /// The address of this machine that its nodes' REST ports are at.
    address: &'static str,
    _folder: Arc<TempDir>,
}

impl Project {
    /// The project of a Compose file below a folder.
    pub fn new(folder: &Arc<TempDir>, file: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("{PREFIX}{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let files = vec![folder.path().join(file)];
        Self { name, files, release: Release::This, address: "127.0.0.1", _folder: folder.clone() }
    }

    /// Adds a file that changes what the others say.
    pub fn change(&mut self, text: &str) {
        let file = self.files[0].with_file_name(format!("change-{}.yml", self.files.len()));
        std::fs::write(&file, text).expect("writing a Compose file");
        self.files.push(file);
    }

    /// Runs docker-compose with these words; it must succeed. Its standard output.
    pub fn compose(&self, words: &[&str]) -> String {
        let mut command = docker::compose(&self.name, &self.files);
        command.env("DGT_IMAGE", image(self.release)).env("DGT_BIND", self.address);
        let ran = run(command.args(words));
        if ran.code != Some(0) {
            let logs = run(docker::compose(&self.name, &self.files).args(["logs", "--tail=20"]));
            panic!("docker-compose {}: {ran:?}\n{}", words.join(" "), logs.stdout);
        }
        ran.stdout
    }

    /// From now on containers are made of this image.
    pub fn use_release(&mut self, release: Release) {
        self.release = release;
    }

    /// The container of a service.
    pub fn container(&self, service: &str) -> String {
        let project = format!("label=com.docker.compose.project={}", self.name);
        let service = format!("label=com.docker.compose.service={service}");
        docker(&["ps", "--all", "--quiet", "--filter", &project, "--filter", &service])
    }

    /// The name that Docker knows one of its networks or volumes by.
    pub fn full_name(&self, name: &str) -> String {
        format!("{}_{name}", self.name)
    }

    /// Disconnects a service from a network of the project.
    pub fn disconnect(&self, service: &str, network: &str) {
        docker(&["network", "disconnect", &self.full_name(network), &self.container(service)]);
    }

    /// Connects it again, under the name that the Compose file gives it there.
    pub fn connect(&self, service: &str, network: &str) {
        let (alias, container) = (format!("{service}.{network}"), self.container(service));
        docker(&["network", "connect", "--alias", &alias, &self.full_name(network), &container]);
    }

    /// Waits until Docker calls a service healthy.
    pub fn wait_healthy(&self, service: &str) {
        let container = self.container(service);
        wait(&format!("{service} is healthy"), || {
            let health = docker(&["inspect", "--format", "{{.State.Health.Status}}", &container]);
            if health == "healthy" { Ok(()) } else { Err(health) }
        });
    }

    /// Copies a path of a container, running or not, to a place below the project's folder.
    pub fn copy_out(&self, service: &str, path: &str, to: &Path) {
        docker(&["cp", &format!("{}:{path}", self.container(service)), &to.display().to_string()]);
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        docker::remove(&self.name);
    }
}

/// A whole network in containers of one project. Its nodes are numbered from 0, cluster by cluster.
pub struct Containers {
    project: Project,
    nodes: Vec<(String, Client)>,
    turn: std::fs::File,
}

impl Containers {
    /// Writes the project of so many clusters of so many nodes. Nothing runs yet.
    pub fn create(clusters: u16, nodes: u16) -> Self {
        let turn = workspace::lock("testnet");
        let folder = node::folder();
        write_project(&folder, clusters, nodes);
        Self::of(Project::new(&folder, &format!("{FOLDER}/docker-compose.yml")), turn)
    }

    /// A network of the same Compose file, with keys of its own, at another address of this machine. Nothing of it runs yet.
    pub fn another(&self) -> Self {
        let folder = node::folder();
        let mut project = Project::new(&folder, "docker-compose.yml");
        std::fs::copy(&self.project.files[0], &project.files[0]).expect("copying the Compose file");
        project.address = "127.0.0.2";
        Self::of(project, self.turn.try_clone().expect("the lock of networks"))
    }

    fn of(project: Project, turn: std::fs::File) -> Self {
        let text = std::fs::read_to_string(&project.files[0]).expect("the Compose file");
        Self { nodes: nodes(&text, project.address), project, turn }
    }

    /// Makes a network, and starts it as its operator would.
    pub fn up(clusters: u16, nodes: u16) -> Self {
        let network = Self::create(clusters, nodes);
        network.project.compose(&["up", "--detach"]);
        network
    }

    /// The Compose project.
    pub fn project(&self) -> &Project {
        &self.project
    }

    /// The Compose project, to change it.
    pub fn project_mut(&mut self) -> &mut Project {
        &mut self.project
    }

    /// The nodes' numbers.
    pub fn all(&self) -> std::ops::Range<usize> {
        0..self.nodes.len()
    }

    /// A node's name, which is its service's, such as `c1-2`.
    pub fn name(&self, index: usize) -> &str {
        &self.nodes[index].0
    }

    /// A client of a node, at the port of this machine.
    pub fn client(&self, index: usize) -> &Client {
        &self.nodes[index].1
    }

    /// Clients of all nodes. A node that is cut off answers nobody, and Docker's proxy keeps its connections open.
    pub fn crowd(&self) -> Crowd {
        let impatient = |(name, client): &(String, Client)| (name.clone(), client.within(CROWD_PATIENCE));
        Crowd::at(self.nodes.iter().map(impatient).collect())
    }

    /// What a node says of itself: `data.node` of `/status`.
    pub fn status(&self, index: usize) -> Value {
        self.client(index).get("/status")["data"]["node"].take()
    }

    /// Runs `docker COMMAND CONTAINER`, such as `docker pause`, for a node.
    pub fn docker(&self, command: &str, index: usize) {
        docker(&[command, &self.project.container(self.name(index))]);
    }

    /// A field of what Docker knows of a node's container.
    pub fn inspect(&self, index: usize, format: &str) -> String {
        docker(&["inspect", "--format", format, &self.project.container(self.name(index))])
    }

    /// Makes a node's container anew, on its volume.
    pub fn recreate(&self, index: usize) {
        self.project.compose(&["up", "--detach", "--no-deps", "--force-recreate", self.name(index)]);
    }

    /// Waits until these nodes answer that they take part.
    pub fn wait_ready(&self, nodes: impl IntoIterator<Item = usize>) {
        for index in nodes {
            wait(&format!("{} is ready", self.name(index)), || match self.client(index).try_get("/readyz") {
                Ok(answer) if answer.status == 200 => Ok(()),
                answer => Err(format!("{answer:?}")),
            });
        }
    }

    /// Submits a batch to a node, which must take it, and waits until these nodes have committed it.
    pub fn commit(&self, index: usize, batch: &proto::Batch, nodes: impl IntoIterator<Item = usize>) {
        self.client(index).submit(std::slice::from_ref(batch));
        let id = [batch.header_signature.clone()];
        for node in nodes {
            wait(&format!("{} commits", self.name(node)), || match self.client(node).try_outcomes(&id, 1) {
                Ok(outcomes) if outcomes == [Outcome::Committed] => Ok(()),
                Ok(outcomes) if matches!(outcomes[0], Outcome::Invalid { .. }) => panic!("{outcomes:?}"),
                outcomes => Err(format!("{outcomes:?}")),
            });
        }
    }

    /// Waits until all nodes have the same newest block and nothing to decide; that block.
    pub fn wait_same_head(&self) -> HeadBlock {
        wait("all nodes are at the same block", || {
            let is_idle = self.all().all(|index| self.status(index)["pool_batches"] == 0);
            let heads: Vec<HeadBlock> = self.all().map(|index| self.client(index).head()).collect();
            match is_idle && heads.windows(2).all(|pair| pair[0] == pair[1]) {
                true => Ok(heads[0].clone()),
                false => Err(format!("idle: {is_idle}, {heads:?}")),
            }
        })
    }

    /// Stops all nodes in order and copies their folders out of their volumes: a stopped network to look into.
    pub fn bring_out(self) -> Testnet {
        self.project.compose(&["stop"]);
        for index in self.all() {
            assert_eq!(self.inspect(index, "{{.State.ExitCode}}"), "0", "{}", self.name(index));
        }
        let folder = node::folder();
        let net = folder.path().join(FOLDER);
        std::fs::create_dir(&net).expect("making a folder");
        self.project.copy_out("create", "/net/network.toml", &net);
        for (name, _) in &self.nodes {
            let place = net.join("dgt_clust").join(name.replace('-', "/dgt"));
            std::fs::create_dir_all(&place).expect("making a folder");
            self.project.copy_out(name, &format!("{HOME}/."), &place);
        }
        Testnet::read(folder, self.turn)
    }
}

/// Writes the Compose files of a network into a folder, with ports of this machine that are free.
pub fn write_project(folder: &Arc<TempDir>, clusters: u16, nodes: u16) {
    let base = free_ports(u64::from(clusters) * u64::from(nodes) * PORTS_PER_NODE);
    let numbers = [clusters, nodes, base].map(|number| number.to_string());
    let [clusters, nodes, base] = numbers.each_ref().map(String::as_str);
    let create =
        ["testnet", "create", "--compose", "--out", FOLDER, "--clusters", clusters, "--nodes", nodes];
    Home::within(folder, FOLDER).dgt([&create[..], &["--port-base", base]].concat()).ok();
}

/// The nodes of a Compose file, with clients of their ports at an address of this machine.
pub fn nodes(text: &str, address: &str) -> Vec<(String, Client)> {
    let mut found = Vec::new();
    let mut service = "";
    for line in text.lines() {
        let key = line.strip_prefix("  ").and_then(|line| line.strip_suffix(':'));
        service = key.filter(|key| place(key).is_some()).unwrap_or(service);
        let published = line.trim().strip_prefix("- \"${DGT_BIND:-127.0.0.1}:");
        if let Some((port, _)) = published.and_then(|ports| ports.split_once(':')) {
            found.push((service.to_owned(), Client::new(&format!("http://{address}:{port}"))));
        }
    }
    found
}

/// The place of a node by its name.
pub fn place(name: &str) -> Option<ValidatorId> {
    let (cluster, node) = name.strip_prefix('c')?.split_once('-')?;
    let index = |text: &str| text.parse::<u16>().ok()?.checked_sub(1);
    Some(ValidatorId { cluster: index(cluster)?, node: index(node)? })
}
