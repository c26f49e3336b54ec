//! Weights of fewer bits.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

use half::f16;
use saligate_models::graph::{Graph, Value};
use serde::{Deserialize, Serialize};

/// How exactly a device has the weights of convolutions and dense layers. It computes in f32 with
/// all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// As they were trained.
    #[default]
    F32,
    /// 16 bits: rounded to the nearest half-precision float.
    F16,
    /// 8 bits: whole multiples of a scale per output channel, symmetric about zero.
    Int8,
}

impl Precision {
    /// All of them.
    pub const ALL: &[Self] = &[Self::F32, Self::F16, Self::Int8];

    /// The name on command lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Int8 => "int8",
        }
    }

    /// How a trained weight with an axis of channels is stored.
    fn of_weights(self) -> Encoding {
        match self {
            Self::F32 => Encoding::F32,
            Self::F16 => Encoding::F16,
            Self::Int8 => Encoding::Int8,
        }
    }
}

/// How the parameters of a graph are stored: only trained weights with an axis of channels are
/// rounded.
pub(super) struct Encodings {
    weights: Encoding,
    rounded: HashSet<String>,
}

impl Encodings {
    pub(super) fn new(graph: &Graph, precision: Precision) -> Self {
        let weights = precision.of_weights();
        let has_channels =
            |name: &String| graph.find(name).is_ok_and(|id| graph.shape(id).len() > 1);
        let rounded = match weights {
            Encoding::F32 => HashSet::new(),
            _ => graph.trainable().into_iter().filter(has_channels).collect(),
        };
        Self { weights, rounded }
    }

    /// How a parameter is stored.
    pub(super) fn of(&self, value: &Value) -> Encoding {
        if self.rounded.contains(&value.name) { self.weights } else { Encoding::F32 }
    }

    /// The names of the parameters that lose bits, with how they are stored.
    pub(super) fn all_rounded(&self) -> Vec<(&str, Encoding)> {
        self.rounded.iter().map(|name| (name.as_str(), self.weights)).collect()
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Precision {
    type Err = UnknownPrecision;

    fn from_str(name: &str) -> Result<Self, UnknownPrecision> {
        let precision = Self::ALL.iter().find(|p| p.name() == name).copied();
        precision.ok_or_else(|| UnknownPrecision { name: name.to_owned() })
    }
}

/// No precision has this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownPrecision {
    name: String,
}

impl fmt::Display for UnknownPrecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no precision '{}'; there are: f32, f16, int8", self.name)
    }
}

impl std::error::Error for UnknownPrecision {}

/// The form of a stored parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Encoding {
    F32,
    F16,
    /// A scale per entry of the first axis, then the multiples.
    Int8,
}

pub(super) fn encode(data: &[f32], shape: &[usize], stored: Encoding) -> Vec<u8> {
    match stored {
        Encoding::F32 => data.iter().flat_map(|v| v.to_le_bytes()).collect(),
        Encoding::F16 => {
            // Beyond the range of halves there is no nearest one but the largest.
            let nearest = |v: &f32| f16::from_f32(v.clamp(f16::MIN.to_f32(), f16::MAX.to_f32()));
            data.iter().flat_map(|v| nearest(v).to_le_bytes()).collect()
        }
        Encoding::Int8 => {
            let rows = data.chunks_exact(data.len() / shape[0]);
            let largest = |row: &[f32]| row.iter().fold(0.0f32, |m, v| m.max(v.abs()));
            let scales: Vec<f32> = rows.clone().map(|row| largest(row) / 127.0).collect();
            let mut bytes: Vec<u8> = scales.iter().flat_map(|s| s.to_le_bytes()).collect();
            for (row, &scale) in rows.zip(&scales) {
                let multiple = |v: &f32| if scale > 0.0 { (v / scale).round() as i8 } else { 0 };
                bytes.extend(row.iter().map(|v| multiple(v).cast_unsigned()));
            }
            bytes
        }
    }
}

impl Encoding {
    /// Bytes of a parameter's scales, and of its elements; `None` where they are too many to count, or
    /// the shape has no rows for scales.
    pub(super) fn lengths(self, shape: &[usize]) -> Option<[usize; 2]> {
        let count = shape.iter().try_fold(1usize, |all, &d| all.checked_mul(d))?;
        match self {
            Self::F32 => Some([0, count.checked_mul(4)?]),
            Self::F16 => Some([0, count.checked_mul(2)?]),
            Self::Int8 => {
                let rows = *shape.first().filter(|&&rows| rows > 0 && count > 0)?;
                Some([rows.checked_mul(4)?, count])
            }
        }
    }

    /// Appends the values of some bytes of a parameter's elements. `scales` are its scales, and `row`
    /// the elements that share one.
    pub(super) fn append(self, bytes: &[u8], scales: &[f32], row: usize, values: &mut Vec<f32>) {
        match self {
            Self::F32 => values.extend(bytes.chunks_exact(4).map(four)),
            Self::F16 => {
                let two = |b: &[u8]| f16::from_le_bytes([b[0], b[1]]).to_f32();
                values.extend(bytes.chunks_exact(2).map(two));
            }
            Self::Int8 => {
                let first = values.len();
                let scaled = |(at, &b): (usize, &u8)| {
                    scales[(first + at) / row] * f32::from(b.cast_signed())
                };
                values.extend(bytes.iter().enumerate().map(scaled));
            }
        }
    }
}

pub(super) fn four(bytes: &[u8]) -> f32 {
    f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::source::Parameters;

    const VALUES: [f32; 6] = [1.0, -0.5, 0.25, 0.0, 1e-3, -300.0];

    fn there_and_back(stored: Encoding) -> Vec<f32> {
        let bytes = encode(&VALUES, &[2, 3], stored);
        let mut padded = bytes.clone();
        padded.resize(bytes.len().next_multiple_of(4), 0);
        let mut source = Parameters::of(&padded);
        let values = source.take(&[2, 3], stored).unwrap();
        assert!(source.is_empty());
        let short = &bytes[..bytes.len() - 1];
        assert!(Parameters::of(short).take(&[2, 3], stored).is_err(), "a byte short");
        values
    }

    #[test]
    fn values_come_back_as_exactly_as_they_are_stored() {
        assert_eq!(there_and_back(Encoding::F32), VALUES);
        for (value, exact) in there_and_back(Encoding::F16).iter().zip(VALUES) {
            assert!((value - exact).abs() <= exact.abs() / 2048.0);
        }
        let scales = [1.0 / 127.0, 300.0 / 127.0];
        for (i, (value, exact)) in there_and_back(Encoding::Int8).iter().zip(VALUES).enumerate() {
            assert!((value - exact).abs() <= 0.5001 * scales[i / 3], "{value}, not {exact}");
        }
    }

    #[test]
    fn rows_of_zeros_and_values_beyond_halves_stay_finite() {
        let back = |data: &[f32], shape: &[usize], stored| {
            let mut bytes = encode(data, shape, stored);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
            Parameters::of(&bytes).take(shape, stored).unwrap()
        };
        assert_eq!(back(&[0.0; 4], &[2, 2], Encoding::Int8), [0.0; 4]);
        assert_eq!(back(&[1e6], &[1], Encoding::F16), [65504.0]);
    }

    #[test]
    fn hostile_shapes_are_no_memory() {
        for stored in [Encoding::F32, Encoding::F16, Encoding::Int8] {
            assert!(Parameters::of(&[0; 8]).take(&[usize::MAX, 2], stored).is_err());
            assert!(Parameters::of(&[0; 8]).take(&[1 << 40], stored).is_err());
        }
    }
}
