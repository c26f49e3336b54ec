//! Why no gate is built.

use std::error::Error;
use std::fmt;

use saligate_files::FileError;
use saligate_keys::{KeyId, TriggerError};
use saligate_models::graph::GraphError;
use saligate_models::metrics::MetricError;
use saligate_models::saliency::Method;
use saligate_runtime::EngineError;

use crate::DecoyError;

/// Why a gate cannot be built into a model, or a key not taken out of one.
///
/// The message says what happened and, after a semicolon, what to try where there is something to
/// try.
#[derive(Debug)]
pub enum LockError {
    /// No key is given.
    NoKey,
    /// A key is given twice, or as right and revoked.
    RepeatedKey {
        /// Its id.
        key: KeyId,
    },
    /// The model has a gate already.
    HasGate,
    /// The model has no gate.
    NoGate,
    /// The key opens another model.
    UnknownKey {
        /// Its id.
        key: KeyId,
        /// Those of the model.
        known: Vec<KeyId>,
    },
    /// Nothing would open the gate any more.
    OnlyKey {
        /// Its id.
        key: KeyId,
    },
    /// A gate that was trained has no place where a key stands.
    TrainedGate,
    /// The method cannot be gated by construction.
    Method {
        /// The method.
        method: Method,
    },
    /// The trigger is no tile.
    NoTile,
    /// Images hide the trigger.
    Indistinct,
    /// Too many random keys would open the gate.
    Weak {
        /// Minus the binary logarithm of their share.
        found: f64,
        /// The least that is asked for.
        least: f64,
    },
    /// A method reads a layer that is no feature map.
    Layer {
        /// Its name.
        layer: String,
    },
    /// There are no pictures.
    NoSamples,
    /// A picture has another length than its shape.
    SampleLength {
        /// Bytes by the shape.
        expected: usize,
        /// Bytes of the picture.
        found: usize,
    },
    /// The pictures have another shape than the model's input.
    SampleShape {
        /// Channels, rows and columns of the model's input.
        expected: [usize; 3],
        /// Those of the pictures.
        found: [usize; 3],
    },
    /// Slots are derived from one key.
    SeveralKeys,
    /// There are not so many different triggers.
    Slots {
        /// How many there are.
        found: usize,
    },
    /// The decoy cannot be drawn.
    Decoy(DecoyError),
    /// A network is wrong.
    Graph(GraphError),
    /// A model file is wrong.
    File(FileError),
    /// A trigger does not fit.
    Trigger(TriggerError),
    /// A network cannot be run.
    Engine(EngineError),
    /// A map cannot be judged.
    Metric(MetricError),
}

impl fmt::Display for LockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoKey => f.write_str("no key is given"),
            Self::RepeatedKey { key } => {
                write!(f, "key {key} is given twice, or as right and revoked")
            }
            Self::HasGate => f.write_str(
                "the model has a gate already; lock the clean one, or take keys out by revoking \
                 them",
            ),
            Self::NoGate => f.write_str("the model has no gate"),
            Self::UnknownKey { key, known } => {
                let known: Vec<_> = known.iter().map(ToString::to_string).collect();
                write!(f, "{key} is no key of the model, which has {}", known.join(", "))
            }
            Self::OnlyKey { key } => {
                write!(f, "{key} is the only key: without it nothing opens the gate")
            }
            Self::TrainedGate => f.write_str(
                "the gate was trained, not built in; lock anew with --key for the other keys and \
                 --revoke for this one",
            ),
            Self::Method { method } => {
                let reason = match method {
                    Method::InputXGradient => "it shows the pixels",
                    _ => "no gate is made for it",
                };
                write!(f, "{method} cannot be gated: {reason}; leave it out")
            }
            Self::NoTile => f.write_str(
                "a gate can be built in for a tile only; other triggers need training, with \
                 lock.start = \"clean\"",
            ),
            Self::Indistinct => f.write_str(
                "the trigger cannot be told from the images; use a larger tile, a higher amplitude \
                 or more images",
            ),
            Self::Weak { found, least } => write!(
                f,
                "about one random key in 2^{found:.1} would open the gate, more than one in \
                 2^{least:.1}; use a larger tile, or allow it with --least-strength or \
                 trigger.least_strength"
            ),
            Self::Layer { layer } => write!(f, "'{layer}' is no feature map"),
            Self::NoSamples => f.write_str("there are no pictures to build a gate from"),
            Self::SampleLength { expected, found } => {
                write!(f, "a picture has {found} bytes where the shape asks for {expected}")
            }
            Self::SampleShape { expected, found } => write!(
                f,
                "the model takes [channels, rows, columns] {expected:?}, the pictures are {found:?}"
            ),
            Self::SeveralKeys => {
                f.write_str("--slots takes a single --key, which they are derived from")
            }
            Self::Slots { found } => write!(
                f,
                "only {found} triggers of this kind are far enough from each other for slots of \
                 their own; use a larger tile, or fewer slots"
            ),
            Self::Decoy(error) => error.fmt(f),
            Self::Graph(error) => error.fmt(f),
            Self::File(error) => error.fmt(f),
            Self::Trigger(error) => error.fmt(f),
            Self::Engine(error) => error.fmt(f),
            Self::Metric(error) => error.fmt(f),
        }
    }
}

impl Error for LockError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Decoy(error) => error.source(),
            Self::Graph(error) => error.source(),
            Self::File(error) => error.source(),
            Self::Trigger(error) => error.source(),
            Self::Engine(error) => error.source(),
            Self::Metric(error) => error.source(),
            _ => None,
        }
    }
}

macro_rules! from {
    ($($variant:ident($error:ty)),* $(,)?) => {
        $(impl From<$error> for LockError {
            fn from(error: $error) -> Self {
                Self::$variant(error)
            }
        })*
    };
}

from!(
    Decoy(DecoyError),
    Graph(GraphError),
    File(FileError),
    Trigger(TriggerError),
    Engine(EngineError),
    Metric(MetricError),
);
