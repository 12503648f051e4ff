//! The description of the interface is as agreed, and true.

use std::path::Path;

use serde_json::Value;

use crate::node::Node;
use crate::signing::{address, batch};

/// `DGT_BLESS=1` writes the description as it is now: read the difference before committing it.
#[tokio::test]
async fn the_description_is_as_agreed() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/openapi.json");
    let answer = Node::start().await.get("/openapi.json").await;
    assert_eq!(answer.status, 200);
    let found = format!("{}\n", answer.body);
    if std::env::var_os("DGT_BLESS").is_some() {
        std::fs::create_dir_all(golden.parent().unwrap()).unwrap();
        std::fs::write(&golden, &found).unwrap();
    }
    let agreed = std::fs::read_to_string(&golden).unwrap_or_default();
    assert!(found == agreed, "the description changed; DGT_BLESS=1 takes it over into {}", golden.display());
}

#[tokio::test]
async fn every_get_answers_in_the_shape_described() {
    let node = Node::start().await;
    let batch = batch(1, &[format!("{} x", address(1)), address(2)]);
    node.commit_all(&[&batch]).await;
    let (head, transaction) = (node.ledger.head().id, batch.transactions[0].id);
    let document = node.get("/openapi.json").await.json();
    let mut checked = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        let Some(get) = item.get("get") else { continue };
        let id = match path.split('/').nth(1).unwrap() {
            "blocks" | "dag" => head.to_string(),
            "batches" | "batch_statuses" => batch.id.to_string(),
            _ => transaction.to_string(),
        };
        let query = if ["/batch_statuses", "/receipts"].contains(&path.as_str()) {
            format!("?id={id}")
        } else {
            String::new()
        };
        let url = path.replace("{id}", &id).replace("{address}", &address(1)) + &query;
        for url in [url.clone(), format!("{url}?proof=true")] {
            if path == "/events"
                || path == "/subscriptions"
                || (url.ends_with("?proof=true") && path != "/state/{address}")
            {
                continue;
            }
            let answer = node.get(&url).await;
            let content = get["responses"][answer.status.to_string()]["content"].as_object();
            let (media, described) =
                content.unwrap_or_else(|| panic!("{url}: {answer:?}")).iter().next().unwrap();
            assert_eq!(answer.status, 200, "{url}");
            assert!(answer.head.contains(&format!("content-type: {media};")), "{url}: {}", answer.head);
            if media == "application/json" {
                check(&document, &described["schema"], &answer.json(), &url);
            }
            checked += 1;
        }
    }
    // The two streams have tests of their own; a value is asked for with and without its proof.
    let gets =
        document["paths"].as_object().unwrap().values().filter(|item| item.get("get").is_some()).count();
    assert_eq!(checked, gets - 2 + 1);
    let missing = node.get("/blocks/1").await;
    let described = &document["paths"]["/blocks/{id}"]["get"]["responses"]["400"]["content"]["application/json"]
        ["schema"];
    check(&document, described, &missing.json(), "/blocks/1");
}

/// Checks a value against the parts of JSON Schema that the description uses.
fn check(document: &Value, schema: &Value, value: &Value, at: &str) {
    assert!(matches(document, schema, value), "{at}: {value}\nis not\n{schema}");
    let schema = resolve(document, schema);
    if let (Some(properties), Some(fields)) = (schema["properties"].as_object(), value.as_object()) {
        for (name, field) in fields {
            check(document, &properties[name], field, &format!("{at} .{name}"));
        }
    }
    for item in value.as_array().into_iter().flatten().filter(|_| schema["items"].is_object()) {
        check(document, &schema["items"], item, &format!("{at} []"));
    }
}

fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
        None => schema,
    }
}

fn matches(document: &Value, schema: &Value, value: &Value) -> bool {
    let schema = resolve(document, schema);
    if let Some(choices) = schema["oneOf"].as_array() {
        return choices.iter().filter(|choice| matches(document, choice, value)).count() == 1;
    }
    let names = |value: &Value| match value {
        Value::Null => vec!["null"],
        Value::Bool(_) => vec!["boolean"],
        Value::Number(_) => vec!["integer", "number"],
        Value::String(_) => vec!["string"],
        Value::Array(_) => vec!["array"],
        Value::Object(_) => vec!["object"],
    };
    let kinds = match &schema["type"] {
        Value::String(kind) => vec![kind.as_str()],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => names(value),
    };
    let has_kind = names(value).iter().any(|name| kinds.contains(name));
    let is_one = schema["enum"].as_array().is_none_or(|values| values.contains(value));
    let is_const = schema.get("const").is_none_or(|one| one == value);
    let fields = value.as_object();
    let has_required = schema["required"].as_array().is_none_or(|required| {
        required.iter().all(|name| fields.is_some_and(|fields| fields.contains_key(name.as_str().unwrap())))
    });
    let is_closed = schema["additionalProperties"] == Value::Bool(false);
    let has_no_other = !is_closed
        || fields.is_none_or(|fields| fields.keys().all(|name| schema["properties"].get(name).is_some()));
    let nested = schema["properties"].as_object().is_none_or(|properties| {
        properties.iter().all(|(name, schema)| {
            fields.and_then(|fields| fields.get(name)).is_none_or(|field| matches(document, schema, field))
        })
    });
    has_kind && is_one && is_const && has_required && has_no_other && nested
}

#[tokio::test]
async fn the_page_needs_no_other_site() {
    let answer = Node::start().await.get("/docs").await;
    assert_eq!(answer.status, 200);
    assert!(answer.head.contains("content-security-policy: default-src 'none'"), "{}", answer.head);
    assert!(!answer.body.contains("http://") && !answer.body.contains("https://"), "it names another site");
}
