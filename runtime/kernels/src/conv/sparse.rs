//! The way back from few channels: of all class scores, one is explained.
//!
//! Weights of their own would be as many as those of the convolution, and hardly any of them would
//! be read. So the few that are needed are taken from the convolution itself.

use super::{Conv, Way, Window};
use crate::buffer::Buffer;
use crate::crew::Crew;
use crate::epilogue::Epilogue;
use crate::map::Map;

impl Conv {
    /// Whether [`run_back`](Self::run_back) can go through the convolution.
    pub fn goes_back(&self) -> bool {
        matches!(self.way, Way::Lanes) && self.phases.len() == 1
    }

    /// The transpose of this convolution, for a gradient that is zero in most channels. `window` is
    /// the geometry it was made with; `maps` are those of the gradient and of the result.
    ///
    /// # Panics
    /// The convolution is computed by squares or is a transpose itself, the maps have other channels
    /// than its own, a length differs from that of its map, an operand of the epilogue is of another
    /// size, or the halo of the gradient is narrower than [`Window::transposed_halo`] says.
    pub fn run_back(
        &self,
        crew: &Crew,
        window: &Window,
        [gradient, output]: [Map; 2],
        (values, result): (&[f32], &mut [f32]),
        epilogue: Epilogue<'_>,
    ) {
        assert!(self.goes_back(), "no way back through squares");
        assert_eq!(values.len(), gradient.elements(), "gradient");
        let channels = [&self.output, &self.input].map(Map::channels);
        assert_eq!([gradient.channels(), output.channels()], channels, "other channels");
        let (plane, lanes) = (gradient.plane(), gradient.lanes());
        let lane_of = |channel: usize| &values[channel / lanes * plane + channel % lanes..];
        let is_zero = |channel: &usize| {
            lane_of(*channel).iter().step_by(lanes).take(plane / lanes).all(|&v| v == 0.0)
        };
        let mut used: Vec<usize> = Vec::new();
        for (block, values) in values.chunks_exact(plane).enumerate() {
            if values.iter().any(|&v| v != 0.0) {
                let channels = block * lanes..gradient.channels().min((block + 1) * lanes);
                used.extend(channels.filter(|channel| !is_zero(channel)));
            }
        }
        if used.is_empty() {
            used.push(0);
        }
        let map = gradient.with_channels(used.len());
        let mut compact = Buffer::zeros(map.elements());
        for (at, &channel) in used.iter().enumerate() {
            let to = compact[at / lanes * plane + at % lanes..].iter_mut().step_by(lanes);
            to.zip(lane_of(channel).iter().step_by(lanes))
                .take(plane / lanes)
                .for_each(|(t, s)| *t = *s);
        }
        let of = |o: usize, i: usize, cell: usize| self.weight(used[i], o, cell);
        let transposed = Self::transposed_by(self.isa, window, of, [map, output], None);
        transposed.run(crew, &compact, result, epilogue);
    }

    /// The weight of a kernel cell from an input to an output channel.
    fn weight(&self, output: usize, input: usize, cell: usize) -> f32 {
        let phase = &self.phases[0];
        let tap = phase.tap_of(cell);
        phase.weights().at(&self.input, phase.taps.len(), [output, input, tap])
    }
}
