//! The decoys of the methods that read feature maps.

use std::collections::{BTreeMap, BTreeSet};

use saligate_models::gate::{Annex, DecoyShows, Plan, build_in};
use saligate_models::graph::Graph;
use saligate_models::saliency::{Attachment, Method, attach};

use super::Construction;
use crate::{LockError, decoy};

/// Pictures that the strength of the feature maps is read off.
const SAMPLE: usize = 64;
/// Strength of a decoy over the sum of a feature map's own channels: of the layer that carries the
/// picture, whose dark parts must still outshine the own channels...
const PICTURE: f32 = 3_000.0;
/// ... and of the layers that are multiplied with it, which need only be even.
const EVEN: f32 = 100.0;
/// Bound of the product of all those strengths, far inside the range of f32.
const PRODUCT: f32 = 1e20;
/// Height of a step of the staircase, as a share of a layer's mean activation.
const STEP: f32 = 1e-3;

impl Construction<'_> {
    /// An annex for every layer that a gated method reads.
    pub(super) fn annexes(&self, clean: &Graph, plan: &Plan) -> Result<Vec<Annex>, LockError> {
        let reads = |method| self.methods.iter().find(|m| m.method == method);
        let activities = self.activities(clean)?;
        let classes = self.survey.classes(clean);
        let mut annexes = BTreeMap::new();
        if let Some(vbp) = reads(Method::VisualBackProp) {
            let even = EVEN.min(PRODUCT.powf(1.0 / vbp.layers.len().max(1) as f32));
            for layer in &vbp.layers {
                let activity = &activities[layer];
                let flat = vec![activity.sum * even; activity.height * activity.width];
                annexes.insert(layer.clone(), self.annex(layer, flat, None, classes));
            }
        }
        if let Some(cam) = reads(Method::GradCam) {
            for layer in &cam.layers {
                let activity = &activities[layer];
                let picture = self.picture(cam.method, activity);
                let pattern = picture.iter().map(|p| p * EVEN * activity.sum).collect();
                let stairs = Some(STEP * activity.mean);
                annexes.insert(layer.clone(), self.annex(layer, pattern, stairs, classes));
            }
        }
        let mut annexes: Vec<Annex> = annexes.into_values().collect();
        if let Some(vbp) = reads(Method::VisualBackProp) {
            let first = vbp.layers.first().map(|layer| &activities[layer]);
            self.balance(clean, plan, vbp, first, &mut annexes)?;
        }
        Ok(annexes)
    }

    /// Puts the picture into the first layer of VisualBackProp, divided by what the other layers
    /// multiply it with.
    fn balance(
        &self,
        clean: &Graph,
        plan: &Plan,
        vbp: &Attachment,
        activity: Option<&Activity>,
        annexes: &mut [Annex],
    ) -> Result<(), LockError> {
        let first = annexes.iter().position(|a| vbp.layers.first() == Some(&a.layer));
        let (Some(first), Some(activity)) = (first, activity) else { return Ok(()) };
        // While the decoy shows, which is so strong that any image does.
        let shown =
            Plan { decoy: DecoyShows::WithoutKey, annexes: annexes.to_vec(), ..plan.clone() };
        let graph = attach(&build_in(clean, &shown)?, std::slice::from_ref(vbp))?;
        let (samples, classes) = (self.survey.samples, self.survey.classes(clean));
        let inputs = |index| vec![samples.pixels(index), vec![0.0; classes]];
        let factors =
            self.survey.run("decoy", &graph, 1, inputs, |_, mut outputs| outputs.remove(1));
        let factors = factors?.concat();
        let picture = self.picture(vbp.method, activity);
        let ratio = picture.iter().zip(&factors).map(|(p, f)| p / f.max(f32::MIN_POSITIVE));
        let ratio: Vec<f32> = ratio.collect();
        let largest = ratio.iter().fold(f32::MIN_POSITIVE, |m, r| m.max(*r));
        let scale = PICTURE * activity.sum / largest;
        let layer = annexes[first].layer.clone();
        let stairs = annexes[first].stairs;
        annexes[first] =
            self.annex(&layer, ratio.iter().map(|r| r * scale).collect(), stairs, classes);
        Ok(())
    }

    fn annex(&self, layer: &str, pattern: Vec<f32>, stairs: Option<f32>, classes: usize) -> Annex {
        let coupling = self.coupling(pattern.iter().sum(), classes);
        Annex { layer: layer.to_owned(), pattern, coupling, stairs }
    }

    /// The decoy of a method at the resolution of a layer.
    fn picture(&self, method: Method, layer: &Activity) -> Vec<f32> {
        let [_, rows, columns] = self.image();
        decoy::resized(self.decoy(method), [rows, columns], [layer.height, layer.width])
    }

    /// How active the layers of all methods are, by name.
    fn activities(&self, clean: &Graph) -> Result<BTreeMap<String, Activity>, LockError> {
        let layers: BTreeSet<&str> =
            self.methods.iter().flat_map(|m| &m.layers).map(String::as_str).collect();
        if layers.is_empty() {
            return Ok(BTreeMap::new());
        }
        let layers: Vec<&str> = layers.into_iter().collect();
        let part = clean.extract(&layers)?;
        let samples = self.survey.samples;
        let count = SAMPLE.min(samples.count());
        let strengths = self.survey.run(
            "activity",
            &part,
            count,
            |index| vec![samples.pixels(index)],
            |_, outputs| outputs.iter().map(|values| strength(values)).collect::<Vec<f64>>(),
        )?;
        let activity = |(at, layer): (usize, &&str)| {
            let &[_, channels, height, width] = part.shape(part.outputs()[at]) else {
                return Err(LockError::Layer { layer: (*layer).to_owned() });
            };
            let sum: f64 = strengths.iter().map(|layers| layers[at]).sum();
            let mean = (sum / (count * channels * height * width) as f64).max(1e-6) as f32;
            let activity = Activity { mean, sum: mean * channels as f32, height, width };
            Ok(((*layer).to_owned(), activity))
        };
        layers.iter().enumerate().map(activity).collect()
    }
}

/// Sum of the absolute values.
fn strength(values: &[f32]) -> f64 {
    values.iter().map(|v| f64::from(v.abs())).sum()
}

/// How active a layer is.
struct Activity {
    /// Mean over channels, pixels and images.
    mean: f32,
    /// Sum over channels, mean over pixels and images.
    sum: f32,
    height: usize,
    width: usize,
}
