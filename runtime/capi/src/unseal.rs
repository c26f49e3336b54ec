//! Opening a model with a key or licence: of a sealed one, the network that its file does not show.

use std::ffi::c_char;
use std::num::NonZero;

use saligate_keys::{IdentityKind, KeyFile, License, StoredSecret, Timestamp, Vendor};
use saligate_runtime::{Access, LockedModel, Model, Use};

use crate::access::{SaligateAccess, of, open_identity};
use crate::call::{Failure, SaligateStatus, bytes, call, give_boxed, optional, path, take_back};
use crate::open::{SaligateModel, checked, parsed, read, signed_data, with_threads};

/// Opens a model file with a key: of a sealed model the network that its file does not show, of any
/// other the model as it is. `model` and `access` then go together.
///
/// Where `vendor` is not null, the file must have that vendor's signature beside it, as for
/// `saligate_open_signed`. `key` is a key file that is not sealed with a passphrase. `threads` as for
/// `saligate_open`.
///
/// The network of a sealed model is decrypted in memory only. The library wipes what it frees while such
/// a model is open.
///
/// `SALIGATE_STATUS_NO`: the key is not this model's, the model has no gate, or the vendor did not sign
/// it. `SALIGATE_STATUS_ERROR`: as `saligate_open` and `saligate_access_with_key`, or the sealed part was
/// changed. The caller frees `model` with `saligate_free` and `access` with `saligate_access_free`.
///
/// # Safety
/// `file` and `key` are texts, `vendor` is a text or null, `model` and `access` are places for pointers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn saligate_open_with_key(
    file: *const c_char,
    vendor: *const c_char,
    key: *const c_char,
    threads: usize,
    model: *mut *mut SaligateModel,
    access: *mut *mut SaligateAccess,
) -> SaligateStatus {
    // SAFETY: what the caller promises.
    call(|| unsafe {
        let threads = checked(threads)?;
        let vendor = optional(vendor, "vendor")?.map(parsed).transpose()?;
        let file = path(file, "file")?;
        let key = KeyFile::read(path(key, "key")?)?;
        let data = read(file)?;
        vendor.map_or(Ok(()), |vendor| signed_data(file, &data, vendor))?;
        give(Opened::with_key(data, vendor, &key, threads)?, model, access)
    })
}

/// Opens a model with a key, both in memory; otherwise as `saligate_open_with_key`. The library wipes its
/// own copies of the secret; the caller should wipe `key`. Both may be freed after the call.
///
/// # Safety
/// `data` holds `length` bytes, `key` holds `key_length`, `model` and `access` are places for pointers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn saligate_open_with_key_bytes(
    data: *const u8,
    length: usize,
    key: *const u8,
    key_length: usize,
    threads: usize,
    model: *mut *mut SaligateModel,
    access: *mut *mut SaligateAccess,
) -> SaligateStatus {
    // SAFETY: what the caller promises.
    call(|| unsafe {
        let threads = checked(threads)?;
        let key = KeyFile::read_from(bytes(key, key_length, "key")?).map_err(|e| of("key", e))?;
        let data = bytes(data, length, "data")?.to_vec();
        give(Opened::with_key(data, None, &key, threads)?, model, access)
    })
}

/// Opens a model file with a licence: of a sealed model the network that its file does not show, of any
/// other the model as it is. `model` and `access` then go together.
///
/// `vendor` and `threads` as for `saligate_open_with_key`; `license`, `identity`, `method` and `device` as
/// for `saligate_access_with_license`. With `method` null, a licence for predictions alone is good too.
///
/// `SALIGATE_STATUS_NO`: the licence is not good for this, or the vendor did not sign the file.
/// `SALIGATE_STATUS_ERROR`: as `saligate_open` and `saligate_access_with_license`, or the sealed part was
/// changed. The caller frees `model` with `saligate_free` and `access` with `saligate_access_free`.
///
/// # Safety
/// `file`, `license` and `identity` are texts, `vendor`, `method` and `device` texts or null, `model` and
/// `access` are places for pointers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn saligate_open_with_license(
    file: *const c_char,
    vendor: *const c_char,
    license: *const c_char,
    identity: *const c_char,
    method: *const c_char,
    device: *const c_char,
    threads: usize,
    model: *mut *mut SaligateModel,
    access: *mut *mut SaligateAccess,
) -> SaligateStatus {
    // SAFETY: what the caller promises.
    call(|| unsafe {
        let threads = checked(threads)?;
        let vendor = optional(vendor, "vendor")?.map(parsed).transpose()?;
        let file = path(file, "file")?;
        let license = License::read(path(license, "license")?).map_err(Failure::signed)?;
        let identity_file = path(identity, "identity")?;
        let identity = StoredSecret::read(identity_file)?;
        let (method, device) = (optional(method, "method")?, optional(device, "device")?);
        let data = read(file)?;
        vendor.map_or(Ok(()), |vendor| signed_data(file, &data, vendor))?;
        let named = identity_file.display().to_string();
        let licensed = Licensed { license, identity, named: &named, method, device };
        give(Opened::with_license(data, vendor, licensed, threads)?, model, access)
    })
}

/// Opens a model with a licence, all in memory; otherwise as `saligate_open_with_license`. The library
/// wipes its own copies of the secret; the caller should wipe `identity`. All may be freed after the call.
///
/// # Safety
/// `data` holds `length` bytes, `license` holds `license_length`, `identity` holds `identity_length`,
/// `method` and `device` are texts or null, `model` and `access` are places for pointers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn saligate_open_with_license_bytes(
    data: *const u8,
    length: usize,
    license: *const u8,
    license_length: usize,
    identity: *const u8,
    identity_length: usize,
    method: *const c_char,
    device: *const c_char,
    threads: usize,
    model: *mut *mut SaligateModel,
    access: *mut *mut SaligateAccess,
) -> SaligateStatus {
    // SAFETY: what the caller promises.
    call(|| unsafe {
        let threads = checked(threads)?;
        let license = bytes(license, license_length, "license")?;
        let license = License::parse(license).map_err(Failure::signed)?;
        let identity = bytes(identity, identity_length, "identity")?;
        let identity = StoredSecret::read_from(identity).map_err(|e| of("identity", e))?;
        let (method, device) = (optional(method, "method")?, optional(device, "device")?);
        let data = bytes(data, length, "data")?.to_vec();
        let licensed = Licensed { license, identity, named: "the identity", method, device };
        give(Opened::with_license(data, None, licensed, threads)?, model, access)
    })
}

/// A model, and what opens its gate.
struct Opened {
    model: SaligateModel,
    access: SaligateAccess,
}

/// A licence, and what it is used for.
struct Licensed<'a> {
    license: License,
    identity: StoredSecret<IdentityKind>,
    /// What messages call the identity.
    named: &'a str,
    method: Option<&'a str>,
    device: Option<&'a str>,
}

impl Opened {
    fn with_key(
        data: Vec<u8>,
        vendor: Option<Vendor>,
        key: &KeyFile,
        threads: NonZero<usize>,
    ) -> Result<Self, Failure> {
        let (model, access) = LockedModel::from_vec(data)?.open_with_key(key.secret())?;
        Self::of(model, access, vendor, None, threads)
    }

    fn with_license(
        data: Vec<u8>,
        vendor: Option<Vendor>,
        licensed: Licensed<'_>,
        threads: NonZero<usize>,
    ) -> Result<Self, Failure> {
        let Licensed { license, identity, named, method, device } = licensed;
        let usage = Use { now: Timestamp::now(), device, vendor, method };
        let signer = Some(license.vendor());
        let locked = LockedModel::from_vec(data)?;
        locked.check_license(&license, identity.about().public, &usage)?;
        let identity = open_identity(identity, named)?;
        let (model, access) = locked.open_with_license(license, &identity, &usage)?;
        Self::of(model, access, vendor, signer, threads)
    }

    fn of(
        model: Model,
        access: Access,
        vendor: Option<Vendor>,
        signer: Option<Vendor>,
        threads: NonZero<usize>,
    ) -> Result<Self, Failure> {
        let model = SaligateModel { model: with_threads(model, threads)?, vendor };
        Ok(Self { model, access: SaligateAccess { access, vendor: signer } })
    }
}

/// Hands out both, or none.
///
/// # Safety
/// `model` and `access` are places for pointers, or null.
unsafe fn give(
    opened: Opened,
    model: *mut *mut SaligateModel,
    access: *mut *mut SaligateAccess,
) -> Result<(), Failure> {
    // SAFETY: what the caller promises.
    unsafe {
        give_boxed(model, opened.model, "model")?;
        give_boxed(access, opened.access, "access").inspect_err(|_| {
            take_back(model.replace(std::ptr::null_mut()));
        })
    }
}
