//! The Docker Compose files of a network in containers.
//!
//! They depend on nothing but the plan of its ports, so they can be read, compared and kept: keys are made by a container
//! (`create`) in the nodes' own volumes. docker-compose 1.29 and Compose v2 both read them.

use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;

use anyhow::{Context as _, Result};
use genesis::NetworkFile;
use ledger_types::ValidatorId;

use super::plan::Plan;
use super::site;
use crate::wiring::write_whole;

/// The user of the image (`docker/Dockerfile`).
const USER: u32 = 65_532;
/// What Compose looks for in a folder; the newer name would be one that 1.29 does not take from everybody.
const FILE: &str = "docker-compose.yml";
/// Where the image keeps a node's folder. A container that is no node has nothing there, rather than a nameless volume.
const HOME: &str = "/dgt";
/// Where all containers of the network's folder see it.
const NET: &str = "/net";
/// What tells Prometheus of the nodes, beside the Compose file.
const TARGETS: &str = "targets/dgt.json";
/// A Docker network that all clusters are attached to.
const BACKBONE: &str = "backbone";

/// What is the same for all containers.
const CONTAINER: &str = "\
x-container: &container
  image: ${DGT_IMAGE:-dgt:@VERSION@}
  read_only: true
  cap_drop: [ALL]
  security_opt: [\"no-new-privileges:true\"]
  mem_limit: ${DGT_MEMORY:-1g}
  cpus: ${DGT_CPUS:-1}
  pids_limit: 1024
  logging: {driver: json-file, options: {max-size: 10m, max-file: \"5\"}}

x-node: &node
  <<: *container
  init: true
  tmpfs: [\"/tmp:size=16m\"]
  restart: unless-stopped
  stop_grace_period: 1m
";

/// Metrics and their pictures: `docker-compose --profile monitoring up -d`.
const MONITORING: &str = "
  prometheus:
    profiles: [monitoring]
    image: ${PROMETHEUS_IMAGE:-prom/prometheus:v2.55.1}
    restart: unless-stopped
    depends_on: {c1-1: {condition: service_healthy}}
    ports: [\"127.0.0.1:9090:9090\"]
    volumes:
      - ${DGT_MONITORING:-../monitoring}:/etc/prometheus:ro
      - ./targets:/etc/prometheus/targets:ro
      - prometheus:/prometheus
    networks: [@NETWORKS@]

  grafana:
    profiles: [monitoring]
    image: ${GRAFANA_IMAGE:-grafana/grafana:11.3.1}
    restart: unless-stopped
    depends_on: [prometheus]
    ports: [\"127.0.0.1:3000:3000\"]
    volumes:
      - ${DGT_MONITORING:-../monitoring}/grafana/provisioning:/etc/grafana/provisioning:ro
      - ${DGT_MONITORING:-../monitoring}/grafana/dashboards:/var/lib/grafana/dashboards:ro
      - grafana:/var/lib/grafana
    networks: [c1]
";

/// Writes the project of the whole network and, when there are several clusters, that of each member.
pub(super) fn write(root: &Path, name: &str, plan: Plan) -> Result<()> {
    NetworkFile::check_name(name)?;
    write_file(&root.join(FILE), &project(name, plan))?;
    write_file(&root.join(TARGETS), &targets(plan))?;
    for cluster in (0..plan.clusters()).filter(|_| plan.clusters() > 1) {
        let folder = root.join("members").join(cluster_name(cluster));
        write_file(&folder.join(FILE), &member(plan, cluster))?;
    }
    Ok(())
}

fn write_file(path: &Path, text: &str) -> Result<()> {
    let folder = path.parent().context("a file has a folder")?;
    std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    write_whole(path, text)
}

/// Says what to do with what was written.
pub(super) fn tell(out: &mut dyn Write, folder: &Path) -> Result<()> {
    let folder = folder.display();
    writeln!(out, "start it     cd {folder} && docker-compose up -d")?;
    writeln!(out, "look at it   docker-compose ps; docker-compose exec c1-1 dgt status")?;
    writeln!(out, "stop it      docker-compose stop")?;
    writeln!(out, "remove it    docker-compose down, with -v also its keys and data")?;
    Ok(())
}

/// The whole network on one machine.
fn project(name: &str, plan: Plan) -> String {
    let (clusters, nodes) = (plan.clusters(), plan.nodes());
    let base = plan.port_base().map(|base| format!(" --port-base {base}")).unwrap_or_default();
    let mut text = format!(
        "# A network of {clusters} x {nodes} nodes on one machine, written by\n\
         #   dgt testnet create --compose --clusters {clusters} --nodes {nodes}{base} --name {name}\n\
         # `docker-compose up -d` makes the keys when it runs first, and returns when all nodes take part.\n\n"
    );
    text += &CONTAINER.replace("@VERSION@", env!("CARGO_PKG_VERSION"));
    text += "  depends_on: {create: {condition: service_completed_successfully}}\n";
    for cluster in 0..clusters {
        text +=
            &peers(plan, cluster, |other| format!("c{}-{}.{BACKBONE}", other.cluster + 1, other.node + 1));
    }
    text += "\nservices:\n";
    text += &create_service(name, plan);
    text += &ready_service(plan);
    for validator in plan.validators() {
        text += &node_service(plan, validator, Reach::Host);
    }
    let names: Vec<String> = (0..clusters).map(cluster_name).collect();
    text += &MONITORING.replace("@NETWORKS@", &names.join(", "));
    text += "\nnetworks:\n";
    names.iter().for_each(|name| _ = writeln!(text, "  {name}:"));
    if clusters > 1 {
        _ = writeln!(text, "  {BACKBONE}: {{internal: true}}");
    }
    text += "\nvolumes:\n  network:\n";
    plan.validators().for_each(|validator| _ = writeln!(text, "  {validator}:"));
    text += "  prometheus:\n  grafana:\n";
    text
}

/// Where Prometheus, a container of the same networks, scrapes the nodes.
fn targets(plan: Plan) -> String {
    let target = |node| format!("  \"{node}:{}\"", plan.ports(node).api.port());
    let targets: Vec<String> = plan.validators().map(target).collect();
    format!("[{{\"targets\": [\n{}\n]}}]\n", targets.join(",\n"))
}

/// One member's cluster; the others are reached by the addresses of their machines.
fn member(plan: Plan, cluster: u16) -> String {
    let own = cluster_name(cluster);
    let mut text = format!(
        "# The nodes of cluster {own}, on a machine of its member's. The other clusters' machines stand in the file .env beside\n\
         # this one, each in a line like C2_HOST=node.example; the network file, which all members agreed on, is\n\
         # network/network.toml. The keys are made by `docker-compose run --rm {own}-1 init`, for each node.\n\n"
    );
    text += &CONTAINER.replace("@VERSION@", env!("CARGO_PKG_VERSION"));
    text += &peers(plan, cluster, |other| {
        let host = format!("C{}_HOST", other.cluster + 1);
        format!("${{{host}:?{host} is not set in .env}}")
    });
    text += "\nservices:";
    let own_nodes = || plan.validators().filter(|validator| validator.cluster == cluster);
    own_nodes().for_each(|validator| text += &node_service(plan, validator, Reach::World));
    _ = writeln!(text, "\nnetworks:\n  {own}:\n\nvolumes:");
    own_nodes().for_each(|validator| _ = writeln!(text, "  {validator}:"));
    text
}

/// Where all validators are, as those of one cluster see them.
fn peers(plan: Plan, cluster: u16, far: impl Fn(ValidatorId) -> String) -> String {
    let name = cluster_name(cluster);
    let near = |peer: ValidatorId| format!("{peer}.{name}");
    let line = |peer: ValidatorId| {
        let host = if peer.cluster == cluster { near(peer) } else { far(peer) };
        format!("{peer}={host}:{}", plan.ports(peer).network.port())
    };
    let lines: Vec<String> = plan.validators().map(line).collect();
    match lines.len() {
        1 => String::new(),
        _ => format!("\nx-{name}: &{name}\n  DGT_NETWORK_PEERS: >-\n    {}\n", lines.join(",\n    ")),
    }
}

/// Who reaches a node's validator port.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Containers of this machine.
    Host,
    /// Other machines.
    World,
}

fn node_service(plan: Plan, own: ValidatorId, reach: Reach) -> String {
    let (ports, cluster) = (plan.ports(own), cluster_name(own.cluster));
    let (network, api) = (ports.network.port(), ports.api.port());
    let is_alone = plan.validators().count() == 1;
    let mut text = format!("\n  {own}:\n    <<: *node\n");
    if reach == Reach::World {
        text += "    command: [start, --network, /network/network.toml]\n";
    }
    text += "    environment:\n";
    if !is_alone {
        _ = writeln!(
            text,
            "      <<: *{cluster}\n      DGT_NETWORK_ADDRESS: 0.0.0.0:{network}\n      DGT_NETWORK_ADVERTISE: {own}:{network}"
        );
    }
    _ = writeln!(
        text,
        "      DGT_API_ADDRESS: 0.0.0.0:{api}\n      DGT_ADMIN_ADDRESS: 127.0.0.1:{}\n      DGT_API_URL: http://127.0.0.1:{api}",
        ports.admin.port()
    );
    text += "    ports:\n";
    if reach == Reach::World {
        _ = writeln!(text, "      - \"{network}:{network}\"");
    }
    _ = writeln!(text, "      - \"${{DGT_BIND:-127.0.0.1}}:{api}:{api}\"");
    _ = writeln!(text, "    networks:\n      {cluster}: {{aliases: [{own}.{cluster}]}}");
    if reach == Reach::Host && plan.clusters() > 1 {
        _ = writeln!(text, "      {BACKBONE}: {{aliases: [{own}.{BACKBONE}]}}");
    }
    _ = writeln!(text, "    volumes:\n      - {own}:{HOME}");
    if reach == Reach::World {
        text += "      - ./network:/network:ro\n";
    }
    text
}

/// Makes keys and the network file in the volumes, once. Only this container is root, with the two powers that it takes.
fn create_service(name: &str, plan: Plan) -> String {
    let (clusters, nodes) = (plan.clusters(), plan.nodes());
    let mut text = format!(
        "  create:\n    <<: *container\n    tmpfs: [{HOME}]\n    user: \"0:0\"\n    cap_add: [CHOWN, DAC_OVERRIDE]\n    network_mode: none\n    \
         healthcheck: {{disable: true}}\n    command:\n      [testnet, create, --clusters={clusters}, --nodes={nodes}, \
         --name={name}, --volumes={USER}, --out={NET}]\n    volumes:\n      - network:{NET}\n"
    );
    for validator in plan.validators() {
        _ = writeln!(text, "      - {validator}:{NET}/{}", site::node_place(validator));
    }
    text
}

/// Ends when all nodes take part: `docker-compose up` waits for what it waits for.
fn ready_service(plan: Plan) -> String {
    let mut text = format!("\n  ready:\n    <<: *container\n    tmpfs: [{HOME}]\n    command: [status]\n");
    let port = plan.ports(ValidatorId { cluster: 0, node: 0 }).api.port();
    _ = writeln!(text, "    environment: {{DGT_API_URL: \"http://c1-1.c1:{port}\"}}");
    text += "    networks: [c1]\n    healthcheck: {disable: true}\n    depends_on:\n";
    plan.validators()
        .for_each(|validator| _ = writeln!(text, "      {validator}: {{condition: service_healthy}}"));
    text
}

fn cluster_name(cluster: u16) -> String {
    format!("c{}", cluster + 1)
}
