//! Submission, and what becomes of batches.

use std::time::Duration;

use api::ApiLimits;
use serde_json::json;

use crate::client;
use crate::node::Node;
use crate::signing::{address, batch};

#[tokio::test]
async fn a_batch_is_pending_after_202_and_then_committed_or_invalid() {
    let node = Node::start().await;
    let good = batch(1, &[format!("{} x", address(1))]);
    let bad = batch(2, &[format!("{} y", address(2)), "no \"such\" thing".into()]);
    let answer = node.submit(&[&good, &bad]).await;
    let link = format!("http://node:8108/batch_statuses?id={},{}", good.id, bad.id);
    assert_eq!((answer.status, answer.body), (202, format!("{{\n  \"link\": \"{link}\"\n}}")));

    let unknown = "0".repeat(128);
    let path = format!("/batch_statuses?id={},{},{unknown}", bad.id, good.id);
    let status = |id: &dyn ToString, status: &str| json!({"id": id.to_string(), "invalid_transactions": [], "status": status});
    let expected = json!({
        "data": [status(&bad.id, "PENDING"), status(&good.id, "PENDING"), status(&unknown, "UNKNOWN")],
        "link": format!("http://node:8108{path}"),
    });
    assert_eq!(node.get(&path).await.json(), expected);

    node.commit();
    let invalid = json!({
        "id": bad.id,
        "invalid_transactions": [{"id": bad.transactions[1].id, "message": "no \"such\" thing"}],
        "status": "INVALID",
    });
    let expected = json!([invalid, status(&good.id, "COMMITTED"), status(&unknown, "UNKNOWN")]);
    let by_query = node.get(&path).await;
    assert_eq!((by_query.status, &by_query.json()["data"]), (200, &expected));
    let ids = json!([bad.id, good.id, unknown]).to_string();
    let by_body = node.post("/batch_statuses", "application/json", ids.as_bytes()).await;
    assert_eq!(by_body.json(), json!({"data": expected}));
}

#[tokio::test]
async fn a_new_attempt_is_pending_until_it_is_decided() {
    let node = Node::start().await;
    let bad = batch(1, &["no".into()]);
    let path = format!("/batch_statuses?id={}", bad.id);
    for expected in ["INVALID", "INVALID"] {
        assert_eq!(node.submit(&[&bad]).await.status, 202);
        assert_eq!(node.get(&path).await.json()["data"][0]["status"], "PENDING");
        node.commit();
        assert_eq!(node.get(&path).await.json()["data"][0]["status"], expected);
    }
}

#[tokio::test]
async fn a_wait_ends_with_the_head_that_decides_the_last_batch() {
    let node = Node::start().await;
    let (good, bad) = (batch(1, &[format!("{} x", address(1))]), batch(2, &["no".into()]));
    node.submit(&[&good, &bad]).await;
    let (address, path) = (node.address, format!("/batch_statuses?id={},{}&wait=200", good.id, bad.id));
    let waiting = tokio::spawn(async move { client::send(address, "GET", &path, "", b"").await });
    node.until_waiting(1).await;
    node.commit();
    let statuses = waiting.await.unwrap().json();
    assert_eq!(statuses["data"][0]["status"], "COMMITTED");
    assert_eq!(statuses["data"][1]["status"], "INVALID");
}

#[tokio::test]
async fn a_wait_ends_in_time_when_nothing_is_decided() {
    let limits = ApiLimits { wait_max: Duration::from_millis(30), ..ApiLimits::default() };
    let node = Node::with_limits(limits).await;
    let batch = batch(1, &["no".into()]);
    node.submit(&[&batch]).await;
    for wait in ["wait", "wait=0", "wait=100000", "wait=false", "wait=soon"] {
        let answer = node.get(&format!("/batch_statuses?id={}&{wait}", batch.id)).await;
        assert_eq!(answer.json()["data"][0]["status"], "PENDING", "{wait}");
    }
    let unknown = node.get(&format!("/batch_statuses?id={}&wait=100000", "0".repeat(128))).await;
    assert_eq!(unknown.json()["data"][0]["status"], "UNKNOWN");
}

#[tokio::test]
async fn many_ids_are_answered_in_the_order_asked() {
    let node = Node::start().await;
    let batches: Vec<_> = (0..40).map(|n| batch(n, &[format!("{} x", address(n))])).collect();
    node.commit_all(&batches.iter().collect::<Vec<_>>()).await;
    let ids: Vec<_> = batches.iter().rev().map(|batch| batch.id).chain([batches[7].id]).collect();
    let body = serde_json::to_vec(&ids).unwrap();
    let answer = node.post("/batch_statuses?wait=10", "application/json", &body).await.json();
    let found: Vec<_> = answer["data"].as_array().unwrap().iter().map(|status| &status["id"]).collect();
    assert_eq!(json!(found), json!(ids));
}

#[tokio::test]
async fn queries_of_a_submission_are_echoed_into_its_link() {
    let node = Node::start().await;
    let batch = batch(1, &["no".into()]);
    let body = crate::signing::list(&[&batch]);
    let headers = "content-type: application/octet-stream\r\nx-forwarded-path: /api\r\n";
    let answer = client::send(node.address, "POST", "/batches?wait=5&a", headers, &body).await;
    let link = format!("http://node:8108/api/batch_statuses?a&id={}&wait=5", batch.id);
    assert_eq!(answer.json(), json!({"link": link}));
}
