//! Which key a licence is for.

use super::Ledger;
use crate::{Error, KeyId, Secret, VendorKeys};

/// The keys that a vendor can license for a model: those of the vendor's files that open it.
pub struct Pool {
    keys: Vec<Secret>,
    shared: bool,
}

/// A key of a [`Pool`].
pub struct Pick<'a> {
    /// The secret that the trigger is derived from.
    pub secret: &'a Secret,
    /// Whether other licences have it too, so that a leaked trigger names nobody.
    pub shared: bool,
}

impl Pool {
    /// Finds the keys of a model among the vendor's secrets and their slots.
    ///
    /// A model with slots has one for every licence; the vendor's own key, which may open it too,
    /// is then for nobody else. Without slots, every key file is for one licence, unless the model
    /// has a single key, which all licences share.
    ///
    /// # Errors
    /// [`Error::NoKey`] when none opens the model.
    pub fn of(secrets: Vec<Secret>, opens: &[KeyId]) -> Result<Self, Error> {
        let slots = Self::slots(&secrets, opens);
        if !slots.is_empty() {
            return Ok(Self { keys: slots, shared: false });
        }
        let ours = |secret: &Secret| opens.contains(&secret.id());
        let keys: Vec<_> = secrets.into_iter().filter(ours).collect();
        if keys.is_empty() {
            return Err(Error::NoKey { opens: opens.to_vec() });
        }
        Ok(Self { keys, shared: opens.len() == 1 })
    }

    /// The slots of some secrets that are among these keys.
    pub fn slots(secrets: &[Secret], among: &[KeyId]) -> Vec<Secret> {
        let own = secrets.iter().filter(|secret| among.contains(&secret.id())).count();
        let mut left = among.len() - own;
        let mut found = Vec::new();
        for keys in secrets.iter().map(VendorKeys::of) {
            for number in VendorKeys::SLOTS {
                if left == 0 {
                    return found;
                }
                let slot = keys.slot(number);
                if among.contains(&slot.id()) {
                    found.push(slot);
                    left -= 1;
                }
            }
        }
        found
    }

    /// The first key that no licence has; or the shared one.
    ///
    /// # Errors
    /// [`Error::NoFreeKey`] when all are taken.
    pub fn free(&self, ledger: &Ledger) -> Result<Pick<'_>, Error> {
        let mut free =
            self.keys.iter().filter(|secret| self.shared || !ledger.is_taken(&secret.id()));
        let secret = free.next().ok_or(Error::NoFreeKey { keys: self.keys.len() })?;
        Ok(Pick { secret, shared: self.shared })
    }

    /// A given key.
    ///
    /// # Errors
    /// [`Error::NoKey`] when it is not in the pool.
    pub fn key(&self, id: &KeyId) -> Result<Pick<'_>, Error> {
        let secret = self.keys.iter().find(|secret| secret.id() == *id);
        let secret = secret.ok_or_else(|| Error::NoKey { opens: vec![*id] })?;
        Ok(Pick { secret, shared: self.shared })
    }
}
