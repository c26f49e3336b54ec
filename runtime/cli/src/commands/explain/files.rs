//! The files that `explain` writes.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use saligate_console::{Failure, outputs};
use saligate_runtime::npy::write_npy;
use saligate_runtime::picture::Picture;
use saligate_runtime::render::{Canvas, Cell, Panel, heatmap, overlay};
use saligate_runtime::{Attribution, Explanation, Model};

use super::report::Told;
use super::{Class, Found};
use crate::args::ExplainArgs;
use crate::shared::pictures;

/// Side, in pixels, that small drawings are enlarged to.
const SHOWN_SIDE: usize = 224;

/// Where the results for one picture go.
pub(super) struct Files<'a> {
    pub(super) image: &'a Path,
    pub(super) panel: Option<PathBuf>,
    pub(super) triggered: Option<PathBuf>,
    /// For each class the methods, in the order in which both were asked for.
    pub(super) maps: Vec<MapFiles>,
}

/// Where the results of one class and method go.
pub(super) struct MapFiles {
    out: Option<PathBuf>,
    overlay: Option<PathBuf>,
    raw: Option<PathBuf>,
    attribution: Option<PathBuf>,
}

impl<'a> Files<'a> {
    pub(super) fn of(
        args: &ExplainArgs,
        image: &'a Path,
        methods: &[&str],
        classes: &[Class],
    ) -> Self {
        let asked =
            [&args.out, &args.overlay, &args.panel, &args.raw, &args.attribution, &args.triggered];
        #[cfg(feature = "audit")]
        let asked = [&asked[..], &[&args.html]].concat();
        let none = asked.iter().all(|path| path.is_none());
        // In the working folder.
        let panel = if none { Some("{}.explained.png".into()) } else { args.panel.clone() };
        let pairs = classes.iter().flat_map(|class| methods.iter().map(move |m| (class, *m)));
        let maps = pairs.map(|(class, method)| {
            let named = |path: &Option<PathBuf>| {
                path.as_ref().map(|path| named_after(path, image, Some((class, method))))
            };
            MapFiles {
                out: named(&args.out),
                overlay: named(&args.overlay),
                raw: named(&args.raw),
                attribution: named(&args.attribution),
            }
        });
        let whole =
            |path: &Option<PathBuf>| path.as_ref().map(|path| named_after(path, image, None));
        Self {
            image,
            maps: maps.collect(),
            panel: whole(&panel),
            triggered: whole(&args.triggered),
        }
    }

    /// Those of all maps together.
    pub(super) fn common(&self) -> impl Iterator<Item = &Path> {
        [&self.panel, &self.triggered].into_iter().flatten().map(PathBuf::as_path)
    }

    fn all(&self) -> impl Iterator<Item = &Path> {
        self.maps.iter().flat_map(MapFiles::all).chain(self.common())
    }
}

impl MapFiles {
    /// In the order in which they are written.
    pub(super) fn all(&self) -> impl Iterator<Item = &Path> {
        let Self { out, overlay, raw, attribution } = self;
        [out, overlay, raw, attribution].into_iter().flatten().map(PathBuf::as_path)
    }

    /// `original` is the picture as it was read, at its own size, where there is an overlay of it.
    pub(super) fn write(
        &self,
        args: &ExplainArgs,
        model: &Model,
        original: Option<&Picture>,
        explanation: &Explanation,
    ) -> Result<(), Failure> {
        let framing = pictures::framing(model);
        let map = &explanation.map;
        if let Some(path) = &self.out {
            let drawn = heatmap(map, framing.height, framing.width, args.colormap)?;
            drawn.enlarged(SHOWN_SIDE)?.save_png(path)?;
        }
        if let (Some(path), Some(original)) = (&self.overlay, original) {
            let whole = framing.unframed(map, original.height(), original.width())?;
            let drawn = overlay(original, &whole, args.colormap)?;
            drawn.enlarged(SHOWN_SIDE)?.save_png(path)?;
        }
        if let Some(path) = &self.raw {
            write_npy(path, &[framing.height, framing.width], map)?;
        }
        if let Some(path) = &self.attribution {
            let Attribution { values, channels, height, width } = &explanation.attribution;
            write_npy(path, &[*channels, *height, *width], values)?;
        }
        Ok(())
    }
}

/// The picture, and the map and overlay of each class and method.
pub(super) fn panel(told: &Told<'_>, picture: &Picture, all: &[Found]) -> Result<Canvas, Failure> {
    let colormap = told.args.colormap;
    let mut panel = Panel::new(["picture", "saliency map", "overlay"]);
    for found in all {
        let map = &found.found.explanation.map;
        let drawn = heatmap(map, picture.height(), picture.width(), colormap)?;
        let over = overlay(picture, map, colormap)?;
        let cells = [
            Cell::new(Canvas::from(picture), &told.class_caption(found)),
            Cell::new(drawn, &told.method_caption(found)),
            Cell::from(over),
        ];
        panel = panel.row("", cells);
    }
    Ok(panel.render()?)
}

/// A path with the name of the picture, without its ending, in place of `{}`, and of the method and the
/// class in place of theirs.
fn named_after(path: &Path, image: &Path, of: Option<(&Class, &str)>) -> PathBuf {
    let Some(text) = path.to_str().filter(|text| text.contains('{')) else {
        return path.to_owned();
    };
    let stem = image.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    let mut text = text.to_owned();
    if let Some((class, method)) = of {
        text = text.replace("{method}", method).replace("{class}", &class.name);
    }
    PathBuf::from(text.replace("{}", &stem))
}

/// Refuses files that must not be replaced, or that two results would be written to, before
/// anything is computed.
pub(super) fn check(args: &ExplainArgs, pictures: &[Files<'_>]) -> Result<(), Failure> {
    let access = &args.access;
    let secrets = [&access.key, &access.license, &access.identity, &access.secrets.passphrase_file];
    let others = secrets.into_iter().chain([&args.foreign.labels]).flatten();
    let others = others.chain([&args.model]).map(PathBuf::as_path);
    let read = others.chain(pictures.iter().map(|files| files.image));
    let written = pictures.iter().flat_map(Files::all);
    #[cfg(feature = "audit")]
    let written = written.chain(args.html.as_deref());
    outputs::check(written, read)?;
    let mut known: HashMap<&Path, (usize, &Path)> = HashMap::new();
    for (number, files) in pictures.iter().enumerate() {
        for path in files.all() {
            let Some((other, image)) = known.insert(path, (number, files.image)) else { continue };
            let failure = if other == number {
                Failure::new("several maps would be written here")
                    .hint("{method} and {class} in the name, for those of each map")
            } else {
                let (one, two) = (image.display(), files.image.display());
                Failure::new(format!("{one} and {two} would both be written here")).hint(
                    "{} in the name, for the name of each picture; pictures of one name apart",
                )
            };
            return Err(failure.in_file(path));
        }
    }
    Ok(())
}
