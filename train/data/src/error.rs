//! What can go wrong while a data set is read, drawn or put together.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use saligate_runtime::picture::PictureError;

/// Why there is no data set.
///
/// The message says what happened and, after a semicolon, what to try where there is something to try.
#[derive(Debug)]
pub enum DataError {
    /// The text is no data source.
    UnknownSource {
        /// The text as given.
        text: String,
    },
    /// Scenes are not drawn at this size.
    SceneSize {
        /// The side asked for, in pixels.
        size: usize,
    },
    /// The folder is missing, or it is no folder.
    MissingFolder {
        /// The folder as given.
        folder: PathBuf,
        /// The files it should hold.
        expected: String,
    },
    /// The folder is there, but not this file of it.
    MissingFile {
        /// The folder as given.
        folder: PathBuf,
        /// The names under which the file is looked for.
        expected: String,
    },
    /// The file starts with another number than its format does.
    WrongMagic {
        /// The file.
        path: PathBuf,
        /// The number that the format starts with.
        expected: u32,
        /// The number that the file starts with.
        found: u32,
    },
    /// The file ends before its header says it does.
    Truncated {
        /// The file.
        path: PathBuf,
        /// Bytes announced, after decompression.
        expected: u64,
        /// Bytes present, after decompression.
        found: u64,
    },
    /// The file goes on after the bytes that its header announces.
    TrailingBytes {
        /// The file.
        path: PathBuf,
        /// Bytes announced, after decompression.
        expected: u64,
    },
    /// The file is not a whole, positive number of records long.
    RecordLength {
        /// The file.
        path: PathBuf,
        /// Bytes in the file.
        length: u64,
        /// Bytes in one record.
        record: u64,
    },
    /// There are not as many labels as images.
    CountMismatch {
        /// Number of images.
        images: usize,
        /// Number of labels.
        labels: usize,
        /// Where they come from: a folder and a split, say.
        origin: String,
    },
    /// The training and the test images differ in size.
    SplitMismatch {
        /// `[channels, height, width]` of the training images.
        train: [usize; 3],
        /// `[channels, height, width]` of the test images.
        test: [usize; 3],
    },
    /// An image side is zero, or longer than the program accepts.
    Side {
        /// Rows announced.
        height: usize,
        /// Columns announced.
        width: usize,
        /// The longest side accepted, in pixels.
        limit: usize,
    },
    /// A buffer has another length than its shape.
    BufferLength {
        /// What the buffer holds: images or masks.
        what: &'static str,
        /// Elements by the shape.
        expected: usize,
        /// Elements present.
        found: usize,
    },
    /// The images together exceed the memory that a data set may take.
    SizeLimit {
        /// Number of images.
        count: u64,
        /// Bytes per image.
        bytes_each: u64,
        /// The most bytes accepted.
        limit: u64,
    },
    /// A label names no class.
    LabelOutOfRange {
        /// Position of the sample, from zero.
        sample: usize,
        /// Its label.
        label: usize,
        /// Number of classes, one more than the largest label allowed.
        classes: usize,
    },
    /// Folders are read at a size that must be given.
    NoSize {
        /// The source.
        source: String,
    },
    /// Images of this source have the size that they have.
    FixedSize {
        /// The source.
        source: String,
    },
    /// A class folder holds no picture.
    NoImages {
        /// The folder.
        folder: PathBuf,
    },
    /// A class folder that is to be split holds one picture only.
    SingleImage {
        /// The folder.
        folder: PathBuf,
    },
    /// A class has images in one split only.
    LoneClass {
        /// The class.
        class: String,
        /// The folder of the split that has it.
        present: PathBuf,
        /// The folder of the split that has it not.
        absent: PathBuf,
    },
    /// A picture has no class.
    NoClass {
        /// The picture.
        path: PathBuf,
        /// The table that says nothing of it.
        table: PathBuf,
    },
    /// There are more classes than labels can tell apart.
    TooManyClasses {
        /// Number of classes.
        found: usize,
        /// The most accepted.
        limit: usize,
    },
    /// A class folder's name is not Unicode.
    NotUnicode {
        /// The folder.
        path: PathBuf,
    },
    /// A line of a table makes no sense.
    Table {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A picture cannot be read.
    Picture(PictureError),
    /// A picture cannot be brought to the size.
    Framing {
        /// The picture.
        path: PathBuf,
        /// Why not.
        source: PictureError,
    },
    /// The operating system refused.
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Its reason.
        source: io::Error,
    },
}

impl DataError {
    /// An input/output error with the place where it happened.
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { path: path.to_owned(), source }
    }
}

impl fmt::Display for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownSource { text } => write!(
                f,
                "{text:?} is no data source; \
                 use one of: scenes:SIDE (such as scenes:32), idx:FOLDER, cifar10:FOLDER, folder:FOLDER"
            ),
            Self::SceneSize { size } => {
                write!(
                    f,
                    "scenes of {size} x {size} pixels are not drawn; use a multiple of 8 from 16 to 128"
                )
            }
            Self::MissingFolder { folder, expected } => {
                write!(
                    f,
                    "there is no folder {}; name a folder that holds {expected}",
                    folder.display()
                )
            }
            Self::MissingFile { folder, expected } => {
                write!(f, "a file is missing in {}; put there {expected}", folder.display())
            }
            Self::WrongMagic { path, expected, found } => {
                write!(
                    f,
                    "{} starts with {found:#010x} instead of {expected:#010x}",
                    path.display()
                )
            }
            Self::Truncated { path, expected, found } => write!(
                f,
                "{} ends after {found} of {expected} bytes; fetch the file again: it is incomplete",
                path.display()
            ),
            Self::TrailingBytes { path, expected } => {
                write!(
                    f,
                    "{} goes on after the {expected} bytes that its header announces",
                    path.display()
                )
            }
            Self::RecordLength { path, length, record } => {
                write!(
                    f,
                    "{} has {length} bytes, which is no positive multiple of {record}",
                    path.display()
                )
            }
            Self::CountMismatch { images, labels, origin } => {
                write!(f, "{images} images but {labels} labels in {origin}")
            }
            Self::SplitMismatch { train, test } => write!(
                f,
                "training images are {train:?}, test images {test:?} (channels, height, width)"
            ),
            Self::Side { height, width, limit } => {
                write!(f, "images of {height} x {width} pixels: each side must lie in 1..={limit}")
            }
            Self::BufferLength { what, expected, found } => {
                write!(f, "{found} bytes of {what} where the shape asks for {expected}")
            }
            Self::SizeLimit { count, bytes_each, limit } => {
                write!(f, "{count} images of {bytes_each} bytes exceed the limit of {limit} bytes")
            }
            Self::LabelOutOfRange { sample, label, classes } => {
                write!(f, "sample {sample} has label {label}, but there are {classes} classes")
            }
            Self::NoSize { source } => {
                write!(f, "{source} has images of any size; say which size they are to have")
            }
            Self::FixedSize { source } => {
                write!(f, "{source} has images of one size; give no other")
            }
            Self::NoImages { folder } => {
                write!(
                    f,
                    "there is no PNG or JPEG file in {}; remove the folder or fill it",
                    folder.display()
                )
            }
            Self::SingleImage { folder } => write!(
                f,
                "there is one image in {}; two are needed, one of them to test on",
                folder.display()
            ),
            Self::LoneClass { class, present, absent } => write!(
                f,
                "the class {class:?} is in {}, but not in {}; both must have the same classes",
                present.display(),
                absent.display()
            ),
            Self::NoClass { path, table } => {
                write!(f, "{} has no line in {}", path.display(), table.display())
            }
            Self::TooManyClasses { found, limit } => {
                write!(f, "there are {found} classes; the limit is {limit}")
            }
            Self::NotUnicode { path } => {
                write!(f, "the name of {} is not Unicode; rename the folder", path.display())
            }
            Self::Table { path, line, reason } => {
                write!(f, "{}, line {line}: {reason}", path.display())
            }
            Self::Picture(source) => write!(f, "{source}; {}", source.hint()),
            Self::Framing { path, source } => {
                write!(f, "{}: {source}; {}", path.display(), source.hint())
            }
            Self::Io { path, source } => write!(f, "{}: {source}", path.display()),
        }
    }
}

impl Error for DataError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Picture(source) | Self::Framing { source, .. } => Some(source),
            _ => None,
        }
    }
}
