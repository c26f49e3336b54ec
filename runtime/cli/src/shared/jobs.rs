//! Many pictures, some at once.

use std::num::NonZero;
use std::thread;

use saligate_console::{Failure, Outcome, printable, progress};

/// Does something with every item, on as many threads as there are jobs, and tells of each in order.
///
/// An item that fails is told on standard error, and the others go on.
///
/// # Errors
/// The only item fails, or an answer is no; or some items failed, after all were tried.
pub(crate) fn in_order<T: Sync, R: Send>(
    items: &[T],
    jobs: NonZero<usize>,
    work: impl Fn(&T) -> Result<R, Failure> + Sync,
    mut tell: impl FnMut(&T, R) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut failed = 0;
    let bar = progress::bar("pictures", items.len(), items.len() == 1);
    for chunk in items.chunks(jobs.get()) {
        let (first, rest) = chunk.split_first().expect("chunks have at least one item");
        let found = thread::scope(|scope| {
            let jobs: Vec<_> = rest.iter().map(|item| scope.spawn(|| work(item))).collect();
            let first = work(first);
            let others = jobs.into_iter().map(|job| {
                let failed = || Failure::new("an error inside a job");
                job.join().unwrap_or_else(|_| Err(failed()))
            });
            std::iter::once(first).chain(others).collect::<Vec<_>>()
        });
        for (item, found) in chunk.iter().zip(found) {
            let told = bar.suspend(|| found.and_then(|found| tell(item, found)));
            bar.inc(1);
            match told {
                Ok(()) => {}
                Err(failure) if items.len() == 1 || failure.outcome() != Outcome::Error => {
                    return Err(failure);
                }
                Err(failure) => {
                    bar.suspend(|| eprintln!("saligate: {}", printable(&failure.to_string())));
                    failed += 1;
                }
            }
        }
    }
    bar.finish_and_clear();
    match failed {
        0 => Ok(()),
        failed => Err(Failure::new(format!("{failed} of {} failed, as told above", items.len()))),
    }
}
