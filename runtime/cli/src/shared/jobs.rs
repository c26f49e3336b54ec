//! Many pictures, some at once.

use std::num::NonZero;
use std::thread;

use saligate_console::Failure;

/// Does something with every item, on as many threads as there are jobs, and tells of each in order.
///
/// # Errors
/// The first error, by the order of the items; what comes before it is told.
pub(crate) fn in_order<T: Sync, R: Send>(
    items: &[T],
    jobs: NonZero<usize>,
    work: impl Fn(&T) -> Result<R, Failure> + Sync,
    mut tell: impl FnMut(&T, R) -> Result<(), Failure>,
) -> Result<(), Failure> {
    for items in items.chunks(jobs.get()) {
        let (first, rest) = items.split_first().expect("chunks have at least one item");
        let found = thread::scope(|scope| {
            let jobs: Vec<_> = rest.iter().map(|item| scope.spawn(|| work(item))).collect();
            let first = work(first);
            let others = jobs.into_iter().map(|job| {
                let failed = || Failure::new("an error inside a job");
                job.join().unwrap_or_else(|_| Err(failed()))
            });
            std::iter::once(first).chain(others).collect::<Vec<_>>()
        });
        items.iter().zip(found).try_for_each(|(item, found)| tell(item, found?))?;
    }
    Ok(())
}
