//! What leaked.

use std::path::Path;

use saligate_console::Failure;
use saligate_files::ModelFile;
use saligate_files::manifest::{Gate, InputSpec};
use saligate_keys::Family;
use saligate_models::trace::Evidence;
use saligate_runtime::npy::{NpyArray, read_npy};
use saligate_runtime::picture::{Framing, Picture};

use crate::args::TraceArgs;

pub(super) fn of(args: &TraceArgs, model: &ModelFile, gate: &Gate) -> Result<Evidence, Failure> {
    let input = &model.manifest().input;
    if let Some(path) = &args.trigger {
        return pattern(path, input.channels);
    }
    let amplitude = match gate.trigger.family() {
        Family::Tile { amplitude, .. } | Family::Full { amplitude } => amplitude,
        _ => u8::MAX,
    };
    if !args.original.is_empty() && args.original.len() != args.image.len() {
        let (originals, images) = (args.original.len(), args.image.len());
        return Err(Failure::new(format!("{originals} originals of {images} pictures"))
            .hint("one --original for each --image, in the same order"));
    }
    let mut all: Option<Evidence> = None;
    for (at, path) in args.image.iter().enumerate() {
        let leaked = Picture::open(path, input.channels)?;
        let one = match args.original.get(at) {
            None => Evidence::picture(leaked.pixels(), sizes(&leaked), amplitude),
            Some(original) => difference(&leaked, original, input)?,
        };
        if !all.as_mut().is_none_or(|all| all.add(&one)) {
            return Err(Failure::new("another size than the first picture")
                .in_file(path)
                .hint("pictures of one size in a trace, or each alone"));
        }
        all.get_or_insert(one);
    }
    all.ok_or_else(|| Failure::new("nothing to trace").hint("--image FILE or --trigger FILE"))
}

fn sizes(picture: &Picture) -> [usize; 3] {
    [picture.channels(), picture.height(), picture.width()]
}

/// The difference of two pictures, of which the original may still have the size that it was taken
/// in.
fn difference(leaked: &Picture, original: &Path, input: &InputSpec) -> Result<Evidence, Failure> {
    let mut before = Picture::open(original, input.channels)?;
    let &InputSpec { height, width, resize, .. } = input;
    if sizes(&before) != sizes(leaked) && [leaked.height(), leaked.width()] == [height, width] {
        before = before.framed(&Framing { height, width, resize })?;
    }
    if sizes(&before) != sizes(leaked) {
        return Err(Failure::new("the original has another size than the leaked picture")
            .in_file(original)
            .hint("the same part of the original, in the same size"));
    }
    let pixels = leaked.pixels().iter().zip(before.pixels());
    let difference: Vec<f64> = pixels.map(|(&a, &b)| f64::from(a) - f64::from(b)).collect();
    Ok(Evidence::pattern(&difference, sizes(leaked)))
}

/// A trigger as numbers, or drawn.
fn pattern(path: &Path, channels: usize) -> Result<Evidence, Failure> {
    if path.extension().is_none_or(|end| end != "npy") {
        let picture = Picture::open(path, channels)?;
        let values: Vec<f64> = picture.pixels().iter().map(|&p| f64::from(p)).collect();
        return Ok(Evidence::pattern(&values, sizes(&picture)));
    }
    let NpyArray { shape, values } = read_npy(path)?;
    let &[channels, height, width] = shape.as_slice() else {
        let what = format!("{shape:?} are no [channel, row, column]");
        return Err(Failure::new(what).in_file(path));
    };
    let values: Vec<f64> = values.into_iter().map(f64::from).collect();
    if values.iter().any(|value| !value.is_finite()) {
        return Err(Failure::new("not all numbers are finite").in_file(path));
    }
    Ok(Evidence::pattern(&values, [channels, height, width]))
}
