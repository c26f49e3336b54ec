//! The computing kernels of the runtime: convolutions and what goes with them, forwards and
//! backwards, for one image at a time.
//!
//! A value is a [`Map`]: channels in blocks as wide as a register, with a border of zeros, so that
//! a convolution is one loop without special cases ([`Conv`], [`Depthwise`]). The transpose of a
//! convolution, which a gradient needs, is made of such convolutions. What follows a result (a
//! residual, a clipped activation, the mask of an activation on the way back) is done while it is
//! still in registers ([`Epilogue`]).
//!
//! Kernels are written once over vector registers, and compiled for AVX-512, AVX2, NEON and plain
//! arrays; an [`Isa`] is one that the processor has. Results do not depend on the number of threads,
//! bit for bit. What a caller asks for is checked before a kernel runs: a wrong geometry is a panic.

mod buffer;
mod chain;
mod conv;
mod crew;
pub mod dense;
mod depthwise;
mod disjoint;
mod dispatch;
pub mod elementary;
mod epilogue;
mod gather;
mod isa;
mod map;
mod moves;
pub mod pointwise;
mod pool;
mod product;
mod simd;
mod slope;
mod wiping;

pub use buffer::Buffer;
pub use chain::{Link, chain};
pub use conv::{Conv, Squares, Window};
pub use crew::{Crew, CrewError, MAX_THREADS};
pub use depthwise::Depthwise;
pub use epilogue::{Epilogue, MaskRecord, Operand};
pub use isa::Isa;
pub use map::Map;
pub use moves::Moves;
pub use pool::{Pool, Pooling};
pub use product::{Matrix, product};
pub use slope::{ConvSlope, DepthwiseSlope, Pair};
pub use wiping::{Wiping, WipingAllocator};
