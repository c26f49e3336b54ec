//! What a licence is limited to, and what a renewal takes over from the licence before.

use super::{Claims, LicenseError};
use crate::Timestamp;

/// How far a claim limits a licence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Limit<T> {
    /// Nothing is said: as in the licence that is renewed, and without a limit in a first one.
    #[default]
    Default,
    /// There is no limit, also where the licence that is renewed has one.
    Unlimited,
    /// The licence is limited to this.
    To(T),
}

/// The limits of a licence, for [`Terms`](super::Terms).
#[derive(Clone, Debug, Default)]
pub struct Limits {
    /// The last second in which it is good.
    pub expires: Limit<Timestamp>,
    /// The methods that it explains by.
    pub methods: Limit<Vec<String>>,
    /// The one device that may use it.
    pub device: Limit<String>,
}

impl<T> Limit<T> {
    /// The limit, if there is one.
    pub fn value(self) -> Option<T> {
        match self {
            Self::Default | Self::Unlimited => None,
            Self::To(limit) => Some(limit),
        }
    }

    /// The limit of a renewal, where the earlier licence has this one.
    fn or_that_of(self, earlier: Option<&T>) -> Self
    where
        T: Clone,
    {
        match (self, earlier) {
            (Self::Default, Some(limit)) => Self::To(limit.clone()),
            (limit, _) => limit,
        }
    }
}

impl Limits {
    /// The limits of a renewal: those of the earlier licence, except for what is said here.
    ///
    /// # Errors
    /// [`LicenseError::RenewsExpired`] where the end is that of the earlier licence, and past `now`:
    /// whoever renews such a licence means to give a new one.
    pub fn renewing(self, earlier: &Claims, now: Timestamp) -> Result<Self, LicenseError> {
        let Self { expires, methods, device } = self;
        if let (Limit::Default, Some(at)) = (&expires, earlier.expires.filter(|&at| at < now)) {
            return Err(LicenseError::RenewsExpired { serial: earlier.serial, at });
        }
        Ok(Self {
            expires: expires.or_that_of(earlier.expires.as_ref()),
            methods: methods.or_that_of(earlier.methods.as_ref()),
            device: device.or_that_of(earlier.device.as_ref()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{License, ModelDigest};

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// Claims with every limit: the end of 2027, two methods, `board 7`.
    fn limited() -> Claims {
        let text = include_str!("../../tests/vectors/license-v1.txt");
        License::parse(text.as_bytes()).unwrap().claims().clone()
    }

    fn renewed(limits: Limits, earlier: &Claims) -> (Option<Timestamp>, Option<usize>, bool) {
        let limits = limits.renewing(earlier, time("2027-01-01T00:00:00Z")).unwrap();
        let methods = limits.methods.value().map(|methods| methods.len());
        (limits.expires.value(), methods, limits.device.value().is_some())
    }

    #[test]
    fn a_renewal_keeps_every_limit_that_is_not_mentioned() {
        let end = time("2027-12-31T23:59:59Z");
        assert_eq!(renewed(Limits::default(), &limited()), (Some(end), Some(2), true));
        let later = time("2028-12-31T23:59:59Z");
        let limits = Limits { expires: Limit::To(later), ..Limits::default() };
        assert_eq!(renewed(limits, &limited()), (Some(later), Some(2), true));
        let limits = Limits { methods: Limit::To(vec!["vbp".to_owned()]), ..Limits::default() };
        assert_eq!(renewed(limits, &limited()), (Some(end), Some(1), true));
    }

    #[test]
    fn a_renewal_lifts_a_limit_only_where_that_is_said() {
        let limits = Limits {
            expires: Limit::Unlimited,
            methods: Limit::Unlimited,
            device: Limit::Unlimited,
        };
        assert_eq!(renewed(limits, &limited()), (None, None, false));
        let free = Claims { expires: None, methods: None, device: None, ..limited() };
        assert_eq!(renewed(Limits::default(), &free), (None, None, false));
        let limits = Limits { device: Limit::To("board 8".to_owned()), ..Limits::default() };
        assert_eq!(renewed(limits, &free), (None, None, true));
    }

    #[test]
    fn an_end_that_is_past_is_not_taken_over() {
        let earlier = Claims { model: ModelDigest::from([5; 32]), ..limited() };
        let end = earlier.expires.unwrap();
        let after = time("2028-01-01T00:00:00Z");
        assert!(Limits::default().renewing(&earlier, end).is_ok());
        let error = Limits::default().renewing(&earlier, after).unwrap_err();
        assert!(
            matches!(error, LicenseError::RenewsExpired { serial: 1, at } if at == end),
            "{error}"
        );
        for expires in [Limit::Unlimited, Limit::To(time("2029-01-01T00:00:00Z"))] {
            let limits = Limits { expires, ..Limits::default() };
            assert!(limits.renewing(&earlier, after).is_ok());
        }
    }
}
