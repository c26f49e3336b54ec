//! Results, messages and what comes in from C.

use std::any::Any;
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
    /// It ran, and the answer is no: the key belongs to another model, the licence has expired, the
    /// vendor did not sign the file.
    No = 1,
    /// It could not run: a file cannot be read or is damaged, an argument is wrong, the system has no
    /// thread to give, or there is an error inside the library.
    Error = 2,
}

thread_local! {
    static MESSAGE: RefCell<CString> = RefCell::default();
}

/// What happened in the last call of this thread that did not end with `SALIGATE_STATUS_OK`, as
/// UTF-8; empty before there is one.
///
/// The text belongs to the library and to the calling thread. It is good until the next call of this
/// thread to any function of the library, or the end of the thread.
#[unsafe(no_mangle)]
pub extern "C" fn saligate_message() -> *const c_char {
    let message = || MESSAGE.try_with(|message| message.borrow().as_ptr()).ok();
    guard(message).ok().flatten().unwrap_or(c"".as_ptr())
}

/// Why a call did not end well.
pub(crate) struct Failure(pub(crate) SaligateStatus, pub(crate) String);

impl Failure {
    pub(crate) fn misuse(what: impl Into<String>) -> Self {
        Self(SaligateStatus::Error, what.into())
    }

    pub(crate) fn no(what: impl Into<String>) -> Self {
        Self(SaligateStatus::No, what.into())
    }

    /// Of a licence or signature: one that was changed is not good, which is a no.
    pub(crate) fn signed(error: impl Into<saligate_keys::Error>) -> Self {
        let error = error.into();
        if error.is_refusal() { Self::no(error.to_string()) } else { error.into() }
    }

    /// Of a panic, with what it says of itself.
    fn panicked(panic: &(dyn Any + Send)) -> Self {
        let text = panic.downcast_ref::<&str>().copied();
        let what = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        let what = what.unwrap_or("without a message");
        Self::misuse(format!("an error inside libsaligate: {what}; please report it"))
    }
}

impl From<RuntimeError> for Failure {
    fn from(error: RuntimeError) -> Self {
        let status = match error {
            RuntimeError::WrongKey { .. }
            | RuntimeError::NoGate
            | RuntimeError::Sealed
            | RuntimeError::Blank
            | RuntimeError::License(_) => SaligateStatus::No,
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

/// The border: what C calls runs in here, and no panic gets out.
///
/// What a panic leaves half done is not seen again: the values that outlive a call are models and
/// accesses, which no call changes but to make a plan once.
pub(crate) fn guard<T>(body: impl FnOnce() -> T) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(body)).map_err(|panic| Failure::panicked(&*panic))
}

/// Runs the body of a call, and keeps its message.
pub(crate) fn call(body: impl FnOnce() -> Result<(), Failure>) -> SaligateStatus {
    let Err(Failure(status, message)) = guard(body).flatten() else { return SaligateStatus::Ok };
    let message = message.replace('\0', "\u{fffd}");
    // A thread that is ending has no place for it any more.
    let _ = MESSAGE.try_with(|place| place.replace(CString::new(message).unwrap_or_default()));
    status
}

/// Drops what C gives back.
///
/// # Safety
/// The pointer is null, or came from [`give_boxed`] and was not given back before.
pub(crate) unsafe fn take_back<T>(from: *mut T) {
    if !from.is_null() {
        // SAFETY: what the caller promises.
        let value = unsafe { Box::from_raw(from) };
        // There is no status to return, and nothing that C could do.
        let _ = guard(|| drop(value));
    }
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
/// The pointer is null, or good for `length` bytes to be read.
pub(crate) unsafe fn bytes<'a>(
    from: *const u8,
    length: usize,
    name: &str,
) -> Result<&'a [u8], Failure> {
    if from.is_null() {
        return Err(Failure::misuse(format!("{name} is null")));
    }
    if isize::try_from(length).is_err() {
        return Err(Failure::misuse(format!("{name} cannot have {length} bytes")));
    }
    // SAFETY: what the caller promises, and no memory is longer.
    Ok(unsafe { std::slice::from_raw_parts(from, length) })
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

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> String {
        // SAFETY: the library's own text, which no other call of this thread replaces meanwhile.
        unsafe { CStr::from_ptr(saligate_message()) }.to_str().unwrap().to_owned()
    }

    #[test]
    fn a_panic_is_an_error_with_its_message() {
        assert_eq!(call(|| panic!("no such lane")), SaligateStatus::Error);
        assert_eq!(message(), "an error inside libsaligate: no such lane; please report it");
        let lane = 5;
        assert_eq!(call(|| panic!("no lane {lane}")), SaligateStatus::Error);
        assert_eq!(message(), "an error inside libsaligate: no lane 5; please report it");
        assert_eq!(call(|| std::panic::panic_any(lane)), SaligateStatus::Error);
        assert!(message().contains("without a message"));
    }

    #[test]
    fn a_panic_while_freeing_ends_there() {
        struct Failing;
        impl Drop for Failing {
            fn drop(&mut self) {
                panic!("cannot be freed");
            }
        }
        // SAFETY: a box that is given back once.
        unsafe { take_back(Box::into_raw(Box::new(Failing))) };
    }

    #[test]
    fn every_thread_has_its_own_message() {
        assert_eq!(call(|| Err(Failure::no("mine\0"))), SaligateStatus::No);
        std::thread::spawn(|| assert_eq!(message(), "")).join().unwrap();
        assert_eq!(message(), "mine\u{fffd}");
    }

    #[test]
    fn bytes_that_no_memory_holds_are_refused() {
        // SAFETY: nothing is read.
        assert!(unsafe { bytes([0].as_ptr(), usize::MAX, "data") }.is_err());
    }
}
