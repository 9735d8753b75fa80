//! The call in progress: whether anyone still waits for it.

use std::sync::Arc;

use super::{Error, ErrorKind, Result};

/// The state behind a [`Context`]; the host implements it.
pub trait CallState: Send + Sync {
    /// The client has gone or the deadline is over.
    fn is_cancelled(&self) -> bool;
    /// Milliseconds until the deadline; `u64::MAX` without one.
    fn remaining_ms(&self) -> u64;
    /// The request's id, for log lines.
    fn request_id(&self) -> String;
}

/// Handed to every call that may take long. Cheap to clone; asking it costs nanoseconds.
#[derive(Clone)]
pub struct Context(Arc<dyn CallState>);

impl Context {
    /// A context over this state.
    pub fn new(state: Arc<dyn CallState>) -> Self {
        Context(state)
    }

    /// A context that never ends, for tests and for start-up.
    pub fn unbounded() -> Self {
        Context(Arc::new(Unbounded))
    }

    /// Whether the work is no longer wanted.
    pub fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Milliseconds until the deadline; `u64::MAX` without one.
    pub fn remaining_ms(&self) -> u64 {
        self.0.remaining_ms()
    }

    /// The request's id, for log lines.
    pub fn request_id(&self) -> String {
        self.0.request_id()
    }

    /// Call this between chunks.
    ///
    /// # Errors
    /// `Cancelled` when the work is no longer wanted.
    pub fn check(&self) -> Result<()> {
        if self.is_cancelled() {
            Err(Error::new(ErrorKind::Cancelled, "The request was cancelled"))
        } else {
            Ok(())
        }
    }
}

struct Unbounded;

impl CallState for Unbounded {
    fn is_cancelled(&self) -> bool {
        false
    }

    fn remaining_ms(&self) -> u64 {
        u64::MAX
    }

    fn request_id(&self) -> String {
        String::new()
    }
}
