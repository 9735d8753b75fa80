//! Servers and databases that are killed while many write: nothing acknowledged is lost, nothing is half there, all that is
//! there can be read, and the next start is clean.
//!
//! `CRASHES` is how often; `SEED` repeats the moments of a run (what is under way then differs all the same).

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::Value;
use tiled_tests::{Client, Postgres, Server};

use crate::{
    Place,
    model::{Writer, writers},
};

/// What is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Crash {
    Server,
    Database,
    Both,
}

/// Numbers that look random.
struct Random(u64);

impl Random {
    fn new() -> Self {
        let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = seed.unwrap_or_else(|| {
            SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |time| time.as_nanos() as u64)
        });
        println!("SEED={seed}");
        Random(seed | 1)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

fn crashes(usual: u64) -> u64 {
    std::env::var("CRASHES").map_or(usual, |count| count.parse().expect("CRASHES is a number"))
}

/// The longest time between a start and the crash after it.
const LONGEST_MS: u64 = 400;

/// Counts of one storm.
#[derive(Default)]
struct Counts {
    acknowledged: AtomicU64,
    unknown: AtomicU64,
}

/// Writes until an outcome is not known, or it is over.
fn write(writer: &mut dyn Writer, client: &Client, over: &AtomicBool, counts: &Counts) {
    while !over.load(Ordering::Relaxed) {
        match writer.step(client) {
            Ok(()) => counts.acknowledged.fetch_add(1, Ordering::Relaxed),
            Err(_) => {
                counts.unknown.fetch_add(1, Ordering::Relaxed);
                return;
            }
        };
    }
}

/// Everything there is can be read.
fn look_around(client: &Client) {
    let page = client.get("/api/v1/search/?page[limit]=100").json();
    for node in page["data"].as_array().unwrap() {
        let (key, attributes) = (node["id"].as_str().unwrap(), &node["attributes"]);
        let family = attributes["structure_family"].as_str().unwrap();
        // An array without rows has no values.
        if family == "container" || attributes["structure"]["shape"][0] == Value::from(0) {
            continue;
        }
        if key == "parts" {
            // Its partitions are there once they are written.
            continue;
        }
        let answer = client.get(&format!("/api/v1/{family}/full/{key}"));
        assert_eq!(answer.status, 200, "{key}: {}", answer.text());
    }
}

fn storm(
    place: &Place,
    count: u64,
    mut choose: impl FnMut(&mut Random) -> Crash,
    database: Option<&Postgres>,
) {
    let mut random = Random::new();
    let counts = Counts::default();
    let mut writers = writers();
    let mut server: Server = place.serve();
    for _ in 0..count {
        let crash = choose(&mut random);
        let over = AtomicBool::new(false);
        let mut log = None;
        std::thread::scope(|scope| {
            for writer in &mut writers {
                let (client, over, counts) = (server.owner(), &over, &counts);
                scope.spawn(move || write(&mut **writer, &client, over, counts));
            }
            std::thread::sleep(Duration::from_millis(1 + random.below(LONGEST_MS)));
            if crash != Crash::Server {
                database.expect("a database to kill").crash();
            }
            if crash != Crash::Database {
                log = Some(server.kill());
            }
            if crash != Crash::Server {
                std::thread::sleep(Duration::from_millis(random.below(100)));
                database.expect("a database to kill").up();
            }
            over.store(true, Ordering::Relaxed);
        });
        if let Some(log) = log {
            assert!(!log.contains("panicked"), "{log}");
            if database.is_none() {
                let bad = log.lines().find(|line| line.contains(" WARN ") || line.contains(" ERROR "));
                assert!(bad.is_none(), "the log is not clean:\n{log}");
            }
            server = place.serve();
        }
        let client = server.owner();
        for writer in &mut writers {
            writer.look(&client);
        }
        look_around(&client);
    }
    println!(
        "{}: {count} crashes, {} acknowledged writes looked for, {} of unknown outcome",
        place.kind,
        counts.acknowledged.into_inner(),
        counts.unknown.into_inner()
    );
}

#[test]
fn a_killed_server_loses_nothing_it_acknowledged_in_files() {
    storm(&Place::files("sqlite"), crashes(20), |_| Crash::Server, None);
}

#[test]
fn a_killed_server_or_database_loses_nothing_acknowledged_in_postgresql() {
    // Its own: others use the shared one.
    let Some(database) = Postgres::start() else { return };
    let choose = |random: &mut Random| match random.below(5) {
        0 | 1 => Crash::Server,
        2 | 3 => Crash::Database,
        _ => Crash::Both,
    };
    storm(&Place::database(&database), crashes(12), choose, Some(&database));
}
