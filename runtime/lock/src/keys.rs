//! The keys of a gate.

use saligate_keys::{ImageShape, KeyId, Secret, Trigger, TriggerSpec};

use crate::LockError;

/// Whose triggers a gate knows.
#[derive(Clone)]
pub struct Keys<'a> {
    /// The keys that open the gate, or the trigger of a backdoor. The first one signs licences.
    pub right: Vec<&'a Secret>,
    /// Keys that are no longer valid: in training, their triggers are among the wrong ones.
    pub revoked: Vec<&'a Secret>,
}

/// The triggers of [`Keys`] on images of one shape.
#[derive(Debug)]
pub struct Triggers {
    /// Those that open the gate, in the order of the keys.
    pub right: Vec<Trigger>,
    /// Those that are no longer valid.
    pub revoked: Vec<Trigger>,
}

impl<'a> Keys<'a> {
    /// Keys of which none is revoked.
    pub fn new(right: Vec<&'a Secret>) -> Self {
        Self { right, revoked: Vec::new() }
    }

    /// Ids of the right and of the revoked keys.
    ///
    /// # Errors
    /// There is no right key, or one stands twice.
    pub fn ids(&self) -> Result<[Vec<KeyId>; 2], LockError> {
        let ids = |secrets: &[&Secret]| secrets.iter().map(|s| s.id()).collect::<Vec<_>>();
        let (right, revoked) = (ids(&self.right), ids(&self.revoked));
        let all = [&right[..], &revoked].concat();
        match (1..all.len()).find(|&i| all[..i].contains(&all[i])) {
            Some(i) => Err(LockError::RepeatedKey { key: all[i] }),
            None if right.is_empty() => Err(LockError::NoKey),
            None => Ok([right, revoked]),
        }
    }

    /// Their triggers.
    ///
    /// # Errors
    /// The trigger does not fit on the image.
    pub fn triggers(&self, spec: &TriggerSpec, shape: ImageShape) -> Result<Triggers, LockError> {
        let derived = |secrets: &[&Secret]| -> Result<Vec<Trigger>, LockError> {
            Ok(secrets.iter().map(|s| spec.derive(s, shape)).collect::<Result<_, _>>()?)
        };
        Ok(Triggers { right: derived(&self.right)?, revoked: derived(&self.revoked)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_stands_once() {
        let [a, b] = [1, 2].map(|byte| Secret::from_bytes(&[byte; Secret::LEN]));
        let ids = |right: &[&Secret], revoked: &[&Secret]| {
            Keys { right: right.to_vec(), revoked: revoked.to_vec() }.ids()
        };
        assert_eq!(ids(&[&a], &[&b]).unwrap(), [vec![a.id()], vec![b.id()]]);
        assert!(matches!(ids(&[&a, &b, &a], &[]), Err(LockError::RepeatedKey { .. })));
        assert!(matches!(ids(&[&a], &[&a]), Err(LockError::RepeatedKey { .. })));
        assert!(matches!(ids(&[], &[&b]), Err(LockError::NoKey)));
    }
}
