//! Which versions of which images a training batch holds.

use burn::tensor::Tensor;
use saligate_models::random::Stream;

use super::views::Views;
use crate::error::TrainError;
use crate::lock::objective::Input;

/// The rows of a training batch: one version after the other, each of the first images dealt.
pub(crate) struct Versions {
    parts: Vec<(Input, usize)>,
}

impl Versions {
    /// Versions of a batch of `count` images; the keyed version is there for a share `poison` of
    /// them, at least one.
    pub(crate) fn new(inputs: &[Input], count: usize, poison: f64) -> Self {
        let triggered = ((poison * count as f64).round() as usize).clamp(1, count.max(1));
        let part = |&input: &Input| match input {
            Input::Keyed => (input, triggered),
            Input::Plain | Input::WrongKey => (input, count),
        };
        Self { parts: inputs.iter().map(part).collect() }
    }

    /// All rows of the batch as 8-bit images, one behind the other.
    pub(crate) fn images(
        &self,
        images: &[Vec<u8>],
        views: &Views<'_>,
        stream: &mut Stream,
    ) -> Result<Vec<u8>, TrainError> {
        let mut bytes = Vec::new();
        for &(input, count) in &self.parts {
            for image in &images[..count] {
                match input {
                    Input::Plain => bytes.extend(image),
                    Input::Keyed => bytes.extend(views.keyed(image, stream)?),
                    Input::WrongKey => bytes.extend(views.wrong(image, stream)?),
                }
            }
        }
        Ok(bytes)
    }

    /// Values of the images `[image, value]` for every row of the batch.
    pub(crate) fn repeated(&self, values: &Tensor<2>) -> Tensor<2> {
        let parts = self.parts.iter().map(|&(_, count)| values.clone().narrow(0, 0, count));
        Tensor::cat(parts.collect(), 0)
    }

    /// Number of images that are there in one version.
    pub(crate) fn count(&self, input: Input) -> usize {
        self.parts.iter().find(|(found, _)| *found == input).map_or(0, |&(_, count)| count)
    }

    /// For every row of the batch, whether it has the right trigger: 1 or 0.
    pub(crate) fn keyed(&self) -> Vec<f32> {
        let part = |&(input, count): &(Input, usize)| {
            vec![f32::from(u8::from(input == Input::Keyed)); count]
        };
        self.parts.iter().flat_map(part).collect()
    }

    /// The rows of one version.
    pub(crate) fn of(&self, input: Input, rows: &Tensor<4>) -> Tensor<4> {
        let before = self.parts.iter().take_while(|(found, _)| *found != input);
        let start = before.map(|(_, count)| count).sum();
        rows.clone().narrow(0, start, self.count(input))
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;

    use super::*;

    #[test]
    fn the_poisoned_share_is_rounded_and_at_least_one() {
        for (count, poison, expected) in [(10, 1.0, 10), (10, 0.25, 3), (10, 0.01, 1), (1, 0.5, 1)]
        {
            let versions = Versions::new(&[Input::Plain, Input::Keyed], count, poison);
            assert_eq!(versions.count(Input::Keyed), expected, "{poison} of {count}");
            assert_eq!(versions.count(Input::Plain), count);
            assert_eq!(versions.count(Input::WrongKey), 0);
        }
    }

    #[test]
    fn rows_are_found_again() {
        let device = crate::Backend::Flex.device().unwrap();
        let versions = Versions::new(&Input::ALL, 2, 0.5);
        let rows = TensorData::new(vec![0.0f32, 1.0, 2.0, 3.0, 4.0], vec![5, 1, 1, 1]);
        let rows: Tensor<4> = Tensor::from_data(rows, &device);
        let of =
            |input| -> Vec<f32> { versions.of(input, &rows).into_data().try_into_vec().unwrap() };
        assert_eq!(of(Input::Plain), [0.0, 1.0]);
        assert_eq!(of(Input::Keyed), [2.0]);
        assert_eq!(of(Input::WrongKey), [3.0, 4.0]);

        let values: Tensor<2> = Tensor::from_data([[7.0], [8.0]], &device);
        let repeated: Vec<f32> = versions.repeated(&values).into_data().try_into_vec().unwrap();
        assert_eq!(repeated, [7.0, 8.0, 7.0, 7.0, 8.0]);
    }
}
