//! Sealing models anew: what was sealed in them changes, and their name in licences does not.

use std::path::{Path, PathBuf};

use saligate_console::{Failure, secrets};
use saligate_files::ModelFile;
use saligate_files::archive::Precision;
use saligate_files::manifest::{Public, Sealed};
use saligate_files::sealed::{Sealing, seal};
use saligate_keys::{KeyFile, KeyId, ModelKey, Pool, SealedId, Secret};

/// A sealed model that is open to its vendor.
pub(crate) struct Unsealed {
    /// The network that the file shows.
    public: ModelFile,
    /// The true network.
    pub(crate) truth: ModelFile,
    sealed: Sealed,
    /// The vendor's own keys, then those of slots.
    secrets: Vec<Secret>,
}

impl Unsealed {
    /// Opens a model with the key files of its vendor; `None` where nothing is sealed in it.
    pub(crate) fn open(
        model: &ModelFile,
        path: &Path,
        keys: &[PathBuf],
        passphrase_file: Option<&Path>,
    ) -> Result<Option<Self>, Failure> {
        let Some(sealed) = model.manifest().sealed else { return Ok(None) };
        if keys.is_empty() {
            return Err(Failure::new(
                "the true network is sealed, and only its vendor can change it",
            )
            .in_file(path)
            .hint("--key FILE, the key files that it was locked with"));
        }
        let opens = model.manifest().gate.as_ref().map_or(&[][..], |gate| &gate.keys);
        let files = secrets::keys(keys, passphrase_file)?;
        let secrets = of_keys(files.into_iter().map(KeyFile::into_secret).collect(), opens);
        let ours = secrets.iter().find(|secret| opens.contains(&secret.id()));
        let ours = ours.ok_or_else(|| {
            let list = KeyId::list(opens);
            Failure::no(format!("no key given opens this model; it opens with key {list}"))
                .in_file(path)
        })?;
        let Some(file) = model.sealed_file()? else { return Ok(None) };
        let truth = file.open(&ModelKey::of(ours, &sealed.id), ours.id());
        let truth = truth.map_err(|error| Failure::from(error).in_file(path))?;
        Ok(Some(Self { public: model.shown()?, truth, sealed, secrets }))
    }

    /// The model with another true network, another public one, or both.
    pub(crate) fn sealed_again(
        &self,
        public: Option<ModelFile>,
        truth: &ModelFile,
        precision: Precision,
    ) -> Result<ModelFile, Failure> {
        let Self { sealed, secrets, .. } = self;
        let public = public.unwrap_or_else(|| self.public.clone());
        sealed_for(public, sealed.public, truth, precision, secrets, Some(sealed.id))
    }

    /// How exactly the weights of the true network were stored.
    #[cfg(feature = "lock")]
    pub(crate) fn precision(&self) -> Precision {
        self.sealed.precision
    }

    /// The network that the file shows.
    pub(crate) fn public(&self) -> &ModelFile {
        &self.public
    }
}

/// The secrets, and those of slots that are among these keys.
fn of_keys(secrets: Vec<Secret>, opens: &[KeyId]) -> Vec<Secret> {
    let slots = Pool::slots(&secrets, opens);
    secrets.into_iter().chain(slots).collect()
}

/// A model with a public network in front of the true one.
pub(crate) fn sealed_for(
    public: ModelFile,
    shows: Public,
    truth: &ModelFile,
    precision: Precision,
    secrets: &[Secret],
    id: Option<SealedId>,
) -> Result<ModelFile, Failure> {
    let keys: Vec<&Secret> = secrets.iter().collect();
    Ok(seal(public, shows, &Sealing { truth, precision, keys: &keys, id })?)
}
