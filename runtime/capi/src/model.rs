//! Predicting and explaining.

use std::ffi::c_char;

use saligate_keys::{Timestamp, Trigger};
use saligate_runtime::picture::Picture;
use saligate_runtime::{Model, Target};

use crate::access::SaligateAccess;
use crate::call::{Failure, SaligateStatus, call, copy_out, copy_text, give, optional, reference};
use crate::open::SaligateModel;

/// What a model takes and answers.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SaligateShape {
    /// Channels of a picture: 1 for grey, 3 for red, green, blue.
    pub channels: usize,
    /// Rows of a picture.
    pub height: usize,
    /// Columns of a picture.
    pub width: usize,
    /// Number of classes.
    pub classes: usize,
}

/// How the pixels of a picture follow each other.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaligateOrder {
    /// `[channel][row][column]`
    Planar = 0,
    /// `[row][column][channel]`, as cameras give them.
    Interleaved = 1,
}

/// A picture of a model's size, 8 bits per value.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SaligatePicture {
    /// The values.
    pub pixels: *const u8,
    /// Number of values: channels times height times width.
    pub length: usize,
    /// Their order, one of `SaligateOrder`; any other number is an error.
    pub order: u32,
}

/// Version of the library, `MAJOR.MINOR.PATCH`. The text belongs to the library and is always good.
#[unsafe(no_mangle)]
pub extern "C" fn saligate_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// What a model takes and answers.
///
/// `SALIGATE_STATUS_ERROR`: `model` or `shape` is null.
///
/// # Safety
/// `model` is an open model or null, `shape` a place for the result or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn saligate_shape(
    model: *const SaligateModel,
    shape: *mut SaligateShape,
) -> SaligateStatus {
    // SAFETY: what the caller promises.
    call(|| unsafe {
        let manifest = reference(model, "model")?.model.manifest();
        let input = &manifest.input;
        let found = SaligateShape {
            channels: input.channels,
            height: input.height,
            width: input.width,
            classes: manifest.labels.len(),
        };
        give(shape, found, "shape")
    })
}

/// Copies the name of a class, cut off between two characters where `room` bytes are too few; it
/// always ends with a zero.
///
/// `SALIGATE_STATUS_ERROR`: there is no such class, or no room for the zero.
///
/// # Safety
/// `model` is an open model, `name` has room for `room` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn saligate_label(
    model: *const SaligateModel,
    class_: usize,
    name: *mut c_char,
    room: usize,
) -> SaligateStatus {
    // SAFETY: what the caller promises.
    call(|| unsafe {
        let labels = &reference(model, "model")?.model.manifest().labels;
        let label = labels.get(class_);
        let label = label.ok_or_else(|| Failure::misuse(format!("there is no class {class_}")))?;
        copy_text(label, name, room, "name")
    })
}

/// Predicts the class of a picture.
///
/// `logits`, one per class, may be null; `classes` is how many have room there, and must be the
/// model's number.
///
/// The first call of a model also plans its network, and takes longer. Calls on several threads at
/// once run beside each other; one of them at a time has the help of the model's threads.
///
/// `SALIGATE_STATUS_ERROR`: the picture or the room is of another size, or the network's answers are
/// not finite.
///
/// # Safety
/// `model` is an open model, the picture holds as many pixels as it says, `logits` is null or has
/// room for `classes` floats, `predicted` is a place for the result.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn saligate_predict(
    model: *const SaligateModel,
    picture: SaligatePicture,
    logits: *mut f32,
    classes: usize,
    predicted: *mut usize,
) -> SaligateStatus {
    // SAFETY: what the caller promises.
    call(|| unsafe {
        let model = &reference(model, "model")?.model;
        if predicted.is_null() {
            return Err(Failure::misuse("predicted is null"));
        }
        let found = model.predict(&seen(model, &picture)?)?;
        copy_out(&found.logits, logits, classes, "logits")?;
        give(predicted, found.class, "predicted")
    })
}

/// Explains a picture: `map` becomes the saliency map `[row][column]` of the picture's size, not
/// scaled for display.
///
/// `method` is one of the model's, null for the first. `class_` is explained, or the predicted one
/// where it is negative; `explained`, which may be null, tells which it was. Without `access`
/// (null) a locked model shows its decoy. `length` is the room in `map`: height times width.
///
/// An access is for the model that it was made with, however often that is opened. A licence is
/// checked in every call: it may end meanwhile.
///
/// The first call for a method also plans its network, and takes longer; threads as for
/// `saligate_predict`.
///
/// `SALIGATE_STATUS_NO`: the access is for another model, or the licence is not good now, not for
/// this method, or not by the vendor that the model was opened for. `SALIGATE_STATUS_ERROR`: there
/// is no such method or class, a size is wrong, or the network's answers are not finite.
///
/// # Safety
/// `model` is an open model, the picture holds as many pixels as it says, `method` is a text or null,
/// `access` is null or one that was not freed, `map` has room for `length` floats, `explained` is a
/// place for the result or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn saligate_explain(
    model: *const SaligateModel,
    picture: SaligatePicture,
    method: *const c_char,
    class_: i64,
    access: *const SaligateAccess,
    map: *mut f32,
    length: usize,
    explained: *mut usize,
) -> SaligateStatus {
    // SAFETY: what the caller promises.
    call(|| unsafe {
        let opened = reference(model, "model")?;
        let model = &opened.model;
        if map.is_null() {
            return Err(Failure::misuse("map is null"));
        }
        let method = optional(method, "method")?.unwrap_or(&model.manifest().method().name);
        let target = usize::try_from(class_).map_or(Target::Predicted, Target::Class);
        let trigger = trigger(opened, method, access)?;
        let found = model.explain_by(method, &seen(model, &picture)?, target, trigger)?;
        copy_out(&found.map, map, length, "map")?;
        if explained.is_null() { Ok(()) } else { give(explained, found.class, "explained") }
    })
}

/// Whether the gate finds a key on a picture: 1 or 0, and -1 for a model without a gate that tells.
///
/// Noise, or black and white pixels, may hide the key of an `access`; the map is then the decoy.
/// Takes as long as a prediction. `method` is one that the access allows, null for the model's first.
/// Ends as `saligate_explain`.
///
/// # Safety
/// As `saligate_explain`; `found` is a place for the result.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn saligate_key_found(
    model: *const SaligateModel,
    picture: SaligatePicture,
    method: *const c_char,
    access: *const SaligateAccess,
    found: *mut i32,
) -> SaligateStatus {
    // SAFETY: what the caller promises.
    call(|| unsafe {
        let opened = reference(model, "model")?;
        let model = &opened.model;
        let method = optional(method, "method")?.unwrap_or(&model.manifest().method().name);
        let trigger = trigger(opened, method, access)?;
        let answer = model.key_found(&seen(model, &picture)?, trigger)?;
        give(found, answer.map_or(-1, i32::from), "found")
    })
}

/// # Safety
/// `access` is null or one that was not freed.
unsafe fn trigger<'a>(
    opened: &SaligateModel,
    method: &str,
    access: *const SaligateAccess,
) -> Result<Option<&'a Trigger>, Failure> {
    // SAFETY: what the caller promises.
    let access = unsafe { access.as_ref() };
    access.map(|access| access.trigger(opened, method, Timestamp::now())).transpose()
}

/// # Safety
/// The picture holds as many pixels as it says.
unsafe fn seen(model: &Model, picture: &SaligatePicture) -> Result<Picture, Failure> {
    let input = &model.manifest().input;
    let (channels, height, width) = (input.channels, input.height, input.width);
    let wanted = channels * height * width;
    if picture.pixels.is_null() {
        return Err(Failure::misuse("pixels is null"));
    }
    if picture.length != wanted {
        let message = format!("the picture has {} values, not {wanted}", picture.length);
        return Err(Failure::misuse(message));
    }
    // SAFETY: what the caller promises.
    let given = unsafe { std::slice::from_raw_parts(picture.pixels, wanted) };
    const PLANAR: u32 = SaligateOrder::Planar as u32;
    const INTERLEAVED: u32 = SaligateOrder::Interleaved as u32;
    let planar = match picture.order {
        PLANAR => given.to_vec(),
        INTERLEAVED => {
            let channel = |c: usize| given[c..].iter().step_by(channels).copied();
            (0..channels).flat_map(channel).collect()
        }
        other => return Err(Failure::misuse(format!("there is no order {other}"))),
    };
    Picture::from_planar(channels, height, width, planar)
        .map_err(|e| Failure::misuse(e.to_string()))
}
