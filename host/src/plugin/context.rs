//! Calls in progress: who still waits, and how long.

use std::{
    cell::RefCell,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use tiled_plugin_api::author::{CallState, Context};

/// A context for one request, and the handle that ends it: dropping the handle cancels whatever still runs.
pub fn context(request_id: impl Into<String>, deadline: Option<Instant>) -> (Context, CancelHandle) {
    let call = Arc::new(Call { cancelled: AtomicBool::new(false), deadline, request_id: request_id.into() });
    (Context::new(call.clone()), CancelHandle(call))
}

/// Ends the calls of a request when it is dropped.
pub struct CancelHandle(Arc<Call>);

impl CancelHandle {
    /// Ends the calls now.
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::Relaxed);
    }
}

impl Drop for CancelHandle {
    fn drop(&mut self) {
        self.cancel();
    }
}

struct Call {
    cancelled: AtomicBool,
    deadline: Option<Instant>,
    request_id: String,
}

impl CallState for Call {
    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
            || self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    fn remaining_ms(&self) -> u64 {
        if self.cancelled.load(Ordering::Relaxed) {
            return 0;
        }
        self.deadline.map_or(u64::MAX, remaining_ms)
    }

    fn request_id(&self) -> String {
        self.request_id.clone()
    }
}

fn remaining_ms(deadline: Instant) -> u64 {
    u64::try_from(deadline.saturating_duration_since(Instant::now()).as_millis()).unwrap_or(u64::MAX)
}

/// One job of a pool: it has a limit of its own, and its caller may go.
pub(super) struct Job {
    given_up: AtomicBool,
    deadline: Option<Instant>,
}

impl Job {
    pub(super) fn new(deadline: Option<Instant>) -> Arc<Self> {
        Arc::new(Job { given_up: AtomicBool::new(false), deadline })
    }

    pub(super) fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::Relaxed)
    }

    /// Whether its time is over.
    pub(super) fn is_late(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| now >= deadline)
    }
}

thread_local! {
    /// The job that this thread of a pool works on.
    static CURRENT: RefCell<Option<Arc<Job>>> = const { RefCell::new(None) };
}

/// Runs `f` as the work of this job.
pub(super) fn as_job<T>(job: &Arc<Job>, f: impl FnOnce() -> T) -> T {
    CURRENT.with(|current| *current.borrow_mut() = Some(job.clone()));
    let result = f();
    CURRENT.with(|current| *current.borrow_mut() = None);
    result
}

/// The context as a plugin sees it: it also ends with the job that the call is part of.
pub(super) fn within_job(cx: &Context) -> Context {
    match CURRENT.with(|current| current.borrow().clone()) {
        Some(job) => Context::new(Arc::new(Within { outer: cx.clone(), job })),
        None => cx.clone(),
    }
}

struct Within {
    outer: Context,
    job: Arc<Job>,
}

impl CallState for Within {
    fn is_cancelled(&self) -> bool {
        self.job.is_given_up() || self.outer.is_cancelled() || self.job.is_late(Instant::now())
    }

    fn remaining_ms(&self) -> u64 {
        if self.job.is_given_up() {
            return 0;
        }
        self.job.deadline.map_or(u64::MAX, remaining_ms).min(self.outer.remaining_ms())
    }

    fn request_id(&self) -> String {
        self.outer.request_id()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn dropping_the_handle_cancels_the_call() {
        let (cx, handle) = context("r1", None);
        assert!(!cx.is_cancelled() && cx.remaining_ms() == u64::MAX && cx.request_id() == "r1");
        drop(handle);
        assert!(cx.is_cancelled() && cx.remaining_ms() == 0);
    }

    #[test]
    fn a_deadline_ends_the_call() {
        let (cx, _handle) = context("", Some(Instant::now() + Duration::from_millis(20)));
        assert!(!cx.is_cancelled() && cx.remaining_ms() <= 20);
        std::thread::sleep(Duration::from_millis(25));
        assert!(cx.is_cancelled());
    }

    #[test]
    fn a_job_that_was_given_up_ends_the_calls_within_it() {
        let (cx, _handle) = context("", None);
        let job = Job::new(None);
        as_job(&job, || {
            let inner = within_job(&cx);
            assert!(!inner.is_cancelled());
            job.give_up();
            assert!(inner.is_cancelled() && !cx.is_cancelled());
        });
        assert!(!within_job(&cx).is_cancelled(), "after the job the context is the caller's own");
    }
}
