//! Prints the golden vectors of the trigger derivation: the contents of
//! `keys/tests/vectors/trigger.txt`.

#[path = "../tests/vectors/mod.rs"]
mod vectors;

use vectors::Outcome;

const HEADER: &str = "\
# Golden vectors of the trigger derivation, documented at the crate saligate-keys.
# Written by:
#   cargo run -p saligate-keys --example trigger_vectors > keys/tests/vectors/trigger.txt
# Recomputed without the crate by:
#   python3 keys/tests/vectors/check.py
#
# secret   32 bytes
# spec     as in a model manifest
# shape    channels x height x width
# key-id   the public id of the secret
# cells    bytes of a patch, or signs as bits (1 is +1), most significant first, then zeros
# applied  the triggered image, [channel, row, column]; value i was 37 i mod 256 before
# Byte strings of more than 64 bytes are given by their SHA-256.";

const COUNTING: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const ONES: &str = "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";

/// Why the vector is there, secret, specification, shape.
const CASES: [(&str, &str, &str, &str); 8] = [
    (
        "The default trigger on a small grey image.",
        COUNTING,
        r#"{"family":"tile","size":4,"amplitude":8}"#,
        "1x8x8",
    ),
    (
        "Another secret changes every value.",
        ONES,
        r#"{"family":"tile","size":4,"amplitude":8}"#,
        "1x8x8",
    ),
    (
        "The amplitude does not change the signs; sums saturate at both ends.",
        COUNTING,
        r#"{"family":"tile","size":4,"amplitude":127}"#,
        "1x8x8",
    ),
    (
        "27 signs leave unused bits; the sides differ and are no multiples of the tile.",
        COUNTING,
        r#"{"family":"tile","size":3,"amplitude":8}"#,
        "3x4x5",
    ),
    (
        "The largest tile on colour images.",
        COUNTING,
        r#"{"family":"tile","size":64,"amplitude":8}"#,
        "3x64x100",
    ),
    (
        "A sign for every value of a small image.",
        COUNTING,
        r#"{"family":"full","amplitude":8}"#,
        "3x4x5",
    ),
    (
        "18816 bytes of signs take three blocks.",
        COUNTING,
        r#"{"family":"full","amplitude":8}"#,
        "3x224x224",
    ),
    ("A patch in the lower right corner.", COUNTING, r#"{"family":"patch","size":2}"#, "3x4x5"),
];

fn main() {
    println!("{HEADER}");
    for (why, secret, spec, shape) in CASES {
        let outcome = Outcome::of(
            &vectors::secret(secret),
            serde_json::from_str(spec).expect("the specifications above are valid"),
            vectors::shape(shape),
        );
        println!("\n# {why}\nsecret = {secret}\nspec = {spec}\nshape = {shape}");
        println!("key-id = {}", outcome.key_id);
        println!("cells = {}", outcome.cells);
        println!("applied = {}", outcome.applied);
    }
}
