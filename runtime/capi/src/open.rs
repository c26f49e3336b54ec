//! Opening a model, from a file or from memory, signed by a vendor or not.

use std::ffi::c_char;
use std::fs::File;
use std::hint::black_box;
use std::io::Read;
use std::num::NonZero;
use std::path::{Path, PathBuf};

use saligate_keys::{ModelSignature, Vendor, sha256};
use saligate_runtime::Model;

use crate::call::{Failure, SaligateStatus, bytes, call, give_boxed, path, take_back, text};

/// The most threads that a model may have.
pub const SALIGATE_MAX_THREADS: usize = 256;

/// The stack of a thread, which Rust's library decides on.
const STACK_BYTES: usize = 2 << 20;
/// What is to be left when all threads have their stacks.
const SPARE_BYTES: usize = 8 << 20;

/// The largest model file that is read, in bytes: 2 GiB, as in the runtime.
const MAX_FILE_BYTES: u64 = 1 << 31;

/// An open model. It may be used by several threads at once.
pub struct SaligateModel {
    pub(crate) model: Model,
    /// Whose signature the file has, and licences must have; anybody's where no vendor was named.
    pub(crate) vendor: Option<Vendor>,
}

/// Opens a model file. To be sure that it is a certain vendor's, use `saligate_open_signed`.
///
/// `threads`, 1 to `SALIGATE_MAX_THREADS`, share the work on one picture: the calling thread and as
/// many others as are missing, which sleep between calls and end when the model is freed. 1 is a good
/// number for small models, and for a program that explains pictures on threads of its own. Results
/// do not depend on it.
///
/// `SALIGATE_STATUS_ERROR`: the file cannot be read or is no model, `threads` is out of range, or the
/// system does not give so many threads. The caller frees `model` with `saligate_free`.
///
/// # Safety
/// `file` is a text, `model` a place for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn saligate_open(
    file: *const c_char,
    threads: usize,
    model: *mut *mut SaligateModel,
) -> SaligateStatus {
    // SAFETY: what the caller promises.
    call(|| unsafe {
        let threads = checked(threads)?;
        let opened = with_threads(Model::open(path(file, "file")?)?, threads)?;
        give_boxed(model, SaligateModel { model: opened, vendor: None }, "model")
    })
}

/// Opens a model whose file is in memory; otherwise as `saligate_open`. The bytes may be freed after
/// the call.
///
/// # Safety
/// `data` holds `length` bytes, `model` is a place for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn saligate_open_bytes(
    data: *const u8,
    length: usize,
    threads: usize,
    model: *mut *mut SaligateModel,
) -> SaligateStatus {
    // SAFETY: what the caller promises.
    call(|| unsafe {
        let threads = checked(threads)?;
        let opened = with_threads(Model::from_bytes(bytes(data, length, "data")?)?, threads)?;
        give_boxed(model, SaligateModel { model: opened, vendor: None }, "model")
    })
}

/// Opens a model file that a vendor signed, and no other: the signature is checked over the very
/// bytes that are opened, before anything in them is read.
///
/// `vendor` is the vendor's public key, `sgvendor1...` as `saligate key show` prints it; the program
/// should have it built in. `signature` is the file that `saligate sign` writes, null for the model's
/// name with `.sig` after it. `threads` as for `saligate_open`.
///
/// Licences for this model must then be signed by the same vendor. A key is not asked who made it.
///
/// `SALIGATE_STATUS_NO`: there is no signature, it is another vendor's, it was changed, or it belongs
/// to other bytes. `SALIGATE_STATUS_ERROR`: as `saligate_open`, and for a `vendor` that is none. The
/// caller frees `model` with `saligate_free`.
///
/// # Safety
/// `file` and `vendor` are texts, `signature` is a text or null, `model` a place for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn saligate_open_signed(
    file: *const c_char,
    signature: *const c_char,
    vendor: *const c_char,
    threads: usize,
    model: *mut *mut SaligateModel,
) -> SaligateStatus {
    // SAFETY: what the caller promises.
    call(|| unsafe {
        let threads = checked(threads)?;
        let vendor = parsed(text(vendor, "vendor")?)?;
        let file = path(file, "file")?;
        let signature = match signature.is_null() {
            true => beside(file),
            false => path(signature, "signature")?.to_owned(),
        };
        let data = read(file)?;
        let named = |Failure(status, what)| Failure(status, format!("{}: {what}", file.display()));
        let opened = read_signature(file, &signature)
            .and_then(|signature| signed(&data, &signature, vendor).map_err(named))?;
        let opened = SaligateModel { model: with_threads(opened, threads)?, vendor: Some(vendor) };
        give_boxed(model, opened, "model")
    })
}

/// Opens a model whose file and signature are in memory; otherwise as `saligate_open_signed`. Both may
/// be freed after the call.
///
/// # Safety
/// `data` holds `length` bytes, `signature` holds `signature_length`, `vendor` is a text, `model` a
/// place for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn saligate_open_signed_bytes(
    data: *const u8,
    length: usize,
    signature: *const u8,
    signature_length: usize,
    vendor: *const c_char,
    threads: usize,
    model: *mut *mut SaligateModel,
) -> SaligateStatus {
    // SAFETY: what the caller promises.
    call(|| unsafe {
        let threads = checked(threads)?;
        let vendor = parsed(text(vendor, "vendor")?)?;
        let data = bytes(data, length, "data")?;
        let signature = bytes(signature, signature_length, "signature")?;
        let signature = ModelSignature::parse(signature).map_err(Failure::signed)?;
        let opened = with_threads(signed(data, &signature, vendor)?, threads)?;
        give_boxed(model, SaligateModel { model: opened, vendor: Some(vendor) }, "model")
    })
}

/// Frees a model and ends its threads; null is nothing to do. Accesses may outlive it.
///
/// # Safety
/// `model` is null, or came from a function of this library and was not freed before; nobody uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn saligate_free(model: *mut SaligateModel) {
    // SAFETY: what the caller promises.
    unsafe { take_back(model) }
}

pub(crate) fn checked(threads: usize) -> Result<NonZero<usize>, Failure> {
    let wanted = NonZero::new(threads).filter(|threads| threads.get() <= SALIGATE_MAX_THREADS);
    wanted.ok_or_else(|| {
        let most = SALIGATE_MAX_THREADS;
        Failure::misuse(format!("a model has 1 to {most} threads, not {threads}"))
    })
}

pub(crate) fn with_threads(model: Model, threads: NonZero<usize>) -> Result<Model, Failure> {
    let refused = || {
        let what = format!("the system does not give {threads} threads and the memory for them");
        Failure::misuse(format!("{what}; try fewer"))
    };
    // A thread that starts in the last of the memory ends the process: nothing in it can be refused.
    if !has_room(STACK_BYTES * (threads.get() - 1) + SPARE_BYTES) {
        return Err(refused());
    }
    model.with_threads(threads).map_err(|_| refused())
}

/// Whether so much memory can be had. None of it is touched.
fn has_room(bytes: usize) -> bool {
    let mut room = Vec::<u8>::new();
    // Unseen, what is reserved and freed would be optimised away.
    black_box(&mut room).try_reserve_exact(bytes).is_ok()
}

pub(crate) fn parsed(vendor: &str) -> Result<Vendor, Failure> {
    vendor.parse().map_err(|error| Failure::misuse(format!("vendor: {error}")))
}

/// The whole file at once: what is checked is then what is opened.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut data = Vec::new();
    let read = File::open(path).and_then(|f| f.take(MAX_FILE_BYTES + 1).read_to_end(&mut data));
    let failure = |what: String| Failure::misuse(format!("{}: {what}", path.display()));
    let length = read.map_err(|error| failure(error.to_string()))?;
    if length as u64 > MAX_FILE_BYTES {
        return Err(failure("more than 2 GiB, so no model file; check the path".to_owned()));
    }
    Ok(data)
}

/// `MODEL.sig`.
fn beside(model: &Path) -> PathBuf {
    let mut name = model.as_os_str().to_owned();
    name.push(".sig");
    name.into()
}

fn read_signature(model: &Path, path: &Path) -> Result<ModelSignature, Failure> {
    ModelSignature::read(path).map_err(|error| {
        if path.exists() {
            return Failure::signed(error);
        }
        let (model, path) = (model.display(), path.display());
        let what = format!("{model}: not signed: there is no {path}");
        Failure::no(format!("{what}; ask the vendor for the signature"))
    })
}

/// Checks that the vendor signed the bytes of a file, by the signature beside it.
pub(crate) fn signed_data(file: &Path, data: &[u8], vendor: Vendor) -> Result<(), Failure> {
    let signature = read_signature(file, &beside(file))?;
    let checked = signature.verify(&vendor, sha256(data)).map_err(Failure::signed);
    checked.map_err(|Failure(status, what)| Failure(status, format!("{}: {what}", file.display())))
}

fn signed(data: &[u8], signature: &ModelSignature, vendor: Vendor) -> Result<Model, Failure> {
    signature.verify(&vendor, sha256(data)).map_err(Failure::signed)?;
    Ok(Model::from_bytes(data)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SaligateAccess;

    #[test]
    fn models_and_accesses_are_for_several_threads() {
        fn shared<T: Send + Sync>() {}
        shared::<SaligateModel>();
        shared::<SaligateAccess>();
    }

    #[test]
    fn more_memory_than_there_is_is_told_from_some() {
        assert!(has_room(1 << 20));
        assert!(!has_room(1 << (usize::BITS - 2)));
    }

    #[test]
    fn threads_are_1_to_256() {
        for threads in [1, 2, 256] {
            assert_eq!(checked(threads).ok().map(NonZero::get), Some(threads));
        }
        for threads in [0, 257, 5000, usize::MAX] {
            let Err(Failure(status, message)) = checked(threads) else { panic!("{threads}") };
            assert_eq!(status, SaligateStatus::Error);
            assert_eq!(message, format!("a model has 1 to 256 threads, not {threads}"));
        }
    }
}
