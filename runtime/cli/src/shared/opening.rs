//! Model files and networks from elsewhere, opened alike.

use std::path::Path;

use saligate_console::Failure;
use saligate_files::onnx;
use saligate_files::sealed::is_sealed;
use saligate_files::{ModelFile, read_file};
use saligate_keys::Vendor;
use saligate_runtime::{Access, Model, RuntimeError, SealedModel};

use super::access::{self, Wanted};
use super::network::Network;
use super::running::ready;
use super::signatures;
use crate::args::{AccessArgs, ForeignArgs, RunArgs};

/// What a network from elsewhere is opened for.
pub(crate) enum Purpose<'a> {
    /// Predictions.
    Prediction,
    /// An explanation.
    Explanation {
        /// Names of the methods, the gradient where there are none.
        methods: &'a [String],
        /// Layer that the methods of one layer read.
        layer: Option<&'a str>,
    },
}

/// A model file, and what opens what it withholds.
pub(crate) struct Opening<'a> {
    /// The file.
    pub(crate) path: &'a Path,
    /// The vendor who must have signed the file and the licence.
    pub(crate) vendor: Option<Vendor>,
    /// Key or licence.
    pub(crate) access: &'a AccessArgs,
}

impl Opening<'_> {
    /// Opens a model file, or a network from elsewhere with what the purpose takes attached. Of a
    /// sealed model, a key or licence opens the true network, and the access to it comes along.
    ///
    /// Where a vendor is named, the file must carry that vendor's signature, which is checked before
    /// anything is read from it.
    pub(crate) fn open(
        &self,
        args: &ForeignArgs,
        purpose: &Purpose<'_>,
        running: &RunArgs,
    ) -> Result<(Model, Option<Access>), Failure> {
        let &Self { path, vendor, access } = self;
        let named = |error: RuntimeError| Failure::from(error).in_file(path);
        // A signature covers the whole file, which is then read whole.
        let in_parts = access.any() && vendor.is_none();
        let sealed = in_parts.then(|| SealedModel::open_path(path)).transpose().map_err(named)?;
        let sealed = match sealed.flatten() {
            Some(sealed) => sealed,
            None => {
                let bytes = signed(path, vendor)?;
                if !(access.any() && is_sealed(&bytes)) {
                    return Ok((opened(path, bytes, vendor, args, purpose, running)?, None));
                }
                SealedModel::from_vec(bytes).map_err(named)?
            }
        };
        check_described(path, args, purpose)?;
        let default = sealed.manifest().method().name.clone();
        let methods: Vec<&str> = match purpose {
            Purpose::Prediction => Vec::new(),
            Purpose::Explanation { methods: [], .. } => vec![&default],
            Purpose::Explanation { methods, .. } => methods.iter().map(String::as_str).collect(),
        };
        let wanted = Wanted { methods: &methods, vendor };
        let (model, access) = access::unseal(access, running, sealed, wanted)?;
        Ok((model, Some(access)))
    }
}

/// The bytes of a file, which the vendor signed where one is named.
fn signed(path: &Path, vendor: Option<Vendor>) -> Result<Vec<u8>, Failure> {
    let bytes = read_file(path)?;
    if let Some(vendor) = vendor {
        signatures::check(path, &bytes, &vendor, None)?;
    }
    Ok(bytes)
}

/// Checks that nothing is said of a file that its manifest says.
fn check_described(path: &Path, args: &ForeignArgs, purpose: &Purpose<'_>) -> Result<(), Failure> {
    if args.any() || matches!(purpose, Purpose::Explanation { layer: Some(_), .. }) {
        return Err(Failure::new(
            "the file has a manifest, which says how pixels enter and which layers are read",
        )
        .in_file(path)
        .hint(format!("leave out {}, --layer", ForeignArgs::NAMES)));
    }
    Ok(())
}

fn opened(
    path: &Path,
    bytes: Vec<u8>,
    vendor: Option<Vendor>,
    args: &ForeignArgs,
    purpose: &Purpose<'_>,
    running: &RunArgs,
) -> Result<Model, Failure> {
    let named = |error: Failure| error.in_file(path);
    if onnx::has_manifest(&bytes) {
        check_described(path, args, purpose)?;
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
        Purpose::Prediction => Ok(vec![Network::unused()]),
        Purpose::Explanation { methods, layer } => network.bases(methods, *layer),
    };
    let explained = explained.map_err(named)?;
    drop(bytes);
    ready(network.model(&explained)?, running)
}
