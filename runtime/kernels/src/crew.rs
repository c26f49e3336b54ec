//! Threads that share the work of one step.

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::JoinHandle;

use crate::buffer::Buffer;

/// How often a thread looks for work before it goes to sleep: some 20 microseconds, which is longer
/// than the gap between two steps of a network.
const LOOKS: usize = 4000;
/// Multiplications, or loads, below which a task is not worth a second thread.
const WORTH_A_THREAD: usize = 100_000;
/// Whether helpers may join a round.
const OPEN: usize = 1;
/// One helper that has joined it.
const HELPER: usize = 2;

/// Some threads, the caller among them, that work on the parts of one task at a time.
pub struct Crew {
    shared: Arc<Shared>,
    helpers: Vec<JoinHandle<()>>,
    /// One task at a time.
    busy: Mutex<()>,
    /// Memory that parts of tasks have used and others may use.
    scratch: Mutex<Vec<Buffer>>,
}

/// A task whose lifetime was taken off: [`Crew::run`] outlives its use.
#[derive(Clone, Copy)]
struct Task {
    work: *const (dyn Fn(usize) + Sync),
    parts: usize,
}

// SAFETY: the closure is Sync, and only used while `Crew::run` holds it.
unsafe impl Send for Task {}

#[derive(Default)]
struct Shared {
    /// Counts the tasks; a helper that sees a new number has something to do.
    round: AtomicUsize,
    next: AtomicUsize,
    /// [`OPEN`] while helpers may join the round, and [`HELPER`] for each that has.
    joined: AtomicUsize,
    failed: AtomicBool,
    closing: AtomicBool,
    /// Written while nobody has joined a round, and read by those who have.
    task: UnsafeCell<Option<Task>>,
    /// Helpers that sleep, or are about to.
    asleep: AtomicUsize,
    bed: Mutex<()>,
    wake: Condvar,
}

// SAFETY: the task is the only field that is not Sync, and is guarded by `joined`.
unsafe impl Sync for Shared {}

impl Crew {
    /// A crew of this many threads, at least one: the caller.
    pub fn new(threads: usize) -> Self {
        let shared = Arc::new(Shared::default());
        let helper = |_| {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || shared.help())
        };
        let helpers = (1..threads).map(helper).collect();
        Self { shared, helpers, busy: Mutex::new(()), scratch: Mutex::new(Vec::new()) }
    }

    /// Number of threads.
    pub fn threads(&self) -> usize {
        self.helpers.len() + 1
    }

    /// Lends memory of at least this many elements, with anything in it.
    pub(crate) fn with_scratch<T>(&self, length: usize, work: impl FnOnce(&mut [f32]) -> T) -> T {
        let lock = || self.scratch.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = lock().pop();
        let mut buffer = match waiting {
            Some(buffer) if buffer.len() >= length => buffer,
            _ => Buffer::zeros(length),
        };
        let result = work(&mut buffer[..length]);
        lock().push(buffer);
        result
    }

    /// [`run`](Self::run), on the calling thread alone where the whole task, of so many
    /// multiplications or loads, is too small for more.
    pub(crate) fn run_if_worth(&self, cost: usize, parts: usize, work: &(dyn Fn(usize) + Sync)) {
        if self.is_worth(cost) { self.run(parts, work) } else { (0..parts).for_each(work) }
    }

    /// Whether there are several threads and a task is worth them.
    pub(crate) fn is_worth(&self, cost: usize) -> bool {
        self.threads() > 1 && cost > WORTH_A_THREAD
    }

    /// Calls `work` with every number below `parts`, each once, in any order and on any thread;
    /// returns when all are done.
    ///
    /// # Panics
    /// A part panics.
    pub fn run(&self, parts: usize, work: &(dyn Fn(usize) + Sync)) {
        if self.helpers.is_empty() || parts < 2 {
            (0..parts).for_each(work);
            return;
        }
        // Another session that shares the crew is at work: this one does not wait for it.
        let _busy = match self.busy.try_lock() {
            Ok(busy) => busy,
            // A part failed once: that task is over.
            Err(TryLockError::Poisoned(busy)) => busy.into_inner(),
            Err(TryLockError::WouldBlock) => return (0..parts).for_each(work),
        };
        let shared = &*self.shared;
        // SAFETY: this function does not return before every helper is done with the task.
        let work: *const (dyn Fn(usize) + Sync) = unsafe {
            std::mem::transmute::<*const (dyn Fn(usize) + Sync + '_), _>(std::ptr::from_ref(work))
        };
        shared.next.store(0, Ordering::Relaxed);
        // SAFETY: no helper has joined: the last call waited for all that had.
        unsafe { *shared.task.get() = Some(Task { work, parts }) };
        shared.joined.store(OPEN, Ordering::Release);
        shared.begin();
        let own = shared.take_parts(Task { work, parts });
        // Helpers that come too late are not waited for: they may be asleep, or without a processor.
        shared.joined.fetch_and(!OPEN, Ordering::AcqRel);
        while shared.joined.load(Ordering::Acquire) > 0 {
            std::hint::spin_loop();
        }
        let helped = shared.failed.swap(false, Ordering::Relaxed);
        assert!(own && !helped, "a part of a step failed");
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::Relaxed);
        self.shared.begin();
        for helper in self.helpers.drain(..) {
            // A helper catches every panic, so there is no error to pass on.
            let _ = helper.join();
        }
    }
}

impl Shared {
    /// Begins a round, and wakes those who sleep.
    fn begin(&self) {
        // In one order with what a helper does before it sleeps: one of the two sees the other.
        self.round.fetch_add(1, Ordering::SeqCst);
        if self.asleep.load(Ordering::SeqCst) > 0 {
            drop(self.lock());
            self.wake.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        self.bed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn help(&self) {
        let mut seen = 0;
        loop {
            seen = self.wait(seen);
            if self.closing.load(Ordering::Relaxed) {
                return;
            }
            if !self.join() {
                continue;
            }
            // SAFETY: who has joined a round may read its task.
            let task = unsafe { *self.task.get() };
            if let Some(task) = task
                && !self.take_parts(task)
            {
                self.failed.store(true, Ordering::Relaxed);
            }
            self.joined.fetch_sub(HELPER, Ordering::Release);
        }
    }

    /// Joins the round, unless it is over.
    fn join(&self) -> bool {
        let open = |joined: usize| (joined & OPEN > 0).then_some(joined + HELPER);
        self.joined.fetch_update(Ordering::AcqRel, Ordering::Acquire, open).is_ok()
    }

    /// The number of the next round: looks often first, then sleeps.
    fn wait(&self, seen: usize) -> usize {
        for _ in 0..LOOKS {
            let round = self.round.load(Ordering::Acquire);
            if round != seen {
                return round;
            }
            std::hint::spin_loop();
        }
        let mut bed = self.lock();
        self.asleep.fetch_add(1, Ordering::SeqCst);
        let round = loop {
            let round = self.round.load(Ordering::SeqCst);
            if round != seen {
                break round;
            }
            bed = self.wake.wait(bed).unwrap_or_else(PoisonError::into_inner);
        };
        self.asleep.fetch_sub(1, Ordering::SeqCst);
        round
    }

    /// Works on parts until none is left; whether none of them panicked.
    fn take_parts(&self, task: Task) -> bool {
        let parts = || {
            loop {
                let part = self.next.fetch_add(1, Ordering::Relaxed);
                if part >= task.parts {
                    return;
                }
                // SAFETY: the caller of `run` waits until all helpers are done.
                unsafe { (*task.work)(part) };
            }
        };
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(parts)).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_done_once() {
        for threads in [1, 2, 3] {
            let crew = Crew::new(threads);
            for parts in [0, 1, 2, 100] {
                let counts: Vec<AtomicUsize> = (0..parts).map(|_| AtomicUsize::new(0)).collect();
                crew.run(parts, &|part| {
                    counts[part].fetch_add(1, Ordering::Relaxed);
                });
                assert!(counts.iter().all(|c| c.load(Ordering::Relaxed) == 1));
            }
        }
    }

    #[test]
    fn helpers_wake_up_again() {
        let crew = Crew::new(2);
        for pause in [0, 1, 20] {
            let sum = AtomicUsize::new(0);
            crew.run(10, &|part| {
                sum.fetch_add(part, Ordering::Relaxed);
            });
            assert_eq!(sum.into_inner(), 45);
            std::thread::sleep(std::time::Duration::from_millis(pause));
        }
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_crew_goes_on() {
        let crew = Crew::new(2);
        let failing = || crew.run(8, &|part| assert_ne!(part, 5));
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(failing)).is_err());
        let sum = AtomicUsize::new(0);
        crew.run(4, &|part| {
            sum.fetch_add(part, Ordering::Relaxed);
        });
        assert_eq!(sum.into_inner(), 6);
    }
}
