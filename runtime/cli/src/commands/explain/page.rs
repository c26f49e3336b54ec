//! One page for a browser with the figures of all pictures.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use saligate_audit::report::page::Page;
use saligate_console::{Failure, emit, outputs, shown};
use saligate_runtime::render::Canvas;

use super::report::Told;

/// A page that pictures are put on from several threads, in any order.
pub(super) struct Sheet {
    path: PathBuf,
    head: Page,
    figures: Mutex<BTreeMap<PathBuf, Canvas>>,
}

impl Sheet {
    pub(super) fn new(path: &Path, told: &Told<'_>) -> Self {
        let mut head = Page::new(&format!("Explanations by {}", shown(&told.args.model)));
        let manifest = told.model.manifest();
        head.paragraph(&format!(
            "Methods: {}. Each map shows the pixels that speak for the class, scaled from its lowest value to \
             its highest.",
            told.methods.join(", ")
        ));
        if manifest.gate.is_some() && !told.given {
            head.paragraph(
                "The model is gated, and no key or licence was given: this is what everybody sees.",
            );
        }
        Self { path: path.to_owned(), head, figures: Mutex::default() }
    }

    pub(super) fn put(&self, image: &Path, canvas: Canvas) {
        let mut figures = self.figures.lock().unwrap_or_else(PoisonError::into_inner);
        figures.insert(image.to_owned(), canvas);
    }

    pub(super) fn finish(self) -> Result<(), Failure> {
        let Self { path, mut head, figures } = self;
        for (image, canvas) in figures.into_inner().unwrap_or_else(PoisonError::into_inner) {
            head.figure(&canvas, &shown(&image))?;
        }
        head.paragraph(&format!("Made by saligate {}.", env!("CARGO_PKG_VERSION")));
        outputs::write_text(&path, &head.finished())?;
        emit(&format!("wrote {}", path.display()))
    }
}
