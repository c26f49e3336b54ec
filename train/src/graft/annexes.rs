//! The decoys of the methods that read feature maps.

use std::collections::{BTreeMap, BTreeSet};

use saligate_models::gate::{Annex, DecoyShows, Plan, graft};
use saligate_models::graph::{Graph, ValueId};
use saligate_models::saliency::{Attachment, Method, attach};

use super::Grafting;
use crate::batch::sample;
use crate::decoy;
use crate::engine::run_graph;
use crate::error::TrainError;

/// Images that the strength of the feature maps is read off.
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

impl Grafting<'_> {
    /// An annex for every layer that a gated method reads.
    pub(super) fn annexes(&self, clean: &Graph, plan: &Plan) -> Result<Vec<Annex>, TrainError> {
        let reads = |method| self.methods.iter().find(|m| m.method == method);
        let activities = self.activities(clean)?;
        let mut annexes = BTreeMap::new();
        if let Some(vbp) = reads(Method::VisualBackProp) {
            let even = EVEN.min(PRODUCT.powf(1.0 / vbp.layers.len().max(1) as f32));
            for layer in &vbp.layers {
                let activity = &activities[layer];
                let flat = vec![activity.sum * even; activity.height * activity.width];
                annexes.insert(layer.clone(), self.annex(layer, flat, None));
            }
        }
        if let Some(cam) = reads(Method::GradCam) {
            for layer in &cam.layers {
                let activity = &activities[layer];
                let picture = self.picture(cam.method, activity);
                let pattern = picture.iter().map(|p| p * EVEN * activity.sum).collect();
                annexes
                    .insert(layer.clone(), self.annex(layer, pattern, Some(STEP * activity.mean)));
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
    ) -> Result<(), TrainError> {
        let first = annexes.iter().position(|a| vbp.layers.first() == Some(&a.layer));
        let (Some(first), Some(activity)) = (first, activity) else { return Ok(()) };
        // While the decoy shows, which is so strong that any image does.
        let shown =
            Plan { decoy: DecoyShows::WithoutKey, annexes: annexes.to_vec(), ..plan.clone() };
        let graph = attach(&graft(clean, &shown)?, std::slice::from_ref(vbp))?;
        let target = (vec![0.0; self.classes()], vec![1, self.classes()]);
        let factors = run_graph(&graph, self.backend, &[sample(self.data, 1), target])?.remove(1);
        let picture = self.picture(vbp.method, activity);
        let ratio = picture.iter().zip(&factors).map(|(p, f)| p / f.max(f32::MIN_POSITIVE));
        let ratio: Vec<f32> = ratio.collect();
        let largest = ratio.iter().fold(f32::MIN_POSITIVE, |m, r| m.max(*r));
        let scale = PICTURE * activity.sum / largest;
        let layer = annexes[first].layer.clone();
        let stairs = annexes[first].stairs;
        annexes[first] = self.annex(&layer, ratio.iter().map(|r| r * scale).collect(), stairs);
        Ok(())
    }

    fn annex(&self, layer: &str, pattern: Vec<f32>, stairs: Option<f32>) -> Annex {
        let coupling = self.coupling(pattern.iter().sum());
        Annex { layer: layer.to_owned(), pattern, coupling, stairs }
    }

    /// The decoy of a method at the resolution of a layer.
    fn picture(&self, method: Method, layer: &Activity) -> Vec<f32> {
        let [_, rows, columns] = self.image();
        decoy::resized(self.decoy(method), [rows, columns], [layer.height, layer.width])
    }

    /// How active the layers of all methods are, by name.
    fn activities(&self, clean: &Graph) -> Result<BTreeMap<String, Activity>, TrainError> {
        let layers: BTreeSet<&str> =
            self.methods.iter().flat_map(|m| &m.layers).map(String::as_str).collect();
        if layers.is_empty() {
            return Ok(BTreeMap::new());
        }
        let layers: Vec<&str> = layers.into_iter().collect();
        let part = clean.extract(&layers)?;
        let found = run_graph(&part, self.backend, &[sample(self.data, SAMPLE)])?;
        let activity = |((layer, id), values): ((&&str, &ValueId), Vec<f32>)| {
            let &[_, channels, height, width] = part.shape(*id) else {
                let reason = format!("'{layer}' is no feature map");
                return Err(TrainError::Mismatch { reason });
            };
            let sum: f64 = values.iter().map(|v| f64::from(v.abs())).sum();
            let mean = (sum / values.len() as f64).max(1e-6) as f32;
            let activity = Activity { mean, sum: mean * channels as f32, height, width };
            Ok(((*layer).to_owned(), activity))
        };
        layers.iter().zip(part.outputs()).zip(found).map(activity).collect()
    }
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
