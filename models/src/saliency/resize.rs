//! Bilinear resizing of maps.

/// Where one result pixel reads: two pixels and the weight of the second one.
struct Tap {
    first: usize,
    second: usize,
    weight: f32,
}

/// Resizes a map `[row, column]` from `size` to `target` rows and columns, row-major.
///
/// Result pixel i reads at `(i + 0.5) * size / target - 0.5`, which is held inside the map.
pub fn bilinear(map: &[f32], size: [usize; 2], target: [usize; 2]) -> Vec<f32> {
    let [rows, columns] = [0, 1].map(|axis| taps(size[axis], target[axis]));
    let width = size[1];
    let mut wide = Vec::with_capacity(size[0] * target[1]);
    for row in map.chunks_exact(width) {
        wide.extend(columns.iter().map(|t| mix(row[t.first], row[t.second], t.weight)));
    }
    let mut resized = Vec::with_capacity(target[0] * target[1]);
    for tap in rows {
        let row = |index: usize| &wide[index * target[1]..(index + 1) * target[1]];
        let pairs = row(tap.first).iter().zip(row(tap.second));
        resized.extend(pairs.map(|(&a, &b)| mix(a, b, tap.weight)));
    }
    resized
}

fn taps(size: usize, target: usize) -> Vec<Tap> {
    let last = size - 1;
    let tap = |index: usize| {
        let at = (index as f64 + 0.5) * size as f64 / target as f64 - 0.5;
        let at = at.clamp(0.0, last as f64);
        let first = at as usize;
        Tap { first, second: (first + 1).min(last), weight: (at - first as f64) as f32 }
    };
    (0..target).map(tap).collect()
}

fn mix(a: f32, b: f32, weight: f32) -> f32 {
    a * (1.0 - weight) + b * weight
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubling_a_row_reads_at_quarters() {
        let doubled = bilinear(&[0.0, 4.0], [1, 2], [1, 4]);
        assert_eq!(doubled, [0.0, 1.0, 3.0, 4.0]);
        assert_eq!(bilinear(&[0.0, 4.0], [2, 1], [4, 1]), doubled);
    }

    #[test]
    fn one_pixel_fills_the_map() {
        assert_eq!(bilinear(&[2.5], [1, 1], [3, 2]), [2.5; 6]);
    }

    #[test]
    fn the_same_size_changes_nothing() {
        let map = [1.0, -2.0, 3.0, 0.5, 0.0, 7.0];
        assert_eq!(bilinear(&map, [2, 3], [2, 3]), map);
    }

    #[test]
    fn halving_reads_between_two_pixels() {
        assert_eq!(bilinear(&[0.0, 2.0, 4.0, 6.0], [1, 4], [1, 2]), [1.0, 5.0]);
    }
}
