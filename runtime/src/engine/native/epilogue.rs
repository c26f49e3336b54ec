//! What is done to a result before it is stored.

/// An epilogue, over references to other values: those of a graph ([`ValueId`]) or nodes ([`Id`]).
/// The kernels' own ([`saligate_kernels::Epilogue`]) is made of it when a node is run.
///
/// Its stages come in this order: something is added, the sum is brought into bounds, and cleared
/// where a mask says so.
///
/// [`ValueId`]: saligate_models::graph::ValueId
/// [`Id`]: super::node::Id
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Epilogue<R> {
    /// What is added.
    pub(super) residual: Option<R>,
    /// Smallest and largest result.
    pub(super) bounds: [f32; 2],
    /// Cleared where this is not strictly between the bounds: a value, then its bits.
    pub(super) mask: Option<(R, [f32; 2])>,
}

impl<R: Copy> Epilogue<R> {
    /// Leaves a result as it is.
    pub(super) const NOTHING: Self =
        Self { residual: None, bounds: [f32::NEG_INFINITY, f32::INFINITY], mask: None };

    /// Something is added.
    pub(super) fn adding(residual: R) -> Self {
        Self { residual: Some(residual), ..Self::NOTHING }
    }

    /// A result is brought into bounds.
    pub(super) fn bounding(bounds: [f32; 2]) -> Self {
        Self { bounds, ..Self::NOTHING }
    }

    /// A result is cleared where a value is not strictly between bounds.
    pub(super) fn masking(value: R, bounds: [f32; 2]) -> Self {
        Self { mask: Some((value, bounds)), ..Self::NOTHING }
    }

    fn is_bounded(&self) -> bool {
        self.bounds != Self::NOTHING.bounds
    }

    /// Both, one after the other, where the order of the three stages allows it.
    pub(super) fn followed_by(&self, next: &Self) -> Option<Self> {
        let fits = self.mask.is_none()
            && !(self.is_bounded() && (next.residual.is_some() || next.is_bounded()))
            && !(self.residual.is_some() && next.residual.is_some());
        fits.then(|| Self {
            residual: self.residual.or(next.residual),
            bounds: if self.is_bounded() { self.bounds } else { next.bounds },
            mask: next.mask,
        })
    }

    /// All values that it reads.
    pub(super) fn operands(&self) -> impl Iterator<Item = R> + use<R> {
        self.residual.into_iter().chain(self.mask.map(|(value, _)| value))
    }

    /// The same over other references.
    pub(super) fn map<S>(self, mut of: impl FnMut(R) -> S) -> Epilogue<S> {
        Epilogue {
            residual: self.residual.map(&mut of),
            bounds: self.bounds,
            mask: self.mask.map(|(value, bounds)| (of(value), bounds)),
        }
    }
}
