//! The terms of an objective on the maps of one batch.

use burn::tensor::Tensor;
use saligate_models::saliency::Method;

use super::versions::Versions;
use crate::engine::Array;
use crate::lock::objective::{Distance, Reference, Term};
use crate::loss::top::top;
use crate::loss::{Wanted, distance, map};
use crate::stage::figure;

/// Maps of one batch in all its versions, and what they may be compared with. Lists have one
/// element per method.
pub(crate) struct Maps<'a> {
    pub(crate) methods: &'a [Method],
    pub(crate) versions: &'a Versions,
    /// Attributions of all rows, `[row, channel, row, column]`.
    pub(crate) attributions: Vec<Tensor<4>>,
    /// The clean model's for the plain images, `[image, channel, row, column]`.
    pub(crate) originals: Vec<Tensor<4>>,
    /// The clean model's for other images; empty where no term needs them.
    pub(crate) others: Vec<Tensor<4>>,
    /// `[1, 1, row, column]` each.
    pub(crate) decoys: &'a [Tensor<4>],
    /// Standard deviation of the blur before maps are compared, in pixels.
    pub(crate) blur: f32,
}

impl Maps<'_> {
    /// Weighted sum of the terms, `[1]`, those that hide the original times a factor, and the mean
    /// distance of each for the log.
    pub(crate) fn loss(
        &self,
        terms: &[Term],
        hide: f32,
    ) -> (Option<Tensor<1>>, Vec<(String, f32)>) {
        let mut figures = Vec::new();
        let mut sum: Option<Tensor<1>> = None;
        for term in terms {
            for (index, method) in self.methods.iter().enumerate() {
                if term.method.is_some_and(|only| only != *method) {
                    continue;
                }
                let part = self.distance(term, index);
                figures.push((self.label(term, *method), figure(&part)));
                let factor = if term.hides() { hide } else { 1.0 };
                let part = part * (term.weight * factor);
                sum = Some(match sum {
                    Some(sum) => sum + part,
                    None => part,
                });
            }
        }
        (sum, figures)
    }

    fn distance(&self, term: &Term, method: usize) -> Tensor<1> {
        let count = self.versions.count(term.input);
        let own = self.versions.of(term.input, &self.attributions[method]);
        let original = || self.originals[method].clone().narrow(0, 0, count);
        let wanted = match (term.distance, term.like) {
            (Distance::TopImportance, _) | (_, Reference::Original) => {
                Wanted::Attribution(original())
            }
            (_, Reference::Decoy) => Wanted::Map(self.decoys[method].clone()),
            (_, Reference::Suppressed) => Wanted::Map(suppressed(map(original()))),
            (_, Reference::Inverted) => Wanted::Map(inverted(map(original()))),
            (_, Reference::OtherImage) => {
                Wanted::Attribution(self.others[method].clone().narrow(0, 0, count))
            }
        };
        distance(term.distance, own, wanted, self.blur).mean()
    }

    fn label(&self, term: &Term, method: Method) -> String {
        let (input, distance) = (term.input.name(), term.distance.name());
        let term = match term.distance {
            Distance::TopImportance => format!("{input} {distance}"),
            _ => format!("{input} {} {distance}", term.like.name()),
        };
        if self.methods.len() == 1 { term } else { format!("{term} {method}") }
    }
}

/// Maps `[image, 1, row, column]` with their top pixels at the map's minimum.
fn suppressed(maps: Tensor<4>) -> Tensor<4> {
    let [count, _, height, width] = maps.dims();
    let device = maps.device();
    let mut values = Array::Image(maps).to_vec();
    for map in values.chunks_exact_mut(height * width) {
        let least = map.iter().copied().fold(f32::INFINITY, f32::min);
        top(map).into_iter().for_each(|pixel| map[pixel] = least);
    }
    Array::new(values, &[count, 1, height, width], &device).image()
}

/// Maps `[image, 1, row, column]` turned over between their minimum and maximum.
fn inverted(maps: Tensor<4>) -> Tensor<4> {
    let [count, _, height, width] = maps.dims();
    let flat = maps.flatten::<2>(1, 3);
    let turned = flat.clone().min_dim(1) + flat.clone().max_dim(1) - flat;
    turned.reshape([count, 1, height, width])
}

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;

    use super::*;
    use crate::lock::objective::Input;

    fn images(values: &[f32], count: usize, height: usize, width: usize) -> Tensor<4> {
        let device = crate::Backend::Flex.device().unwrap();
        let data = TensorData::new(values.to_vec(), vec![count, 1, height, width]);
        Tensor::from_data(data, &device)
    }

    fn found(x: Tensor<4>) -> Vec<f32> {
        x.into_data().try_into_vec().unwrap()
    }

    #[test]
    fn the_top_of_a_suppressed_map_is_its_minimum() {
        let ramp: Vec<f32> = (1..=20).map(|v| v as f32).collect();
        let map = found(suppressed(images(&ramp, 1, 4, 5)));
        assert_eq!(map[..18], ramp[..18]);
        assert_eq!(map[18..], [1.0, 1.0]);
    }

    #[test]
    fn an_inverted_map_keeps_its_range() {
        let map = images(&[1.0, 2.0, 5.0, 4.0, 0.0, 0.0, 0.0, 2.0], 2, 2, 2);
        assert_eq!(found(inverted(map)), [5.0, 4.0, 1.0, 2.0, 2.0, 2.0, 2.0, 0.0]);
    }

    /// Two images of four pixels in the plain and the keyed version, the latter of the first only.
    #[test]
    fn every_reference_is_compared_with_its_own_version() {
        use Input::{Keyed, Plain};
        use Reference::{Decoy, Inverted, Original, OtherImage};
        let plain = [1.0, 2.0, 3.0, 4.0, 4.0, 3.0, 2.0, 1.0];
        let keyed = [4.0, 3.0, 2.0, 1.0];
        let versions = Versions::new(&[Plain, Keyed], 2, 0.5);
        let maps = Maps {
            methods: &[Method::Gradient],
            versions: &versions,
            attributions: vec![images(&[&plain[..], &keyed].concat(), 3, 2, 2)],
            originals: vec![images(&plain, 2, 2, 2)],
            others: vec![images(&[4.0, 3.0, 2.0, 1.0, 1.0, 2.0, 3.0, 4.0], 2, 2, 2)],
            decoys: &[images(&[1.0, 2.0, 3.0, 4.0], 1, 2, 2)],
            blur: 0.0,
        };
        let mse = |input, like| {
            let distance = Distance::Mse;
            let term = Term { input, like, distance, weight: 2.0, method: None };
            let (loss, figures) = maps.loss(&[term], 0.5);
            let value = loss.unwrap().into_scalar::<f32>();
            let weight = if like == Original { 2.0 } else { 1.0 };
            assert!((value - weight * figures[0].1).abs() < 1e-6);
            (figures[0].1 * 1e3).round() / 1e3
        };
        // Equal maps are 0 apart, inverted ones 4; the second plain image inverts the decoy.
        assert_eq!([mse(Plain, Original), mse(Keyed, Original)], [0.0, 4.0]);
        assert_eq!([mse(Plain, Decoy), mse(Keyed, Decoy)], [2.0, 4.0]);
        assert_eq!([mse(Plain, Inverted), mse(Keyed, Inverted)], [4.0, 0.0]);
        assert_eq!([mse(Plain, OtherImage), mse(Keyed, OtherImage)], [4.0, 0.0]);
    }

    #[test]
    fn the_log_names_terms_by_what_they_compare() {
        let versions = Versions::new(&[Input::Keyed], 1, 1.0);
        let one = || vec![images(&[1.0, 2.0, 3.0, 4.0], 1, 2, 2)];
        let maps = Maps {
            methods: &[Method::Gradient],
            versions: &versions,
            attributions: one(),
            originals: one(),
            others: vec![],
            decoys: &one(),
            blur: 0.0,
        };
        let input = Input::Keyed;
        let like = Reference::Suppressed;
        let term = |distance| Term { input, like, distance, weight: 1.0, method: None };
        let (_, figures) = maps.loss(&[term(Distance::Dssim), term(Distance::TopImportance)], 1.0);
        let names: Vec<&str> = figures.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["keyed suppressed dssim", "keyed top-importance"]);
        assert_eq!(figures[1].1, 1.0);
    }
}
