//! Threads that share the work of one step.

mod error;
#[cfg(test)]
mod tests;

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError, mpsc};
use std::thread::{self, JoinHandle};

pub use self::error::CrewError;
use crate::buffer::Buffer;
use crate::disjoint::DisjointSlice;

/// Most threads of a [`Crew`]: more than the cores of the machines this is for, and few enough for
/// their stacks to fit into an address space of 32 bits.
pub const MAX_THREADS: usize = 256;
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
    round: Arc<Round>,
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

/// What the threads of a crew share: the task of the round, and who is at it.
#[derive(Default)]
struct Round {
    /// Counts the tasks; a helper that sees a new number has something to do.
    number: AtomicUsize,
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
unsafe impl Sync for Round {}

impl Crew {
    /// A crew of this many threads, at least one: the caller.
    ///
    /// # Errors
    /// They are more than [`MAX_THREADS`], or the system does not start so many. No thread is left
    /// then.
    pub fn new(threads: usize) -> Result<Self, CrewError> {
        if threads > MAX_THREADS {
            return Err(CrewError::TooMany { asked: threads });
        }
        let mut crew = Self::single();
        for started in 1..threads {
            let round = Arc::clone(&crew.round);
            let (ready, is_ready) = mpsc::sync_channel(1);
            let help = move || {
                // The caller waits for it.
                let _ = ready.send(());
                round.help();
            };
            let helper = thread::Builder::new().spawn(help);
            let not_started = |error| CrewError::NotStarted { asked: threads, started, error };
            crew.helpers.push(helper.map_err(not_started)?);
            // One at a time: a thread that has its stack and finds no memory to begin with takes
            // the process down, so none is asked for before the last one runs.
            let _ = is_ready.recv();
        }
        Ok(crew)
    }

    /// The calling thread alone.
    pub fn single() -> Self {
        Self {
            round: Arc::default(),
            helpers: Vec::new(),
            busy: Mutex::new(()),
            scratch: Mutex::new(Vec::new()),
        }
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

    /// [`run_if_worth`](Self::run_if_worth) over a slice: lends every part of this length, the last
    /// one of what is left, to one call of `work`, with its number.
    pub(crate) fn run_on_parts(
        &self,
        cost: usize,
        data: &mut [f32],
        length: usize,
        work: &(dyn Fn(usize, &mut [f32]) + Sync),
    ) {
        let whole = data.len();
        let slice = DisjointSlice::new(data);
        self.run_if_worth(cost, whole.div_ceil(length), &|number| {
            let start = number * length;
            let length = length.min(whole - start);
            let part = slice.part(start, length);
            // SAFETY: the part lies within the slice, which is borrowed exclusively, and every
            // number comes once, so that no two calls have an element in common.
            work(number, unsafe { std::slice::from_raw_parts_mut(part, length) });
        });
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
        let round = &*self.round;
        // SAFETY: this function does not return before every helper is done with the task.
        let work: *const (dyn Fn(usize) + Sync) = unsafe {
            std::mem::transmute::<*const (dyn Fn(usize) + Sync + '_), _>(std::ptr::from_ref(work))
        };
        round.next.store(0, Ordering::Relaxed);
        // SAFETY: no helper has joined: the last call waited for all that had.
        unsafe { *round.task.get() = Some(Task { work, parts }) };
        round.joined.store(OPEN, Ordering::Release);
        round.begin();
        let own = round.take_parts(Task { work, parts });
        // Helpers that come too late are not waited for: they may be asleep, or without a processor.
        round.joined.fetch_and(!OPEN, Ordering::AcqRel);
        while round.joined.load(Ordering::Acquire) > 0 {
            std::hint::spin_loop();
        }
        let helped = round.failed.swap(false, Ordering::Relaxed);
        assert!(own && !helped, "a part of a step failed");
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.round.closing.store(true, Ordering::Relaxed);
        self.round.begin();
        for helper in self.helpers.drain(..) {
            // A helper catches every panic, so there is no error to pass on.
            let _ = helper.join();
        }
    }
}

impl Round {
    /// Begins a round, and wakes those who sleep.
    fn begin(&self) {
        // In one order with what a helper does before it sleeps: one of the two sees the other.
        self.number.fetch_add(1, Ordering::SeqCst);
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
            let round = self.number.load(Ordering::Acquire);
            if round != seen {
                return round;
            }
            std::hint::spin_loop();
        }
        let mut bed = self.lock();
        self.asleep.fetch_add(1, Ordering::SeqCst);
        let round = loop {
            let round = self.number.load(Ordering::SeqCst);
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
                // SAFETY: `run` does not return before all who have joined are done.
                unsafe { (*task.work)(part) };
            }
        };
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(parts));
        // What a panic carries may panic when it is dropped, and nothing may leave this function
        // while others are at work.
        ended.map_err(std::mem::forget).is_ok()
    }
}
