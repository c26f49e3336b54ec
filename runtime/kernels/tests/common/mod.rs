//! Numbers, and maps of them.

use saligate_kernels::Map;

/// Numbers that look random, in -1 to 1.
pub fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// A map and its elements, from planar ones.
pub fn laid_out(planar: &[f32], map: &Map) -> Vec<f32> {
    let mut data = vec![f32::NAN; map.elements()];
    Map::planar([map.channels(), map.rows(), map.columns()]).convert(planar, map, &mut data);
    data
}

/// The planar elements of a map.
pub fn planar(data: &[f32], map: &Map) -> Vec<f32> {
    let to = Map::planar([map.channels(), map.rows(), map.columns()]);
    let mut values = vec![0.0; to.elements()];
    map.convert(data, &to, &mut values);
    values
}
