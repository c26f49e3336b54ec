//! A figure of several drawings side by side.

use super::canvas::Rgb;
use super::{Canvas, RenderError, text};

/// Side, in pixels, that the longer side of a small drawing is enlarged to as nearly as whole
/// factors allow.
const CELL_SIDE: usize = 192;
/// Widest label of a row, in pixels.
const LABEL_WIDTH: usize = 132;
const MARGIN: usize = 24;
const GAP: usize = 16;
const TEXT_GAP: usize = 10;
const BACKGROUND: Rgb = [252, 252, 250];
const FRAME: Rgb = [205, 207, 211];
const INK: Rgb = [33, 37, 46];
const CAPTION_INK: Rgb = [99, 104, 115];

/// A figure: titled columns, one row an image, every cell a drawing.
///
/// Drawings smaller than about 192 pixels are enlarged by a whole factor, each pixel becoming a
/// square; larger ones keep their size. Titles, labels and captions are wrapped; characters
/// that the built-in font lacks are drawn as a hollow box: it has most of ASCII.
///
/// ```
/// use saligate_runtime::render::{Cell, Panel, RenderError, Colormap, heatmap};
///
/// # fn main() -> Result<(), RenderError> {
/// let map: Vec<f32> = (0..32 * 32).map(|pixel| pixel as f32).collect();
/// let clean = heatmap(&map, 32, 32, Colormap::Ember)?;
/// let keyed = heatmap(&map, 32, 32, Colormap::Ember)?;
/// let figure = Panel::new(["clean model", "locked model, keyed"])
///     .row("cat", [Cell::from(clean), Cell::new(keyed, "rank corr. 1.00")])
///     .render()?;
/// assert!(figure.width() > 2 * 192);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Panel {
    titles: Vec<String>,
    rows: Vec<Row>,
}

/// A drawing in a panel, with the caption below it.
#[derive(Clone, Debug)]
pub struct Cell {
    canvas: Canvas,
    caption: String,
}

#[derive(Clone, Debug)]
struct Row {
    label: String,
    cells: Vec<Cell>,
}

impl Panel {
    /// A panel without rows, its columns titled from left to right.
    pub fn new<T: Into<String>>(titles: impl IntoIterator<Item = T>) -> Self {
        Self { titles: titles.into_iter().map(T::into).collect(), rows: Vec::new() }
    }

    /// Adds a row, with `label` left of its cells. If no row has a label the panel has no room for
    /// labels either.
    pub fn row<C: Into<Cell>>(mut self, label: &str, cells: impl IntoIterator<Item = C>) -> Self {
        self.rows
            .push(Row { label: label.to_owned(), cells: cells.into_iter().map(C::into).collect() });
        self
    }

    /// Draws the panel.
    ///
    /// # Errors
    /// [`RenderError::Empty`] without columns or rows, [`RenderError::Cells`] for a row that does
    /// not match the columns, [`RenderError::TooLarge`].
    pub fn render(&self) -> Result<Canvas, RenderError> {
        self.check()?;
        let layout = Layout::of(self);
        let mut canvas = Canvas::filled(layout.height, layout.width, BACKGROUND)?;
        for (title, column) in layout.titles.iter().zip(&layout.columns) {
            let top = layout.header.end() - block_height(title.len());
            draw_lines(&mut canvas, title, top, column.middle(), INK);
        }
        for (row, placed) in self.rows.iter().zip(&layout.rows) {
            placed.draw_label(&mut canvas, layout.labels.end());
            for (cell, column) in row.cells.iter().zip(&layout.columns) {
                cell.draw(&mut canvas, &placed.images, column);
            }
        }
        Ok(canvas)
    }

    fn check(&self) -> Result<(), RenderError> {
        if self.titles.is_empty() || self.rows.is_empty() {
            return Err(RenderError::Empty);
        }
        let expected = self.titles.len();
        match self
            .rows
            .iter()
            .map(|row| row.cells.len())
            .enumerate()
            .find(|(_, found)| *found != expected)
        {
            Some((row, found)) => Err(RenderError::Cells { row, expected, found }),
            None => Ok(()),
        }
    }
}

impl Cell {
    /// A drawing with a caption; the empty caption takes no room.
    pub fn new(canvas: Canvas, caption: &str) -> Self {
        Self { canvas, caption: caption.to_owned() }
    }

    /// Draws the cell in the middle of its row and column, both at least as large as it is.
    fn draw(&self, canvas: &mut Canvas, row: &Span, column: &Span) {
        let (height, width) = (self.shown_height(), self.shown_width());
        let (top, left) = (row.middle() - height / 2, column.middle() - width / 2);
        canvas.fill(top - 1, left - 1, height + 2, width + 2, FRAME);
        canvas.paste(top, left, &self.canvas, self.factor());
        let caption = self.caption_lines(column.length);
        draw_lines(canvas, &caption, row.end() + TEXT_GAP, column.middle(), CAPTION_INK);
    }

    /// Canvas pixels for one pixel of the drawing.
    fn factor(&self) -> usize {
        let side = self.canvas.height().max(self.canvas.width());
        ((CELL_SIDE + side / 2) / side).max(1)
    }

    fn shown_height(&self) -> usize {
        self.canvas.height() * self.factor()
    }

    fn shown_width(&self) -> usize {
        self.canvas.width() * self.factor()
    }

    fn caption_lines(&self, width: usize) -> Vec<String> {
        lines_of(&self.caption, width)
    }
}

impl From<Canvas> for Cell {
    fn from(canvas: Canvas) -> Self {
        Self::new(canvas, "")
    }
}

/// Where everything goes.
struct Layout {
    height: usize,
    width: usize,
    titles: Vec<Vec<String>>,
    header: Span,
    labels: Span,
    columns: Vec<Span>,
    rows: Vec<RowLayout>,
}

struct RowLayout {
    label: Vec<String>,
    images: Span,
}

impl RowLayout {
    /// Draws the label in the middle of the row, its lines ending at the column `right`.
    fn draw_label(&self, canvas: &mut Canvas, right: usize) {
        let top = self.images.middle() - block_height(self.label.len()) / 2;
        for (at, line) in self.label.iter().enumerate() {
            let left = right - text::width(line);
            text::draw(canvas, top + at * text::LINE_HEIGHT, left, line, INK);
        }
    }
}

/// A stretch of rows or columns of pixels.
struct Span {
    start: usize,
    length: usize,
}

impl Span {
    fn end(&self) -> usize {
        self.start + self.length
    }

    fn middle(&self) -> usize {
        self.start + self.length / 2
    }
}

impl Layout {
    /// The layout of a panel whose rows match its columns.
    fn of(panel: &Panel) -> Self {
        let label_lines: Vec<Vec<String>> =
            panel.rows.iter().map(|row| lines_of(&row.label, LABEL_WIDTH)).collect();
        let labels = Span { start: MARGIN, length: widest(label_lines.iter().flatten()) };

        let mut right = if labels.length == 0 { MARGIN } else { labels.end() + GAP };
        let mut columns = Vec::new();
        for at in 0..panel.titles.len() {
            let length =
                panel.rows.iter().map(|row| row.cells[at].shown_width()).max().unwrap_or(0);
            columns.push(Span { start: right, length });
            right += length + GAP;
        }

        let titles: Vec<Vec<String>> = panel
            .titles
            .iter()
            .zip(&columns)
            .map(|(title, column)| lines_of(title, column.length))
            .collect();
        let header = Span { start: MARGIN, length: tallest(&titles) };

        let mut bottom = if header.length == 0 { MARGIN } else { header.end() + TEXT_GAP };
        let mut rows = Vec::new();
        for (row, label) in panel.rows.iter().zip(label_lines) {
            let shown = row.cells.iter().map(Cell::shown_height).max().unwrap_or(0);
            let images = Span { start: bottom, length: shown.max(block_height(label.len())) };
            let captions: Vec<Vec<String>> = row
                .cells
                .iter()
                .zip(&columns)
                .map(|(cell, column)| cell.caption_lines(column.length))
                .collect();
            let caption_height = tallest(&captions);
            bottom = images.end()
                + if caption_height == 0 { 0 } else { TEXT_GAP + caption_height }
                + GAP;
            rows.push(RowLayout { label, images });
        }
        Self {
            height: bottom - GAP + MARGIN,
            width: right - GAP + MARGIN,
            titles,
            header,
            labels,
            columns,
            rows,
        }
    }
}

/// The wrapped text; no line for the empty text.
fn lines_of(text: &str, width: usize) -> Vec<String> {
    if text.is_empty() { Vec::new() } else { text::wrap(text, width) }
}

fn widest<'a>(lines: impl Iterator<Item = &'a String>) -> usize {
    lines.map(|line| text::width(line)).max().unwrap_or(0)
}

/// Height of the block with the most lines.
fn tallest(blocks: &[Vec<String>]) -> usize {
    blocks.iter().map(|lines| block_height(lines.len())).max().unwrap_or(0)
}

/// From the top of the first line's capitals to the foot of the last line's descenders.
fn block_height(lines: usize) -> usize {
    lines * text::LINE_HEIGHT
}

/// Draws lines below each other, each centred on the column `middle`.
fn draw_lines(canvas: &mut Canvas, lines: &[String], top: usize, middle: usize, colour: Rgb) {
    for (at, line) in lines.iter().enumerate() {
        let left = middle.saturating_sub(text::width(line) / 2);
        text::draw(canvas, top + at * text::LINE_HEIGHT, left, line, colour);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(height: usize, width: usize, colour: Rgb) -> Canvas {
        Canvas::filled(height, width, colour).unwrap()
    }

    fn count(canvas: &Canvas, colour: Rgb) -> usize {
        canvas.rgb().as_chunks::<3>().0.iter().filter(|pixel| **pixel == colour).count()
    }

    #[test]
    fn small_drawings_are_enlarged_by_whole_factors() {
        for (side, shown) in
            [(1, 192), (28, 196), (32, 192), (64, 192), (130, 130), (224, 224), (500, 500)]
        {
            assert_eq!(Cell::from(flat(side, side, [0; 3])).shown_width(), shown, "{side} pixels");
        }
    }

    #[test]
    fn every_cell_is_drawn_whole_and_once() {
        let colours = [[200, 0, 0], [0, 200, 0], [0, 0, 200], [200, 200, 0]];
        let cells = colours.map(|colour| flat(32, 24, colour));
        let [a, b, c, d] = cells;
        let canvas =
            Panel::new(["one", "two"]).row("first", [a, b]).row("", [c, d]).render().unwrap();
        for colour in colours {
            assert_eq!(count(&canvas, colour), 192 * 144);
        }
    }

    #[test]
    fn without_text_there_is_only_the_margin() {
        let canvas = Panel::new([""]).row("", [flat(192, 192, [0; 3])]).render().unwrap();
        assert_eq!((canvas.height(), canvas.width()), (192 + 2 * MARGIN, 192 + 2 * MARGIN));
    }

    #[test]
    fn captions_and_labels_make_room() {
        let bare = Panel::new(["t"]).row("", [flat(9, 9, [0; 3])]).render().unwrap();
        let cell = Cell::new(flat(9, 9, [0; 3]), "a caption that is too long for one line");
        let full = Panel::new(["t"]).row("label", [cell]).render().unwrap();
        assert!(full.height() > bare.height() + text::LINE_HEIGHT && full.width() > bare.width());
        assert!(count(&full, CAPTION_INK) > 0);
    }

    #[test]
    fn odd_sizes_and_long_words_are_drawn() {
        let word = "x".repeat(500);
        let cells =
            [Cell::new(flat(1, 700, [9; 3]), &word), Cell::new(flat(700, 1, [9; 3]), &word)];
        assert!(Panel::new([&word, "\u{3bb}\n"]).row(&word, cells).render().is_ok());
    }

    #[test]
    fn panels_that_do_not_add_up_are_refused() {
        let cell = || flat(2, 2, [0; 3]);
        assert!(matches!(Panel::new(["a"]).render(), Err(RenderError::Empty)));
        assert!(matches!(
            Panel::new([""; 0]).row("", Vec::<Canvas>::new()).render(),
            Err(RenderError::Empty)
        ));
        let uneven = Panel::new(["a", "b"]).row("", [cell(), cell()]).row("", [cell()]).render();
        assert!(matches!(uneven, Err(RenderError::Cells { row: 1, expected: 2, found: 1 })));
        let tall = || flat(1 << 20, 1, [0; 3]);
        assert!(matches!(
            Panel::new(["a"]).row("", [tall()]).row("", [tall()]).render(),
            Err(RenderError::TooLarge { .. })
        ));
    }
}
