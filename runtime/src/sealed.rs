//! Models whose right maps, and predictions, are those of a network that is sealed in the file.

use std::path::Path;

use saligate_files::manifest::Manifest;
use saligate_files::sealed::{SealedFile, is_sealed};
use saligate_kernels::Wiping;
use saligate_keys::{Identity, KeyId, License, LicensedModel, ModelKey, Recipient, Secret};

use crate::access::{Access, Use, checked};
use crate::engine::EngineKind;
use crate::error::RuntimeError;
use crate::model::{Model, check_key, shape};

/// A model file with a sealed network that is not open yet.
///
/// [`Model::open`] opens what such a file shows to everybody. This opens the true network instead, for
/// whoever has a key or licence; the public one is not even read. The true network is decrypted in
/// memory, a chunk at a time. In programs whose allocator is a
/// [`WipingAllocator`](crate::WipingAllocator), nothing of it is left there once the model is dropped.
pub struct SealedModel {
    file: SealedFile,
    wiping: Wiping,
}

impl SealedModel {
    /// Reads the bytes of a file, as far as a key or licence takes it.
    ///
    /// # Errors
    /// Nothing is sealed in the file, or it was changed.
    pub fn from_vec(bytes: Vec<u8>) -> Result<Self, RuntimeError> {
        Ok(Self::new(SealedFile::from_vec(bytes)?))
    }

    /// What was read of a file.
    pub fn new(file: SealedFile) -> Self {
        Self { file, wiping: Wiping::begin() }
    }

    /// Reads a file, as far as a key or licence takes it: the public network is left out. `None` where
    /// nothing is sealed in it.
    ///
    /// # Errors
    /// The file cannot be read, or it was changed.
    pub fn open_path(path: &Path) -> Result<Option<Self>, RuntimeError> {
        Ok(SealedFile::open_path(path)?.map(Self::new))
    }

    /// What the file says of itself.
    pub fn manifest(&self) -> &Manifest {
        self.file.manifest()
    }

    /// What licences say of this model.
    ///
    /// # Errors
    /// The model has no gate.
    pub fn licensed(&self) -> Result<LicensedModel<'_>, RuntimeError> {
        let gate = self.manifest().gate.as_ref().ok_or(RuntimeError::NoGate)?;
        let digest = self.file.licensing_digest();
        Ok(LicensedModel { digest, earlier: digest, keys: &gate.keys, vendor: gate.vendor })
    }

    /// Whether a licence is good for this, and for this recipient; see [`Model::check_license`].
    ///
    /// # Errors
    /// As there.
    pub fn check_license(
        &self,
        license: &License,
        recipient: Recipient,
        usage: &Use<'_>,
    ) -> Result<(), RuntimeError> {
        checked(self.licensed()?, license, recipient, usage).map(drop)
    }

    /// Whether a key opens the model, by its public id.
    ///
    /// # Errors
    /// [`RuntimeError::WrongKey`].
    pub fn check_key(&self, found: KeyId) -> Result<(), RuntimeError> {
        check_key(self.manifest(), found)
    }

    /// Opens the true network with a key of the model, or the secret of a slot.
    ///
    /// # Errors
    /// The key is another model's, the file was changed, or the engine cannot run the network.
    pub fn open_with_key(
        self,
        secret: &Secret,
        engine: EngineKind,
    ) -> Result<(Model, Access), RuntimeError> {
        let id = secret.id();
        self.check_key(id)?;
        let manifest = self.manifest();
        let gate = manifest.gate.as_ref().ok_or(RuntimeError::NoGate)?;
        let trigger = gate.trigger.derive(secret, shape(manifest)?)?;
        let key = ModelKey::of(secret, &self.file.sealed().id);
        Ok((self.open(&key, id, engine)?, Access::with_key(trigger, id)))
    }

    /// Opens the true network with a licence. Everything that can be checked is checked before anything
    /// is unwrapped.
    ///
    /// # Errors
    /// The licence is not good for this ([`RuntimeError::License`]), the file was changed, or the engine
    /// cannot run the network.
    pub fn open_with_license(
        self,
        license: License,
        identity: &Identity,
        usage: &Use<'_>,
        engine: EngineKind,
    ) -> Result<(Model, Access), RuntimeError> {
        let id = license.claims().key;
        let licensed = self.licensed()?;
        let (access, key) = Access::licensed(self.manifest(), licensed, license, identity, usage)?;
        Ok((self.open(&key.ok_or(RuntimeError::Sealed)?, id, engine)?, access))
    }

    fn open(self, key: &ModelKey, id: KeyId, engine: EngineKind) -> Result<Model, RuntimeError> {
        let Self { file, wiping } = self;
        Model::unsealed(file.open(key, id)?, engine, wiping)
    }
}

/// A model file that is to be opened with a key or licence, whether its network is sealed or not.
pub enum LockedModel {
    /// The network is there: a key or licence opens its gate.
    Open(Box<Model>),
    /// The network is sealed.
    Sealed(Box<SealedModel>),
}

impl LockedModel {
    /// Reads the bytes of a file.
    ///
    /// # Errors
    /// As [`SealedModel::from_vec`] or [`Model::open`].
    pub fn from_vec(bytes: Vec<u8>) -> Result<Self, RuntimeError> {
        Ok(match is_sealed(&bytes) {
            true => Self::Sealed(Box::new(SealedModel::from_vec(bytes)?)),
            false => Self::Open(Box::new(Model::from_bytes(&bytes)?)),
        })
    }

    /// What the file says of itself.
    pub fn manifest(&self) -> &Manifest {
        match self {
            Self::Open(model) => model.manifest(),
            Self::Sealed(model) => model.manifest(),
        }
    }

    /// What licences say of this model.
    ///
    /// # Errors
    /// The model has no gate.
    pub fn licensed(&self) -> Result<LicensedModel<'_>, RuntimeError> {
        match self {
            Self::Open(model) => model.licensed(),
            Self::Sealed(model) => model.licensed(),
        }
    }

    /// Whether a licence is good for this, and for this recipient; see [`Model::check_license`].
    ///
    /// # Errors
    /// As there.
    pub fn check_license(
        &self,
        license: &License,
        recipient: Recipient,
        usage: &Use<'_>,
    ) -> Result<(), RuntimeError> {
        checked(self.licensed()?, license, recipient, usage).map(drop)
    }

    /// Opens the model with a key.
    ///
    /// # Errors
    /// As [`SealedModel::open_with_key`] or [`Access::of_key`].
    pub fn open_with_key(self, secret: &Secret) -> Result<(Model, Access), RuntimeError> {
        match self {
            Self::Open(model) => {
                let access = Access::of_key(&model, secret)?;
                Ok((*model, access))
            }
            Self::Sealed(model) => model.open_with_key(secret, EngineKind::Native),
        }
    }

    /// Opens the model with a licence.
    ///
    /// # Errors
    /// As [`SealedModel::open_with_license`] or [`Access::of_license`].
    pub fn open_with_license(
        self,
        license: License,
        identity: &Identity,
        usage: &Use<'_>,
    ) -> Result<(Model, Access), RuntimeError> {
        match self {
            Self::Open(model) => {
                let access = Access::of_license(&model, license, identity, usage)?;
                Ok((*model, access))
            }
            Self::Sealed(model) => {
                model.open_with_license(license, identity, usage, EngineKind::Native)
            }
        }
    }
}
