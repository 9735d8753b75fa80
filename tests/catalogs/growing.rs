//! Writers whose nodes grow: rows of an array, rows of a table, lists of a ragged array.

use serde_json::{Value, json};
use tiled_tests::Client;

use crate::{
    bodies::{ARROW, RAW, array, elements, growing_table, numbers, ragged, rows},
    model::{Unknown, Writer, acknowledged, deleted, exists, sent},
};

/// Something that grows by several items at a time, all of one number.
pub struct Growing {
    key: &'static str,
    kind: &'static dyn Kind,
    /// Whether it is there; `None`: it is not known.
    made: Option<bool>,
    there: Vec<(f64, usize)>,
    pending: Option<(f64, usize)>,
    next: f64,
}

/// What grows.
pub trait Kind: Sync {
    fn document(&self, key: &str) -> Value;
    fn add(&self, client: &Client, key: &str, at: usize, value: f64, count: usize) -> Result<(), Unknown>;
    /// The items in order.
    fn read(&self, client: &Client, key: &str) -> Vec<f64>;
}

impl Growing {
    /// Additions until it is deleted and made anew.
    const MOST: usize = 40;

    pub fn new(key: &'static str, kind: &'static dyn Kind) -> Self {
        Growing { key, kind, made: Some(false), there: vec![], pending: None, next: 0.0 }
    }

    fn make(&mut self, client: &Client, made: bool) -> Result<(), Unknown> {
        self.made = None;
        let document = self.kind.document(self.key);
        if made {
            deleted(client, self.key)?;
            self.there.clear();
        }
        sent(client, "POST", "/api/v1/metadata/", &document)?;
        self.made = Some(true);
        Ok(())
    }
}

impl Writer for Growing {
    fn step(&mut self, client: &Client) -> Result<(), Unknown> {
        let made = self.made.expect("a look comes first");
        if !made || self.there.len() >= Self::MOST {
            return self.make(client, made);
        }
        self.next += 1.0;
        let (value, count) = (self.next, 1 + self.next as usize % 4);
        let at = self.there.iter().map(|(_, count)| count).sum();
        self.pending = Some((value, count));
        self.kind.add(client, self.key, at, value, count)?;
        self.there.push((value, count));
        self.pending = None;
        Ok(())
    }

    fn look(&mut self, client: &Client) {
        let pending = self.pending.take();
        match self.made {
            Some(false) => return,
            Some(true) => {}
            None => {
                let found = exists(client, self.key);
                self.made = Some(found);
                if !found {
                    self.there.clear();
                    return;
                }
                // It is the old one, or it was made anew.
                if self.kind.read(client, self.key).is_empty() {
                    self.there.clear();
                }
            }
        }
        let items = |parts: &[(f64, usize)]| -> Vec<f64> {
            parts.iter().flat_map(|(value, count)| vec![*value; *count]).collect()
        };
        let found = self.kind.read(client, self.key);
        if let Some(pending) = pending
            && found.len() > items(&self.there).len()
        {
            self.there.push(pending);
        }
        let wanted = items(&self.there);
        assert_eq!(found, wanted, "{}, where {pending:?} was under way", self.key);
    }
}

pub struct RowsOfAnArray;

impl RowsOfAnArray {
    /// Rows there are from the beginning, and rows of a chunk: additions begin and end within chunks.
    const FIRST: usize = 3;
}

impl Kind for RowsOfAnArray {
    fn document(&self, key: &str) -> Value {
        array(key, &[Self::FIRST as u64, 16], json!([[Self::FIRST], [16]]))
    }

    fn add(&self, client: &Client, key: &str, at: usize, value: f64, count: usize) -> Result<(), Unknown> {
        let at = at + Self::FIRST;
        let url = format!("/api/v1/array/full/{key}?offset={at}&shape={count},16&extend=true");
        acknowledged(client, "PATCH", &url, RAW, &elements(&vec![value; 16 * count]))
    }

    fn read(&self, client: &Client, key: &str) -> Vec<f64> {
        let structure = client.get(&format!("/api/v1/metadata/{key}")).json();
        let rows = structure["data"]["attributes"]["structure"]["shape"][0].as_u64().unwrap();
        let answer = client.get(&format!("/api/v1/array/full/{key}"));
        assert_eq!(answer.status, 200, "{key}: {}", answer.text());
        let found = numbers(&answer.body);
        assert_eq!(found.len() as u64, rows * 16);
        let row = |values: &[f64]| {
            assert!(
                values.iter().all(|value| *value == values[0]),
                "a row of {key} is half written: {values:?}"
            );
            values[0]
        };
        let all: Vec<f64> = found.chunks(16).map(row).collect();
        let (first, added) = all.split_at(Self::FIRST);
        assert_eq!(first, [0.0; Self::FIRST]);
        added.to_vec()
    }
}

pub struct RowsOfATable;

impl Kind for RowsOfATable {
    fn document(&self, key: &str) -> Value {
        growing_table(key)
    }

    fn add(&self, client: &Client, key: &str, _at: usize, value: f64, count: usize) -> Result<(), Unknown> {
        let url = format!("/api/v1/table/partition/{key}?partition=0");
        acknowledged(client, "PATCH", &url, ARROW, &rows(&vec![value as i64; count]))
    }

    fn read(&self, client: &Client, key: &str) -> Vec<f64> {
        column(client, key)
    }
}

/// The only column of a table.
fn column(client: &Client, key: &str) -> Vec<f64> {
    let answer = client.get(&format!("/api/v1/table/full/{key}?format=csv"));
    assert_eq!(answer.status, 200, "{key}: {}", answer.text());
    answer.text().lines().skip(1).map(|line| line.parse().unwrap()).collect()
}

pub struct Lists;

impl Kind for Lists {
    fn document(&self, key: &str) -> Value {
        ragged(key)
    }

    fn add(&self, client: &Client, key: &str, at: usize, value: f64, count: usize) -> Result<(), Unknown> {
        let url = format!("/api/v1/ragged/full/{key}?offset={at}&shape={count}&extend=true");
        // Lists of different lengths.
        let lists: Vec<Vec<f64>> = (0..count).map(|n| vec![value; n + 1]).collect();
        acknowledged(client, "PATCH", &url, "application/json", json!(lists).to_string().as_bytes())
    }

    fn read(&self, client: &Client, key: &str) -> Vec<f64> {
        let structure = client.get(&format!("/api/v1/metadata/{key}")).json();
        if structure["data"]["attributes"]["structure"]["shape"][0] == json!(0) {
            return vec![];
        }
        let answer = client.get(&format!("/api/v1/ragged/full/{key}?format=application/json"));
        assert_eq!(answer.status, 200, "{key}: {}", answer.text());
        let lists: Vec<Vec<f64>> = serde_json::from_slice(&answer.body).unwrap();
        let mut found: Vec<f64> = vec![];
        for list in lists {
            let value = list[0];
            let place = if found.last() == Some(&value) {
                found.iter().rev().take_while(|other| **other == value).count()
            } else {
                0
            };
            assert_eq!(list, vec![value; place + 1], "{key}");
            found.push(value);
        }
        found
    }
}
