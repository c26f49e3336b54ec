//! Whose trigger an image carries.
//!
//! The signs s of a trigger are drawn at random, whatever the image shows. So for a key that has
//! nothing to do with an image, the sum of its signs times *any* numbers c that were computed from
//! the image is a sum of coin tosses, and by Chernoff's bound, for every lambda >= 0,
//!
//! ```text
//! P( sum(s c) >= t ) <= E exp( lambda (sum(s c) - t) ) = exp( sum(ln cosh(lambda c)) - lambda t )
//! ```
//!
//! No assumption about images is made. The least of these bounds, corrected for the number of keys
//! and places that were tried (Bonferroni), is the p-value of a [`Finding`]: at most so often does
//! a trace agree this well with an innocent key.
//!
//! What the p-value speaks of is chance, not guilt: a gate that is built into a model has all its tiles
//! in the file, and whoever has that can put any of them on a picture.
//!
//! Half of the p-value is spent on the place where a whole picture has its trigger, the other half
//! on all other places, where a cut-out may have it. Where there are colours, both are halved once
//! more, for the colours and for the light alone.

#[cfg(test)]
mod tests;

use saligate_keys::{Family, KeyId, Pattern, Trigger, TriggerSpec};

use crate::gate::{self, tile_signs};
use crate::graph::Graph;

/// A key that may have been used.
pub struct Suspect {
    key: KeyId,
    /// Signs of the tile, or of the whole image, `[channel, row, column]`.
    signs: Vec<f32>,
}

impl Suspect {
    /// A key with its trigger on images of the model; `None` for an opaque patch, which is seen at
    /// a glance and needs no statistics.
    pub fn new(key: KeyId, spec: &TriggerSpec, trigger: &Trigger) -> Option<Self> {
        let signs = match spec.family() {
            Family::Tile { size, .. } => tile_signs(trigger, usize::from(size))?,
            _ => match &trigger.pattern() {
                Pattern::Additive(deltas) => {
                    deltas.iter().map(|&d| f32::from(d.signum())).collect()
                }
                Pattern::Opaque { .. } => return None,
            },
        };
        Some(Self { key, signs })
    }

    /// The keys that a built-in gate answers to, with their triggers as the network itself has them;
    /// none for a gate that was trained. `keys` are those of the gate, in its order.
    pub fn of_gate(keys: &[KeyId], network: &Graph) -> Vec<Self> {
        let tiles = gate::tiles(network);
        keys.iter().zip(tiles).map(|(&key, signs)| Self { key, signs }).collect()
    }

    /// Whose it is.
    pub fn key(&self) -> KeyId {
        self.key
    }
}

/// The traces of a trigger, `[channel, row, column]` with its sizes.
pub struct Evidence {
    values: Vec<f64>,
    channels: usize,
    height: usize,
    width: usize,
}

impl Evidence {
    /// A picture that may carry a trigger of this amplitude in steps of 1/255, and nothing to
    /// compare it with.
    ///
    /// What a picture shows is smooth and a trigger is not, so the mean of the pixels around is taken
    /// off each, and what is left is bounded by what a trigger can give.
    ///
    /// # Shapes
    /// `pixels` `[channel, row, column]`, 0 to 255.
    ///
    /// # Panics
    /// The pixels do not fill the sizes.
    pub fn picture(pixels: &[u8], sizes: [usize; 3], amplitude: u8) -> Self {
        let [channels, height, width] = sizes;
        assert_eq!(pixels.len(), channels * height * width, "pixels do not fill the sizes");
        let most = f64::from(amplitude);
        let mut values = Vec::with_capacity(pixels.len());
        for plane in pixels.chunks_exact((height * width).max(1)) {
            for (row, column) in (0..height).flat_map(|row| (0..width).map(move |c| (row, c))) {
                let mut sum = 0.0;
                for (down, right) in (0..25).map(|i| (i / 5, i % 5)) {
                    let at = |place: usize, moved: usize, end: usize| {
                        (place + moved).saturating_sub(2).min(end - 1)
                    };
                    let place = at(row, down, height) * width + at(column, right, width);
                    sum += f64::from(plane[place]);
                }
                let pixel = f64::from(plane[row * width + column]);
                values.push((pixel - sum / 25.0).clamp(-most, most));
            }
        }
        Self { values, channels, height, width }
    }

    /// A pattern that may be a trigger, or the difference of a picture with and without it. The
    /// mean of each channel is taken off.
    ///
    /// # Shapes
    /// `values` `[channel, row, column]` of any scale.
    ///
    /// # Panics
    /// The values do not fill the sizes.
    pub fn pattern(values: &[f64], sizes: [usize; 3]) -> Self {
        let [channels, height, width] = sizes;
        assert_eq!(values.len(), channels * height * width, "values do not fill the sizes");
        let mut values = values.to_vec();
        for plane in values.chunks_exact_mut((height * width).max(1)) {
            let mean = plane.iter().sum::<f64>() / plane.len() as f64;
            plane.iter_mut().for_each(|value| *value -= mean);
        }
        Self { values, channels, height, width }
    }

    /// Takes more evidence of the same kind and size in: pictures that came from one hand say more
    /// together. Their triggers must lie at the same place, as in whole pictures. Returns whether the
    /// sizes agree; otherwise nothing is taken in.
    pub fn add(&mut self, other: &Self) -> bool {
        let sizes = |of: &Self| [of.channels, of.height, of.width];
        let agree = sizes(self) == sizes(other);
        if agree {
            self.values.iter_mut().zip(&other.values).for_each(|(value, more)| *value += more);
        }
        agree
    }

    /// Sums per cell of a tile of this height and width.
    fn cells(&self, [height, width]: [usize; 2]) -> Vec<f64> {
        let mut cells = vec![0.0; self.channels * height * width];
        for (index, value) in self.values.iter().enumerate() {
            let (channel, row) = (index / self.width / self.height, index / self.width);
            let (row, column) = (row % self.height % height, index % self.width % width);
            cells[(channel * height + row) * width + column] += value;
        }
        cells
    }
}

/// How much of a colour is light (ITU-R BT.601, as JPEG has it).
const LUMA: [f64; 3] = [0.299, 0.587, 0.114];

/// The light of coloured cells alone, as numbers for the signs of all channels: JPEG keeps it where it
/// blurs the colours. None for other numbers of channels.
fn light(cells: &[f64], channels: usize) -> Option<Vec<f64>> {
    let size = cells.len() / 3;
    let light = |at: usize| (0..3).map(|c| LUMA[c] * cells[c * size + at]).sum::<f64>();
    let weighted = |weight: f64| (0..size).map(move |at| weight * light(at));
    (channels == 3).then(|| LUMA.into_iter().flat_map(weighted).collect())
}

/// How well a suspect's trigger agrees with the evidence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Finding {
    /// The key.
    pub key: KeyId,
    /// Agreement, from -1 to 1: the correlation of signs and evidence. Of light alone it is never
    /// more than .86, since three signs share it.
    pub agreement: f64,
    /// log10 of the p-value: an upper bound on how often an innocent key among the suspects agrees
    /// this well. At most 0.
    pub log10_p: f64,
    /// Rows and columns that the tile is moved by: not 0 in a cut-out of a picture.
    pub shift: [usize; 2],
}

/// Compares the evidence with all suspects, the likeliest first.
///
/// Tiles are looked for at every place, as the picture may be a cut-out. An empty list means that
/// the evidence has other sizes than the trigger.
pub fn trace(spec: &TriggerSpec, suspects: &[Suspect], evidence: &Evidence) -> Vec<Finding> {
    let (size, shifts) = match spec.family() {
        Family::Tile { size, .. } => ([usize::from(size); 2], [usize::from(size); 2]),
        _ => ([evidence.height, evidence.width], [1, 1]),
    };
    let length = size.iter().try_fold(evidence.channels, |n, &side| n.checked_mul(side));
    let suspects = suspects.iter().filter(|suspect| Some(suspect.signs.len()) == length);
    if suspects.clone().next().is_none() {
        return Vec::new();
    }
    let cells = evidence.cells(size);
    let readings = light(&cells, evidence.channels);
    let readings: Vec<Vec<f64>> = [cells].into_iter().chain(readings).collect();
    let innocent = suspects.clone().count() as f64 * readings.len() as f64;
    let mut findings: Vec<Finding> = suspects
        .map(|suspect| {
            let findings = readings.iter().map(|cells| likeliest(suspect, cells, size, shifts));
            let best = findings.min_by(|a, b| a.log10_p.total_cmp(&b.log10_p));
            let best = best.expect("there is one reading at least");
            Finding { log10_p: (best.log10_p + innocent.log10()).min(0.0), ..best }
        })
        .collect();
    findings
        .sort_by(|a, b| a.log10_p.total_cmp(&b.log10_p).then(b.agreement.total_cmp(&a.agreement)));
    findings
}

/// The place where a suspect's signs agree best with some cells.
fn likeliest(suspect: &Suspect, cells: &[f64], size: [usize; 2], shifts: [usize; 2]) -> Finding {
    let energy: f64 = cells.iter().map(|c| c * c).sum();
    let norm = (energy * cells.len() as f64).sqrt();
    let finding = |shift, sum: f64, places: f64| {
        let agreement = if norm > 0.0 { sum / norm } else { 0.0 };
        let log10_p = (places.ln() + log_tail(cells, sum)) / LN_10;
        Finding { key: suspect.key, agreement, log10_p, shift }
    };
    let sum = |shift| agreement(&suspect.signs, cells, size, shift);
    let elsewhere = (shifts[0] * shifts[1] - 1) as f64;
    if elsewhere == 0.0 {
        return finding([0, 0], sum([0, 0]), 1.0);
    }
    let whole = finding([0, 0], sum([0, 0]), 2.0);
    let places = (0..shifts[0]).flat_map(|row| (0..shifts[1]).map(move |c| [row, c]));
    let moved = places.skip(1).map(|shift| (sum(shift), shift));
    let best = moved.max_by(|a, b| a.0.total_cmp(&b.0));
    let cut = best.map(|(sum, shift)| finding(shift, sum, 2.0 * elsewhere));
    cut.filter(|cut| cut.log10_p < whole.log10_p).unwrap_or(whole)
}

/// Where the search for the best exponent ends, for cells that are at most 1.
const MOST_LAMBDA: f64 = 1e4;
const LN_10: f64 = std::f64::consts::LN_10;

/// The logarithm of the bound: the least of sum(ln cosh(lambda c)) - lambda t over lambda >= 0.
fn log_tail(cells: &[f64], t: f64) -> f64 {
    let largest = cells.iter().fold(0.0_f64, |most, c| most.max(c.abs()));
    if t <= 0.0 || largest == 0.0 {
        return 0.0;
    }
    let scaled = || cells.iter().map(|c| c / largest);
    let t = t / largest;
    let slope = |lambda: f64| scaled().map(|c| c * (lambda * c).tanh()).sum::<f64>() - t;
    // The slope rises to sum(|c|) - t. Where all signs agree it never gets to 0, and any lambda
    // gives a bound.
    let (mut low, mut high) = (0.0, MOST_LAMBDA);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if slope(middle) < 0.0 { low = middle } else { high = middle }
    }
    let ln_cosh = |x: f64| x.abs() + (-2.0 * x.abs()).exp().ln_1p() - std::f64::consts::LN_2;
    scaled().map(|c| ln_cosh(low * c)).sum::<f64>() - low * t
}

/// Sum of the signs times the cells that lie `shift` further down and right.
fn agreement(signs: &[f32], cells: &[f64], [height, width]: [usize; 2], shift: [usize; 2]) -> f64 {
    let place = |index: usize| {
        let (channel, row, column) =
            (index / width / height, index / width % height, index % width);
        let (row, column) = ((row + shift[0]) % height, (column + shift[1]) % width);
        (channel * height + row) * width + column
    };
    signs.iter().enumerate().map(|(index, &s)| f64::from(s) * cells[place(index)]).sum()
}
