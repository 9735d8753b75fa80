//! Sixteen writers on the same nodes of one catalog, on one server and on two: no write is lost, none fails.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};
use tiled_tests::{Answer, Client, Server};

use crate::{
    Place,
    bodies::{ARROW, RAW, array, container, elements, growing_table, numbers, ragged, rows},
    places,
};

const WRITERS: u64 = 16;
const ROUNDS: u64 = 8;

fn send(client: &Client, method: &str, url: &str, media_type: &str, body: &[u8]) -> Answer {
    let answer = client.send(method, url, &[("content-type", media_type)], body);
    assert!(answer.status < 500, "{method} {url}: {} {}", answer.status, answer.text());
    answer
}

fn structure(client: &Client, key: &str) -> Value {
    client.get(&format!("/api/v1/metadata/{key}")).json()["data"]["attributes"]["structure"].clone()
}

/// All writes of one writer.
fn write(client: &Client, writer: u64, next: &AtomicU64) {
    for round in 0..ROUNDS {
        let number = writer * ROUNDS + round;
        let patch = json!({"content-type": "application/json-patch+json",
                           "metadata": [{"op": "add", "path": "/list/-", "value": number}], "specs": null});
        let patch = patch.to_string();
        send(client, "PATCH", "/api/v1/metadata/node", "application/json", patch.as_bytes()).json();
        // Not in order: whoever comes with a smaller offset finds the array longer already. Four rows share a chunk.
        let at = next.fetch_add(1, Ordering::SeqCst);
        let url = format!("/api/v1/array/full/array?offset={}&shape=1,4&extend=true", at + 4);
        send(client, "PATCH", &url, RAW, &elements(&[at as f64; 4])).json();
        // A part of a block each.
        let url = format!("/api/v1/array/full/halves?offset={number}&shape=1");
        send(client, "PATCH", &url, RAW, &elements(&[number as f64 + 1.0])).json();
        let url = "/api/v1/table/partition/table?partition=0";
        send(client, "PATCH", url, ARROW, &rows(&[number as i64, number as i64])).json();
        append_list(client, number);
        let key = format!("c{number}");
        let document = container(&key, json!({"number": number})).to_string();
        send(client, "POST", "/api/v1/metadata/", "application/json", document.as_bytes()).json();
        if round % 2 == 1 {
            send(client, "DELETE", &format!("/api/v1/metadata/{key}"), "text/plain", b"").json();
        }
        // Only one of all gets it.
        let document = container(&format!("race{round}"), json!({})).to_string();
        let made = send(client, "POST", "/api/v1/metadata/races", "application/json", document.as_bytes());
        assert!(matches!(made.status, 200 | 409), "{}", made.text());
        if made.status == 200 {
            let patch = json!({"content-type": "application/json-patch+json",
                               "metadata": [{"op": "add", "path": "/won/-", "value": round}], "specs": null});
            let patch = patch.to_string();
            send(client, "PATCH", "/api/v1/metadata/races", "application/json", patch.as_bytes()).json();
        }
    }
}

/// A list goes to the end, wherever that is by then.
fn append_list(client: &Client, number: u64) {
    loop {
        let length = structure(client, "ragged")["shape"][0].as_u64().unwrap();
        let url = format!("/api/v1/ragged/full/ragged?offset={length}&shape=1&extend=true");
        let lists = json!([[number as f64, number as f64 + 0.5]]).to_string();
        let answer = send(client, "PATCH", &url, "application/json", lists.as_bytes());
        match answer.status {
            200 => return,
            409 => {}
            other => panic!("{other} {}", answer.text()),
        }
    }
}

fn look(client: &Client) {
    let all: Vec<u64> = (0..WRITERS * ROUNDS).collect();
    let sorted = |mut values: Vec<u64>| {
        values.sort_unstable();
        values
    };
    let list = |key: &str, name: &str| -> Vec<u64> {
        let found = client.get(&format!("/api/v1/metadata/{key}")).json();
        let values = found["data"]["attributes"]["metadata"][name].as_array().unwrap().clone();
        values.iter().map(|value| value.as_u64().unwrap()).collect()
    };
    assert_eq!(sorted(list("node", "list")), all, "an update is lost");
    let revisions = client.get("/api/v1/revisions/node?page[limit]=0").json();
    assert_eq!(revisions["meta"]["count"], WRITERS * ROUNDS);
    assert_eq!(structure(client, "array")["shape"], json!([4 + WRITERS * ROUNDS, 4]), "an extension is lost");
    let wanted: Vec<f64> = all.iter().flat_map(|at| [*at as f64; 4]).collect();
    assert_eq!(numbers(&client.get("/api/v1/array/full/array").body)[16..], wanted, "a row is lost");
    let wanted: Vec<f64> = all.iter().map(|number| *number as f64 + 1.0).collect();
    assert_eq!(numbers(&client.get("/api/v1/array/full/halves").body), wanted, "a part of a block is lost");
    let text = client.get("/api/v1/table/full/table?format=csv");
    let found: Vec<u64> = text.text().lines().skip(1).map(|line| line.parse().unwrap()).collect();
    assert!(found.chunks(2).all(|pair| pair[0] == pair[1]), "rows of one write are apart: {found:?}");
    assert_eq!(sorted(found.iter().step_by(2).copied().collect()), all);
    let lists = client.get("/api/v1/ragged/full/ragged?format=application/json");
    let lists: Vec<Vec<f64>> = serde_json::from_slice(&lists.body).unwrap();
    assert!(lists.iter().all(|list| list[1] == list[0] + 0.5), "{lists:?}");
    assert_eq!(sorted(lists.iter().map(|list| list[0] as u64).collect()), all);
    for number in &all {
        let status = client.get(&format!("/api/v1/metadata/c{number}")).status;
        assert_eq!(status, if (number % ROUNDS) % 2 == 1 { 404 } else { 200 }, "c{number}");
    }
    assert_eq!(sorted(list("races", "won")), (0..ROUNDS).collect::<Vec<_>>(), "a key was given twice");
}

fn sixteen_writers(place: &Place, servers: usize) {
    let servers: Vec<Server> = (0..servers).map(|_| place.serve()).collect();
    let first = servers[0].owner();
    for document in [
        container("node", json!({"list": []})),
        array("array", &[4, 4], json!([[4], [4]])),
        array("halves", &[WRITERS * ROUNDS], json!([vec![4; (WRITERS * ROUNDS / 4) as usize]])),
        growing_table("table"),
        ragged("ragged"),
        container("races", json!({"won": []})),
    ] {
        first.post("/api/v1/metadata/", &document).json();
    }
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (server, next) = (&servers[writer as usize % servers.len()], &next);
            scope.spawn(move || write(&server.owner(), writer, next));
        }
    });
    for server in servers {
        look(&server.owner());
        server.end();
    }
}

#[test]
fn sixteen_writers_lose_nothing_on_one_server() {
    for place in places() {
        sixteen_writers(&place, 1);
    }
}

#[test]
fn sixteen_writers_lose_nothing_on_two_servers() {
    for place in places() {
        sixteen_writers(&place, 2);
    }
}
