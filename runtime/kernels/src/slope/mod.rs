//! The slopes of weights: what a training step adds up over images and pixels.
//!
//! Where a convolution computes `y = W x`, a loss with the slope h by y has the slope `sum h x` by W,
//! one sum over pixels for every weight. The transpose of a convolution has the same slopes, with
//! the parts of x and h exchanged. Sums stay in registers for as long as a map lasts; images are
//! added one after the other, so that no result depends on the number of threads.

mod conv;
mod depthwise;
mod squares;

pub use conv::ConvSlope;
pub use depthwise::DepthwiseSlope;

/// The input of a convolution and the slope of a loss by its output, for one image.
pub type Pair<'a> = (&'a [f32], &'a [f32]);
