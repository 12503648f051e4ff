//! Lists against a naive model: the whole list in memory, cut by hand.

use api::ApiLimits;
use ledger_types::Batch;
use serde_json::{Value, json};

use crate::node::Node;
use crate::signing::{address, batch};

/// Block 0 is empty, block n has n batches of two transactions, and block 2 also has a rejection.
async fn chain() -> (Node, Vec<Vec<Batch>>) {
    let node = Node::start().await;
    let mut blocks = vec![Vec::new()];
    for height in 1..=3_u8 {
        let payload = |n: u8, t: u8| format!("{} {height}{n}{t}", address(10 * n + t));
        let batches: Vec<_> =
            (0..height).map(|n| batch(10 * height + n, &[payload(n, 0), payload(n, 1)])).collect();
        let rejected = batch(200 + height, &["no".into()]);
        let mut submitted: Vec<_> = batches.iter().collect();
        if height == 2 {
            submitted.insert(1, &rejected);
        }
        node.commit_all(&submitted).await;
        blocks.push(batches);
    }
    (node, blocks)
}

/// The ids that each list has, newest block first.
fn model(node: &Node, blocks: &[Vec<Batch>], up_to: usize) -> [(&'static str, Vec<String>, Vec<String>); 3] {
    let reader = node.ledger.reader();
    let heights: Vec<u64> = (0..=up_to as u64).rev().collect();
    let block_ids =
        heights.iter().map(|height| reader.block_id(*height).unwrap().unwrap().to_string()).collect();
    let positions = heights.iter().map(|height| format!("0x{height:016x}")).collect();
    let batches: Vec<&Batch> = blocks[..=up_to].iter().rev().flatten().collect();
    let batch_ids: Vec<_> = batches.iter().map(|batch| batch.id.to_string()).collect();
    let transactions = batches.iter().flat_map(|batch| &batch.transactions);
    let transaction_ids: Vec<_> = transactions.map(|transaction| transaction.id.to_string()).collect();
    [
        ("blocks", positions, block_ids),
        ("batches", batch_ids.clone(), batch_ids),
        ("transactions", transaction_ids.clone(), transaction_ids),
    ]
}

fn ids(answer: &Value) -> Vec<&str> {
    let data = answer["data"].as_array().unwrap();
    data.iter().map(|item| item["header_signature"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn every_page_of_every_list_is_that_of_the_model() {
    let (node, blocks) = chain().await;
    let head = |height: usize| node.ledger.reader().block_id(height as u64).unwrap().unwrap();
    for up_to in 0..=3 {
        for (route, mut positions, mut expected) in model(&node, &blocks, up_to) {
            for reverse in ["", "&reverse"] {
                for from in 0..expected.len() {
                    for limit in [1, 2, 5, 100] {
                        let start = &positions[from];
                        let query = format!("head={}&start={start}&limit={limit}{reverse}", head(up_to));
                        let answer = node.get(&format!("/{route}?{query}")).await.json();
                        let to = expected.len().min(from + limit);
                        assert_eq!(ids(&answer), expected[from..to], "{route} {query}");
                        let base = format!("http://node:8108/{route}");
                        assert_eq!(answer["link"], format!("{base}?{query}"));
                        assert_eq!(answer["head"], head(up_to).to_string());
                        let mut paging = json!({"limit": limit, "start": start});
                        if let Some(next) = positions.get(to) {
                            let query = format!("head={}&start={next}&limit={limit}{reverse}", head(up_to));
                            paging["next"] = format!("{base}?{query}").into();
                            paging["next_position"] = next.clone().into();
                        }
                        assert_eq!(answer["paging"], paging, "{route} {query}");
                    }
                }
                positions.reverse();
                expected.reverse();
            }
        }
    }
}

#[tokio::test]
async fn following_next_stays_on_the_head_it_began_with() {
    let (node, blocks) = chain().await;
    let [_, (_, _, expected), _] = model(&node, &blocks, 3);
    let (mut found, mut path) = (Vec::new(), "/batches?limit=2".to_owned());
    for height in 0.. {
        let answer = node.get(&path).await.json();
        found.extend(ids(&answer).into_iter().map(str::to_owned));
        let Some(next) = answer["paging"]["next"].as_str() else { break };
        path = next.strip_prefix("http://node:8108").unwrap().to_owned();
        node.commit_all(&[&batch(100 + height, &[format!("{} later", address(height))])]).await;
    }
    assert_eq!(found, expected);
}

#[tokio::test]
async fn an_id_filter_keeps_the_order_asked_and_leaves_out_what_is_unknown() {
    let (node, blocks) = chain().await;
    let ids_of = |batches: &[&Batch]| batches.iter().map(|batch| batch.id.to_string()).collect::<Vec<_>>();
    let (old, new) = (&blocks[1][0], &blocks[3][2]);
    let filter = format!("{},{},{}", old.id, "0".repeat(128), new.id);
    let head_1 = node.ledger.reader().block_id(1).unwrap().unwrap();
    let head_3 = node.ledger.head().id;
    for (query, expected) in [
        (format!("id={filter}"), ids_of(&[old, new])),
        (format!("id={filter}&reverse=default"), ids_of(&[new, old])),
        (format!("id={filter}&limit=1"), ids_of(&[old])),
        (format!("id={filter}&start={}", new.id), ids_of(&[new])),
        (format!("id={filter}&head={head_1}"), ids_of(&[old])),
    ] {
        assert_eq!(ids(&node.get(&format!("/batches?{query}")).await.json()), expected, "{query}");
    }
    let none = node.get(&format!("/batches?id={}&start=x", "0".repeat(128))).await.json();
    assert_eq!(none["data"], json!([]));
    let link = format!("http://node:8108/batches?head={head_3}&start&limit=0&id={}", "0".repeat(128));
    assert_eq!(none["link"], link);
    assert_eq!(node.get(&format!("/batches?id={filter}&start={}", blocks[2][0].id)).await.error(), (400, 54));

    let of_blocks = node.get(&format!("/blocks?id={head_3},{head_1}&limit=1&reverse")).await.json();
    assert_eq!(ids(&of_blocks), [head_3.to_string(), head_1.to_string()], "blocks by id are not paged");
    let link = format!("http://node:8108/blocks?head={head_3}&start&limit=0&id={head_3},{head_1}&reverse");
    assert_eq!(
        (of_blocks["link"].as_str(), &of_blocks["paging"]),
        (Some(&*link), &json!({"limit": 1, "start": null}))
    );
}

#[tokio::test]
async fn a_page_without_a_limit_has_100_items_and_no_limit_in_its_next_link() {
    let node = Node::start().await;
    let batches: Vec<_> = (0..=100).map(|n| batch(n, &[format!("{} x", address(n))])).collect();
    node.commit_all(&batches.iter().collect::<Vec<_>>()).await;
    let (head, last) = (node.ledger.head().id, batches[100].id);
    let answer = node.get("/batches").await.json();
    assert_eq!(answer["data"].as_array().unwrap().len(), 100);
    assert_eq!(
        answer["link"],
        format!("http://node:8108/batches?head={head}&start={}&limit=100", batches[0].id)
    );
    let next = format!("http://node:8108/batches?head={head}&start={last}");
    assert_eq!(answer["paging"], json!({"limit": null, "next": next, "next_position": last, "start": null}));
    let many = node.get("/batches?limit=4000").await.json();
    assert_eq!((ids(&many).len(), &many["paging"]["limit"]), (101, &json!(4_000)));
    assert!(many["link"].as_str().unwrap().ends_with("&limit=1000"));
}

#[tokio::test]
async fn large_items_end_a_page_early_and_by_id_are_refused() {
    let node = Node::with_limits(ApiLimits { page_bytes: 20_000, ..ApiLimits::default() }).await;
    let mut filter = Vec::new();
    for n in 0..3 {
        node.commit_all(&[&batch(n, &[format!("{} {}", address(n), "x".repeat(15_000))])]).await;
        filter.push(node.ledger.head().id.to_string());
    }
    for route in ["blocks", "batches", "transactions", "state"] {
        let answer = node.get(&format!("/{route}")).await.json();
        assert_eq!(answer["data"].as_array().unwrap().len(), 1, "{route}");
        assert!(answer["paging"]["next"].is_string(), "{route}");
    }
    assert_eq!(node.get(&format!("/blocks?id={}", filter.join(","))).await.error(), (400, 103));
    assert_eq!(node.get(&format!("/blocks?id={}", filter[0])).await.status, 200);
}

#[tokio::test]
async fn state_is_listed_by_prefix_in_both_directions_and_at_any_head() {
    let node = Node::start().await;
    let payloads: Vec<_> = (0..40).map(|n| format!("{} {n}", address(n))).collect();
    node.commit_all(&[&batch(1, &payloads)]).await;
    let first = node.ledger.head().id;
    node.commit_all(&[&batch(2, &[address(20), format!("{} new", address(21))])]).await;
    let model =
        |at_first: bool| (0..40).map(address).filter(|a| at_first || *a != address(20)).collect::<Vec<_>>();
    for (head, mut expected) in [(first, model(true)), (node.ledger.head().id, model(false))] {
        for reverse in ["", "&reverse"] {
            for from in [0, 1, 15, 16, 17, 38] {
                for limit in [1, 15, 16, 17, 33, 100] {
                    let query =
                        format!("head={head}&start={}&limit={limit}&address=aabbcc{reverse}", expected[from]);
                    let answer = node.get(&format!("/state?{query}")).await.json();
                    let found: Vec<_> = answer["data"]
                        .as_array()
                        .unwrap()
                        .iter()
                        .map(|item| item["address"].as_str().unwrap())
                        .collect();
                    let to = expected.len().min(from + limit);
                    assert_eq!(found, expected[from..to], "{query}");
                    assert_eq!(
                        answer["paging"]["next_position"].as_str(),
                        expected.get(to).map(String::as_str)
                    );
                    assert_eq!(answer["link"], format!("http://node:8108/state?{query}"));
                }
            }
            expected.reverse();
        }
    }
    let one = node.get(&format!("/state?address={}", &address(21)[..40])).await.json();
    assert_eq!(one["data"], json!([{"address": address(21), "data": "bmV3"}]));
    let none = node.get("/state?address=00&start=whatever").await.json();
    assert_eq!((&none["data"], none["paging"]["start"].as_str()), (&json!([]), Some("whatever")));
    assert_eq!(node.get(&format!("/state?start={}", address(20))).await.error(), (400, 54));
}
