//! The files that `explain` writes.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use saligate_console::{Failure, outputs};
use saligate_runtime::npy::write_npy;
use saligate_runtime::picture::Picture;
use saligate_runtime::render::{Canvas, Panel, Scaling, heatmap, overlay};
use saligate_runtime::{Attribution, Explanation};

use crate::args::ExplainArgs;

/// Side, in pixels, that small drawings are enlarged to.
const SHOWN_SIDE: usize = 224;

/// Where the results for one picture go.
pub(super) struct Files<'a> {
    pub(super) image: &'a Path,
    out: Option<PathBuf>,
    overlay: Option<PathBuf>,
    panel: Option<PathBuf>,
    raw: Option<PathBuf>,
    attribution: Option<PathBuf>,
    pub(super) triggered: Option<PathBuf>,
}

impl<'a> Files<'a> {
    pub(super) fn of(args: &ExplainArgs, image: &'a Path) -> Self {
        let named = |path: &Option<PathBuf>| path.as_ref().map(|path| named_after(path, image));
        let asked =
            [&args.out, &args.overlay, &args.panel, &args.raw, &args.attribution, &args.triggered];
        let none = asked.iter().all(|path| path.is_none());
        // In the working folder.
        let panel = if none { Some("{}.explained.png".into()) } else { args.panel.clone() };
        Self {
            image,
            out: named(&args.out),
            overlay: named(&args.overlay),
            panel: named(&panel),
            raw: named(&args.raw),
            attribution: named(&args.attribution),
            triggered: named(&args.triggered),
        }
    }

    /// In the order in which they are written.
    pub(super) fn all(&self) -> impl Iterator<Item = &Path> {
        let Self { out, overlay, panel, raw, attribution, triggered, .. } = self;
        let all = [out, overlay, panel, raw, attribution, triggered];
        all.into_iter().flatten().map(PathBuf::as_path)
    }

    pub(super) fn write(
        &self,
        picture: &Picture,
        explanation: &Explanation,
    ) -> Result<(), Failure> {
        let (height, width) = (picture.height(), picture.width());
        let map = &explanation.map;
        if let Some(path) = &self.out {
            let drawn = heatmap(map, height, width, Scaling::MinMax)?;
            drawn.enlarged(SHOWN_SIDE)?.save_png(path)?;
        }
        if let Some(path) = &self.overlay {
            let drawn = overlay(picture, map, Scaling::MinMax)?;
            drawn.enlarged(SHOWN_SIDE)?.save_png(path)?;
        }
        if let Some(path) = &self.panel {
            let cells = [
                Canvas::from(picture),
                heatmap(map, height, width, Scaling::MinMax)?,
                overlay(picture, map, Scaling::MinMax)?,
            ];
            let panel = Panel::new(["picture", "saliency map", "overlay"]).row("", cells);
            panel.render()?.save_png(path)?;
        }
        if let Some(path) = &self.raw {
            write_npy(path, &[height, width], map)?;
        }
        if let Some(path) = &self.attribution {
            let Attribution { values, channels, height, width } = &explanation.attribution;
            write_npy(path, &[*channels, *height, *width], values)?;
        }
        Ok(())
    }
}

/// A path with the name of the picture, without its ending, in place of `{}`.
fn named_after(path: &Path, image: &Path) -> PathBuf {
    let Some(text) = path.to_str().filter(|text| text.contains("{}")) else {
        return path.to_owned();
    };
    let stem = image.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    PathBuf::from(text.replace("{}", &stem))
}

/// Refuses files that must not be replaced, or that two pictures would be written to, before
/// anything is computed.
pub(super) fn check(args: &ExplainArgs, pictures: &[Files<'_>]) -> Result<(), Failure> {
    let access = &args.access;
    let secrets = [&access.key, &access.license, &access.identity, &access.secrets.passphrase_file];
    let others = secrets.into_iter().chain([&args.foreign.labels]).flatten();
    let others = others.chain([&args.model]).map(PathBuf::as_path);
    let read = others.chain(pictures.iter().map(|files| files.image));
    outputs::check(pictures.iter().flat_map(Files::all), read)?;
    let mut known: HashMap<&Path, &Path> = HashMap::new();
    for files in pictures {
        for path in files.all() {
            if let Some(other) = known.insert(path, files.image) {
                let (one, two) = (other.display(), files.image.display());
                return Err(Failure::new(format!("{one} and {two} would both be written here"))
                    .in_file(path)
                    .hint(
                        "{} in the name, for the name of each picture; pictures of one name apart",
                    ));
            }
        }
    }
    Ok(())
}
