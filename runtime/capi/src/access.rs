//! The right to see the correct map.

use std::ffi::c_char;

use saligate_keys::{
    Identity, IdentityKind, KeyFile, License, Refusal, StoredSecret, Timestamp, Trigger, Vendor,
};
use saligate_runtime::{Access, Use, device_name};

use crate::call::{
    Failure, SaligateStatus, bytes, call, copy_text, give_boxed, optional, path, reference,
    take_back,
};
use crate::open::SaligateModel;

/// What a key or licence opens, for one model. The trigger in it is wiped when it is freed. It may be
/// used by several threads at once.
pub struct SaligateAccess {
    pub(crate) access: Access,
    /// Who signed the licence; a key has no signer.
    pub(crate) vendor: Option<Vendor>,
}

impl SaligateAccess {
    fn of_key(model: &SaligateModel, key: &KeyFile) -> Result<Self, Failure> {
        Ok(Self { access: Access::of_key(&model.model, key.secret())?, vendor: None })
    }

    /// `named` is what messages call the identity.
    fn of_license(
        opened: &SaligateModel,
        license: License,
        identity: StoredSecret<IdentityKind>,
        named: &str,
        method: Option<&str>,
        device: Option<&str>,
    ) -> Result<Self, Failure> {
        let model = &opened.model;
        let method = Some(method.unwrap_or(&model.manifest().method().name));
        let usage = Use { now: Timestamp::now(), device, vendor: opened.vendor, method };
        model.check_license(&license, identity.about().public, &usage)?;
        let identity = open_identity(identity, named)?;
        let vendor = Some(license.vendor());
        let access = Access::of_license(model, license, &identity, &usage)?;
        Ok(Self { access, vendor })
    }

    /// The trigger for one explanation, if the access is good for it now.
    pub(crate) fn trigger(
        &self,
        opened: &SaligateModel,
        method: &str,
        now: Timestamp,
    ) -> Result<&Trigger, Failure> {
        // The access may be of the same model, opened without naming a vendor.
        if let (Some(found), Some(expected)) = (self.vendor, opened.vendor)
            && found != expected
        {
            return Err(Failure::no(Refusal::Vendor { found, expected }.to_string()));
        }
        Ok(self.access.trigger(&opened.model, method, now)?)
    }
}

/// Takes the trigger out of a key file that is not sealed.
///
/// `SALIGATE_STATUS_NO`: the key is not this model's, or the model has no gate.
/// `SALIGATE_STATUS_ERROR`: the file cannot be read, is damaged or sealed. The caller frees `access`
/// with `saligate_access_free`.
///
/// # Safety
/// `model` is an open model, `key` a text, `access` a place for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn saligate_access_with_key(
    model: *const SaligateModel,
    key: *const c_char,
    access: *mut *mut SaligateAccess,
) -> SaligateStatus {
    // SAFETY: what the caller promises.
    call(|| unsafe {
        let model = reference(model, "model")?;
        let key = KeyFile::read(path(key, "key")?)?;
        give_boxed(access, SaligateAccess::of_key(model, &key)?, "access")
    })
}

/// Takes the trigger out of a key file in memory; otherwise as `saligate_access_with_key`. The library
/// wipes its own copies of the secret; the caller should wipe `key`, which may be freed after the call.
///
/// # Safety
/// `model` is an open model, `key` holds `length` bytes, `access` is a place for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn saligate_access_with_key_bytes(
    model: *const SaligateModel,
    key: *const u8,
    length: usize,
    access: *mut *mut SaligateAccess,
) -> SaligateStatus {
    // SAFETY: what the caller promises.
    call(|| unsafe {
        let model = reference(model, "model")?;
        let key = KeyFile::read_from(bytes(key, length, "key")?).map_err(|e| of("key", e))?;
        give_boxed(access, SaligateAccess::of_key(model, &key)?, "access")
    })
}

/// Checks a licence, and takes the trigger out of it.
///
/// `method` is one to explain by, null for the model's first; others are checked when they are used.
/// `device` is the name of this device, null where it has none; `saligate_device` tells one.
/// Licence and identity are files; the identity is not sealed.
///
/// `SALIGATE_STATUS_NO`: the licence is not good for this model, identity, device, method or time, is
/// not by the vendor that the model was opened for, or was changed. `SALIGATE_STATUS_ERROR`: a file
/// cannot be read or is of another kind, or the identity is damaged or sealed. The caller frees
/// `access` with `saligate_access_free`.
///
/// # Safety
/// `model` is an open model, `license` and `identity` are texts, `method` and `device` texts or null,
/// `access` is a place for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn saligate_access_with_license(
    model: *const SaligateModel,
    license: *const c_char,
    identity: *const c_char,
    method: *const c_char,
    device: *const c_char,
    access: *mut *mut SaligateAccess,
) -> SaligateStatus {
    // SAFETY: what the caller promises.
    call(|| unsafe {
        let model = reference(model, "model")?;
        let license = License::read(path(license, "license")?).map_err(Failure::signed)?;
        let file = path(identity, "identity")?;
        let identity = StoredSecret::read(file)?;
        let (method, device) = (optional(method, "method")?, optional(device, "device")?);
        let named = file.display().to_string();
        let opened = SaligateAccess::of_license(model, license, identity, &named, method, device)?;
        give_boxed(access, opened, "access")
    })
}

/// Checks a licence in memory, and takes the trigger out of it with an identity in memory; otherwise
/// as `saligate_access_with_license`. The library wipes its own copies of the secret; the caller should
/// wipe `identity`. Both may be freed after the call.
///
/// # Safety
/// `model` is an open model, `license` holds `license_length` bytes, `identity` holds
/// `identity_length`, `method` and `device` are texts or null, `access` is a place for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn saligate_access_with_license_bytes(
    model: *const SaligateModel,
    license: *const u8,
    license_length: usize,
    identity: *const u8,
    identity_length: usize,
    method: *const c_char,
    device: *const c_char,
    access: *mut *mut SaligateAccess,
) -> SaligateStatus {
    // SAFETY: what the caller promises.
    call(|| unsafe {
        let model = reference(model, "model")?;
        let license = bytes(license, license_length, "license")?;
        let license = License::parse(license).map_err(Failure::signed)?;
        let identity = bytes(identity, identity_length, "identity")?;
        let identity = StoredSecret::read_from(identity).map_err(|e| of("identity", e))?;
        let (method, device) = (optional(method, "method")?, optional(device, "device")?);
        let named = "the identity";
        let opened = SaligateAccess::of_license(model, license, identity, named, method, device)?;
        give_boxed(access, opened, "access")
    })
}

/// The identity in a file, which `named` is what messages call.
pub(crate) fn open_identity(
    identity: StoredSecret<IdentityKind>,
    named: &str,
) -> Result<Identity, Failure> {
    match identity {
        StoredSecret::Open(identity) => Ok(identity.into_identity()),
        StoredSecret::Sealed(_) => {
            let what = "is sealed with a passphrase; give one that is not";
            Err(Failure::misuse(format!("{named} {what}")))
        }
    }
}

/// What is wrong with an argument; a file would be named instead.
pub(crate) fn of(name: &str, error: saligate_keys::Error) -> Failure {
    Failure::misuse(format!("{name}: {error}"))
}

/// Copies the name that this device has in licences, cut off where `room` bytes are too few; it
/// always ends with a zero. 64 bytes are enough.
///
/// `SALIGATE_STATUS_NO`: this system has no machine id, so no name. `SALIGATE_STATUS_ERROR`: there is
/// no room for the zero.
///
/// # Safety
/// `name` has room for `room` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn saligate_device(name: *mut c_char, room: usize) -> SaligateStatus {
    // SAFETY: what the caller promises.
    call(|| unsafe {
        let found = device_name().ok_or_else(|| Failure::no("this system has no machine id"))?;
        copy_text(&found, name, room, "name")
    })
}

/// Wipes and frees an access; null is nothing to do.
///
/// # Safety
/// `access` is null, or came from a function of this library and was not freed before; nobody uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn saligate_access_free(access: *mut SaligateAccess) {
    // SAFETY: what the caller promises.
    unsafe { take_back(access) }
}
