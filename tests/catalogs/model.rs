//! Writers who know what they were promised. Each writes to nodes of its own, remembers what was acknowledged and the one
//! write whose outcome it does not know, and can tell whether what is there is one of the two.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tiled_tests::Client;

use crate::{
    bodies::{ARROW, RAW, array, container, elements, numbers, rows, table},
    growing::{Growing, Lists, RowsOfATable, RowsOfAnArray},
};

/// The server went before it answered, or could not say.
#[derive(Debug)]
pub struct Unknown;

/// One write. 503 is an answer of a server whose database has gone: what became of the write is not known.
///
/// # Panics
/// At any other refusal.
pub fn acknowledged(
    client: &Client,
    method: &str,
    url: &str,
    media_type: &str,
    body: &[u8],
) -> Result<(), Unknown> {
    match client.try_send(method, url, &[("content-type", media_type)], body) {
        Err(_) => Err(Unknown),
        Ok(answer) if answer.status == 503 => Err(Unknown),
        Ok(answer) => {
            let said = String::from_utf8_lossy(&answer.body).into_owned();
            assert_eq!(answer.status, 200, "{method} {url}: {said}");
            Ok(())
        }
    }
}

/// A document, sent.
///
/// # Panics
/// As [`acknowledged`].
pub fn sent(client: &Client, method: &str, url: &str, document: &Value) -> Result<(), Unknown> {
    acknowledged(client, method, url, "application/json", document.to_string().as_bytes())
}

/// A node and its data, deleted.
///
/// # Panics
/// As [`acknowledged`].
pub fn deleted(client: &Client, key: &str) -> Result<(), Unknown> {
    let url = format!("/api/v1/metadata/{key}?recursive=true&external_only=false");
    acknowledged(client, "DELETE", &url, "text/plain", b"")
}

/// Whether there is such a node.
pub fn exists(client: &Client, key: &str) -> bool {
    let answer = client.get(&format!("/api/v1/metadata/{key}"));
    assert!(matches!(answer.status, 200 | 404), "{key}: {} {}", answer.status, answer.text());
    answer.status == 200
}

/// Writes, and knows what must be there.
pub trait Writer: Send {
    /// The next write.
    ///
    /// # Errors
    /// `Unknown`, and no other step is asked for before a look.
    fn step(&mut self, client: &Client) -> Result<(), Unknown>;

    /// Looks whether what was acknowledged is there, and takes what is there of the unknown write for acknowledged.
    fn look(&mut self, client: &Client);
}

/// One of each kind.
pub fn writers() -> Vec<Box<dyn Writer>> {
    vec![
        Box::new(Blocks::default()),
        Box::new(Growing::new("rows", &RowsOfAnArray)),
        Box::new(Growing::new("table", &RowsOfATable)),
        Box::new(Growing::new("ragged", &Lists)),
        Box::new(Partitions::default()),
        Box::new(Nodes::default()),
        Box::new(Metadata::default()),
    ]
}

/// Blocks of an array, each full of one number.
#[derive(Default)]
struct Blocks {
    made: bool,
    there: [f64; Blocks::COUNT],
    pending: Option<(usize, f64)>,
    next: f64,
}

impl Blocks {
    const COUNT: usize = 6;
    /// Elements of a block: more than a page of memory, so that half of one could be seen.
    const SIZE: usize = 2000;
}

impl Writer for Blocks {
    fn step(&mut self, client: &Client) -> Result<(), Unknown> {
        if !self.made {
            let shape = (Self::COUNT * Self::SIZE) as u64;
            let document = array("blocks", &[shape], json!([vec![Self::SIZE; Self::COUNT]]));
            sent(client, "POST", "/api/v1/metadata/", &document)?;
            self.made = true;
        }
        self.next += 1.0;
        let (block, value) = (self.next as usize % Self::COUNT, self.next);
        self.pending = Some((block, value));
        let url = format!("/api/v1/array/block/blocks?block={block}");
        acknowledged(client, "PUT", &url, RAW, &elements(&vec![value; Self::SIZE]))?;
        self.there[block] = value;
        self.pending = None;
        Ok(())
    }

    fn look(&mut self, client: &Client) {
        if !self.made {
            self.made = exists(client, "blocks");
            return;
        }
        let answer = client.get("/api/v1/array/full/blocks");
        assert_eq!(answer.status, 200, "blocks: {}", answer.text());
        let found = numbers(&answer.body);
        for (block, values) in found.chunks(Self::SIZE).enumerate() {
            let value = values[0];
            assert!(values.iter().all(|other| *other == value), "block {block} is half written");
            let pending = self.pending.filter(|(place, _)| *place == block).map(|(_, value)| value);
            let wanted = self.there[block];
            assert!(value == wanted || Some(value) == pending, "block {block}: {value} instead of {wanted}");
            self.there[block] = value;
        }
        self.pending = None;
    }
}

/// Partitions of a table in files, each full of one number.
#[derive(Default)]
struct Partitions {
    made: bool,
    there: BTreeMap<usize, f64>,
    pending: Option<(usize, f64)>,
    next: f64,
}

impl Partitions {
    const COUNT: usize = 2;
    const ROWS: usize = 50;
}

impl Writer for Partitions {
    fn step(&mut self, client: &Client) -> Result<(), Unknown> {
        if !self.made {
            sent(client, "POST", "/api/v1/metadata/", &table("parts", Self::COUNT as u64))?;
            self.made = true;
        }
        self.next += 1.0;
        let (number, value) = (self.next as usize % Self::COUNT, self.next);
        self.pending = Some((number, value));
        let url = format!("/api/v1/table/partition/parts?partition={number}");
        acknowledged(client, "PUT", &url, ARROW, &rows(&[value as i64; Self::ROWS]))?;
        self.there.insert(number, value);
        self.pending = None;
        Ok(())
    }

    fn look(&mut self, client: &Client) {
        if !self.made {
            self.made = exists(client, "parts");
        }
        for number in 0..Self::COUNT {
            let pending = self.pending.filter(|(place, _)| *place == number).map(|(_, value)| value);
            let wanted = self.there.get(&number).copied();
            let url = format!("/api/v1/table/partition/parts?partition={number}&format=csv");
            let answer = client.get(&url);
            if wanted.is_none() && answer.status != 200 {
                // Nothing was ever written, and that is said.
                assert!(matches!(answer.status, 404 | 422), "{}", answer.text());
                continue;
            }
            assert_eq!(answer.status, 200, "{}", answer.text());
            let found: Vec<f64> = answer.text().lines().skip(1).map(|line| line.parse().unwrap()).collect();
            if wanted.is_none() && found.is_empty() {
                continue;
            }
            assert!(found.len() == Self::ROWS && found.iter().all(|value| *value == found[0]), "{found:?}");
            assert!(Some(found[0]) == wanted || Some(found[0]) == pending, "{found:?} instead of {wanted:?}");
            self.there.insert(number, found[0]);
        }
        self.pending = None;
    }
}

/// Nodes that come and go, some with values.
#[derive(Default)]
struct Nodes {
    made: bool,
    there: BTreeMap<usize, bool>,
    pending: Option<usize>,
    next: usize,
    gone: Vec<usize>,
}

impl Nodes {
    const MOST: usize = 12;

    fn path(number: usize) -> String {
        // Keys come again.
        format!("nodes/n{}", number % 40)
    }

    fn document(number: usize) -> Value {
        let key = format!("n{}", number % 40);
        if number.is_multiple_of(2) {
            return container(&key, json!({"number": number, "text": "x".repeat(3000)}));
        }
        let mut document = array(&key, &[4], json!([[4]]));
        document["metadata"] = json!({"number": number});
        document
    }

    /// What is at the place of a node: its number, if it is whole.
    fn read(client: &Client, number: usize) -> Option<usize> {
        let path = Self::path(number);
        let answer = client.get(&format!("/api/v1/metadata/{path}"));
        if answer.status == 404 {
            return None;
        }
        let found = answer.json();
        let metadata = &found["data"]["attributes"]["metadata"];
        let there = usize::try_from(metadata["number"].as_u64().unwrap()).unwrap();
        if there.is_multiple_of(2) {
            assert_eq!(metadata["text"].as_str().unwrap().len(), 3000);
        } else {
            let values = client.get(&format!("/api/v1/array/full/{path}"));
            assert_eq!(values.status, 200, "{path} is there and cannot be read: {}", values.text());
            assert_eq!(values.body, elements(&[0.0; 4]));
        }
        Some(there)
    }
}

impl Writer for Nodes {
    fn step(&mut self, client: &Client) -> Result<(), Unknown> {
        if !self.made {
            sent(client, "POST", "/api/v1/metadata/", &container("nodes", json!({})))?;
            self.made = true;
        }
        if self.there.len() >= Self::MOST {
            let number = *self.there.keys().next().unwrap();
            self.pending = Some(number);
            deleted(client, &Self::path(number))?;
            self.there.remove(&number);
            self.gone.push(number);
        } else {
            self.next += 1;
            self.pending = Some(self.next);
            sent(client, "POST", "/api/v1/metadata/nodes", &Self::document(self.next))?;
            self.there.insert(self.next, true);
        }
        self.pending = None;
        Ok(())
    }

    fn look(&mut self, client: &Client) {
        if !self.made {
            self.made = exists(client, "nodes");
            return;
        }
        if let Some(number) = self.pending.take() {
            match Self::read(client, number) {
                Some(found) => {
                    assert_eq!(found, number);
                    self.there.insert(number, true);
                }
                None => drop(self.there.remove(&number)),
            }
        }
        for number in self.there.keys() {
            assert_eq!(Self::read(client, *number), Some(*number), "an acknowledged node is lost");
        }
        for number in self.gone.drain(..) {
            assert_ne!(Self::read(client, number), Some(number), "a node is back that was deleted");
        }
        let listed = client.get("/api/v1/search/nodes?fields=&page[limit]=100").json();
        assert_eq!(listed["data"].as_array().unwrap().len(), self.there.len(), "{listed}");
    }
}

/// One node's metadata, counted up; each former state is a revision.
#[derive(Default)]
struct Metadata {
    made: bool,
    there: u64,
    pending: bool,
}

impl Writer for Metadata {
    fn step(&mut self, client: &Client) -> Result<(), Unknown> {
        if !self.made {
            let document = container("counted", json!({"n": 0, "also": 0}));
            sent(client, "POST", "/api/v1/metadata/", &document)?;
            self.made = true;
        }
        self.pending = true;
        let n = self.there + 1;
        let patch = json!({"content-type": "application/merge-patch+json", "metadata": {"n": n, "also": n},
                           "specs": null});
        sent(client, "PATCH", "/api/v1/metadata/counted", &patch)?;
        self.there = n;
        self.pending = false;
        Ok(())
    }

    fn look(&mut self, client: &Client) {
        if !self.made {
            self.made = exists(client, "counted");
            return;
        }
        let found = client.get("/api/v1/metadata/counted").json();
        let metadata = &found["data"]["attributes"]["metadata"];
        let n = metadata["n"].as_u64().unwrap();
        assert_eq!(metadata["also"], n);
        let wanted = self.there;
        assert!(n == wanted || (self.pending && n == wanted + 1), "{n} instead of {wanted}");
        let revisions = client.get("/api/v1/revisions/counted?page[limit]=0").json();
        assert_eq!(revisions["meta"]["count"], n, "each change has left a revision");
        self.there = n;
        self.pending = false;
    }
}
