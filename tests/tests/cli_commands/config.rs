//! `dgt init`, `dgt config`, and nodes that start by their settings.

use serde_json::Value;
use tests::binary::run;
use tests::node::{Home, Start};

fn write_settings(home: &Home, text: &str) {
    std::fs::create_dir_all(home.path().join("etc")).unwrap();
    std::fs::write(home.path().join("etc/dgt.toml"), text).unwrap();
}

/// A setting's value and its source, as `dgt config show` tells them.
fn shown(home: &Home, variables: &[(&str, &str)], flags: &[&str], key: &str) -> (String, String) {
    let mut command = home.command();
    command.args(["config", "show", "-F", "json", "--home"]).arg(home.path()).args(flags);
    let printed = run(command.envs(variables.iter().copied())).ok();
    let settings: Value = serde_json::from_str(&printed).unwrap();
    let setting = settings.as_array().unwrap().iter().find(|setting| setting["key"] == key).unwrap();
    (setting["value"].as_str().unwrap().to_owned(), setting["source"].as_str().unwrap().to_owned())
}

fn home_flag(home: &Home) -> String {
    home.path().to_str().unwrap().to_owned()
}

#[test]
fn init_makes_settings_and_keys_and_starts_nothing() {
    let home = Home::new();
    let folder = home_flag(&home);
    let printed = home.dgt(["init", "--home", &folder]).ok();
    let settings = home.path().join("etc/dgt.toml");
    assert!(printed.contains(settings.to_str().unwrap()), "{printed}");
    for name in ["vote", "net", "admin"] {
        let key = std::fs::read_to_string(home.path().join(format!("keys/{name}.pub"))).unwrap();
        assert!(printed.contains(key.trim()), "{name}: {printed}");
    }
    assert!(!home.path().join("etc/network.toml").exists() && !home.file("block.mdb").exists());
    assert!(home.dgt(["init", "--home", &folder]).failed(1).contains("--force"));
    std::fs::write(&settings, "").unwrap();
    let again = home.dgt(["init", "--home", &folder, "--force"]).ok();
    assert_eq!(again.matches(" (kept)").count(), 3, "{again}");
    assert!(std::fs::read_to_string(&settings).unwrap().contains("[api.limits]"));
    home.dgt(["config", "validate", "--home", &folder]).ok();
    let node = home.start();
    let vote = std::fs::read_to_string(home.path().join("keys/vote.pub")).unwrap();
    assert_eq!(node.client().get("/blocks")["data"][0]["header"]["signer_public_key"], vote.trim());
    node.stop();
}

#[test]
fn config_shows_where_each_value_came_from() {
    let home = Home::new();
    let key = "api.limits.page_max";
    assert_eq!(shown(&home, &[], &[], key), ("1000".into(), "default".into()));
    write_settings(&home, "# a comment\n[api.limits]\npage_max = 500\n");
    let place = format!("file {}:3", home.path().join("etc/dgt.toml").display());
    assert_eq!(shown(&home, &[], &[], key), ("500".into(), place));
    let variables = [("DGT_API_LIMITS_PAGE_MAX", "400")];
    assert_eq!(
        shown(&home, &variables, &[], key),
        ("400".into(), "environment DGT_API_LIMITS_PAGE_MAX".into())
    );
    let flags = ["--set", "api.limits.page_max=300"];
    assert_eq!(shown(&home, &variables, &flags, key), ("300".into(), "flag --set".into()));
    let flags = ["--set", "api.address=127.0.0.1:1", "--api", "127.0.0.1:2"];
    assert_eq!(shown(&home, &[], &flags, "api.address"), ("127.0.0.1:2".into(), "flag --api".into()));
    assert_eq!(shown(&home, &[], &flags, "admin.address"), ("127.0.0.1:9".into(), "default".into()));
    let other = home.scratch("other.toml");
    std::fs::write(&other, "store.map_gib = 3\n").unwrap();
    let place = format!("file {}:1", other.display());
    let other = other.to_str().unwrap();
    assert_eq!(shown(&home, &[], &["--config", other], "store.map_gib"), ("3".into(), place.clone()));
    assert_eq!(shown(&home, &[("DGT_CONFIG", other)], &[], "store.map_gib"), ("3".into(), place));
}

#[test]
fn wrong_settings_are_refused_before_anything_is_made() {
    let home = Home::new();
    let folder = home_flag(&home);
    write_settings(&home, "[api]\nadress = \"127.0.0.1:1\"\n");
    for command in [&["config", "validate"][..], &["config", "show"], &["start"]] {
        let refusal = home.dgt([command, &["--home", &folder]].concat()).failed(1);
        assert!(refusal.contains("dgt.toml:2") && refusal.contains("api.adress"), "{refusal}");
    }
    write_settings(&home, "");
    let refusal = home.dgt(["start", "--home", &folder, "--set", "api.limits.ids=0"]).failed(1);
    assert!(refusal.contains("flag --set: api.limits.ids"), "{refusal}");
    let mut command = home.command();
    command.args(["start", "--home", &folder]).env("DGT_LOG_LEVEL", "inof");
    assert!(run(&mut command).failed(1).contains("environment DGT_LOG_LEVEL"));
    assert!(
        home.dgt(["start", "--home", &folder, "--config", "/no/such.toml"])
            .failed(1)
            .contains("/no/such.toml")
    );
    assert!(home.dgt(["start", "--home", &folder, "--set", "nonsense"]).failed(1).contains("KEY=VALUE"));
    assert!(!home.path().join("keys").exists() && !home.data().exists());
    let mut command = home.command();
    command.args(["config", "validate", "--home", &folder]).env("DGT_API_ADRESS", "x");
    let ran = run(&mut command);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "the settings are valid\n"));
    assert!(ran.stderr.contains("DGT_API_ADRESS"), "{ran:?}");
}

#[test]
fn a_node_obeys_its_settings_file() {
    let home = Home::new();
    write_settings(
        &home,
        "[api.limits]\nids = 2\n\n[log]\nformat = \"json\"\nlevel = \"warn,node=info,dgt=info\"\n",
    );
    let node = home.start();
    let id = "0".repeat(128);
    let answer = |count| {
        node.client().try_get(&format!("/batches?id={}", vec![id.as_str(); count].join(","))).unwrap()
    };
    assert_eq!((answer(2).status, answer(3).status), (200, 400));
    let log = node.stop();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let stopping =
        lines.iter().find(|line| line["message"].as_str().is_some_and(|it| it.contains("SIGTERM")));
    assert_eq!(stopping.unwrap()["level"], "INFO", "{log}");
}

#[test]
fn a_node_logs_what_it_is_told_to() {
    let home = Home::new();
    let quiet = Start::new(&home).arg("--log-level").arg("off").serve();
    assert_eq!(quiet.stop(), "");
    let loud = Start::new(&home).arg("--log-level").arg("debug").serve();
    let log = loud.stop();
    assert!(log.contains("SIGTERM") && log.contains("DEBUG"), "{log}");
}

#[test]
fn the_log_level_changes_while_the_node_runs() {
    let home = Home::new();
    // A port that is free now; nobody else on this machine asks for it by number.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let node = Start::new(&home).arg("--log-level").arg("error").arg("--admin").arg(&free).serve();
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let put = |level: &str| agent.put(format!("http://{free}/log")).send(level).unwrap().status().as_u16();
    assert_eq!((put("inof"), put("info"), put("")), (400, 200, 400));
    let log = node.stop();
    assert!(log.contains("log level changed") && log.contains("SIGTERM"), "{log}");
    assert!(!log.contains("admin port"), "said before the change: {log}");
}
