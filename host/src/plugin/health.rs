//! How a plugin fares: panics are counted, and what panics too often is left alone.

use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tiled_plugin_api::author::{Error, ErrorKind, Result};

/// Panics are counted over this long.
const WINDOW: Duration = Duration::from_secs(60);
/// A file that panicked too often is left alone this long.
const FILE_REST: Duration = Duration::from_secs(600);
/// One bad file must not take its whole format out of service: panics count against the plugin when they come from this
/// many.
const MIN_ORIGINS: usize = 3;

/// The health of one plugin.
pub(super) struct Health {
    name: String,
    limit: u32,
    panics: AtomicU64,
    out_of_service: AtomicBool,
    any_file_resting: AtomicBool,
    recent: Mutex<Recent>,
}

#[derive(Default)]
struct Recent {
    /// Time and origin of panics within the window.
    panics: Vec<(Instant, String)>,
    /// Origins left alone, until when.
    resting: HashMap<String, Instant>,
}

impl Health {
    /// `limit` panics within a minute are too many; 0: any number is borne.
    pub(super) fn new(name: &str, limit: u32) -> Self {
        Health {
            name: name.to_owned(),
            limit,
            panics: AtomicU64::new(0),
            out_of_service: AtomicBool::new(false),
            any_file_resting: AtomicBool::new(false),
            recent: Mutex::default(),
        }
    }

    /// Panics since the start.
    pub(super) fn panics(&self) -> u64 {
        self.panics.load(Ordering::Relaxed)
    }

    pub(super) fn is_out_of_service(&self) -> bool {
        self.out_of_service.load(Ordering::Relaxed)
    }

    /// Whether the plugin may be called for this file (or media type).
    ///
    /// # Errors
    /// `Panic`, without a call.
    pub(super) fn admit(&self, origin: &str) -> Result<()> {
        if self.is_out_of_service() {
            let message = format!(
                "The plugin {} is out of service after too many panics until the server starts again; see the log",
                self.name
            );
            return Err(Error::new(ErrorKind::Panic, message));
        }
        if self.any_file_resting.load(Ordering::Relaxed) && self.is_resting(origin) {
            let message =
                format!("The plugin {} panicked too often on this; it is left alone for a while", self.name);
            return Err(Error::new(ErrorKind::Panic, message).with_detail(origin));
        }
        Ok(())
    }

    fn is_resting(&self, origin: &str) -> bool {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        recent.resting.retain(|_, until| *until > now);
        self.any_file_resting.store(!recent.resting.is_empty(), Ordering::Relaxed);
        recent.resting.contains_key(origin)
    }

    /// Looks at the outcome of a call.
    pub(super) fn note<T>(&self, origin: &str, result: Result<T>) -> Result<T> {
        if let Err(error) = &result
            && error.kind == ErrorKind::Panic
        {
            self.note_panic(origin, error);
        }
        result
    }

    fn note_panic(&self, origin: &str, error: &Error) {
        self.panics.fetch_add(1, Ordering::Relaxed);
        tracing::error!(target: "plugin", plugin = self.name, origin, "{error}");
        if self.limit == 0 {
            return;
        }
        let limit = self.limit as usize;
        let now = Instant::now();
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.panics.retain(|(at, _)| now.duration_since(*at) < WINDOW);
        recent.panics.push((now, origin.to_owned()));
        if recent.panics.iter().filter(|(_, from)| from == origin).count() >= limit {
            recent.resting.insert(origin.to_owned(), now + FILE_REST);
            self.any_file_resting.store(true, Ordering::Relaxed);
        }
        let mut origins: Vec<&str> = recent.panics.iter().map(|(_, from)| from.as_str()).collect();
        origins.sort_unstable();
        origins.dedup();
        if recent.panics.len() >= limit
            && origins.len() >= MIN_ORIGINS
            && !self.out_of_service.swap(true, Ordering::Relaxed)
        {
            tracing::error!(target: "plugin", plugin = self.name, "out of service after {} panics", recent.panics.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panic_in(health: &Health, origin: &str) {
        health.note::<()>(origin, Err(Error::new(ErrorKind::Panic, "boom"))).unwrap_err();
    }

    #[test]
    fn panics_on_many_files_take_the_plugin_out_of_service() {
        let health = Health::new("p", 5);
        for origin in ["a", "b", "c", "a"] {
            panic_in(&health, origin);
            health.admit("d").unwrap();
        }
        panic_in(&health, "b");
        assert!(health.admit("d").unwrap_err().message.contains("out of service"));
        assert_eq!(health.panics(), 5);
    }

    #[test]
    fn one_bad_file_is_left_alone_and_the_others_are_served() {
        let health = Health::new("p", 5);
        for _ in 0..50 {
            panic_in(&health, "bad");
        }
        assert!(health.admit("bad").is_err());
        health.admit("good").unwrap();
    }

    #[test]
    fn errors_that_are_no_panics_do_not_count() {
        let health = Health::new("p", 1);
        for origin in ["a", "b", "c"] {
            health.note::<()>(origin, Err(Error::invalid_data("bad"))).unwrap_err();
        }
        health.admit("a").unwrap();
        assert_eq!(health.panics(), 0);
    }
}
