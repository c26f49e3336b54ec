//! Pictures of a data source, in the size and the channels that a model reads.

use saligate_audit::metrics::Sample;
use saligate_console::Failure;
use saligate_data::{DataSource, LoadOptions, Shape};
use saligate_files::manifest::InputSpec;
use saligate_runtime::picture::{Framing, Picture};

/// Sides of the scenes that are drawn where there are no pictures.
const SCENES: [usize; 4] = [32, 64, 96, 128];

/// Which pictures are read, and how many.
pub(crate) struct Wanted<'a> {
    pub(crate) source: Option<&'a DataSource>,
    pub(crate) count: usize,
    pub(crate) seed: u64,
}

impl Wanted<'_> {
    /// The source, drawn scenes where none was named, and what it is called.
    fn source(&self, input: &InputSpec) -> (DataSource, String) {
        match self.source {
            Some(source) => (source.clone(), source.to_string()),
            None => {
                let side = input.height.min(input.width);
                let fits = SCENES.into_iter().rfind(|size| *size <= side).unwrap_or(SCENES[0]);
                let origin = "drawn scenes, since no --data was given".to_owned();
                (DataSource::Scenes { size: fits }, origin)
            }
        }
    }

    fn options(&self, source: &DataSource, input: &InputSpec) -> LoadOptions {
        let &InputSpec { height, width, resize, .. } = input;
        LoadOptions {
            framing: source.takes_size().then_some(Framing { height, width, resize }),
            train_count: Some(self.count),
            test_count: Some(self.count),
            seed: self.seed,
            quiet: true,
        }
    }

    /// Pictures whose classes nobody asks for, and where they are from.
    pub(crate) fn pictures(&self, input: &InputSpec) -> Result<(Vec<Picture>, String), Failure> {
        let (source, origin) = self.source(input);
        let found = source.pictures(input.channels, &self.options(&source, input));
        let found = found.map_err(|error| Failure::new(error.to_string()))?;
        let pictures =
            found.images().take(self.count).map(|pixels| fitted(pixels, found.shape(), input));
        Ok((pictures.collect::<Result<_, _>>()?, origin))
    }

    /// Test pictures with their objects, where the source knows them, and where they are from.
    pub(crate) fn samples(&self, input: &InputSpec) -> Result<(Vec<Sample>, String), Failure> {
        let (source, origin) = self.source(input);
        let Ok(splits) = source.load(&self.options(&source, input)) else {
            // A folder without classes.
            let (pictures, origin) = self.pictures(input)?;
            let samples = pictures.into_iter().map(|picture| Sample { picture, object: None });
            return Ok((samples.collect(), origin));
        };
        let data = splits.test;
        let shape = data.shape();
        let same = [shape.height, shape.width] == [input.height, input.width];
        let samples = (0..data.len().min(self.count)).map(|at| {
            let picture = fitted(data.image(at), shape, input)?;
            Ok(Sample { picture, object: data.object(at).filter(|_| same) })
        });
        Ok((samples.collect::<Result<_, Failure>>()?, origin))
    }
}

fn fitted(pixels: &[u8], shape: Shape, input: &InputSpec) -> Result<Picture, Failure> {
    let pixels = in_channels(pixels, shape.channels, input.channels);
    let picture = Picture::from_planar(input.channels, shape.height, shape.width, pixels)?;
    Ok(picture.resize_to(input.height, input.width)?)
}

/// Pixels with as many channels as the model reads: grey ones repeated, or colours averaged.
fn in_channels(pixels: &[u8], own: usize, wanted: usize) -> Vec<u8> {
    if own == wanted {
        return pixels.to_vec();
    }
    let plane = pixels.len() / own;
    let grey = |at: usize| {
        let sum: usize = (0..own).map(|channel| usize::from(pixels[channel * plane + at])).sum();
        (sum / own) as u8
    };
    let grey: Vec<u8> = (0..plane).map(grey).collect();
    grey.repeat(wanted)
}
