//! Sealing a model.

use saligate_keys::{ChunkPlace, ContentKey, KeyId, ModelKey, SealedId, Secret, VendorKeys, salt};
use zeroize::Zeroizing;

use super::part::{HEAD_LEN, SealedPart, bound_entry};
use super::{CHUNK, MAGIC, MAX_KEYS, SealedError, VERSION};
use crate::archive::{self, Precision};
use crate::error::FileError;
use crate::hash::sha256;
use crate::manifest::{Public, Sealed};
use crate::model::ModelFile;

/// What is sealed, and for whom.
#[derive(Clone, Copy)]
pub struct Sealing<'a> {
    /// The true network, with its gate of the key form.
    pub truth: &'a ModelFile,
    /// How exactly its weights are stored.
    pub precision: Precision,
    /// The secrets of all keys of its gate, in any order. The first one signs.
    pub keys: &'a [&'a Secret],
    /// The id of a model that is sealed again; a new model gets one where absent.
    pub id: Option<SealedId>,
}

/// A file that shows a public network, and has the true one sealed in it.
///
/// The public network is one of [`public_network`](super::public_network) or
/// [`blank`](super::blank); what the file says of the gate is taken from the true one.
///
/// # Errors
/// The true network has no gate of the key form, or the networks or keys do not fit each other.
pub fn seal(
    public: ModelFile,
    shows: Public,
    sealing: &Sealing<'_>,
) -> Result<ModelFile, FileError> {
    let Sealing { truth, precision, keys, id } = *sealing;
    let unfit = |reason| Err(FileError::from(SealedError::Unfit { reason }));
    let Some(gate) = truth.manifest().gate.clone() else {
        return unfit("only a model with a gate is sealed; `saligate lock --sealed` builds one in");
    };
    let signer = keys.first().map(|secret| VendorKeys::of(secret));
    let Some(signer) = signer.filter(|signer| gate.vendor == Some(signer.public())) else {
        return unfit("the first key must be the one that the model was locked with first");
    };
    let of_gate = |id: &KeyId| keys.iter().find(|secret| secret.id() == *id);
    let Some(secrets) = gate.keys.iter().map(of_gate).collect::<Option<Vec<_>>>() else {
        return unfit("every key of the model is needed to seal it");
    };
    if secrets.len() > MAX_KEYS {
        return unfit("the model has more keys than a sealed part has room for");
    }
    let id = id.unwrap_or_else(|| signer.sealed_id(&truth.licensing_digest()));
    let public = public.in_front_of(truth, Sealed { id, public: shows, precision })?;
    let plain = Zeroizing::new(archive::body(truth, precision)?);
    let json = public.manifest().to_json();
    let bytes = encrypted(&plain, &json, &id, &secrets, &signer)?;
    public.with_part(SealedPart::parse(bytes)?)
}

fn encrypted(
    plain: &[u8],
    manifest: &str,
    id: &SealedId,
    secrets: &[&&Secret],
    signer: &VendorKeys<'_>,
) -> Result<Vec<u8>, SealedError> {
    let (salt, content) = (salt()?, ContentKey::generate()?);
    let mut bytes = MAGIC.to_vec();
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend((CHUNK as u32).to_le_bytes());
    bytes.extend((plain.len() as u64).to_le_bytes());
    bytes.extend(salt);
    bytes.extend(sha256(manifest.as_bytes()));
    bytes.extend((secrets.len() as u32).to_le_bytes());
    let head = bytes.clone();
    debug_assert_eq!(head.len(), HEAD_LEN);
    for secret in secrets {
        let key = secret.id();
        bytes.extend(key.as_bytes());
        bytes.extend(ModelKey::of(secret, id).wrap(&content, &salt, &bound_entry(&head, key)));
    }
    let bound = sha256(&bytes);
    let (chunks, count) = (content.chunks(&bound), plain.len().div_ceil(CHUNK));
    for (number, chunk) in plain.chunks(CHUNK).enumerate() {
        let is_last = number + 1 == count;
        let number = u32::try_from(number).map_err(|_| SealedError::Length)?;
        let start = bytes.len();
        bytes.extend_from_slice(chunk);
        let tag = chunks.seal(ChunkPlace { number, is_last }, &mut bytes[start..]);
        bytes.extend(tag);
    }
    let signature = signer.sign_sealed(&sha256(&bytes));
    bytes.extend(signature);
    Ok(bytes)
}
