//! The search for a trigger, where the kind of the trigger is known.

use saligate_keys::{Family, TriggerSpec};

pub use saligate_audit::search::{Aim, Search, SearchError, Tile};

/// Side in pixels and largest change in 8-bit steps of the tiles that are searched among for a kind of
/// trigger, on images of so many rows and columns. A patch is none.
pub fn space(spec: &TriggerSpec, [rows, columns]: [usize; 2]) -> Option<(usize, u8)> {
    match spec.family() {
        Family::Tile { size, amplitude } => Some((usize::from(size), amplitude)),
        Family::Full { amplitude } => Some((rows.max(columns), amplitude)),
        Family::Patch { .. } => None,
    }
}
