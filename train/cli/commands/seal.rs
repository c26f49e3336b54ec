//! `saligate-train lock --sealed`.

use saligate_console::outputs;
use saligate_files::ModelFile;
use saligate_files::manifest::Public;
use saligate_files::sealed::{Sealing, blank, public_network, seal as sealed_file};
use saligate_lock::{Keys, Samples};
use saligate_train::TrainError;
use saligate_train::lock::Material;

use crate::args::SealedArgs;
use crate::session::Session;

/// Whether the public network is trained.
pub(crate) fn is_trained(args: &SealedArgs) -> bool {
    args.public.to_str() == Some("train")
}

/// Builds the gate into the clean model, makes the network that is shown in front of it, and seals.
pub(crate) fn seal(
    session: &Session,
    args: &SealedArgs,
    clean: &ModelFile,
    keys: &Keys<'_>,
    samples: &Samples<'_>,
    material: Option<Material<'_>>,
) -> Result<(), TrainError> {
    let path = session.options().out.join("sealed.onnx");
    outputs::check([path.as_path()], [args.public.as_path()])?;
    let truth = session.built_in(clean, keys, samples)?;
    let (public, shows) = match args.public.to_str() {
        Some("none") => (blank(&truth)?, Public::None),
        Some("train") => (
            public_network(&session.public(clean, keys, samples, material)?, &truth)?,
            Public::Network,
        ),
        _ => (public_network(&ModelFile::open(&args.public)?, &truth)?, Public::Network),
    };
    let sealing = Sealing { truth: &truth, precision: args.precision, keys: &keys.right, id: None };
    let sealed = sealed_file(public, shows, &sealing)?;
    sealed.save(&path)?;
    eprintln!("wrote {}", path.display());
    Ok(())
}
