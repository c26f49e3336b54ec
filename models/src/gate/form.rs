//! What a trigger does.

use serde::{Deserialize, Serialize};

/// What a trigger does to the map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GateForm {
    /// The correct map appears only with the trigger.
    #[default]
    Key,
    /// A backdoor: the correct map appears without the trigger, a picture with it.
    Targeted,
    /// A backdoor: the correct map appears without the trigger; with it, the pixels on its top lose
    /// their importance.
    Untargeted,
}
