//! Who may write to a data source at the same time as whom: first among the requests of this server, in the order in which
//! they came, then among the servers that share the catalog.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use tokio::{
    sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock},
    time::{Instant, sleep},
};

use crate::{
    catalog::{Catalog, CatalogError, Held},
    tree::TreeResult,
};

/// What is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// A data source of a catalog.
    Source(usize, i64),
    /// A block or partition of one.
    Part(usize, i64, u64),
}

/// Locks that are in use.
#[derive(Default)]
pub(super) struct Locks {
    held: Mutex<HashMap<Key, Weak<RwLock<()>>>>,
}

/// Locks are looked through for those that nobody holds any more when there are so many.
const LOOK_THROUGH: usize = 256;

/// How long to wait for other servers.
const WAIT_S: u64 = 30;
/// Between looks whether they have done.
const PAUSES: (Duration, Duration) = (Duration::from_micros(500), Duration::from_millis(16));

/// A write may go on as long as this lives.
pub(super) struct Turn {
    // Before the other, so that whoever waits here finds it free.
    _elsewhere: Held,
    _here: Here,
}

enum Here {
    /// Beside writes of other parts.
    Part(
        #[allow(dead_code, reason = "held for its drop")] OwnedRwLockReadGuard<()>,
        #[allow(dead_code, reason = "held for its drop")] Alone,
    ),
    /// Alone.
    Whole(#[allow(dead_code, reason = "held for its drop")] Alone),
}

type Alone = OwnedRwLockWriteGuard<()>;

impl Locks {
    /// Waits until a write may begin. `part`: it touches that block or partition and no other; `None`: it may touch all.
    ///
    /// # Errors
    /// `Busy` when other servers do not come to an end; those of the catalog.
    pub(super) async fn turn(
        &self,
        catalog: &Arc<Catalog>,
        source: i64,
        part: Option<u64>,
    ) -> TreeResult<Turn> {
        let here = self.here(Arc::as_ptr(catalog) as usize, source, part).await;
        Ok(Turn { _elsewhere: elsewhere(catalog, source, part.is_none()).await?, _here: here })
    }

    async fn here(&self, catalog: usize, source: i64, part: Option<u64>) -> Here {
        let whole = self.of(Key::Source(catalog, source));
        match part {
            None => Here::Whole(whole.write_owned().await),
            Some(part) => {
                let beside = whole.read_owned().await;
                Here::Part(beside, self.of(Key::Part(catalog, source, part)).write_owned().await)
            }
        }
    }

    fn of(&self, key: Key) -> Arc<RwLock<()>> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = held.get(&key).and_then(Weak::upgrade) {
            return lock;
        }
        if held.len() >= LOOK_THROUGH && held.len().is_power_of_two() {
            held.retain(|_, lock| lock.strong_count() > 0);
        }
        let lock = Arc::new(RwLock::new(()));
        held.insert(key, Arc::downgrade(&lock));
        lock
    }
}

/// Looks again and again, each time after a longer pause: no thread waits.
async fn elsewhere(catalog: &Catalog, source: i64, alone: bool) -> TreeResult<Held> {
    let until = Instant::now() + Duration::from_secs(WAIT_S);
    let mut pause = PAUSES.0;
    loop {
        if let Some(held) = catalog.try_turn(source, alone)? {
            return Ok(held);
        }
        if Instant::now() >= until {
            return Err(CatalogError::Busy(WAIT_S).into());
        }
        sleep(pause.mul_f64(0.5 + rand::random::<f64>())).await;
        pause = (pause * 2).min(PAUSES.1);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn waits(turn: impl Future<Output = Here>) -> bool {
        tokio::time::timeout(Duration::from_millis(20), turn).await.is_err()
    }

    #[tokio::test]
    async fn blocks_go_side_by_side_and_what_touches_all_goes_alone() {
        let locks = Locks::default();
        let first = locks.here(1, 1, Some(0)).await;
        let second = locks.here(1, 1, Some(1)).await;
        assert!(waits(locks.here(1, 1, Some(1))).await, "one block is written by one at a time");
        assert!(waits(locks.here(1, 1, None)).await);
        drop((first, second));
        let all = locks.here(1, 1, None).await;
        assert!(waits(locks.here(1, 1, Some(0))).await);
        let _other = locks.here(1, 2, None).await;
        drop(all);
        locks.here(1, 1, Some(0)).await;
    }

    #[tokio::test]
    async fn locks_that_nobody_holds_are_forgotten() {
        let locks = Locks::default();
        for source in 0..10_000 {
            locks.here(1, source, None).await;
        }
        assert!(locks.held.lock().unwrap().len() <= 2 * LOOK_THROUGH);
    }
}
