//! Tensors of the ranks that graphs have.

use burn::tensor::{Device, Gradients, Tensor, TensorData};

/// A tensor of rank 1 (biases), 2 (`[batch, feature]`) or 4 (`[batch, channel, row, column]`).
#[derive(Clone, Debug)]
pub(crate) enum Array {
    /// Rank 1.
    Vector(Tensor<1>),
    /// Rank 2.
    Matrix(Tensor<2>),
    /// Rank 4.
    Image(Tensor<4>),
}

/// Runs one expression on the tensor inside, whatever its rank, and wraps the result again.
macro_rules! each_rank {
    ($array:expr, $x:ident => $result:expr) => {
        match $array {
            Array::Vector($x) => Array::Vector($result),
            Array::Matrix($x) => Array::Matrix($result),
            Array::Image($x) => Array::Image($result),
        }
    };
}
pub(crate) use each_rank;

impl Array {
    /// An array on `device` with the given row-major elements.
    ///
    /// # Panics
    /// The rank is not 1, 2 or 4, or the number of elements does not fit.
    pub(crate) fn new(data: Vec<f32>, shape: &[usize], device: &Device) -> Self {
        let data = TensorData::new(data, shape.to_vec());
        match shape.len() {
            1 => Self::Vector(Tensor::from_data(data, device)),
            2 => Self::Matrix(Tensor::from_data(data, device)),
            4 => Self::Image(Tensor::from_data(data, device)),
            rank => panic!("graphs have values of rank 1, 2 and 4, not {rank}"),
        }
    }

    /// The elements, row-major.
    pub(crate) fn to_vec(&self) -> Vec<f32> {
        let data = match self {
            Self::Vector(x) => x.to_data(),
            Self::Matrix(x) => x.to_data(),
            Self::Image(x) => x.to_data(),
        };
        data.convert::<f32>().try_into_vec().expect("the data was converted to f32")
    }

    /// The same elements as a leaf of a tape.
    pub(crate) fn tracked(self) -> Self {
        each_rank!(self, x => x.require_grad())
    }

    /// The gradient by a leaf of a tape, where the tape leads to it.
    pub(crate) fn gradient(&self, gradients: &Gradients) -> Option<Self> {
        match self {
            Self::Vector(x) => x.grad(gradients).map(Self::Vector),
            Self::Matrix(x) => x.grad(gradients).map(Self::Matrix),
            Self::Image(x) => x.grad(gradients).map(Self::Image),
        }
    }

    /// Length of every axis.
    pub(crate) fn shape(&self) -> Vec<usize> {
        match self {
            Self::Vector(x) => x.dims().to_vec(),
            Self::Matrix(x) => x.dims().to_vec(),
            Self::Image(x) => x.dims().to_vec(),
        }
    }

    /// The tensor of a value that the graph's shapes say has rank 1.
    pub(crate) fn vector(self) -> Tensor<1> {
        match self {
            Self::Vector(x) => x,
            other => panic!("expected [feature], found {:?}", other.shape()),
        }
    }

    /// The tensor of a value that the graph's shapes say has rank 2.
    pub(crate) fn matrix(self) -> Tensor<2> {
        match self {
            Self::Matrix(x) => x,
            other => panic!("expected [batch, feature], found {:?}", other.shape()),
        }
    }

    /// The tensor of a value that the graph's shapes say has rank 4.
    pub(crate) fn image(self) -> Tensor<4> {
        match self {
            Self::Image(x) => x,
            other => panic!("expected [batch, channel, row, column], found {:?}", other.shape()),
        }
    }
}
