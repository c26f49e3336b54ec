//! Benchmarks report; tests do not time. Run with `cargo bench -p saligate-benches`.
