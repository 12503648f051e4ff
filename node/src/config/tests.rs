use std::path::PathBuf;

use api::ApiLimits;
use proptest::prelude::*;
use tempfile::TempDir;

use super::keys::{KEYS, Key};
use super::layers::{Flag, Resolved, resolve, unknown_variables};
use super::settings::Settings;
use super::template::template;

struct File {
    _folder: TempDir,
    path: PathBuf,
}

fn file(text: impl AsRef<[u8]>) -> File {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("dgt.toml");
    std::fs::write(&path, text).unwrap();
    File { _folder: folder, path }
}

fn resolve_file(text: impl AsRef<[u8]>) -> Result<Resolved, String> {
    resolve(Some(&file(text).path), [], []).map_err(|error| error.to_string())
}

fn flag(key: &str, value: &str) -> Flag {
    Flag { flag: "--set", key: key.to_owned(), value: value.to_owned() }
}

/// Three values of a setting, none the default.
fn others(key: &Key) -> [String; 3] {
    let texts = match key.name {
        "api.address" | "admin.address" => ["127.0.0.1:1", "0.0.0.0:2", "[::1]:3"],
        "network.address" => ["127.0.0.1:1", "0.0.0.0:2", "[::1]:3"],
        "network.peers" => {
            ["c1-2=a:1", "c1-2=10.0.0.2:8102,c2-1=node-3.example:8201", "c65535-1=[fd00::2]:65535"]
        }
        "network.advertise" => ["node-1.example:8101", "10.0.0.1:1", "[::1]:3"],
        "api.cors" => ["any", "https://a.example", "https://a.example,http://b.example:1"],
        "log.format" => ["json", "json", "json"],
        "network.transport" => ["quic", "quic", "quic"],
        "log.level" => ["warn", "off", "info,api=trace"],
        // The limits that must be at most another one are low, the others are high.
        "api.limits.body_bytes" | "api.limits.page_default" => ["1", "2", "3"],
        "api.limits.bodies_bytes" => ["200000001", "200000002", "200000003"],
        "store.map_gib" => ["1", "2", "3"],
        _ => ["2001", "2002", "2003"],
    };
    texts.map(str::to_owned)
}

/// A TOML line with a setting's value.
fn line(key: &Key, text: &str) -> String {
    let is_number = key.field(&mut Settings::default()).is_number();
    let value = if is_number { text.to_owned() } else { format!("{text:?}") };
    format!("{} = {value}\n", key.name)
}

#[test]
fn the_strongest_layer_with_a_value_wins() {
    for key in KEYS {
        let [in_file, in_environment, on_line] = others(key);
        let file = file(format!("\n{}", line(key, &in_file)));
        let environment = || [(key.variable(), in_environment.clone())];
        let seen = |resolved: Resolved| (resolved.value(key), resolved.source(key).to_string());
        let default = resolve(None, [], []).unwrap();
        assert_ne!(default.value(key), in_file, "{}", key.name);
        assert_eq!(default.source(key).to_string(), "default");
        let place = format!("file {}:2", file.path.display());
        assert_eq!(seen(resolve(Some(&file.path), [], []).unwrap()), (in_file.clone(), place));
        let place = format!("environment {}", key.variable());
        assert_eq!(
            seen(resolve(Some(&file.path), environment(), []).unwrap()),
            (in_environment.clone(), place)
        );
        let flags = [flag(key.name, &on_line)];
        let resolved = resolve(Some(&file.path), environment(), flags).unwrap();
        assert_eq!(seen(resolved), (on_line, "flag --set".to_owned()));
    }
}

#[test]
fn every_limit_of_the_api_is_a_setting() {
    let printed = format!("{:#?}", ApiLimits::default());
    let fields = printed.lines().filter_map(|line| line.strip_prefix("    ")?.split_once(": "));
    let fields: Vec<&str> = fields.map(|(field, _)| field).filter(|field| !field.starts_with(' ')).collect();
    assert!(fields.contains(&"wait_max"), "{printed}");
    for field in fields {
        let names = [format!("api.{field}"), format!("api.limits.{field}"), format!("api.limits.{field}_ms")];
        assert!(KEYS.iter().any(|key| names.contains(&key.name.to_owned())), "{field} is no setting");
    }
}

#[test]
fn the_template_says_the_defaults() {
    let defaults = resolve(None, [], []).unwrap();
    let commented = resolve_file(template()).unwrap();
    let set: String = template()
        .lines()
        .map(|line| {
            line.strip_prefix("# ").filter(|line| line.contains(" = ")).unwrap_or(line).to_owned() + "\n"
        })
        .collect();
    let uncommented = resolve_file(set).unwrap();
    for key in KEYS {
        assert_eq!(commented.source(key).to_string(), "default");
        assert!(uncommented.source(key).to_string().starts_with("file "), "{}", key.name);
        assert_eq!(
            (commented.value(key), uncommented.value(key)),
            (defaults.value(key), defaults.value(key))
        );
    }
}

#[test]
fn what_does_not_exist_is_refused_by_its_name() {
    for (text, words) in [
        ("\n[api]\nadress = \"127.0.0.1:1\"", &[":3: ", "\"api.adress\"", "do you mean api.address?"][..]),
        ("[api.limits]\nbody_byte = 1", &["api.limits.body_byte\"", "do you mean api.limits.body_bytes?"]),
        ("[limits]\nbody_bytes = 1", &["\"limits.body_bytes\"", "do you mean api.limits.body_bytes?"]),
        ("nothing_like_it = 1", &[":1: ", "\"nothing_like_it\""]),
        ("[api.address]\nport = 1", &["api.address", "expected a string, found table"]),
        ("api.address = 8108", &["api.address", "expected a string, found integer"]),
        ("api.limits.ids = \"1000\"", &["api.limits.ids", "expected an integer, found string"]),
        ("api.limits.ids = 1.5", &["expected an integer, found float"]),
        ("api = 1", &["there is no setting \"api\""]),
        ("api.limits.ids = ", &["dgt.toml", "line 1"]),
        ("api.limits.ids = 1\napi.limits.ids = 2", &["duplicate key"]),
    ] {
        let refusal = resolve_file(text).map(drop).unwrap_err();
        assert!(words.iter().all(|words| refusal.contains(words)), "{text}: {refusal}");
    }
    assert!(!resolve_file("nothing_like_it = 1").map(drop).unwrap_err().contains("do you mean"));
    let refusal = resolve(None, [], [flag("log.levle", "info")]).map(drop).unwrap_err().to_string();
    assert_eq!(refusal, "flag --set: there is no setting \"log.levle\"; do you mean log.level?");
}

#[test]
fn values_out_of_range_are_refused_in_every_layer() {
    for (name, bad) in [
        ("api.limits.ids", &["0", "-1", "100001", "0x7fffffffffffffffffffffff", ""][..]),
        ("store.map_gib", &["0", "4097", "99999999999999999999999999"]),
        ("api.address", &["localhost:1", "127.0.0.1", "127.0.0.1:70000", ""]),
        ("network.address", &["localhost:1", "127.0.0.1", "8101", " "]),
        (
            "network.advertise",
            &["8101", "host", "host:", ":1", "host:0", "host:65536", "host:+1", "a b:1", "::1:1"],
        ),
        (
            "network.peers",
            &[
                ",",
                "c1-2",
                "c1-2=a",
                "c1-2=a:1,",
                "c0-1=a:1",
                "c1-0=a:1",
                "c01-1=a:1",
                "c65536-1=a:1",
                "1-1=a:1",
                "c1=a:1",
                "c1-2=a:1,c1-2=b:1",
                "c1-2=a..b:1",
                "c1-2=[::1:1",
                "c1-2=tcp://a:1",
            ],
        ),
        ("log.format", &["JSON", "xml", ""]),
        ("network.transport", &["TCP", "udp", ""]),
        ("log.level", &["inof", "info,", "a=b=c", "api=loud", ""]),
        ("api.cors", &["", "on", "a.example", "https://", "https://a/b", "https://a,"]),
    ] {
        let key = Key::find(name).unwrap();
        for value in bad {
            let variable = [(key.variable(), (*value).to_owned())];
            let refusal = resolve(None, variable, []).map(drop).unwrap_err().to_string();
            assert!(refusal.starts_with(&format!("environment {}: {name} = ", key.variable())), "{refusal}");
            assert!(resolve(None, [], [flag(name, value)]).is_err(), "{name} = {value:?}");
            assert!(resolve_file(line(key, value)).is_err(), "{name} = {value:?}");
        }
    }
    assert_eq!(resolve_file("api.limits.ids = 0x10").unwrap().settings.limits.ids, 16);
    assert_eq!(resolve_file("api.limits.ids = 1_000").unwrap().settings.limits.ids, 1000);
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    let refusal = resolve_file("api.limits.bodies_bytes = 5").map(drop).unwrap_err();
    assert_eq!(refusal, "api.limits.body_bytes (10485760) is above api.limits.bodies_bytes (5)");
    let both = [flag("api.limits.page_default", "7"), flag("api.limits.page_max", "6")];
    assert!(resolve(None, [], both).is_err());
}

#[test]
fn the_operators_port_stands_beside_the_apis() {
    let admin = |flags: Vec<Flag>| resolve(None, [], flags).unwrap().settings.admin.to_string();
    assert_eq!(admin(vec![]), "127.0.0.1:8115");
    assert_eq!(admin(vec![flag("api.address", "0.0.0.0:8209")]), "127.0.0.1:8216");
    assert_eq!(admin(vec![flag("api.address", "127.0.0.1:0")]), "127.0.0.1:0");
    assert_eq!(admin(vec![flag("api.address", "127.0.0.1:65530")]), "127.0.0.1:0");
    let named = vec![flag("admin.address", "10.0.0.1:9"), flag("api.address", "127.0.0.1:1")];
    assert_eq!(admin(named), "10.0.0.1:9");
}

#[test]
fn peers_are_refused_by_their_names() {
    let refusal =
        |peers: &str| resolve(None, [], [flag("network.peers", peers)]).map(drop).unwrap_err().to_string();
    for (peers, words) in [
        ("c1-2=a:1,c1-3=b:1,c1-2=c:1", "c1-2 stands twice"),
        ("c1-2=a:1,node3=b:1", "\"node3\" is not a validator's name"),
        ("c1-2=a:1,c1-3=b:99999", "c1-3: \"b:99999\" is not HOST:PORT"),
    ] {
        assert!(refusal(peers).contains(words), "{}", refusal(peers));
    }
    let spaced = resolve(None, [], [flag("network.peers", "c1-2=a:1, c2-1=b.example:2")]).unwrap().settings;
    let peers: Vec<String> =
        spaced.peers.iter().map(|(peer, endpoint)| format!("{peer} {endpoint}")).collect();
    assert_eq!(peers, ["c1-2 a:1", "c2-1 b.example:2"]);
    assert!(resolve(None, [], [flag("network.peers", "")]).unwrap().settings.peers.is_empty());
}

#[test]
fn misspelt_variables_are_named() {
    let names = ["DGT_API_ADRESS", "DGT_API_ADDRESS", "DGT_HOME", "PATH", "DGT_A"];
    let variables = names.map(|name| (name.to_owned(), String::new()));
    assert_eq!(unknown_variables(variables), ["DGT_A", "DGT_API_ADRESS"]);
}

#[test]
fn a_file_that_is_not_read_is_named() {
    let missing = resolve(Some(std::path::Path::new("/nowhere/dgt.toml")), [], []).map(drop).unwrap_err();
    assert!(missing.to_string().contains("/nowhere/dgt.toml"));
    let large = format!("#{}", "x".repeat(1 << 20));
    assert!(resolve_file(large).map(drop).unwrap_err().contains("dgt.toml"));
    assert!(resolve_file([0xff, 0xfe]).is_err());
}

proptest! {
    #[test]
    fn any_file_gives_settings_or_a_refusal(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        text in "(\\[?(api|limits|log|level|admin|network|peers)[.\\]=\n ]{1,3}(\"[a-z]*\"|[0-9]{0,30})?\n?){0,6}",
    ) {
        let _ = resolve_file(bytes);
        let _ = resolve_file(text);
    }
}
