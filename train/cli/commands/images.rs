//! Looking at data: `preview` and `samples`.

use std::path::Path;

use saligate_console::emit;
use saligate_data::{contact_sheet, samples};
use saligate_files::atomic::write_atomic;
use saligate_train::TrainError;

use crate::args::ImageArgs;

/// Samples side by side on a sheet, and rows of them.
const COLUMNS: usize = 5;
const ROWS: usize = 8;

pub(crate) fn preview(images: &ImageArgs, out: &Path) -> Result<(), TrainError> {
    let splits = images.source.load(&images.options(COLUMNS * ROWS, COLUMNS * ROWS))?;
    let shown = if splits.train.is_empty() { splits.test } else { splits.train };
    let sheet = contact_sheet(&shown, COLUMNS, ROWS);
    let io = |source| TrainError::Io { path: out.to_owned(), source };
    let mut png = std::io::Cursor::new(Vec::new());
    let drawn = sheet.write_to(&mut png, image::ImageFormat::Png).map_err(std::io::Error::other);
    drawn.and_then(|()| write_atomic(out, png.get_ref())).map_err(io)?;
    Ok(emit(&out.display().to_string())?)
}

pub(crate) fn samples(images: &ImageArgs, out: &Path, count: usize) -> Result<(), TrainError> {
    for path in samples::write(&images.source, &images.options(1, count), out)? {
        emit(&path.display().to_string())?;
    }
    Ok(())
}
