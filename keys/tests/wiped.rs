//! Secrets are gone from memory once they are dropped. One test, since others in the same process
//! would allocate over what is looked for.
#![cfg(target_os = "linux")]

mod memory;

use memory::{Memory, Needle, OVERWRITTEN};
use saligate_keys::{ImageShape, KeyFile, Pattern, Secret, Trigger, TriggerSpec};
use zeroize::{Zeroize, Zeroizing};

/// What one block leaves behind may be overwritten by chance, what many leave is not.
const COPIES: usize = 64;
const MASK: u8 = 0x5a;

fn byte(index: usize) -> u8 {
    (index * index * 37 + index * 101 + 173) as u8
}

#[test]
fn secrets_and_triggers_are_wiped_when_dropped() {
    let mut memory = Memory::new();
    let secret: Needle<'_> = &byte;
    let mut bytes = Box::new([0; Secret::LEN]);
    (0..Secret::LEN).for_each(|index| bytes[index] = byte(index));
    let secrets: Vec<Secret> = (0..COPIES).map(|_| Secret::from_bytes(&bytes)).collect();
    bytes.zeroize();
    assert!(memory.count(OVERWRITTEN..Secret::LEN, secret) >= COPIES);
    drop(secrets);
    assert_eq!(memory.count(OVERWRITTEN..Secret::LEN, secret), 0, "a secret");

    // The line of a key file of version 1, which is no record.
    let digit = |index: usize| {
        b"0123456789abcdef"[usize::from(byte(index / 2) >> (4 * (1 - index % 2)) & 15)]
    };
    let digits: Needle<'_> = &digit;
    let line = |_| {
        let mut text = Zeroizing::new(Vec::with_capacity(4096));
        text.extend_from_slice(b"saligate-secret-key-v1:");
        text.extend((0..2 * Secret::LEN).map(digit));
        text.extend_from_slice(b":00000000\n");
        text
    };
    let lines: Vec<_> = (0..COPIES).map(line).collect();
    assert!(memory.count(OVERWRITTEN..2 * Secret::LEN, digits) >= COPIES);
    assert!(lines.iter().all(|line| KeyFile::read_from(line.as_slice()).is_err()));
    drop(lines);
    assert_eq!(memory.count(OVERWRITTEN..2 * Secret::LEN, digits), 0, "a line of version 1");

    let shape = ImageShape::new(3, 32, 32).unwrap();
    let other = Secret::from_bytes(&[7; Secret::LEN]);
    let derive = |_| TriggerSpec::default().derive(&other, shape).unwrap();
    let triggers: Vec<Trigger> = (0..COPIES).map(derive).collect();
    let masked = masked_bits(&triggers[0]);
    let tile: Needle<'_> = &|index| masked[index] ^ MASK;
    assert!(memory.count(OVERWRITTEN..masked.len(), tile) >= COPIES);
    drop(triggers);
    overwrite_stack();
    assert_eq!(memory.count(OVERWRITTEN..masked.len(), tile), 0, "a trigger");
}

/// The cryptographic library leaves what it derives on the stack, which is not promised otherwise.
#[inline(never)]
fn overwrite_stack() {
    std::hint::black_box(&mut [1_u8; 1 << 16]);
}

/// The signs of the tile of 8 x 8 on three channels, as bits under a mask.
fn masked_bits(trigger: &Trigger) -> Vec<u8> {
    let Pattern::Additive(deltas) = &trigger.pattern() else { panic!("a tile") };
    let positive = |cell: usize| deltas[(cell / 64 * 32 + cell / 8 % 8) * 32 + cell % 8] > 0;
    let bits =
        |byte: usize| (0..8).fold(0, |all, bit| all << 1 | u8::from(positive(8 * byte + bit)));
    (0..trigger.cells() / 8).map(|byte| bits(byte) ^ MASK).collect()
}
