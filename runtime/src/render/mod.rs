//! From raw saliency maps to pictures for people.
//!
//! Raw values and shown values are two things: a function here takes the raw map, a row-major
//! `[height, width]` slice of `f32`, and makes pixels of it through a named, lossy scaling
//! ([`Scaling`]), that of its colours ([`Colormap`]). No score is ever computed on what this module returns.
//!
//! | step | makes | from |
//! |---|---|---|
//! | [`heatmap`] | colours alone | a map |
//! | [`overlay`] | colours over the grey picture | a map and its picture |
//! | [`Panel`] | a titled figure | any canvases, in rows and columns |
//! | [`png_bytes`] | a PNG file in memory | a canvas |

mod canvas;
mod colormap;
mod error;
mod font;
mod heatmap;
mod overlay;
mod panel;
mod png;
mod scaling;
mod smooth;
mod text;

pub use canvas::Canvas;
pub use colormap::Colormap;
pub use error::RenderError;
pub use heatmap::heatmap;
pub use overlay::overlay;
pub use panel::{Cell, Panel};
pub use png::png_bytes;
pub use scaling::Scaling;

pub(crate) use png::encode_png;
