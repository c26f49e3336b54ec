//! From the tensors of a file to constants.

use std::path::Path;

use super::super::OnnxError;
use super::super::proto::{self, EXTERNAL, data_type};
use super::{Constant, MAX_RANK, external};

/// Largest number of elements of all stored tensors together: 2 GiB as f32.
const MAX_STORED: usize = 1 << 29;

/// Where the tensors of a file lie, and how much of them has been read.
pub(in super::super) struct Storage<'a> {
    folder: Option<&'a Path>,
    read: usize,
}

impl<'a> Storage<'a> {
    /// A file whose external data may lie in `folder`.
    pub(in super::super) fn new(folder: Option<&'a Path>) -> Self {
        Self { folder, read: 0 }
    }

    /// Number of elements read so far.
    pub(in super::super) fn read(&self) -> usize {
        self.read
    }
}

/// The contents of a stored tensor.
pub(in super::super) fn decode(
    tensor: proto::Tensor,
    storage: &mut Storage<'_>,
) -> Result<Constant, OnnxError> {
    let name = tensor.name.clone();
    let bad = |reason: String| OnnxError::Tensor { name: name.clone(), reason };
    if tensor.dims.len() > MAX_RANK {
        return Err(bad(format!("has {} axes, more than {MAX_RANK}", tensor.dims.len())));
    }
    let axes = tensor.dims.iter().map(|&d| usize::try_from(d).ok());
    let shape: Vec<usize> =
        axes.collect::<Option<_>>().ok_or_else(|| bad("has a negative axis".to_owned()))?;
    let count = super::elements(&shape).filter(|&count| count <= MAX_STORED - storage.read);
    let count = count.ok_or_else(|| bad(format!("is too large: {shape:?}")))?;
    let kind = Kind::of(tensor.data_type).ok_or_else(|| {
        bad(format!(
            "has element type {}; supported are floats, integers and truth values",
            tensor.data_type
        ))
    })?;
    storage.read += count;

    let external = tensor.data_location == EXTERNAL;
    let raw = if external {
        external::read(&tensor, count * kind.width(), storage.folder)?.into()
    } else {
        tensor.raw_data
    };
    let typed = ElementFields {
        floats: tensor.float_data,
        doubles: tensor.double_data,
        ints32: tensor.int32_data,
        ints64: tensor.int64_data,
        uints64: tensor.uint64_data,
    };
    let constant = if external || !raw.is_empty() {
        if raw.len() != count * kind.width() {
            let wanted = count * kind.width();
            return Err(bad(format!("has {} bytes, its shape needs {wanted}", raw.len())));
        }
        kind.of_bytes(shape, &raw)
    } else {
        kind.of_fields(shape, typed)
    };
    if constant.len() != count {
        return Err(bad(format!("has {} elements, its shape needs {count}", constant.len())));
    }
    Ok(constant)
}

/// The fields that elements are kept in where they are not raw bytes.
struct ElementFields {
    floats: Vec<f32>,
    doubles: Vec<f64>,
    ints32: Vec<i32>,
    ints64: Vec<i64>,
    uints64: Vec<u64>,
}

/// An element type.
#[derive(Clone, Copy)]
enum Kind {
    F32,
    F64,
    F16,
    Bf16,
    Byte,
    I8,
    U16,
    I16,
    I32,
    U32,
    I64,
    U64,
}

impl Kind {
    fn of(data_type: i32) -> Option<Self> {
        Some(match data_type {
            data_type::FLOAT => Self::F32,
            data_type::DOUBLE => Self::F64,
            data_type::FLOAT16 => Self::F16,
            data_type::BFLOAT16 => Self::Bf16,
            data_type::UINT8 | data_type::BOOL => Self::Byte,
            data_type::INT8 => Self::I8,
            data_type::UINT16 => Self::U16,
            data_type::INT16 => Self::I16,
            data_type::INT32 => Self::I32,
            data_type::UINT32 => Self::U32,
            data_type::INT64 => Self::I64,
            data_type::UINT64 => Self::U64,
            _ => return None,
        })
    }

    /// Bytes of an element.
    fn width(self) -> usize {
        match self {
            Self::Byte | Self::I8 => 1,
            Self::F16 | Self::Bf16 | Self::U16 | Self::I16 => 2,
            Self::F32 | Self::I32 | Self::U32 => 4,
            Self::F64 | Self::I64 | Self::U64 => 8,
        }
    }

    fn of_bytes(self, shape: Vec<usize>, raw: &[u8]) -> Constant {
        let ints = |data: Vec<i64>| Constant::ints(shape.clone(), data);
        let floats = |data: Vec<f32>| Constant::floats(shape.clone(), data);
        let (two, four, eight) = (raw.as_chunks().0, raw.as_chunks().0, raw.as_chunks().0);
        let halves = || two.iter().map(|&b| u16::from_le_bytes(b));
        match self {
            Self::F32 => floats(four.iter().map(|&b| f32::from_le_bytes(b)).collect()),
            Self::F64 => floats(eight.iter().map(|&b| f64::from_le_bytes(b) as f32).collect()),
            Self::F16 => floats(halves().map(from_half).collect()),
            Self::Bf16 => floats(halves().map(from_bfloat).collect()),
            Self::Byte => ints(raw.iter().map(|&b| i64::from(b)).collect()),
            Self::I8 => ints(raw.iter().map(|&b| i64::from(b as i8)).collect()),
            Self::U16 => ints(halves().map(i64::from).collect()),
            Self::I16 => ints(halves().map(|v| i64::from(v as i16)).collect()),
            Self::I32 => ints(four.iter().map(|&b| i64::from(i32::from_le_bytes(b))).collect()),
            Self::U32 => ints(four.iter().map(|&b| i64::from(u32::from_le_bytes(b))).collect()),
            Self::I64 => ints(eight.iter().map(|&b| i64::from_le_bytes(b)).collect()),
            Self::U64 => ints(eight.iter().map(|&b| clamped(u64::from_le_bytes(b))).collect()),
        }
    }

    fn of_fields(self, shape: Vec<usize>, typed: ElementFields) -> Constant {
        let bits = |v: &i32| *v as u16;
        match self {
            Self::F32 => Constant::floats(shape, typed.floats),
            Self::F64 => {
                let data: Vec<f32> = typed.doubles.iter().map(|&v| v as f32).collect();
                Constant::floats(shape, data)
            }
            Self::F16 => {
                let data: Vec<f32> = typed.ints32.iter().map(bits).map(from_half).collect();
                Constant::floats(shape, data)
            }
            Self::Bf16 => {
                let data: Vec<f32> = typed.ints32.iter().map(bits).map(from_bfloat).collect();
                Constant::floats(shape, data)
            }
            Self::I64 => Constant::ints(shape, typed.ints64),
            Self::U32 | Self::U64 => {
                let data: Vec<i64> = typed.uints64.into_iter().map(clamped).collect();
                Constant::ints(shape, data)
            }
            _ => {
                let data: Vec<i64> = typed.ints32.into_iter().map(i64::from).collect();
                Constant::ints(shape, data)
            }
        }
    }
}

/// No size is as large as this limit.
fn clamped(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn from_bfloat(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// IEEE 754 binary16: 1 sign bit, 5 bits of exponent, 10 of fraction.
fn from_half(bits: u16) -> f32 {
    let fraction = f32::from(bits & 0x3ff);
    let exponent = i32::from(bits >> 10 & 0x1f);
    let size = match exponent {
        0 => fraction * 2f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1.0 + fraction / 1024.0) * 2f32.powi(exponent - 15),
    };
    if bits >> 15 == 0 { size } else { -size }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_widened_exactly() {
        let cases = [
            (0x0000, 0.0),
            (0x0001, 2f32.powi(-24)),
            (0x03ff, 1023.0 * 2f32.powi(-24)),
            (0x0400, 2f32.powi(-14)),
            (0x3c00, 1.0),
            (0x3555, 0.333_251_95),
            (0x7bff, 65504.0),
            (0x7c00, f32::INFINITY),
            (0xc000, -2.0),
        ];
        for (bits, value) in cases {
            assert_eq!(from_half(bits), value, "{bits:#06x}");
        }
        assert!(from_half(0x7e00).is_nan());
        assert_eq!(from_bfloat(0x4049), 3.140_625);
    }

    fn stored(data_type: i32, dims: &[i64], raw: &[u8]) -> Result<Constant, OnnxError> {
        let tensor = proto::Tensor {
            name: "t".to_owned(),
            dims: dims.to_vec(),
            data_type,
            raw_data: raw.to_vec().into(),
            ..Default::default()
        };
        decode(tensor, &mut Storage::new(None))
    }

    #[test]
    fn every_element_type_is_read() {
        let cases: [(i32, &[u8], Constant); 9] = [
            (data_type::FLOAT, &[0, 0, 192, 63], Constant::floats(vec![1], [1.5])),
            (data_type::DOUBLE, &1.5f64.to_le_bytes(), Constant::floats(vec![1], [1.5])),
            (data_type::FLOAT16, &[0, 0x3e], Constant::floats(vec![1], [1.5])),
            (data_type::BFLOAT16, &[0xc0, 0x3f], Constant::floats(vec![1], [1.5])),
            (data_type::INT32, &(-7i32).to_le_bytes(), Constant::ints(vec![1], [-7])),
            (data_type::INT64, &(-7i64).to_le_bytes(), Constant::ints(vec![1], [-7])),
            (data_type::INT8, &[0xf9], Constant::ints(vec![1], [-7])),
            (data_type::UINT8, &[0xf9], Constant::ints(vec![1], [249])),
            (data_type::BOOL, &[1], Constant::ints(vec![1], [1])),
        ];
        for (data_type, raw, constant) in cases {
            assert_eq!(stored(data_type, &[1], raw).unwrap(), constant, "type {data_type}");
        }
        let typed = proto::Tensor {
            data_type: data_type::FLOAT16,
            dims: vec![2],
            int32_data: vec![0x3c00, 0xc000],
            ..Default::default()
        };
        let read = decode(typed, &mut Storage::new(None)).unwrap();
        assert_eq!(read, Constant::floats(vec![2], [1.0, -2.0]));
    }

    #[test]
    fn malformed_tensors_are_named() {
        let error = |t, dims: &[i64], raw: &[u8]| stored(t, dims, raw).unwrap_err().to_string();
        assert!(error(1, &[-1], &[0; 4]).contains("'t' has a negative axis"));
        assert!(error(1, &[2], &[0; 4]).contains("has 4 bytes, its shape needs 8"));
        assert!(error(1, &[2], &[]).contains("has 0 elements, its shape needs 2"));
        assert!(error(1, &[i64::MAX, 4], &[0; 4]).contains("is too large"));
        assert!(error(8, &[1], &[0; 4]).contains("element type 8"));
        assert!(error(1, &[1; 9], &[0; 4]).contains("9 axes"));
    }
}
