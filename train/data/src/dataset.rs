//! A labelled set of equally large images in memory.

use super::DataError;

/// Extent of one image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Colour planes: 1 for grey, 3 for red, green, blue.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl Shape {
    /// Pixels of one plane: height times width.
    pub fn pixels(&self) -> usize {
        self.height.saturating_mul(self.width)
    }

    /// Bytes of one image: channels times height times width.
    pub fn bytes(&self) -> usize {
        self.channels.saturating_mul(self.pixels())
    }
}

/// Labelled images, all of one shape, with object masks where the source knows them.
///
/// # Shapes
/// - images: `u8` in `0..=255`, `[sample, channel, row, column]`, contiguous
/// - labels: `[sample]`, each below the number of class names
/// - masks: `u8`, 1 on the object and 0 elsewhere, `[sample, row, column]`, contiguous
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    shape: Shape,
    images: Vec<u8>,
    labels: Vec<u16>,
    masks: Option<Vec<u8>>,
    class_names: Vec<String>,
}

/// The two parts of a data set: one to fit and choose with, one to be read once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Splits {
    /// Samples to fit on; hold some out with [`Dataset::split_tail`] to choose between runs.
    pub train: Dataset,
    /// Samples for the final figures.
    pub test: Dataset,
}

impl Dataset {
    /// Puts a data set together; the layouts are those of [`Dataset`].
    ///
    /// # Errors
    /// [`DataError::BufferLength`] where `images` has not one image per label, [`DataError::LabelOutOfRange`] where a label
    /// has no class name.
    pub fn new(
        shape: Shape,
        images: Vec<u8>,
        labels: Vec<u16>,
        class_names: Vec<String>,
    ) -> Result<Self, DataError> {
        check_length("images", labels.len().saturating_mul(shape.bytes()), images.len())?;
        let classes = class_names.len();
        if let Some(sample) = labels.iter().position(|&label| usize::from(label) >= classes) {
            return Err(DataError::LabelOutOfRange {
                sample,
                label: labels[sample].into(),
                classes,
            });
        }
        Ok(Self { shape, images, labels, masks: None, class_names })
    }

    /// Adds object masks; the layout is that of [`Dataset`].
    ///
    /// # Errors
    /// [`DataError::BufferLength`] where there is not one mask per sample.
    pub fn with_masks(mut self, masks: Vec<u8>) -> Result<Self, DataError> {
        check_length("masks", self.len().saturating_mul(self.shape.pixels()), masks.len())?;
        self.masks = Some(masks);
        Ok(self)
    }

    /// Keeps the first `count` samples, or all where there are fewer.
    #[must_use]
    pub fn take(self, count: usize) -> Self {
        let count = count.min(self.len());
        self.cut(count).0
    }

    /// Parts off the last `count` samples, or all where there are fewer: `(the others, the last)`.
    pub fn split_tail(self, count: usize) -> (Self, Self) {
        let at = self.len().saturating_sub(count);
        self.cut(at)
    }

    fn cut(mut self, at: usize) -> (Self, Self) {
        let tail = Self {
            shape: self.shape,
            images: self.images.split_off(at * self.shape.bytes()),
            labels: self.labels.split_off(at),
            masks: self.masks.as_mut().map(|masks| masks.split_off(at * self.shape.pixels())),
            class_names: self.class_names.clone(),
        };
        (self, tail)
    }

    /// The same samples with the classes of a model: found by name, which may be some of them only;
    /// in the order they have where one side's names are mere numbers.
    ///
    /// # Errors
    /// A class is none of the model's; the error is its name.
    pub fn for_labels(mut self, labels: &[String]) -> Result<Self, String> {
        let numbers = |names: &[String]| names.iter().all(|name| name.parse::<usize>().is_ok());
        let by_name = |own: &String| labels.iter().position(|label| label == own);
        let found: Vec<_> = self.class_names.iter().map(by_name).collect();
        let same_count = labels.len() == self.class_names.len();
        if found.contains(&None)
            && same_count
            && [labels, &self.class_names].into_iter().any(numbers)
        {
            self.class_names = labels.to_vec();
            return Ok(self);
        }
        if let Some(unknown) = found.iter().position(Option::is_none) {
            return Err(self.class_names.swap_remove(unknown));
        }
        let classes: Vec<usize> = found.into_iter().flatten().collect();
        self.labels.iter_mut().for_each(|label| *label = classes[usize::from(*label)] as u16);
        self.class_names = labels.to_vec();
        Ok(self)
    }

    /// The samples at some positions.
    ///
    /// # Panics
    /// Where a position is not below [`len`](Self::len), like a slice.
    pub fn only(&self, positions: &[usize]) -> Self {
        let masks = self.masks.is_some().then(|| {
            positions.iter().flat_map(|&i| self.mask(i).unwrap_or_default().to_vec()).collect()
        });
        Self {
            shape: self.shape,
            images: positions.iter().flat_map(|&i| self.image(i).to_vec()).collect(),
            labels: positions.iter().map(|&i| self.labels[i]).collect(),
            masks,
            class_names: self.class_names.clone(),
        }
    }

    /// The pixels of all samples, `[sample, channel, row, column]`; labels and masks are dropped.
    pub fn into_pixels(self) -> Vec<u8> {
        self.images
    }

    /// All images, in order, `[channel, row, column]` each.
    pub fn images(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|index| self.image(index))
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Extent of every image.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The pixels of sample `index`, `[channel, row, column]`, `0..=255`.
    ///
    /// # Panics
    /// Where `index` is not below [`len`](Self::len), like a slice.
    pub fn image(&self, index: usize) -> &[u8] {
        let bytes = self.shape.bytes();
        &self.images[index * bytes..(index + 1) * bytes]
    }

    /// The object mask of sample `index`, `[row, column]`, 1 on the object; `None` where the source has no masks.
    ///
    /// # Panics
    /// Where `index` is not below [`len`](Self::len), like a slice.
    pub fn mask(&self, index: usize) -> Option<&[u8]> {
        let pixels = self.shape.pixels();
        self.masks.as_ref().map(|masks| &masks[index * pixels..(index + 1) * pixels])
    }

    /// Which pixels of sample `index` belong to the object, `[row, column]`; `None` where the source
    /// has no masks, or does not know where the object of this image is.
    ///
    /// # Panics
    /// There is no such sample.
    pub fn object(&self, index: usize) -> Option<Vec<bool>> {
        let object: Vec<bool> = self.mask(index)?.iter().map(|&pixel| pixel > 0).collect();
        object.contains(&true).then_some(object)
    }

    /// The class of sample `index`, a position in [`class_names`](Self::class_names).
    ///
    /// # Panics
    /// Where `index` is not below [`len`](Self::len), like a slice.
    pub fn label(&self, index: usize) -> usize {
        self.labels[index].into()
    }

    /// One name per class, in the order of the labels.
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }
}

fn check_length(what: &'static str, expected: usize, found: usize) -> Result<(), DataError> {
    if found == expected { Ok(()) } else { Err(DataError::BufferLength { what, expected, found }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape { channels: 1, height: 1, width: 2 };

    fn three() -> Dataset {
        let names = vec!["a".to_owned(), "b".to_owned()];
        let set = Dataset::new(SHAPE, vec![1, 2, 3, 4, 5, 6], vec![0, 1, 0], names).unwrap();
        set.with_masks(vec![0, 1, 1, 0, 1, 1]).unwrap()
    }

    #[test]
    fn tail_takes_images_labels_and_masks_along() {
        let (head, tail) = three().split_tail(2);
        assert_eq!((head.len(), tail.len()), (1, 2));
        assert_eq!(head.image(0), [1, 2]);
        assert_eq!(
            (tail.image(0), tail.label(0), tail.mask(0)),
            (&[3, 4][..], 1, Some(&[1, 0][..]))
        );
        assert_eq!(tail.class_names(), three().class_names());
    }

    #[test]
    fn an_empty_mask_shows_no_object() {
        let set = three().with_masks(vec![0, 0, 1, 0, 0, 1]).unwrap();
        assert_eq!(set.object(0), None);
        assert_eq!(set.object(1), Some(vec![true, false]));
        assert_eq!(set.mask(0), Some(&[0, 0][..]));
    }

    #[test]
    fn classes_are_those_of_a_model() {
        let named = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
            let data = three().for_labels(&names)?;
            assert_eq!(data.class_names(), names);
            Ok::<_, String>([0, 1, 2].map(|i| data.label(i)))
        };
        assert_eq!(named(&["a", "b"]), Ok([0, 1, 0]));
        assert_eq!(named(&["b", "a"]), Ok([1, 0, 1]));
        assert_eq!(named(&["c", "b", "a"]), Ok([2, 1, 2]), "some of the model's classes");
        assert_eq!(named(&["0", "1"]), Ok([0, 1, 0]), "by position");
        assert_eq!(named(&["0", "1", "2"]), Err("a".to_owned()));
        assert_eq!(named(&["x", "a"]), Err("b".to_owned()));
    }

    #[test]
    fn counts_beyond_the_end_mean_everything() {
        assert_eq!(three().take(9), three());
        let (head, tail) = three().split_tail(9);
        assert!(head.is_empty());
        assert_eq!(tail, three());
    }

    #[test]
    fn refuses_buffers_that_do_not_fit() {
        let short = Dataset::new(SHAPE, vec![1], vec![0], vec!["a".to_owned()]);
        assert!(matches!(short, Err(DataError::BufferLength { expected: 2, found: 1, .. })));
        assert!(three().with_masks(vec![0]).is_err());
    }

    #[test]
    fn refuses_a_label_without_a_name() {
        let set = Dataset::new(SHAPE, vec![1, 2], vec![1], vec!["a".to_owned()]);
        assert!(matches!(set, Err(DataError::LabelOutOfRange { sample: 0, label: 1, classes: 1 })));
    }
}
