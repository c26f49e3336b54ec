//! `saligate import`.

use std::path::PathBuf;

use saligate_console::{Failure, emit, outputs, printable};
use saligate_files::onnx;
use saligate_files::read_file;
use saligate_models::saliency::{Attachment, Method};

use crate::args::ImportArgs;
use crate::shared::network::Network;

pub(crate) fn run(args: &ImportArgs) -> Result<(), Failure> {
    let read = [&args.network].into_iter().chain(&args.foreign.labels);
    outputs::check([args.out.as_path()], read.map(PathBuf::as_path))?;
    let path = &args.network;
    let bytes = read_file(path)?;
    if onnx::has_manifest(&bytes) {
        let error = Failure::new("this is a model file already").in_file(path);
        return Err(error.hint(format!("saligate inspect {}", path.display())));
    }
    let network = Network::read(path, path.parent(), &bytes, &args.foreign, args.layer.as_deref())?
        .named(args.name.as_deref());
    let methods = methods(&network, args)?;
    let model = network.model(&methods)?;
    model.save(&args.out)?;
    if args.json {
        return emit(&model.manifest().to_json());
    }
    let names: Vec<_> = methods.iter().map(|m| m.method.name()).collect();
    emit(&format!("wrote {}, explained by {}", args.out.display(), names.join(", ")))
}

/// The methods that were asked for, or of the usual ones all that the network allows.
fn methods(network: &Network, args: &ImportArgs) -> Result<Vec<Attachment>, Failure> {
    let layer = args.layer.as_deref();
    let attachable = |method: Method| {
        let layer = layer.filter(|_| method.reads_one_layer());
        let explained = network.explained(method, layer)?;
        network.allows(&explained).map(|()| explained)
    };
    if !args.method.is_empty() {
        if layer.is_some() && !args.method.iter().any(|m| m.reads_one_layer()) {
            return Err(Failure::new(
                "--layer belongs to methods that read one layer, such as grad-cam, which --method leaves out",
            ));
        }
        if let Some(twice) =
            args.method.iter().enumerate().find(|(i, m)| args.method[..*i].contains(m))
        {
            return Err(Failure::new(format!("--method names {} twice", twice.1)));
        }
        return args.method.iter().map(|&method| attachable(method)).collect();
    }
    let mut found = Vec::new();
    for &method in Method::GATED {
        match attachable(method) {
            Ok(explained) => found.push(explained),
            // Whoever names a layer wants the method that reads it.
            Err(error) if method == Method::GradCam && layer.is_some() => return Err(error),
            Err(error) => {
                let error = printable(&error.to_string());
                eprintln!("saligate: note: without {method}: {error}");
            }
        }
    }
    match found[..] {
        [] => Err(Failure::new("no saliency method can be attached to this network")),
        _ => Ok(found),
    }
}
