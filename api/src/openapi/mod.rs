//! The description of the interface in OpenAPI 3.1, made of a table of operations, the table of errors and the schemas
//! of what is answered. `tests/golden/openapi.json` is what it must say; that every path in it is served, and answers as
//! described, is tested too.

mod operations;
mod schemas;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::error::ErrorKind;
use operations::{Body, OPERATIONS, Operation, Parameter};

/// The document.
pub(crate) fn document() -> Value {
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for operation in OPERATIONS {
        paths.entry(operation.path).or_default().insert(operation.method.to_owned(), describe(operation));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "dgt node",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The REST interface of a dgt ledger node. Clients of Hyperledger Sawtooth 1.x work unchanged. \
                            HEAD is answered wherever GET is.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": schemas::all()},
    })
}

fn describe(operation: &Operation) -> Value {
    let mut responses: Map<String, Value> = errors(operation.errors);
    let media = operation.answer.media;
    let content = match operation.answer.schema {
        "" => json!({media: {"schema": {"type": "string"}}}),
        schema => json!({media: {"schema": reference(schema)}}),
    };
    let answer = match media {
        "" => json!({"description": operation.answer.description}),
        _ => json!({"description": operation.answer.description, "content": content}),
    };
    responses.insert(operation.answer.status.to_string(), answer);
    let parameters: Vec<Value> = operation.parameters.iter().map(Parameter::describe).collect();
    let mut described = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "parameters": parameters,
        "responses": responses,
    });
    if let Some(Body { media, schema, description }) = operation.body {
        let content = json!({media: {"schema": schemas::body(schema)}});
        described["requestBody"] = json!({"required": true, "description": description, "content": content});
    }
    described
}

/// The error responses by HTTP status. Any request may meet a fault of the node.
fn errors(kinds: &[ErrorKind]) -> Map<String, Value> {
    let mut by_status: BTreeMap<u16, Vec<String>> = BTreeMap::new();
    for kind in kinds.iter().chain([&ErrorKind::UnknownValidatorError]) {
        let (code, status, title, _) = kind.row();
        by_status.entry(status.as_u16()).or_default().push(format!("{code} {title}"));
    }
    let describe = |codes: Vec<String>| {
        let content = json!({"application/json": {"schema": reference("Error")}});
        json!({"description": codes.join("; "), "content": content})
    };
    by_status.into_iter().map(|(status, codes)| (status.to_string(), describe(codes))).collect()
}

fn reference(schema: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{schema}")})
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::document;

    #[test]
    fn every_reference_has_a_schema_and_every_schema_is_used() {
        let document = document();
        let text = document.to_string();
        let defined: BTreeSet<&str> =
            document["components"]["schemas"].as_object().unwrap().keys().map(String::as_str).collect();
        let used: BTreeSet<&str> = text
            .split("\"$ref\":\"#/components/schemas/")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap())
            .collect();
        assert_eq!(used, defined);
    }

    #[test]
    fn operations_have_names_of_their_own_and_declare_their_path_parameters() {
        let document = document();
        let mut ids = BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for operation in item.as_object().unwrap().values() {
                assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{path}");
                let declared = operation["parameters"].as_array().unwrap().iter();
                let declared = declared.filter(|parameter| parameter["in"] == "path").count();
                assert_eq!(declared, path.matches('{').count(), "{path}");
            }
        }
    }
}
