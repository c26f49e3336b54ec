//! What all checks read: the model, the pictures, and what the model says of them.

use std::num::NonZero;
use std::time::Duration;

use saligate_models::pixels::scaled;
use saligate_models::random::Stream;
use saligate_models::saliency::Attachment;
use saligate_runtime::render::{Canvas, Colormap, Panel, heatmap};

use crate::deadline::Deadline;
use crate::error::Stop;
use crate::explainer::{Answer, Explainer, Layout};
use crate::finding::Shown;
use crate::pictures::Pictures;
use crate::subject::Subject;

/// Pictures that findings show.
const SHOWN: usize = 4;
/// Least and most columns of a drawing.
const DRAWN: usize = 96;

/// How an audit is made.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where random numbers start.
    pub seed: u64,
    /// Threads that share the work.
    pub threads: NonZero<usize>,
    /// When it ends, whatever is left.
    pub budget: Duration,
    /// The checks that are made, by name; all where there are none.
    pub checks: Vec<String>,
}

/// What a row of a figure shows of a picture.
type Draw<'a> = &'a dyn Fn(usize) -> Result<Canvas, Stop>;

/// A model on pictures.
pub(crate) struct Bench<'a> {
    pub(crate) subject: &'a Subject,
    pub(crate) pictures: &'a Pictures,
    pub(crate) settings: &'a Settings,
    explainer: Explainer,
    answers: Vec<Answer>,
}

impl<'a> Bench<'a> {
    /// Explains all pictures by all methods.
    pub(crate) fn new(
        subject: &'a Subject,
        pictures: &'a Pictures,
        settings: &'a Settings,
        deadline: Deadline,
    ) -> Result<Self, Stop> {
        let explainer = Explainer::new(&subject.classifier, &subject.methods, settings.threads)?;
        let picture = |at: usize| scaled(pictures.bytes(at));
        let answers = explainer.answers(pictures.count(), picture, |_| None, deadline)?;
        Ok(Self { subject, pictures, settings, explainer, answers })
    }

    /// How many pictures there are.
    pub(crate) fn count(&self) -> usize {
        self.answers.len()
    }

    /// A picture in [0, 1].
    pub(crate) fn picture(&self, at: usize) -> Vec<f32> {
        scaled(self.pictures.bytes(at))
    }

    /// What the model says of a picture.
    pub(crate) fn answer(&self, at: usize) -> &Answer {
        &self.answers[at]
    }

    /// The model with all methods.
    pub(crate) fn explainer(&self) -> &Explainer {
        &self.explainer
    }

    /// The methods with their position in answers.
    pub(crate) fn methods(&self) -> impl Iterator<Item = (usize, &Layout, &Attachment)> {
        let layouts = self.explainer.layouts().iter().zip(&self.subject.methods);
        layouts.enumerate().map(|(at, (layout, method))| (at, layout, method))
    }

    /// The maps of a method, of all pictures.
    pub(crate) fn maps(&self, method: usize) -> Vec<Vec<f32>> {
        let layout = &self.explainer.layouts()[method];
        self.answers.iter().map(|answer| layout.map(&answer.attributions[method])).collect()
    }

    /// Random numbers for a purpose.
    pub(crate) fn stream(&self, purpose: &str) -> Stream {
        Stream::new(self.settings.seed, purpose)
    }

    /// A figure: the first pictures, and below them what the rows show of each.
    pub(crate) fn figure(&self, caption: &str, rows: &[(&str, Draw<'_>)]) -> Result<Shown, Stop> {
        let count = SHOWN.min(self.count());
        let mut panel = Panel::new((0..count).map(|at| self.label(self.answers[at].class())));
        for (label, draw) in rows {
            let cells = (0..count).map(draw).collect::<Result<Vec<_>, _>>()?;
            panel = panel.row(label, cells);
        }
        Ok(Shown { caption: caption.to_owned(), canvas: panel.render()? })
    }

    /// A picture as a drawing.
    pub(crate) fn drawn(&self, pixels: &[u8]) -> Result<Canvas, Stop> {
        let [channels, rows, columns] = self.pictures.shape();
        let plane = rows * columns;
        let rgb = (0..plane).flat_map(|pixel| {
            [0, 1, 2].map(|channel| pixels[channel.min(channels - 1) * plane + pixel])
        });
        let canvas = Canvas::from_rgb(rows, columns, rgb.collect())?;
        Ok(canvas.enlarged(DRAWN)?)
    }

    /// A map as a drawing.
    pub(crate) fn map_drawn(&self, layout: &Layout, attribution: &[f32]) -> Result<Canvas, Stop> {
        let [_, rows, columns] = self.pictures.shape();
        let map = layout.shown(attribution, [rows, columns]);
        Ok(heatmap(&map, rows, columns, Colormap::Ember)?.enlarged(DRAWN)?)
    }

    /// A class by name.
    pub(crate) fn label(&self, class: usize) -> String {
        self.subject.labels.get(class).cloned().unwrap_or_else(|| class.to_string())
    }
}
