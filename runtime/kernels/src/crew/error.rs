//! Why there is no crew.

use std::{fmt, io};

use super::MAX_THREADS;

/// A crew that cannot be had.
#[derive(Debug)]
#[non_exhaustive]
pub enum CrewError {
    /// More threads than [`MAX_THREADS`].
    TooMany {
        /// Threads asked for.
        asked: usize,
    },
    /// The system did not start a thread; those before it were ended again.
    NotStarted {
        /// Threads asked for, the caller among them.
        asked: usize,
        /// Threads there were, the caller among them.
        started: usize,
        /// What the system said.
        error: io::Error,
    },
}

impl fmt::Display for CrewError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany { asked } => write!(
                f,
                "{asked} threads are too many; the most is {MAX_THREADS}, and more than the \
                 processor has cores make nothing faster"
            ),
            Self::NotStarted { asked, started, error } => write!(
                f,
                "the system starts no more than {started} of {asked} threads ({error}); ask for \
                 fewer, or allow the process more threads or memory"
            ),
        }
    }
}

impl std::error::Error for CrewError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::TooMany { .. } => None,
            Self::NotStarted { error, .. } => Some(error),
        }
    }
}
