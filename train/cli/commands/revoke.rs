//! `saligate-train lock --revoke` without a key.

use std::path::{Path, PathBuf};

use saligate_files::ModelFile;
use saligate_keys::{KeyId, StoredSecret, VendorKind};
use saligate_lock::revoke;
use saligate_train::TrainError;

use crate::args::{GateArgs, HowArgs};
use crate::session::make_folder;

/// Closes a locked model for some of its keys: OUT/locked.onnx, in place where no model is given.
pub(crate) fn run(
    how: &HowArgs,
    gate: &GateArgs,
    revoked: &[PathBuf],
    slots: u32,
) -> Result<(), TrainError> {
    if !gate.method.is_empty() || slots > 0 || !how.set.is_empty() {
        let reason = "--revoke without --key takes none of --method, --slots and --set";
        return Err(TrainError::Mismatch { reason: reason.to_owned() });
    }
    let keys = revoked.iter().map(|key| id(key)).collect::<Result<Vec<_>, _>>()?;
    let path = how.out.join("locked.onnx");
    let mut locked = ModelFile::open(gate.model.as_deref().unwrap_or(&path))?;
    for key in &keys {
        locked = revoke(locked, key)?;
    }
    make_folder(&how.out)?;
    locked.save(&path)?;
    eprintln!("wrote {}", path.display());
    Ok(())
}

/// The id of a key that is given by its file or by the id itself.
fn id(key: &Path) -> Result<KeyId, TrainError> {
    let id = key.to_str().and_then(|text| text.parse().ok());
    match id {
        Some(id) if !key.exists() => Ok(id),
        _ => Ok(StoredSecret::<VendorKind>::read(key)?.about().public),
    }
}
