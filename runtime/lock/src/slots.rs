//! Keys of their own for the licences of a model.

use saligate_keys::{ImageShape, KeyFile, Pattern, Secret, Trigger, TriggerSpec, VendorKeys};

use crate::LockError;

/// How much two triggers of a model may agree. With a quarter of its signs flipped a key no longer
/// opens; a slot that is closer to another would still open by it after its own was revoked.
const MOST_AGREEMENT: f64 = 0.7;

/// The secrets of the first `count` slots of the only key whose triggers are far enough from that
/// of the key and from each other.
///
/// # Errors
/// There are several keys, or not so many triggers of this kind.
pub fn of(
    keys: &[KeyFile],
    count: u32,
    spec: &TriggerSpec,
    shape: ImageShape,
) -> Result<Vec<Secret>, LockError> {
    let key = match keys {
        _ if count == 0 => return Ok(Vec::new()),
        [key] => key.secret(),
        _ => return Err(LockError::SeveralKeys),
    };
    let (mut slots, mut triggers) = (Vec::new(), vec![spec.derive(key, shape)?]);
    for number in VendorKeys::SLOTS {
        if slots.len() == count as usize {
            break;
        }
        let slot = VendorKeys::of(key).slot(number);
        let trigger = spec.derive(&slot, shape)?;
        if triggers.iter().all(|other| agreement(other, &trigger) < MOST_AGREEMENT) {
            triggers.push(trigger);
            slots.push(slot);
        }
    }
    if slots.len() < count as usize {
        return Err(LockError::Slots { found: slots.len() });
    }
    Ok(slots)
}

/// The share of values that two triggers of one kind give alike.
fn agreement(a: &Trigger, b: &Trigger) -> f64 {
    fn share<T: PartialEq>(a: &[T], b: &[T]) -> f64 {
        a.iter().zip(b).filter(|(a, b)| a == b).count() as f64 / a.len() as f64
    }
    match (&a.pattern(), &b.pattern()) {
        (Pattern::Additive(a), Pattern::Additive(b)) => share(a, b),
        (Pattern::Opaque { values: a, mask }, Pattern::Opaque { values: b, .. }) => {
            let inside = |values: &[u8]| -> Vec<u8> {
                values.iter().zip(mask).filter(|(_, inside)| **inside).map(|(v, _)| *v).collect()
            };
            share(&inside(a), &inside(b))
        }
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use saligate_keys::Family;

    use super::*;

    fn slots(size: u16, count: u32) -> Result<Vec<Secret>, LockError> {
        let key = [KeyFile::new(Secret::from_bytes(&[7; Secret::LEN]))];
        let spec = TriggerSpec::new(Family::Tile { size, amplitude: 8 })?;
        of(&key, count, &spec, ImageShape::new(1, 16, 16)?)
    }

    #[test]
    fn slots_are_far_from_each_other() {
        let shape = ImageShape::new(1, 16, 16).unwrap();
        let spec = TriggerSpec::new(Family::Tile { size: 8, amplitude: 8 }).unwrap();
        let found = slots(8, 100).unwrap();
        assert_eq!(found.len(), 100);
        let triggers: Vec<_> = found.iter().map(|s| spec.derive(s, shape).unwrap()).collect();
        for (i, a) in triggers.iter().enumerate() {
            assert!(triggers[..i].iter().all(|b| agreement(a, b) < MOST_AGREEMENT));
        }
    }

    #[test]
    fn small_tiles_have_few_slots() {
        assert_eq!(slots(4, 5).unwrap().len(), 5);
        let error = slots(4, 1000).err().unwrap();
        assert!(error.to_string().contains("use a larger tile, or fewer slots"), "{error}");
        assert!(slots(2, 20).is_err());
        assert!(slots(2, 0).unwrap().is_empty());
    }
}
