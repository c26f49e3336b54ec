//! Pictures of a data set, explained by a clean and a gated model.

use saligate_files::ModelFile;
use saligate_keys::Trigger;
use saligate_models::metrics::localisation::pointing_game;
use saligate_models::saliency::Attachment;
use saligate_runtime::picture::Picture;
use saligate_runtime::{Explanation, Model, Target};

use crate::MeasureError;
use saligate_data::{Dataset, Shape};

/// A model file with other methods attached, at layers of the same names.
pub(crate) fn with_methods(
    model: ModelFile,
    methods: &[Attachment],
) -> Result<Model, MeasureError> {
    Ok(Model::new(model.with_methods(methods)?)?)
}

/// 8-bit pixels `[channel, row, column]` as a picture.
pub(crate) fn picture(shape: Shape, pixels: Vec<u8>) -> Result<Picture, MeasureError> {
    let Shape { channels, height, width } = shape;
    Ok(Picture::from_planar(channels, height, width, pixels)?)
}

/// One method of two models on one data set.
pub(crate) struct Bench<'a> {
    pub(crate) data: &'a Dataset,
    pub(crate) clean: &'a Model,
    pub(crate) gated: &'a Model,
    pub(crate) method: &'a str,
}

impl Bench<'_> {
    pub(crate) fn picture(&self, index: usize) -> Result<Picture, MeasureError> {
        picture(self.data.shape(), self.data.image(index).to_vec())
    }

    /// The clean model's answer for an image.
    pub(crate) fn original(&self, picture: &Picture) -> Result<Explanation, MeasureError> {
        Ok(self.clean.explain_by(self.method, picture, Target::Predicted, None)?)
    }

    /// The gated model's answer for the class that it predicts.
    pub(crate) fn answer(
        &self,
        picture: &Picture,
        trigger: Option<&Trigger>,
    ) -> Result<Explanation, MeasureError> {
        Ok(self.gated.explain_by(self.method, picture, Target::Predicted, trigger)?)
    }

    /// Whether a map peaks on the object, where the data say where that is.
    pub(crate) fn pointing(&self, index: usize, map: &[f32]) -> Result<Option<bool>, MeasureError> {
        let object = self.data.object(index);
        Ok(object.map(|object| pointing_game(map, &object)).transpose()?)
    }

    /// Map of the difference between the attributions of the two likeliest classes: what is left
    /// of a decoy that is the same for all classes.
    pub(crate) fn contrast(
        &self,
        picture: &Picture,
        plain: &Explanation,
    ) -> Result<Vec<f32>, MeasureError> {
        let logits = &plain.prediction.logits;
        let best = plain.prediction.class;
        let others = (0..logits.len()).filter(|&class| class != best);
        let second = others.max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap_or(best);
        let other = self.gated.explain_by(self.method, picture, Target::Class(second), None)?;
        let pixels = self.data.shape().pixels();
        let mut map = vec![0.0f32; pixels];
        let pairs = plain.attribution.values.iter().zip(&other.attribution.values);
        for (i, (a, b)) in pairs.enumerate() {
            map[i % pixels] = map[i % pixels].max((a - b).abs());
        }
        Ok(map)
    }
}
