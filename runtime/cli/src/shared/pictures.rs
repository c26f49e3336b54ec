//! Pictures as models take them.

use std::path::Path;

use saligate_console::Failure;
use saligate_files::manifest::InputSpec;
use saligate_keys::Trigger;
use saligate_runtime::Model;
use saligate_runtime::picture::{Framing, Picture};

/// Opens a picture in the model's size and channels.
pub(crate) fn open(model: &Model, path: &Path) -> Result<Picture, Failure> {
    framed(model, Picture::open(path, model.manifest().input.channels)?)
}

/// The picture in the model's size.
pub(crate) fn framed(model: &Model, picture: Picture) -> Result<Picture, Failure> {
    let &InputSpec { height, width, resize, .. } = &model.manifest().input;
    Ok(picture.framed(&Framing { height, width, resize })?)
}

/// The picture with a trigger on it, as a network sees it.
pub(crate) fn with_trigger(picture: &Picture, trigger: &Trigger) -> Result<Picture, Failure> {
    let mut pixels = picture.pixels().to_vec();
    trigger.apply(&mut pixels)?;
    Ok(Picture::from_planar(picture.channels(), picture.height(), picture.width(), pixels)?)
}
