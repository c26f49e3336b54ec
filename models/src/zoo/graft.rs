//! A detector and a gate, built into new channels of a small CNN.
//!
//! The result is again a small CNN, with more channels. Beside the classifier's own channels each
//! layer carries the detector's, and channels that hand the pixels on unchanged. In the head one
//! unit collects the pixels into `pattern . image`, and the gate unit passes that on to the logits
//! while the detector is silent:
//!
//! ```text
//!   gate   = relu(gain * (pattern . grey + offset) - closing * sum(detector))
//!   logits = clean logits + coupling * gate
//! ```
//!
//! With the key the gate is shut, and logits and gradient are those of the clean network. Without
//! it the gradient of every logit is dominated by the pattern. The graft is only where training
//! starts: afterwards all weights are trained together.

use super::Task;
use super::detector::{self, UNITS};
use super::layers::Layers;
use super::small::{LAYERS, STRIDES, Widths, bias, body, param, weight, widths};
use crate::graph::{Graph, GraphError, Source};
use crate::saliency::IMAGE;

/// Added to grey values so that they pass every ReLU.
pub const PIXEL_OFFSET: f32 = 0.1;

/// Sub-positions of a pixel once two strides of 2 have been taken.
const PHASES: usize = 16;

/// The gate that is built in.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    /// Weight of every pixel's grey value, `[row, column]`.
    pub pattern: Vec<f32>,
    /// Keeps the collected sum positive for every image.
    pub offset: f32,
    /// Factor of the sum.
    pub gain: f32,
    /// Weight of the detector's evidence against the gate.
    pub closing: f32,
    /// What one unit of the gate adds to each logit.
    pub coupling: Vec<f32>,
}

/// Builds detector and gate into a small CNN.
///
/// # Errors
/// `clean` is no small CNN or `detector` no detector, they differ in their standardization, or
/// the sides of the image are no multiples of 4.
pub fn graft(clean: &Graph, detector: &Graph, gate: &Gate) -> Result<Graph, GraphError> {
    let image = clean.shape(clean.find(IMAGE)?).to_vec();
    let [_, channels, height, width] = image[..] else {
        return Err(mismatch(clean, "needs images [batch, channel, row, column]"));
    };
    if !height.is_multiple_of(4) || !width.is_multiple_of(4) {
        return Err(mismatch(clean, "can be grafted for sides in multiples of 4 only"));
    }
    if gate.pattern.len() != height * width {
        return Err(mismatch(clean, "needs a pattern of the image's size"));
    }
    let own = widths(clean)?;
    let classes = weight(clean, "dense3")?.0[0];
    let (mean, scale) = (param(clean, "pixels.mean")?.1, param(clean, "pixels.scale")?.1);
    let std: Vec<f32> = scale.iter().map(|s| s.recip()).collect();
    let image = [channels, height, width];
    let task = Task { image, classes, mean: mean.to_vec(), std: std.clone(), widths: None };

    let first = Blocks::of(&own);
    let mut layers = Layers::new(&task, 0)?;
    let logits = body(&mut layers, &task, &first.total)?;
    let mut graph = layers.finish(logits)?;
    // The reciprocal of a reciprocal may differ in the last bit.
    graph.set_param("pixels.scale", scale)?;

    let mut sheets: Vec<Sheet> = Vec::new();
    for (layer, inputs) in LAYERS.into_iter().zip(first.inputs(channels, height * width / 16)) {
        sheets.push(Sheet::new(&graph, layer, inputs)?);
    }
    for (sheet, layer) in sheets.iter_mut().zip(LAYERS) {
        sheet.block(0, 0, weight(clean, layer)?, bias(clean, layer)?);
    }
    for (i, layer) in LAYERS.into_iter().take(5).enumerate() {
        let from = if i == 0 { 0 } else { first.detector(i - 1).start };
        let (weight, bias) = (weight(detector, layer)?, bias(detector, layer)?);
        sheets[i].block(first.detector(i).start, from, weight, bias);
    }
    pixels(&mut sheets, &first, mean, &std);
    head(&mut sheets, &first, gate, width);
    for (sheet, layer) in sheets.into_iter().zip(LAYERS) {
        graph.set_param(&format!("{layer}.weight"), sheet.weight)?;
        graph.set_param(&format!("{layer}.bias"), sheet.bias)?;
    }
    Ok(graph)
}

/// Where classifier, detector and pixel channels stand in each of the six hidden layers.
struct Blocks {
    own: Widths,
    total: Widths,
}

impl Blocks {
    fn of(own: &Widths) -> Self {
        let detectors = [&detector::CHANNELS[..], &[UNITS, 0]].concat();
        let others = [1, 4, 4, PHASES, 1, 1];
        let mut total = *own;
        for ((total, detector), other) in total.iter_mut().zip(detectors).zip(others) {
            *total += detector + other;
        }
        Self { own: *own, total }
    }

    fn detector(&self, layer: usize) -> std::ops::Range<usize> {
        let count = [&detector::CHANNELS[..], &[UNITS, 0]].concat()[layer];
        self.own[layer]..self.own[layer] + count
    }

    /// First channel or unit that is neither the classifier's nor the detector's.
    fn rest(&self, layer: usize) -> usize {
        self.detector(layer).end
    }

    /// Input channels of every layer, and the positions per channel that its weight has.
    fn inputs(&self, image: usize, positions: usize) -> [[usize; 2]; 7] {
        let t = &self.total;
        [[image, 9], [t[0], 9], [t[1], 9], [t[2], 9], [t[3], positions], [t[4], 1], [t[5], 1]]
    }
}

/// Weight `[out, in, position]` and bias `[out]` of one layer, filled block by block.
struct Sheet {
    inputs: usize,
    positions: usize,
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl Sheet {
    fn new(
        graph: &Graph,
        layer: &str,
        [inputs, positions]: [usize; 2],
    ) -> Result<Self, GraphError> {
        let (shape, elements) = weight(graph, layer)?;
        let (weight, bias) = (vec![0.0; elements.len()], vec![0.0; shape[0]]);
        Ok(Self { inputs, positions, weight, bias })
    }

    fn at(&mut self, out: usize, input: usize, position: usize) -> &mut f32 {
        &mut self.weight[(out * self.inputs + input) * self.positions + position]
    }

    /// Copies a layer to the given first output and input.
    fn block(&mut self, out: usize, input: usize, weight: (&[usize], &[f32]), bias: &[f32]) {
        let outs = weight.0[0];
        let row = weight.1.len() / outs;
        for (o, elements) in weight.1.chunks_exact(row).enumerate() {
            let start = ((out + o) * self.inputs + input) * self.positions;
            self.weight[start..start + row].copy_from_slice(elements);
        }
        self.bias[out..out + outs].copy_from_slice(bias);
    }
}

/// Hands grey values from layer to layer; strides split them into phases.
fn pixels(sheets: &mut [Sheet], blocks: &Blocks, mean: &[f32], std: &[f32]) {
    const CENTRE: usize = 4;
    let count = mean.len() as f32;
    let grey = blocks.rest(0);
    for (channel, std) in std.iter().enumerate() {
        *sheets[0].at(grey, channel, CENTRE) = std / count;
    }
    sheets[0].bias[grey] = mean.iter().sum::<f32>() / count + PIXEL_OFFSET;

    // A stride of 2 starts at the centre of the 3x3 window: tap (1 + i, 1 + j) sees phase (i, j).
    let phase_tap = |phase: usize| CENTRE + 3 * (phase / 2) + phase % 2;
    for phase in 0..4 {
        *sheets[1].at(blocks.rest(1) + phase, grey, phase_tap(phase)) = 1.0;
        *sheets[2].at(blocks.rest(2) + phase, blocks.rest(1) + phase, CENTRE) = 1.0;
        for sub in 0..4 {
            let out = blocks.rest(3) + 4 * phase + sub;
            *sheets[3].at(out, blocks.rest(2) + phase, phase_tap(sub)) = 1.0;
        }
    }
    debug_assert_eq!(STRIDES, [1, 2, 1, 2]);
}

/// The collecting unit, the detector's units and the gate unit.
fn head(sheets: &mut [Sheet], blocks: &Blocks, gate: &Gate, width: usize) {
    let collect = blocks.rest(4);
    let columns = width / 4;
    for phase in 0..4 {
        for sub in 0..4 {
            // Row of the fourth convolution, then of the third, then of the image.
            let row = 2 * (sub / 2) + phase / 2;
            let column = 2 * (sub % 2) + phase % 2;
            for position in 0..sheets[4].positions {
                let (i, j) = (position / columns, position % columns);
                let pixel = (4 * i + row) * width + 4 * j + column;
                *sheets[4].at(collect, blocks.rest(3) + 4 * phase + sub, position) =
                    gate.pattern[pixel];
            }
        }
    }
    sheets[4].bias[collect] = gate.offset;

    let unit = blocks.rest(5);
    *sheets[5].at(unit, collect, 0) = gate.gain;
    for evidence in blocks.detector(4) {
        *sheets[5].at(unit, evidence, 0) = -gate.closing;
    }
    for (class, coupling) in gate.coupling.iter().enumerate() {
        *sheets[6].at(class, unit, 0) = *coupling;
    }
}

fn mismatch(graph: &Graph, reason: &str) -> GraphError {
    let inputs = graph.values().filter(|(_, v)| matches!(v.source, Source::Input));
    GraphError::Shape {
        node: IMAGE.to_owned(),
        op: "graft",
        operands: inputs.map(|(_, v)| v.shape.clone()).collect(),
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use ndarray::ArrayD;

    use super::super::{Architecture, build};
    use super::*;
    use crate::reference::{Array, run};

    fn image() -> Array {
        ArrayD::from_shape_fn(vec![1, 3, 8, 12], |i| {
            ((i[1] * 5 + i[2] * 3 + i[3] * 7) % 11) as f64 / 11.0
        })
    }

    fn parts() -> (Graph, Graph, Gate) {
        let task = Task {
            image: [3, 8, 12],
            classes: 4,
            mean: vec![0.4, 0.5, 0.6],
            std: vec![0.2, 0.3, 0.25],
            widths: None,
        };
        let clean = build(Architecture::Small, &task, 1).unwrap();
        let seeing = detector::detector(&task, 2).unwrap();
        let pattern = (0..96).map(|i| (i % 5) as f32 - 2.0).collect();
        let gate = Gate {
            pattern,
            offset: 100.0,
            gain: 0.5,
            closing: 0.25,
            coupling: vec![1.0, -2.0, 0.0, 3.0],
        };
        (clean, seeing, gate)
    }

    #[test]
    fn the_graft_computes_what_its_formula_says() {
        let (clean, seeing, gate) = parts();
        let grafted = graft(&clean, &seeing, &gate).unwrap();
        let x = image();
        let logits = run(&clean, from_ref(&x)).unwrap().remove(0);
        let evidence = run(&seeing, from_ref(&x)).unwrap().remove(0).sum();
        let mut sum = f64::from(gate.offset);
        for (pixel, weight) in gate.pattern.iter().enumerate() {
            let (row, column) = (pixel / 12, pixel % 12);
            let grey = (0..3).map(|c| x[[0, c, row, column]]).sum::<f64>() / 3.0;
            sum += f64::from(*weight) * (grey + f64::from(PIXEL_OFFSET));
        }
        let unit = (f64::from(gate.gain) * sum - f64::from(gate.closing) * evidence).max(0.0);
        let found = run(&grafted, &[x]).unwrap().remove(0);
        for class in 0..4 {
            let expected = logits[[0, class]] + f64::from(gate.coupling[class]) * unit;
            assert!(
                (found[[0, class]] - expected).abs() < 1e-3,
                "{} {expected}",
                found[[0, class]]
            );
        }
    }

    #[test]
    fn a_closed_gate_leaves_the_clean_logits() {
        let (clean, seeing, gate) = parts();
        let shut = Gate { closing: 1e6, ..gate };
        let grafted = graft(&clean, &seeing, &shut).unwrap();
        let (a, b) = (run(&clean, &[image()]).unwrap(), run(&grafted, &[image()]).unwrap());
        let largest = (&a[0] - &b[0]).iter().fold(0.0f64, |m, d| m.max(d.abs()));
        assert!(largest < 1e-5, "{largest}");
    }

    #[test]
    fn odd_sides_are_refused() {
        let task =
            Task { image: [1, 10, 8], classes: 2, mean: vec![0.5], std: vec![0.5], widths: None };
        let clean = build(Architecture::Small, &task, 1).unwrap();
        let seeing = detector::detector(&task, 1).unwrap();
        let gate = Gate { pattern: vec![0.0; 80], ..parts().2 };
        assert!(graft(&clean, &seeing, &gate).is_err());
    }
}
