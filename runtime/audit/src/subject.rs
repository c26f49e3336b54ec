//! The model under audit.

use saligate_files::ModelFile;
use saligate_models::graph::{Graph, Op, Source, ValueId};
use saligate_models::head::Head;
use saligate_models::names::{IMAGE, LOGITS};
use saligate_models::saliency::{Attachment, Method, attach};

use crate::AuditError;

/// The methods that an audit looks at.
pub(crate) const METHODS: [Method; 3] = [Method::Gradient, Method::GradCam, Method::VisualBackProp];

/// A model, and what its file claims.
#[derive(Clone, Debug)]
pub struct Subject {
    /// What it is called.
    pub name: String,
    /// Class names.
    pub labels: Vec<String>,
    /// What turns logits into probabilities.
    pub head: Head,
    pub(crate) classifier: Graph,
    pub(crate) methods: Vec<Attachment>,
    /// The whole network of the file, and the outputs that are said to be maps.
    pub(crate) whole: Graph,
    pub(crate) claims: Vec<Claim>,
}

/// An output of the file that is said to be the map of a method.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    pub(crate) method: Attachment,
    pub(crate) output: String,
}

impl Subject {
    /// The model of a file.
    ///
    /// # Errors
    /// The network is no classifier of pictures.
    pub fn of_file(file: &ModelFile, name: &str) -> Result<Self, AuditError> {
        let manifest = file.manifest();
        let classifier = file.graph().extract(&[LOGITS])?;
        let claims = manifest.methods.iter().filter_map(|spec| {
            let method = Attachment::at(spec.name.parse().ok()?, spec.layers.clone());
            Some(Claim { method, output: spec.output.clone() })
        });
        let claims: Vec<Claim> = claims.collect();
        let whole = file.graph().clone();
        let own = Self::of_classifier(classifier, manifest.labels.clone(), manifest.head, name)?;
        let methods = own.methods.into_iter().map(|method| {
            let claimed = claims.iter().find(|claim| claim.method.method == method.method);
            claimed.map_or(method, |claim| claim.method.clone())
        });
        Ok(Self { methods: methods.collect(), whole, claims, ..own })
    }

    /// A network that says nothing of itself: pixels in [0, 1] enter as `image`, and `logits` leave.
    ///
    /// # Errors
    /// The network is no classifier of pictures.
    pub fn of_classifier(
        classifier: Graph,
        labels: Vec<String>,
        head: Head,
        name: &str,
    ) -> Result<Self, AuditError> {
        classifier.find(IMAGE)?;
        classifier.find(LOGITS)?;
        let methods = METHODS.iter().filter_map(|&method| found(method, &classifier));
        Ok(Self {
            name: name.to_owned(),
            labels,
            head,
            methods: methods.collect(),
            whole: classifier.clone(),
            claims: Vec::new(),
            classifier,
        })
    }

    /// The same model without maps of its own: those of its file are made here.
    pub fn without_claims(self) -> Self {
        Self { claims: Vec::new(), ..self }
    }

    /// Number of classes.
    pub(crate) fn classes(&self) -> usize {
        self.labels.len()
    }
}

/// A method at its usual layers, or where a network has side branches that leave none, at those that
/// can be taken for them.
fn found(method: Method, classifier: &Graph) -> Option<Attachment> {
    let usual = Attachment::of(method, classifier).ok();
    usual.or_else(|| {
        let mut maps = feature_maps(classifier);
        match method {
            // One of each size, the last: products of dozens of maps leave the range of floats.
            Method::VisualBackProp => {
                let sides = |id: &ValueId| classifier.shape(*id)[2..].to_vec();
                maps.reverse();
                maps.dedup_by_key(|id| sides(id));
                maps.reverse();
            }
            _ => drop(maps.drain(..maps.len().saturating_sub(1))),
        }
        let layers = maps.into_iter().map(|id| classifier.value(id).name.clone()).collect();
        let attachment = Attachment::at(method, layers);
        attach(classifier, std::slice::from_ref(&attachment)).ok()?;
        Some(attachment)
    })
}

/// Results of activations with several channels, rows and columns, in computing order.
fn feature_maps(classifier: &Graph) -> Vec<ValueId> {
    let is_map = |shape: &[usize]| shape.len() == 4 && shape[1] > 3 && shape[2] > 1 && shape[3] > 1;
    let maps = classifier.values().filter(|(_, value)| is_map(&value.shape));
    maps.filter(|(_, value)| {
        let Source::Node { op, .. } = &value.source else { return false };
        matches!(op, Op::Relu | Op::LeakyRelu { .. } | Op::Silu | Op::HardSwish | Op::Clip { .. })
    })
    .map(|(id, _)| id)
    .collect()
}
