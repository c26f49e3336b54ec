//! Model files and networks from elsewhere, opened alike.

use std::path::Path;

use saligate_console::Failure;
use saligate_files::onnx;
use saligate_files::{ModelFile, read_file};
use saligate_keys::Vendor;
use saligate_runtime::Model;

use super::network::Network;
use super::running::ready;
use super::signatures;
use crate::args::{ForeignArgs, RunArgs};

/// What a network from elsewhere is opened for.
pub(crate) enum Purpose<'a> {
    /// Predictions.
    Prediction,
    /// An explanation.
    Explanation {
        /// Name of the method, the gradient where absent.
        method: Option<&'a str>,
        /// Layer that Grad-CAM reads.
        layer: Option<&'a str>,
    },
}

/// Opens a model file, or a network from elsewhere with what the purpose takes attached.
///
/// Where a vendor is named, the file must carry that vendor's signature, which is checked before
/// anything is read from it.
pub(crate) fn open(
    path: &Path,
    vendor: Option<Vendor>,
    args: &ForeignArgs,
    purpose: &Purpose<'_>,
    running: &RunArgs,
) -> Result<Model, Failure> {
    let bytes = read_file(path)?;
    if let Some(vendor) = vendor {
        signatures::check(path, &bytes, &vendor, None)?;
    }
    let named = |error: Failure| error.in_file(path);
    if onnx::has_manifest(&bytes) {
        if args.any() || matches!(purpose, Purpose::Explanation { layer: Some(_), .. }) {
            return Err(named(Failure::new(
                "the file has a manifest, which says how pixels enter and which layers are read",
            ))
            .hint(format!("leave out {}, --layer", ForeignArgs::NAMES)));
        }
        let model = ModelFile::from_vec(bytes).map_err(|e| named(e.into()))?;
        return ready(model, running).map_err(named);
    }
    // A signature covers one file, so nothing is read from others.
    let folder = path.parent().filter(|_| vendor.is_none());
    let layer = match purpose {
        Purpose::Explanation { layer, .. } => *layer,
        Purpose::Prediction => None,
    };
    let network = Network::read(path, folder, &bytes, args, layer)?;
    if !args.says_how_pixels_enter() {
        eprintln!(
            "saligate: note: {} has no manifest; its pixels enter as 0 to 1. If it was trained on \
             others, give --mean, --std, --range, --bgr",
            path.display()
        );
    }
    let explained = match purpose {
        Purpose::Prediction => Ok(Network::unused()),
        Purpose::Explanation { method, layer } => network.base(*method, *layer),
    };
    let explained = explained.map_err(named)?;
    drop(bytes);
    ready(network.model(&[explained])?, running)
}
