//! Where images come from, as one word of a command line or a configuration file.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use saligate_runtime::picture::Framing;

use super::{DataError, Pictures, Splits, cifar10, folder, idx, scenes};

/// Training scenes drawn where no number is asked for: a small network passes .99 with them on 32 x 32 pixels within three epochs.
const SCENES_TRAIN: usize = 20_000;
/// Test scenes drawn where no number is asked for: a rate near .95 is then known to within .01 (95 % interval).
const SCENES_TEST: usize = 2_000;

/// A place to load images from. Its text form reads back as the same value where the path is Unicode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataSource {
    /// `scenes:SIDE`: drawn scenes with object masks, see [`scenes`].
    Scenes {
        /// Height and width in pixels.
        size: usize,
    },
    /// `idx:FOLDER`: MNIST and its relatives, see [`idx`].
    Idx(PathBuf),
    /// `cifar10:FOLDER`: CIFAR-10 in binary records, see [`cifar10`].
    Cifar10(PathBuf),
    /// `folder:FOLDER`: PNG and JPEG files of any size, see [`folder`].
    Folder(PathBuf),
}

/// How much to load, and which scenes to draw.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LoadOptions {
    /// Training samples: of files the first so many; scenes are drawn in this number. `None`: all, or 20 000 scenes.
    pub train_count: Option<usize>,
    /// Test samples, likewise. `None`: all, or 2 000 scenes.
    pub test_count: Option<usize>,
    /// Selects the scenes, and splits and shuffles a folder of pictures; other files do not depend on it.
    pub seed: u64,
    /// Size of the images, and how they get it: for a folder of pictures, and for nothing else.
    pub framing: Option<Framing>,
    /// No progress bar, even on a terminal.
    pub quiet: bool,
}

impl DataSource {
    /// Whether images come in any size, so that [`LoadOptions::framing`] must be given.
    pub fn takes_size(&self) -> bool {
        matches!(self, Self::Folder(_))
    }

    /// Loads the images, training and test.
    ///
    /// # Errors
    /// A [`DataError`] that names the folder or file, and what it should have been.
    pub fn load(&self, options: &LoadOptions) -> Result<Splits, DataError> {
        let LoadOptions { train_count, test_count, seed, .. } = *options;
        if options.framing.is_some() && !self.takes_size() {
            return Err(DataError::FixedSize { source: self.to_string() });
        }
        let splits = match self {
            Self::Scenes { size } => {
                let draw = |split, count| scenes::generate(*size, split, count, seed);
                return Ok(Splits {
                    train: draw(scenes::Split::Train, train_count.unwrap_or(SCENES_TRAIN))?,
                    test: draw(scenes::Split::Test, test_count.unwrap_or(SCENES_TEST))?,
                });
            }
            Self::Folder(folder) => {
                let unknown = || DataError::NoSize { source: self.to_string() };
                return folder::load(folder, &options.framing.ok_or_else(unknown)?, options);
            }
            Self::Idx(folder) => idx::load(folder)?,
            Self::Cifar10(folder) => cifar10::load(folder)?,
        };
        Ok(Splits {
            train: splits.train.take(train_count.unwrap_or(usize::MAX)),
            test: splits.test.take(test_count.unwrap_or(usize::MAX)),
        })
    }

    /// Loads images without asking for classes: the training images, or all pictures of a folder whose layout knows no
    /// classes. Pictures of a folder get `channels`; other sources have those that they have.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn pictures(&self, channels: usize, options: &LoadOptions) -> Result<Pictures, DataError> {
        match (self, options.framing) {
            (Self::Folder(folder), Some(framing)) => {
                folder::pictures(folder, channels, &framing, options)
            }
            _ => Ok(self.load(&LoadOptions { test_count: Some(0), ..*options })?.train.into()),
        }
    }
}

impl FromStr for DataSource {
    type Err = DataError;

    fn from_str(text: &str) -> Result<Self, DataError> {
        let unknown = || DataError::UnknownSource { text: text.to_owned() };
        let (kind, rest) = text.split_once(':').ok_or_else(unknown)?;
        match kind {
            "scenes" => {
                let size = rest.parse().map_err(|_| unknown())?;
                scenes::check_size(size)?;
                Ok(Self::Scenes { size })
            }
            "idx" if !rest.is_empty() => Ok(Self::Idx(rest.into())),
            "folder" if !rest.is_empty() => Ok(Self::Folder(rest.into())),
            "cifar10" if !rest.is_empty() => Ok(Self::Cifar10(rest.into())),
            _ => Err(unknown()),
        }
    }
}

impl fmt::Display for DataSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scenes { size } => write!(f, "scenes:{size}"),
            Self::Idx(folder) => write!(f, "idx:{}", folder.display()),
            Self::Cifar10(folder) => write!(f, "cifar10:{}", folder.display()),
            Self::Folder(folder) => write!(f, "folder:{}", folder.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_forms_read_back() {
        for text in [
            "scenes:32",
            "scenes:64",
            "idx:some/folder",
            "idx:C:\\folder",
            "cifar10:/data/cifar 10",
            "folder:../pictures",
        ] {
            assert_eq!(text.parse::<DataSource>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn other_texts_list_the_accepted_forms() {
        for text in
            ["", "scenes", "scenes:big", "idx:", "cifar10:", "folder:", "png:folder", "Scenes:32"]
        {
            let message = text.parse::<DataSource>().unwrap_err().to_string();
            for form in ["scenes:SIDE", "idx:FOLDER", "cifar10:FOLDER", "folder:FOLDER"] {
                assert!(message.contains(form), "{message}");
            }
        }
    }

    #[test]
    fn scene_sizes_are_checked_while_reading() {
        for text in ["scenes:0", "scenes:8", "scenes:36", "scenes:136"] {
            assert!(
                matches!(text.parse::<DataSource>(), Err(DataError::SceneSize { .. })),
                "{text}"
            );
        }
    }

    #[test]
    fn missing_folders_say_what_they_should_hold() {
        for (text, file) in
            [("idx:no/such", "train-images-idx3-ubyte"), ("cifar10:no/such", "test_batch.bin")]
        {
            let source: DataSource = text.parse().unwrap();
            let message = source.load(&LoadOptions::default()).unwrap_err().to_string();
            assert!(message.contains("no/such") && message.contains(file), "{message}");
        }
    }

    #[test]
    fn a_size_belongs_to_folders() {
        let framing = Some(Framing { height: 8, width: 8, resize: None });
        for (text, framing) in [("scenes:32", framing), ("cifar10:x", framing), ("folder:x", None)]
        {
            let options = LoadOptions { framing, ..LoadOptions::default() };
            let message =
                text.parse::<DataSource>().unwrap().load(&options).unwrap_err().to_string();
            assert!(message.contains(text) && message.contains("size"), "{message}");
        }
    }

    #[test]
    fn scenes_come_in_the_number_asked_for() {
        let options = LoadOptions {
            train_count: Some(12),
            test_count: Some(5),
            seed: 1,
            ..LoadOptions::default()
        };
        let splits = DataSource::Scenes { size: 16 }.load(&options).unwrap();
        assert_eq!((splits.train.len(), splits.test.len()), (12, 5));
        assert_ne!(splits.train.image(0), splits.test.image(0));
    }
}
