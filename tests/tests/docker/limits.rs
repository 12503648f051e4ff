//! What a container may do, what happens when its volume is full, and who is let in.

use std::fs::File;

use tests::containers::{Containers, HOME, Project, docker, try_docker};
use tests::node;
use tests::testnet::wait;

use crate::{is_skipped, new_batch};

/// A little more than a node keeps free, so that it starts and soon finds too little.
const VOLUME_MIB: u64 = 48;

#[test]
fn a_container_has_no_more_than_it_needs_and_stops_cleanly() {
    if is_skipped() {
        return;
    }
    let network = Containers::up(1, 1);
    for (format, expected) in [
        ("{{.Config.User}}", "65532:65532"),
        (
            "{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.Privileged}}",
            "true [ALL] false",
        ),
        (
            "{{.HostConfig.SecurityOpt}} {{.HostConfig.RestartPolicy.Name}}",
            "[no-new-privileges:true] unless-stopped",
        ),
        ("{{.Config.StopSignal}} {{len .Mounts}}", "SIGTERM 1"),
        ("{{.HostConfig.LogConfig.Config}}", "map[max-file:5 max-size:10m]"),
    ] {
        assert_eq!(network.inspect(0, format), expected, "{format}");
    }
    let limits =
        network.inspect(0, "{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.PidsLimit}}");
    assert!(limits.split(' ').all(|limit| limit.parse::<u64>().unwrap() > 0), "{limits}");
    let project = network.project();
    let written =
        project.compose(&["exec", "-T", "c1-1", "dgt", "bgt", "set", "carol", "100", "--wait", "20"]);
    assert!(written.contains("COMMITTED"), "{written}");
    assert!(project.compose(&["exec", "-T", "c1-1", "dgt", "bgt", "show", "carol"]).contains("100"));

    // Nothing else can be run, and nobody becomes root.
    let container = project.container("c1-1");
    assert_ne!(try_docker(&["exec", &container, "/bin/sh"]).code, Some(0));
    let files = |network: &Containers| {
        let copy = node::folder();
        network.project().copy_out("c1-1", &format!("{HOME}/."), copy.path());
        let of = |folder: &str| std::fs::read_dir(copy.path().join(folder)).unwrap();
        let names = ["data", "keys"].into_iter().flat_map(of);
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>()
    };
    let is_lock = |name: &String| name.ends_with(".lock") || name.ends_with("-lock");
    assert!(files(&network).iter().any(is_lock));
    docker(&["stop", &container]);
    assert_eq!(network.inspect(0, "{{.State.ExitCode}}"), "0");
    let left = files(&network);
    assert!(!left.iter().any(is_lock) && left.iter().any(|name| name == "block-01.lmdb"), "{left:?}");
}

#[test]
fn a_full_volume_stops_one_node_and_room_brings_it_back() {
    if is_skipped() {
        return;
    }
    let mut network = Containers::create(1, 4);
    // A file system in memory for one volume; it lasts as long as somebody has it, so a second container does.
    network.project_mut().change(&format!(
        "services:\n  keeper:\n    image: ${{DGT_IMAGE}}\n    environment: {{DGT_HOME: /tmp/keeper}}\n    tmpfs: [/tmp]\n    \
         volumes: [\"c1-4:/keep\"]\n  create:\n    depends_on: {{keeper: {{condition: service_started}}}}\nvolumes:\n  c1-4:\n    \
         driver_opts: {{type: tmpfs, device: tmpfs, o: \"size={VOLUME_MIB}m\"}}\n"
    ));
    network.project().compose(&["up", "--detach"]);
    network.commit(3, &new_batch(), network.all());

    let filler = node::folder();
    let fill = |mib: u64| {
        let file = filler.path().join("filler");
        File::create(&file).unwrap().set_len(mib << 20).unwrap();
        let to = format!("{}:/keep/filler", network.project().container("keeper"));
        docker(&["cp", &file.display().to_string(), &to]);
    };
    fill(VOLUME_MIB * 2 / 3);
    wait("the node finds too little room", || {
        network.commit(0, &new_batch(), 0..3);
        match network.status(3)["fault"].as_str() {
            Some(fault) if fault.contains("bytes left") => Ok(()),
            fault => Err(format!("its fault is {fault:?}")),
        }
    });
    let refused = network.client(3).try_submit(&[new_batch()]).unwrap();
    assert_eq!(refused.status, 503, "{refused:?}");
    fill(0);
    network.docker("restart", 3);
    network.wait_ready([3]);
    network.commit(3, &new_batch(), network.all());
}

#[test]
fn a_node_of_another_network_is_refused_by_all() {
    if is_skipped() {
        return;
    }
    let network = Containers::up(1, 4);
    let other = network.another();
    let (ours, theirs): (&Project, &Project) = (network.project(), other.project());
    theirs.compose(&["up", "create"]);
    theirs.compose(&["up", "--detach", "--no-deps", "c1-1"]);
    // Its own Compose file says that the others are c1-2.c1 to c1-4.c1: here they are those of another network.
    docker(&["network", "connect", &ours.full_name("c1"), &theirs.container("c1-1")]);
    wait("the stranger is told why", || {
        let status = other.status(0);
        let links = status["links"].as_array().cloned().unwrap_or_default();
        assert!(links.iter().all(|link| link["is_up"] == false), "{status}");
        let is_told =
            links.iter().any(|link| link["trouble"].to_string().contains("network id is another one"));
        if is_told { Ok(()) } else { Err(status.to_string()) }
    });
    network.commit(0, &new_batch(), network.all());
    for index in network.all() {
        let status = network.status(index);
        let links = status["links"].as_array().cloned().unwrap_or_default();
        assert!(links.iter().all(|link| link["is_up"] == true), "{status}");
    }
}
