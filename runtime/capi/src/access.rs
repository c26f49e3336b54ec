//! The right to see the correct map.

use std::ffi::c_char;

use saligate_keys::{IdentityFile, KeyFile, License, Timestamp, Trigger};
use saligate_runtime::Use;

use crate::call::{SaligateStatus, call, give, optional, path, reference};
use crate::model::SaligateModel;

/// The trigger of a key or licence, for one model. It is wiped when it is freed.
pub struct SaligateAccess(pub(crate) Trigger);

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
        let trigger = model.0.trigger(key.secret())?;
        give(access, Box::into_raw(Box::new(SaligateAccess(trigger))), "access")
    })
}

/// Checks a licence, and takes the trigger out of it.
///
/// `method` is the one to explain by, null for the model's first; `device` is the name of this
/// device, null where it has none. Licence and identity are files; the identity is not sealed.
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
        let license = License::read(path(license, "license")?)?;
        let identity = IdentityFile::read(path(identity, "identity")?)?.into_identity();
        let method = optional(method, "method")?.unwrap_or(&model.manifest().method().name);
        let device = optional(device, "device")?;
        let usage = Use { now: Timestamp::now(), device, vendor: None, method };
        let trigger = model.licensed_trigger(&license, &identity, &usage)?;
        give(access, Box::into_raw(Box::new(SaligateAccess(trigger))), "access")
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
