//! Which keys are compared.

use saligate_console::{Failure, secrets};
use saligate_files::ModelFile;
use saligate_files::manifest::Gate;
use saligate_keys::{ImageShape, KeyFile, KeyId, Ledger, Pool, Secret};
use saligate_models::trace::Suspect;

use crate::args::TraceArgs;

/// All keys that licences were issued for or that open the model.
pub(super) fn of(
    args: &TraceArgs,
    model: &ModelFile,
    gate: &Gate,
    ledger: &Ledger,
) -> Result<Vec<Suspect>, Failure> {
    if args.key.is_empty() {
        let own = Suspect::of_gate(&gate.keys, model.graph());
        return match own.is_empty() {
            false => Ok(own),
            true => Err(Failure::new(match model.manifest().sealed {
                None => "the triggers do not stand in a gate that was trained",
                Some(_) => "the triggers are sealed in the model",
            })
            .hint("--key FILE, the key files that it was locked with")),
        };
    }
    let issued = ledger.issued().iter().map(|issued| issued.claims().key);
    let mut ids: Vec<KeyId> = gate.keys.iter().copied().chain(issued).collect();
    ids.sort_by_key(|id| *id.as_bytes());
    ids.dedup();
    let files = secrets::keys(&args.key, args.secrets.file())?;
    let mut secrets: Vec<Secret> = files.into_iter().map(KeyFile::into_secret).collect();
    secrets.sort_by_key(|secret| *secret.id().as_bytes());
    secrets.dedup_by_key(|secret| secret.id());
    let input = &model.manifest().input;
    let shape = ImageShape::new(input.channels, input.height, input.width)?;
    let suspect = |secret: &Secret| {
        let trigger = gate.trigger.derive(secret, shape)?;
        Ok(Suspect::new(secret.id(), &gate.trigger, &trigger))
    };
    let own = secrets.iter().filter(|secret| ids.contains(&secret.id()));
    let own = own.map(suspect).collect::<Vec<_>>();
    let slots = Pool::slots(&secrets, &ids);
    let all = own.into_iter().chain(slots.iter().map(suspect));
    let all = all.collect::<Result<Vec<_>, Failure>>()?;
    if all.is_empty() {
        return Err(Failure::no("no key given opens the model or was licensed")
            .hint("the key files that the model was locked with"));
    }
    Ok(all.into_iter().flatten().collect())
}
