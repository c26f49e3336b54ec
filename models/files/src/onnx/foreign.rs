//! Classifiers that other programs exported.

use std::path::Path;

use prost::bytes::Bytes;

use saligate_models::graph::Graph;
use saligate_models::head::Head;

use super::{OnnxError, read};

/// A classifier from any ONNX file, as a network that methods can be attached to.
///
/// It takes one image and gives the scores of the classes: the batch is one, constants are
/// computed, batch norms folded, and a softmax or sigmoids at the
/// end are left out.
///
/// Values keep the names they have in the file, also those that mean something here:
/// [`import::classifier`](crate::import::classifier) settles that.
#[derive(Clone, Debug, PartialEq)]
pub struct Foreign {
    /// One input `[1, channel, row, column]`, one output `[1, class]`.
    pub graph: Graph,
    /// Name of the input, as in the file.
    pub image: String,
    /// Name of the output.
    pub logits: String,
    /// Names of the classes, where the file's metadata has one for each.
    pub labels: Option<Vec<String>>,
    /// Version of the operations in the file.
    pub opset: i64,
    /// Program and version that wrote the file, as far as it says.
    pub producer: String,
    /// What the file's probabilities (or their logarithms) come of, which was left out behind the
    /// scores; none where it gives scores.
    pub left_out: Option<Head>,
    /// Name of the value that [`Options::layer`] asked for, in the graph.
    pub layer: Option<String>,
    /// Whether the file takes `[1, row, column, channel]`; the graph does not.
    pub channels_last: bool,
    /// Whether the file takes bytes, from 0 to 255.
    pub bytes: bool,
    /// Whether the file computes with quantized numbers, where the graph has floats.
    pub quantized: bool,
}

/// What a file may leave open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Rows and columns of the image. Where the file fixes them, they must be the same.
    pub image_size: Option<[usize; 2]>,
    /// The output that holds the scores of the classes.
    pub output: Option<String>,
    /// A feature map that will be read, by the name of a node or of what it makes.
    pub layer: Option<String>,
}

impl Foreign {
    /// Reads a classifier from the bytes of a file; tensors may be kept in files below `folder`.
    ///
    /// # Errors
    /// The file is not ONNX, is malformed, uses an operation that is not supported, or holds no
    /// classifier of images.
    pub fn from_bytes(bytes: &[u8], folder: Option<&Path>) -> Result<Self, OnnxError> {
        Self::from_bytes_with(bytes, folder, &Options::default())
    }

    /// [`Foreign::from_bytes`] with what the file leaves open.
    ///
    /// # Errors
    /// As [`Foreign::from_bytes`].
    pub fn from_bytes_with(
        bytes: &[u8],
        folder: Option<&Path>,
        options: &Options,
    ) -> Result<Self, OnnxError> {
        read::foreign(Bytes::copy_from_slice(bytes), folder, options)
    }
}
