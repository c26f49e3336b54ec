//! Which key a licence is for.

use std::collections::HashSet;

use super::{Ledger, LedgerError};
use crate::{KeyId, LicensedModel, Secret, VendorKeys};

/// The keys that a vendor can license for a model: those of the vendor's files that open it.
pub struct Pool {
    keys: Vec<Secret>,
    /// Whether the keys are slots, and the vendor's own key is for nobody else.
    has_slots: bool,
    /// Whether nothing else opens the model.
    is_single: bool,
}

/// A key of a [`Pool`].
pub struct Pick<'a> {
    /// The secret that the trigger is derived from.
    pub secret: &'a Secret,
    /// Whether other holders have it too, so that a leaked trigger names nobody.
    pub shared: bool,
}

impl Pool {
    /// Finds the keys of a model among the vendor's secrets and their slots.
    ///
    /// # Errors
    /// [`LedgerError::NoKey`] when none opens the model.
    pub fn of(secrets: Vec<Secret>, opens: &[KeyId]) -> Result<Self, LedgerError> {
        let is_single = opens.len() == 1;
        let slots = Self::slots(&secrets, opens);
        if !slots.is_empty() {
            return Ok(Self { keys: slots, has_slots: true, is_single });
        }
        let mut seen = HashSet::new();
        let ours = |secret: &Secret| opens.contains(&secret.id()) && seen.insert(secret.id());
        let keys: Vec<_> = secrets.into_iter().filter(ours).collect();
        if keys.is_empty() {
            return Err(LedgerError::NoKey { opens: opens.to_vec() });
        }
        Ok(Self { keys, has_slots: false, is_single })
    }

    /// The slots of some secrets that are among these keys.
    pub fn slots(secrets: &[Secret], among: &[KeyId]) -> Vec<Secret> {
        let own: HashSet<KeyId> = secrets.iter().map(Secret::id).collect();
        let mut left: HashSet<KeyId> =
            among.iter().copied().filter(|id| !own.contains(id)).collect();
        let mut found = Vec::new();
        for keys in secrets.iter().map(VendorKeys::of) {
            for number in VendorKeys::SLOTS {
                if left.is_empty() {
                    return found;
                }
                let slot = keys.slot(number);
                if left.remove(&slot.id()) {
                    found.push(slot);
                }
            }
        }
        found
    }

    /// The first key that no licence has.
    ///
    /// A model with slots has one for every licence; the vendor's own key, which may open it too,
    /// is then for nobody else, also when all slots were revoked. Without slots, every key file is
    /// for one licence, unless the model never had more than one key, as far as the ledger tells:
    /// that one is shared by all licences.
    ///
    /// # Errors
    /// [`LedgerError::NoFreeKey`] when all are taken.
    pub fn free(
        &self,
        ledger: &Ledger,
        model: &LicensedModel<'_>,
    ) -> Result<Pick<'_>, LedgerError> {
        let of_model = ledger.issued().iter().map(super::IssuedLicense::claims);
        let licensed: HashSet<KeyId> =
            of_model.filter(|claims| model.is(&claims.model)).map(|claims| claims.key).collect();
        if !self.has_slots && self.had_slots(&licensed) {
            return Err(LedgerError::NoFreeKey);
        }
        if let Some(secret) = self.keys.iter().find(|secret| !ledger.is_taken(&secret.id())) {
            let shared = self.is_single && !self.has_slots && licensed.is_empty();
            return Ok(Pick { secret, shared });
        }
        match &self.keys[..] {
            [secret] if self.is_single && ledger.of_key(&secret.id()).all(|i| i.shared) => {
                Ok(Pick { secret, shared: true })
            }
            _ => Err(LedgerError::NoFreeKey),
        }
    }

    /// Whether some of these keys are slots.
    fn had_slots(&self, licensed: &HashSet<KeyId>) -> bool {
        let among: Vec<KeyId> = licensed.iter().copied().collect();
        !Self::slots(&self.keys, &among).is_empty()
    }

    /// A given key, for one more licence of its holder.
    ///
    /// # Errors
    /// [`LedgerError::NoKey`] when it is not in the pool.
    pub fn key(&self, id: &KeyId, shared: bool) -> Result<Pick<'_>, LedgerError> {
        let secret = self.keys.iter().find(|secret| secret.id() == *id);
        let secret = secret.ok_or_else(|| LedgerError::NoKey { opens: vec![*id] })?;
        Ok(Pick { secret, shared })
    }
}
