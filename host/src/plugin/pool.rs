//! A plugin's own threads. Calls into a plugin are made here and nowhere else, so that a plugin which hangs or is slow
//! stands only in its own way.
//!
//! A call that is late is given up: its caller gets an error, its thread goes on (it cannot be stopped) but no longer
//! counts, so that others can be served in its place, up to a limit.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tiled_plugin_api::author::{Error, ErrorKind, Result};
use tokio::sync::oneshot;

use super::context::{Job, as_job};

/// A bounded pool; threads are started when they are needed and end when they have been idle.
pub(super) struct Pool(Arc<Shared>);

struct Shared {
    name: String,
    limit: usize,
    group: Option<Arc<Mutex<()>>>,
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Work>,
    /// Threads that count: idle, or at work in time.
    threads: usize,
    idle: usize,
    running: Vec<Running>,
    /// Calls that were given up and still run.
    late: usize,
    next: u64,
}

struct Work {
    job: Arc<Job>,
    run: Box<dyn FnOnce() + Send>,
}

struct Running {
    number: u64,
    job: Arc<Job>,
    is_late: bool,
}

const IDLE: Duration = Duration::from_secs(20);
/// How often a waiting call looks for others that are late.
const LOOK: Duration = Duration::from_secs(1);
/// Late calls borne, as a multiple of the limit.
const LATE_FACTOR: usize = 4;
const STACK_BYTES: usize = 8 << 20;

impl Pool {
    pub(super) fn new(name: &str, limit: usize, group: Option<Arc<Mutex<()>>>) -> Self {
        let state = Mutex::default();
        Pool(Arc::new(Shared {
            name: name.to_owned(),
            limit: limit.max(1),
            group,
            state,
            wake: Condvar::new(),
        }))
    }

    /// Calls that were given up and still run.
    pub(super) fn late_calls(&self) -> usize {
        self.0.lock().late
    }

    /// Runs `f` on one of the threads. Dropping the future gives the call up.
    ///
    /// # Errors
    /// `Cancelled` at the deadline; `Busy` when too many calls hang already; `Internal` when `f` panics.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        deadline: Option<Instant>,
        f: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (send, mut receive) = oneshot::channel();
        let job = Job::new(deadline);
        let run = move || {
            let result =
                catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|_| Err(Error::internal("a call panicked")));
            let _ = send.send(result);
        };
        self.0.submit(Work { job: job.clone(), run: Box::new(run) })?;
        let _gone = GiveUp(&job);
        loop {
            let now = Instant::now();
            if job.is_late(now) {
                self.0.look_for_late_ones();
                return Err(self.0.too_late());
            }
            let wait = deadline.map_or(LOOK, |deadline| LOOK.min(deadline - now));
            match tokio::time::timeout(wait, &mut receive).await {
                Ok(Ok(result)) => return result,
                Ok(Err(_)) => return Err(self.0.too_late()),
                Err(_) => self.0.look_for_late_ones(),
            }
        }
    }
}

/// Tells the job when nobody waits for it any more.
struct GiveUp<'a>(&'a Arc<Job>);

impl Drop for GiveUp<'_> {
    fn drop(&mut self) {
        self.0.give_up();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn too_late(&self) -> Error {
        Error::new(ErrorKind::Cancelled, format!("The plugin {} did not answer in time", self.name))
    }

    fn submit(self: &Arc<Self>, work: Work) -> Result<()> {
        let mut state = self.lock();
        if state.late >= self.limit * LATE_FACTOR {
            let mut error = Error::new(
                ErrorKind::Busy,
                format!("The plugin {} is busy: {} calls hang; try again later", self.name, state.late),
            );
            error.retry_after_ms = 10_000;
            return Err(error);
        }
        state.queue.push_back(work);
        self.wake.notify_one();
        // An idle thread that was woken for an earlier call counts as idle until it runs.
        if state.queue.len() > state.idle { self.start_thread(&mut state) } else { Ok(()) }
    }

    /// One more thread where there is room and need.
    fn start_thread(self: &Arc<Self>, state: &mut State) -> Result<()> {
        if state.threads >= self.limit || state.queue.is_empty() {
            return Ok(());
        }
        let shared = self.clone();
        let name = format!("plugin-{}", self.name);
        match std::thread::Builder::new().name(name).stack_size(STACK_BYTES).spawn(move || shared.work()) {
            Ok(_) => {
                state.threads += 1;
                Ok(())
            }
            // Others will come to it.
            Err(_) if state.threads > 0 => Ok(()),
            Err(error) => {
                state.queue.pop_back();
                Err(Error::internal(format!("no thread for plugin {}: {error}", self.name)))
            }
        }
    }

    /// The life of a thread.
    fn work(self: Arc<Self>) {
        let mut state = self.lock();
        loop {
            if let Some(work) = state.queue.pop_front() {
                if work.job.is_given_up() || work.job.is_late(Instant::now()) {
                    drop(state);
                    drop(work);
                    state = self.lock();
                    continue;
                }
                let number = state.next;
                state.next += 1;
                state.running.push(Running { number, job: work.job.clone(), is_late: false });
                drop(state);
                self.one(work);
                state = self.lock();
                if self.finish(&mut state, number) {
                    return;
                }
                continue;
            }
            state.idle += 1;
            let (after, wait) = self.wake.wait_timeout(state, IDLE).unwrap_or_else(PoisonError::into_inner);
            state = after;
            state.idle -= 1;
            if wait.timed_out() && state.queue.is_empty() {
                state.threads -= 1;
                return;
            }
        }
    }

    fn one(&self, work: Work) {
        let guard = self.group.as_ref().map(|group| group.lock().unwrap_or_else(PoisonError::into_inner));
        let Work { job, run } = work;
        as_job(&job, run);
        drop(guard);
    }

    /// Takes a finished call off the list; whether its thread has to end because another took its place.
    fn finish(&self, state: &mut State, number: u64) -> bool {
        let Some(at) = state.running.iter().position(|running| running.number == number) else {
            return false;
        };
        if !state.running.swap_remove(at).is_late {
            return false;
        }
        state.late -= 1;
        if state.threads < self.limit {
            state.threads += 1;
            return false;
        }
        true
    }

    /// Calls past their time stop counting; others may take their place.
    fn look_for_late_ones(self: &Arc<Self>) {
        let now = Instant::now();
        let mut guard = self.lock();
        let state = &mut *guard;
        let mut found = 0;
        for running in state.running.iter_mut().filter(|running| !running.is_late && running.job.is_late(now))
        {
            running.is_late = true;
            found += 1;
        }
        state.late += found;
        state.threads -= found;
        for _ in 0..found {
            let _ = self.start_thread(state);
        }
        if found > 0 {
            tracing::warn!(target: "plugin", plugin = self.name, "{} calls are late and still run", state.late);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn soon(ms: u64) -> Option<Instant> {
        Some(Instant::now() + Duration::from_millis(ms))
    }

    #[tokio::test]
    async fn no_more_calls_run_at_a_time_than_allowed() {
        let pool = Arc::new(Pool::new("p", 3, None));
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let calls = (0..20).map(|i| {
            let (pool, now, most) = (pool.clone(), now.clone(), most.clone());
            tokio::spawn(async move {
                pool.run(None, move || {
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::sleep(Duration::from_millis(5));
                    now.fetch_sub(1, Ordering::SeqCst);
                    Ok(i)
                })
                .await
            })
        });
        let mut sum = 0;
        for call in calls.collect::<Vec<_>>() {
            sum += call.await.unwrap().unwrap();
        }
        assert_eq!((sum, most.load(Ordering::SeqCst)), (190, 3));
    }

    #[tokio::test]
    async fn a_call_that_hangs_frees_the_request_and_its_place() {
        let pool = Pool::new("p", 1, None);
        let (release, hang) = std::sync::mpsc::channel::<()>();
        let begun = Instant::now();
        let error = pool.run(soon(50), move || Ok(hang.recv().is_ok())).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Cancelled);
        assert!(begun.elapsed() < Duration::from_secs(2), "the request waited {:?}", begun.elapsed());
        assert_eq!(pool.late_calls(), 1);
        assert_eq!(pool.run(soon(5000), || Ok(7)).await.unwrap(), 7, "another call takes its place");
        release.send(()).unwrap();
        while pool.late_calls() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(pool.run(soon(5000), || Ok(8)).await.unwrap(), 8);
        assert_eq!(pool.0.lock().threads, 1, "the pool is as large as before");
    }

    #[tokio::test]
    async fn when_too_many_calls_hang_further_ones_are_told_so_at_once() {
        let pool = Pool::new("p", 1, None);
        let mut releases = Vec::new();
        for _ in 0..LATE_FACTOR {
            let (release, hang) = std::sync::mpsc::channel::<()>();
            releases.push(release);
            pool.run(soon(20), move || Ok(hang.recv().is_ok())).await.unwrap_err();
        }
        let error = pool.run(soon(5000), || Ok(())).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Busy);
    }

    #[tokio::test]
    async fn a_call_that_nobody_waits_for_any_more_is_not_begun() {
        let pool = Arc::new(Pool::new("p", 1, None));
        let (release, hang) = std::sync::mpsc::channel::<()>();
        let first = tokio::spawn({
            let pool = pool.clone();
            async move { pool.run(None, move || Ok(hang.recv().is_ok())).await }
        });
        while pool.0.lock().running.is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let begun = Arc::new(AtomicUsize::new(0));
        let second = tokio::time::timeout(Duration::from_millis(20), {
            let begun = begun.clone();
            pool.run(None, move || Ok(begun.fetch_add(1, Ordering::SeqCst)))
        });
        assert!(second.await.is_err());
        release.send(()).unwrap();
        assert!(first.await.unwrap().unwrap());
        pool.run(None, || Ok(())).await.unwrap();
        assert_eq!(begun.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn a_panic_of_the_host_itself_costs_one_call_and_no_thread() {
        let pool = Pool::new("p", 1, None);
        let error = pool.run::<()>(None, || panic!("ours")).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Internal);
        assert_eq!(pool.run(None, || Ok(1)).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn plugins_of_one_group_are_never_called_together() {
        let group = Arc::new(Mutex::new(()));
        let pools = [Pool::new("a", 4, Some(group.clone())), Pool::new("b", 4, Some(group))];
        let inside = Arc::new(AtomicUsize::new(0));
        let call = || {
            let inside = inside.clone();
            move || {
                let others = inside.fetch_add(1, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(3));
                inside.fetch_sub(1, Ordering::SeqCst);
                Ok(others)
            }
        };
        let calls = (0..10).map(|i| pools[i % 2].run(None, call()));
        for others in futures_util::future::join_all(calls).await {
            assert_eq!(others.unwrap(), 0);
        }
    }
}
