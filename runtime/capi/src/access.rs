//! The right to see the correct map.

use std::ffi::c_char;

use saligate_keys::{IdentityKind, KeyFile, License, StoredSecret, Timestamp};
use saligate_runtime::{Access, Use, device_name};

use crate::call::{
    Failure, SaligateStatus, call, copy_text, give_boxed, optional, path, reference,
};
use crate::model::SaligateModel;

/// What a key or licence opens, for one model. The trigger in it is wiped when it is freed.
pub struct SaligateAccess(pub(crate) Access);

/// Takes the trigger out of a key file that is not sealed.
///
/// # Safety
/// `model` is one of [`saligate_open`](crate::saligate_open)'s, `key` a text, `access` a place for
/// a pointer.
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
        give_boxed(access, SaligateAccess(Access::of_key(&model.0, key.secret())?), "access")
    })
}

/// Checks a licence, and takes the trigger out of it.
///
/// `method` is one to explain by, null for the model's first; others are checked when they are used.
/// `device` is the name of this device, null where it has none; [`saligate_device`] tells one.
/// Licence and identity are files; the identity is not sealed. A licence that is not good for this,
/// or that was changed, is `SALIGATE_STATUS_NO`.
///
/// # Safety
/// `model` is one of [`saligate_open`](crate::saligate_open)'s, texts are texts or null where that
/// is allowed, `access` is a place for a pointer.
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
        let model = &reference(model, "model")?.0;
        let license = License::read(path(license, "license")?).map_err(|error| {
            if error.is_refusal() { Failure::no(error.to_string()) } else { error.into() }
        })?;
        let file = path(identity, "identity")?;
        let stored = StoredSecret::<IdentityKind>::read(file)?;
        let method = optional(method, "method")?.unwrap_or(&model.manifest().method().name);
        let device = optional(device, "device")?;
        let usage = Use { now: Timestamp::now(), device, vendor: None, method };
        model.check_license(&license, stored.about().public, &usage)?;
        let StoredSecret::Open(identity) = stored else {
            let what = "is sealed with a passphrase; give one that is not";
            return Err(Failure::misuse(format!("{} {what}", file.display())));
        };
        let opened = Access::of_license(model, license, &identity.into_identity(), &usage)?;
        give_boxed(access, SaligateAccess(opened), "access")
    })
}

/// Copies the name that this device has in licences, cut off where `room` bytes are too few; it
/// always ends with a zero. A system without a machine id has none, which is
/// `SALIGATE_STATUS_NO`.
///
/// # Safety
/// `name` has room for so many bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn saligate_device(name: *mut c_char, room: usize) -> SaligateStatus {
    // SAFETY: what the caller promises.
    call(|| unsafe {
        let found = device_name().ok_or_else(|| Failure::no("this system has no machine id"))?;
        copy_text(&found, name, room, "name")
    })
}

/// Wipes and frees; null is nothing to do.
///
/// # Safety
/// `access` is null, or came from a function of this library and was not freed before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn saligate_access_free(access: *mut SaligateAccess) {
    if !access.is_null() {
        // SAFETY: what the caller promises.
        drop(unsafe { Box::from_raw(access) });
    }
}
