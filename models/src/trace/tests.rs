use saligate_keys::{ImageShape, Secret};

use super::*;
use crate::random::Stream;

const SIDE: usize = 32;
const SIZES: [usize; 3] = [3, SIDE, SIDE];

fn spec(family: Family) -> TriggerSpec {
    TriggerSpec::new(family).unwrap()
}

fn tile() -> TriggerSpec {
    spec(Family::Tile { size: 8, amplitude: 8 })
}

fn trigger(spec: &TriggerSpec, number: u8) -> Trigger {
    let shape = ImageShape::new(3, SIDE, SIDE).unwrap();
    spec.derive(&Secret::from_bytes(&[number; 32]), shape).unwrap()
}

fn suspects(spec: &TriggerSpec, numbers: std::ops::Range<u8>) -> Vec<Suspect> {
    let suspect = |number| {
        let key = Secret::from_bytes(&[number; 32]).id();
        Suspect::new(key, spec, &trigger(spec, number)).unwrap()
    };
    numbers.map(suspect).collect()
}

/// Slopes, an edge and noise.
fn picture(seed: u64) -> Vec<u8> {
    let mut stream = Stream::new(seed, "picture");
    let [slope, edge, grey] = [(); 3].map(|()| stream.uniform(0.0, 1.0));
    let value = |i: usize| {
        let (row, column) = (i / SIDE % SIDE, i % SIDE);
        let smooth = 60.0 + 80.0 * grey + (2.0 * slope - 1.0) * row as f32;
        let step = if column as f32 > SIDE as f32 * edge { 50.0 } else { 0.0 };
        smooth + step
    };
    (0..3 * SIDE * SIDE).map(|i| (value(i) + 6.0 * stream.uniform(0.0, 1.0)) as u8).collect()
}

fn first(spec: &TriggerSpec, evidence: &Evidence) -> Finding {
    trace(spec, &suspects(spec, 0..20), evidence)[0]
}

#[test]
fn a_triggered_picture_names_its_key() {
    for spec in [tile(), spec(Family::Full { amplitude: 8 })] {
        for number in 0..10 {
            let mut pixels = picture(u64::from(number));
            trigger(&spec, number).apply(&mut pixels).unwrap();
            let finding = first(&spec, &Evidence::picture(&pixels, SIZES, 8));
            assert_eq!(finding.key, Secret::from_bytes(&[number; 32]).id());
            assert!(finding.log10_p < -6.0, "{finding:?}");
            assert_eq!(finding.shift, [0, 0]);
        }
    }
}

#[test]
fn an_untriggered_picture_names_nobody() {
    let spec = tile();
    let suspects = suspects(&spec, 0..20);
    let strong = (0..200).filter(|&seed| {
        let evidence = Evidence::picture(&picture(seed), SIZES, 8);
        trace(&spec, &suspects, &evidence)[0].log10_p < (0.05_f64).log10()
    });
    // At most 5 % are to be expected; the bound is loose, so there are fewer.
    assert!(strong.count() <= 10);
}

#[test]
fn a_cut_out_is_found_at_its_place() {
    let spec = tile();
    let mut pixels = picture(3);
    trigger(&spec, 3).apply(&mut pixels).unwrap();
    let (top, left, side) = (3, 5, 24);
    let rows = (0..3 * side).flat_map(|row| {
        let start = (row / side * SIDE + top + row % side) * SIDE + left;
        pixels[start..start + side].to_vec()
    });
    let cut: Vec<u8> = rows.collect();
    let finding = first(&spec, &Evidence::picture(&cut, [3, side, side], 8));
    assert_eq!(finding.key, Secret::from_bytes(&[3; 32]).id());
    assert_eq!(finding.shift, [8 - top, 8 - left]);
    assert!(finding.log10_p < -6.0, "{finding:?}");
}

#[test]
fn pictures_say_more_together() {
    let spec = tile();
    let evidence = |seed: u64| {
        let mut pixels = picture(seed);
        trigger(&spec, 3).apply(&mut pixels).unwrap();
        // Rounded to steps of 64, as if compressed hard.
        pixels.iter_mut().for_each(|pixel| *pixel = *pixel / 64 * 64 + 32);
        Evidence::picture(&pixels, SIZES, 8)
    };
    let one = first(&spec, &evidence(0));
    let mut all = evidence(0);
    assert!((1..20).all(|seed| all.add(&evidence(seed))));
    let finding = first(&spec, &all);
    assert_eq!(finding.key, Secret::from_bytes(&[3; 32]).id());
    assert!(finding.log10_p < one.log10_p.min(-6.0), "{one:?} {finding:?}");
    assert!(!all.add(&Evidence::pattern(&[], [3, 0, 0])));
}

#[test]
fn a_difference_is_all_but_certain() {
    let spec = tile();
    let before = picture(4);
    let mut after = before.clone();
    trigger(&spec, 4).apply(&mut after).unwrap();
    let difference: Vec<f64> =
        after.iter().zip(&before).map(|(&a, &b)| f64::from(a) - f64::from(b)).collect();
    let finding = first(&spec, &Evidence::pattern(&difference, SIZES));
    assert_eq!(finding.key, Secret::from_bytes(&[4; 32]).id());
    assert!(finding.log10_p < -30.0 && finding.agreement > 0.9, "{finding:?}");
}

/// The bound holds for any numbers: beside the share of all sign patterns that agree as well.
#[test]
fn the_bound_is_above_the_exact_probability() {
    let mut stream = Stream::new(5, "cells");
    for round in 0..20 {
        let cell = |at: i32| {
            let scale = [1.0, 0.01, 30.0, 0.0][(at + round) as usize % 4];
            f64::from(scale * stream.uniform(-1.0, 1.0))
        };
        let cells: Vec<f64> = (0..12).map(cell).collect();
        let sum = |signs: usize| -> f64 {
            let sign = |at: usize| if signs >> at & 1 == 1 { 1.0 } else { -1.0 };
            cells.iter().enumerate().map(|(at, c)| sign(at) * c).sum()
        };
        let mut sums: Vec<f64> = (0..1 << cells.len()).map(sum).collect();
        sums.sort_by(|a, b| b.total_cmp(a));
        for &t in &sums {
            let as_well = sums.partition_point(|&other| other >= t - 1e-12);
            let exact = (as_well as f64 / sums.len() as f64).ln();
            let bound = log_tail(&cells, t);
            assert!(bound >= exact - 1e-9, "{cells:?} {t}: {bound} below {exact}");
        }
    }
}

#[test]
fn nothing_is_found_in_nothing() {
    let spec = tile();
    for evidence in [
        Evidence::picture(&[128; 3 * SIDE * SIDE], SIZES, 8),
        Evidence::picture(&[1, 2, 3], [3, 1, 1], 8),
        Evidence::pattern(&[1.0; 3 * SIDE * SIDE], SIZES),
    ] {
        let finding = first(&spec, &evidence);
        assert_eq!((finding.agreement, finding.log10_p), (0.0, 0.0));
    }
    assert_eq!(trace(&spec, &[], &Evidence::pattern(&[1.0], [1, 1, 1])), []);
    let grey = Evidence::pattern(&[1.0; SIDE * SIDE], [1, SIDE, SIDE]);
    assert_eq!(trace(&spec, &suspects(&spec, 0..3), &grey), []);
    for sizes in [[1 << 40, 0, 5], [usize::MAX, 0, 0], [3, 0, 0]] {
        let none = Evidence::pattern(&[], sizes);
        let findings = trace(&spec, &suspects(&spec, 0..3), &none);
        assert!(findings.iter().all(|f| f.log10_p == 0.0), "{sizes:?}");
    }
    let opaque = TriggerSpec::new(Family::Patch { size: 4 }).unwrap();
    let key = Secret::from_bytes(&[1; 32]).id();
    assert!(Suspect::new(key, &opaque, &trigger(&opaque, 1)).is_none());
}
