//! Results, messages and what comes in from C.

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use saligate_runtime::RuntimeError;

/// How a call ended. The numbers are the exit codes of the program.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaligateStatus {
    /// Done.
    Ok = 0,
    /// It ran, and the answer is no: the key belongs to another model, the licence has expired.
    No = 1,
    /// It could not run.
    Error = 2,
}

thread_local! {
    static MESSAGE: RefCell<CString> = RefCell::default();
}

/// What happened in the last call of this thread that did not end with `SALIGATE_STATUS_OK`, as
/// UTF-8. The text is good until the next call of this thread.
#[unsafe(no_mangle)]
pub extern "C" fn saligate_message() -> *const c_char {
    MESSAGE.with_borrow(|message| message.as_ptr())
}

/// Why a call did not end well.
pub(crate) struct Failure(SaligateStatus, String);

impl Failure {
    pub(crate) fn misuse(what: impl Into<String>) -> Self {
        Self(SaligateStatus::Error, what.into())
    }

    pub(crate) fn no(what: impl Into<String>) -> Self {
        Self(SaligateStatus::No, what.into())
    }
}

impl From<RuntimeError> for Failure {
    fn from(error: RuntimeError) -> Self {
        let status = match error {
            RuntimeError::WrongKey { .. } | RuntimeError::NoGate | RuntimeError::License(_) => {
                SaligateStatus::No
            }
            _ => SaligateStatus::Error,
        };
        Self(status, error.to_string())
    }
}

impl From<saligate_keys::Error> for Failure {
    fn from(error: saligate_keys::Error) -> Self {
        Self(SaligateStatus::Error, error.to_string())
    }
}

/// Runs the body of a call, and keeps its message.
pub(crate) fn call(body: impl FnOnce() -> Result<(), Failure>) -> SaligateStatus {
    let ended = catch_unwind(AssertUnwindSafe(body));
    let ended = ended.unwrap_or_else(|_| Err(Failure::misuse("an error inside libsaligate")));
    let Err(Failure(status, message)) = ended else { return SaligateStatus::Ok };
    let message = message.replace('\0', "\u{fffd}");
    MESSAGE.set(CString::new(message).unwrap_or_default());
    status
}

/// # Safety
/// The pointer is null, or that of a text that ends with a zero.
pub(crate) unsafe fn text<'a>(from: *const c_char, name: &str) -> Result<&'a str, Failure> {
    if from.is_null() {
        return Err(Failure::misuse(format!("{name} is null")));
    }
    // SAFETY: what the caller promises.
    let text = unsafe { CStr::from_ptr(from) }.to_str();
    text.map_err(|_| Failure::misuse(format!("{name} is not UTF-8")))
}

/// # Safety
/// As [`text`].
pub(crate) unsafe fn optional<'a>(
    from: *const c_char,
    name: &str,
) -> Result<Option<&'a str>, Failure> {
    // SAFETY: what the caller promises.
    if from.is_null() { Ok(None) } else { unsafe { text(from, name) }.map(Some) }
}

/// # Safety
/// As [`text`].
pub(crate) unsafe fn path<'a>(from: *const c_char, name: &str) -> Result<&'a Path, Failure> {
    // SAFETY: what the caller promises.
    unsafe { text(from, name) }.map(Path::new)
}

/// # Safety
/// The pointer is null, or that of a good value.
pub(crate) unsafe fn reference<'a, T>(from: *const T, name: &str) -> Result<&'a T, Failure> {
    // SAFETY: what the caller promises.
    unsafe { from.as_ref() }.ok_or_else(|| Failure::misuse(format!("{name} is null")))
}

/// # Safety
/// The pointer is null, or good for a value to be written, which may be uninitialized.
pub(crate) unsafe fn give<T>(to: *mut T, value: T, name: &str) -> Result<(), Failure> {
    if to.is_null() {
        return Err(Failure::misuse(format!("{name} is null")));
    }
    // SAFETY: what the caller promises.
    unsafe { to.write(value) };
    Ok(())
}

/// Gives a value to C, which frees it by a function of this library.
///
/// # Safety
/// As [`give`].
pub(crate) unsafe fn give_boxed<T>(to: *mut *mut T, value: T, name: &str) -> Result<(), Failure> {
    if to.is_null() {
        return Err(Failure::misuse(format!("{name} is null")));
    }
    // SAFETY: what the caller promises.
    unsafe { to.write(Box::into_raw(Box::new(value))) };
    Ok(())
}

/// Copies a text out, cut off where there is too little room; it always ends with a zero.
///
/// # Safety
/// The pointer is null, or good for `room` bytes to be written.
pub(crate) unsafe fn copy_text(
    text: &str,
    to: *mut c_char,
    room: usize,
    name: &str,
) -> Result<(), Failure> {
    if to.is_null() || room == 0 {
        return Err(Failure::misuse(format!("{name} has no room")));
    }
    let length = text.floor_char_boundary(room - 1);
    // SAFETY: what the caller promises; the text is not one of C's.
    unsafe {
        std::ptr::copy_nonoverlapping(text.as_ptr().cast(), to, length);
        to.add(length).write(0);
    }
    Ok(())
}

/// Copies values out, if the caller wants them.
///
/// # Safety
/// The pointer is null, or good for `length` values to be written.
pub(crate) unsafe fn copy_out(
    values: &[f32],
    to: *mut f32,
    length: usize,
    name: &str,
) -> Result<(), Failure> {
    if to.is_null() {
        return Ok(());
    }
    if length != values.len() {
        let wanted = values.len();
        return Err(Failure::misuse(format!("{name} has room for {length} floats, not {wanted}")));
    }
    // SAFETY: what the caller promises; the slice is not one of C's.
    unsafe { std::ptr::copy_nonoverlapping(values.as_ptr(), to, length) };
    Ok(())
}
