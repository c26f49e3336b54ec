//! Attacks that know how gates are built: behind their steps, by what the file keeps of the key, by a
//! picture that somebody with a key published, and by search.

use std::cell::Cell;
use std::num::NonZero;
use std::time::Instant;

use saligate_files::FileError;
use saligate_keys::{ImageShape, Secret, TriggerSpec};
use saligate_models::graph::{Graph, Op, Source};
use saligate_models::metrics::rank::spearman;
use saligate_models::names::LOGITS;
use saligate_models::random::Stream;
use saligate_models::saliency::Method;
use saligate_runtime::picture::Picture;
use saligate_runtime::{Model, Target};

use super::{Attack, Attacked, READ, readable};
use crate::MeasureError;
use crate::evaluate::{SearchConfig, WIDTH};
use crate::hats::Hats;
use crate::search::{Search, Tile, space};
use crate::triggers::applied;

/// Pictures on which the best of several is chosen.
const TRIED: usize = 8;
/// Constants that are tried as tiles.
const CONSTANTS: usize = 256;

impl Attacked<'_> {
    /// Explanations of the network with its roundings taken for straight lines, each alone and all
    /// together, which is what autograd sees where rounding passes gradients on. The best of them.
    ///
    /// # Errors
    /// A network cannot be run.
    pub fn staircase(&self, images: usize) -> Result<Vec<Attack>, MeasureError> {
        let steps = self.file.graph().values().filter(|(_, v)| is_step(&v.source)).count();
        let networks = (0..=steps).map(|at| self.straight((at < steps).then_some(at)));
        let networks = networks.collect::<Result<Vec<_>, _>>()?;
        let name = format!("autograd behind the staircase, of {steps}");
        self.best(&name, READ, images, &networks, |network, method, picture| {
            map(network, method, picture)
        })
    }

    /// Every constant of the file that could be a tile, added to the pictures. The best of them.
    ///
    /// # Errors
    /// The model cannot be run.
    pub fn tiles(&self, spec: &TriggerSpec, images: usize) -> Result<Vec<Attack>, MeasureError> {
        let [_, rows, columns] = self.extent();
        let Some((_, amplitude)) = space(spec, [rows, columns]) else { return Ok(Vec::new()) };
        let tiles = constants(self.file.graph(), self.extent(), amplitude);
        let name = format!("tile of the file, of {}", tiles.len());
        self.with_tiles(&name, READ, images, &tiles)
    }

    /// The trigger that is the difference of two pictures, added to others.
    ///
    /// # Errors
    /// The model cannot be run.
    pub fn pair(
        &self,
        secret: &Secret,
        spec: &TriggerSpec,
        images: usize,
    ) -> Result<Vec<Attack>, MeasureError> {
        let extent @ [channels, rows, columns] = self.extent();
        let Some((side, _)) = space(spec, [rows, columns]) else { return Ok(Vec::new()) };
        let plain = self.data.image(self.data.len() - 1);
        let trigger = spec.derive(secret, ImageShape::new(channels, rows, columns)?)?;
        let triggered = applied(&trigger, plain)?;
        let mut steps = vec![0i16; channels * side * side];
        for (at, (&before, &after)) in plain.iter().zip(&triggered).enumerate() {
            let step = i16::from(after) - i16::from(before);
            let cell = &mut steps[Tile::place(side, at, extent)];
            if step.abs() > cell.abs() {
                *cell = step;
            }
        }
        let tile = Tile::new(side, steps);
        self.with_tiles("one pair of pictures, plain and triggered", READ, images, &[tile])
    }

    /// A tile that is searched for by each of some methods, with the file and some pictures. The best of
    /// several searches.
    ///
    /// # Errors
    /// The network has no gradient, or cannot be run.
    pub fn searched(
        &self,
        methods: &[Method],
        spec: &TriggerSpec,
        seed: u64,
        images: usize,
    ) -> Result<Vec<Attack>, MeasureError> {
        let [_, rows, columns] = self.extent();
        let Some(space) = space(spec, [rows, columns]) else { return Ok(Vec::new()) };
        let config = SearchConfig::default();
        let last = self.data.len().saturating_sub(config.pictures)..self.data.len();
        let pictures: Vec<&[u8]> = last.map(|index| self.data.image(index)).collect();
        let classifier = self.file.graph().extract(&[LOGITS])?;
        let threads = NonZero::new(rayon::current_num_threads()).unwrap_or(NonZero::<usize>::MIN);
        let hats = Hats::measured(&classifier, WIDTH, self.data.images(), threads)?;
        let mut attacks = Vec::new();
        for method in READ.into_iter().filter(|method| methods.contains(method)) {
            let start = Instant::now();
            let attachment = self.file.manifest().attachment(method, &classifier)?;
            let mut search =
                Search::new(&classifier, &attachment, space, &pictures, &hats, threads)?;
            let tiles = (0..config.restarts).map(|restart| {
                let mut stream = Stream::numbered(seed, "searched keys", restart as u64);
                search.run(config.steps, &mut stream)
            });
            let tiles: Vec<Tile> = tiles.collect();
            let seconds = start.elapsed().as_secs_f64();
            let name = format!("searched tile, of {} searches", config.restarts);
            let found = self.with_tiles(&name, [method], images, &tiles)?;
            let steps = config.restarts * config.steps;
            attacks.extend(found.into_iter().map(|attack| Attack { steps, seconds, ..attack }));
        }
        Ok(attacks)
    }

    fn with_tiles(
        &self,
        name: &str,
        methods: impl IntoIterator<Item = Method>,
        images: usize,
        tiles: &[Tile],
    ) -> Result<Vec<Attack>, MeasureError> {
        let extent @ [channels, rows, columns] = self.extent();
        self.best(name, methods, images, tiles, |tile, method, picture| {
            let pixels = tile.applied(picture.pixels(), extent);
            map(&self.model, method, &Picture::from_planar(channels, rows, columns, pixels)?)
        })
    }

    /// For each method, the one of several that shows the most of the right maps on the first pictures:
    /// more than somebody without those could know.
    fn best<T: Sync>(
        &self,
        name: &str,
        methods: impl IntoIterator<Item = Method>,
        images: usize,
        several: &[T],
        show: impl Fn(&T, Method, &Picture) -> Result<Vec<f32>, MeasureError> + Sync,
    ) -> Result<Vec<Attack>, MeasureError> {
        let mut attacks = Vec::new();
        for method in methods {
            let start = Instant::now();
            let read = |one: &T, images| {
                self.compare(name, method.name(), images, |picture| {
                    let wanted = map(&self.truth, method, picture)?;
                    Ok((spearman(&show(one, method, picture)?, &wanted)?, 1))
                })
            };
            let mut best: Option<(f64, &T)> = None;
            for one in several {
                let rho = read(one, TRIED.min(images))?.rho[0];
                if best.is_none_or(|(most, _)| rho > most) {
                    best = Some((rho, one));
                }
            }
            if let Some((_, one)) = best {
                let seconds = start.elapsed().as_secs_f64();
                let attack = read(one, images)?;
                attacks.push(Attack { seconds: seconds + attack.seconds, ..attack });
            }
        }
        Ok(attacks)
    }

    /// The file's network with one of its roundings, or all, taken for a straight line.
    fn straight(&self, step: Option<usize>) -> Result<Model, MeasureError> {
        let file = self.file.clone().map_graph(|graph| {
            *graph = straight(graph, step);
            Ok::<_, FileError>(())
        })?;
        let own = file.graph().extract(&[LOGITS])?;
        Ok(Model::new(readable(&file, &own)?)?)
    }

    fn extent(&self) -> [usize; 3] {
        let shape = self.data.shape();
        [shape.channels, shape.height, shape.width]
    }
}

fn map(model: &Model, method: Method, picture: &Picture) -> Result<Vec<f32>, MeasureError> {
    Ok(model.explain_by(method.name(), picture, Target::Predicted, None)?.map)
}

fn is_step(source: &Source) -> bool {
    matches!(source, Source::Node { op: Op::Round, .. })
}

/// A graph with one of its roundings, or all, passed over.
fn straight(graph: &Graph, step: Option<usize>) -> Graph {
    let seen = Cell::new(0);
    graph.with_ops(|op| {
        if *op != Op::Round {
            return None;
        }
        let at = seen.replace(seen.get() + 1);
        step.is_none_or(|step| step == at).then_some(Op::LeakyRelu { alpha: 1.0 })
    })
}

/// Constants of a graph, and rows of them, that have as many elements as a square tile of an image of
/// `[channel, row, column]`, of one channel or of all, as changes by up to `amplitude` grey levels.
fn constants(graph: &Graph, [channels, rows, columns]: [usize; 3], amplitude: u8) -> Vec<Tile> {
    let side = |count: usize| (2..=rows.min(columns) / 2).find(|side| side * side == count);
    let tile = |values: &[f32]| {
        let most = values.iter().fold(0.0f32, |most, value| most.max(value.abs()));
        let (side, copies) = match side(values.len()) {
            Some(side) => (side, channels),
            None if values.len().is_multiple_of(channels) => (side(values.len() / channels)?, 1),
            None => return None,
        };
        let scale = f32::from(amplitude) / most;
        let steps: Vec<i16> = values.iter().map(|value| (value * scale).round() as i16).collect();
        (most > 0.0).then(|| Tile::new(side, steps.repeat(copies)))
    };
    let params = graph.values().filter_map(|(_, value)| match &value.source {
        Source::Param(data) => Some((data, *value.shape.first()?)),
        _ => None,
    });
    let tiles = params.flat_map(|(data, first)| {
        let whole = std::iter::once(&data[..]);
        let rows = data.chunks_exact((data.len() / first.max(1)).max(1));
        whole.chain(rows).filter_map(tile).collect::<Vec<_>>()
    });
    tiles.take(CONSTANTS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_of_the_size_of_a_tile_are_tiles() {
        let mut graph = Graph::new();
        graph.param("one channel", &[2, 2], vec![1.0, -2.0, 0.0, 2.0]).unwrap();
        graph.param("rows", &[2, 12], (0..24).map(|v| v as f32).collect::<Vec<_>>()).unwrap();
        graph.param("nothing", &[4], vec![0.0; 4]).unwrap();
        graph.param("five", &[5], vec![1.0; 5]).unwrap();
        let tiles = constants(&graph, [3, 8, 8], 4);
        assert_eq!(tiles.len(), 3);
        assert_eq!(tiles[0], Tile::new(2, [2, -4, 0, 4].repeat(3)));
        assert_eq!(tiles[1].steps()[11], 4);
    }

    #[test]
    fn one_step_or_all_become_straight() {
        let mut graph = Graph::new();
        let x = graph.input("x", &[1, 2]).unwrap();
        let first = graph.node("first", Op::Round, &[x]).unwrap();
        let second = graph.node("second", Op::Round, &[first]).unwrap();
        graph.set_outputs(&[second]);
        let left =
            |step| straight(&graph, step).values().filter(|(_, v)| is_step(&v.source)).count();
        assert_eq!([left(Some(0)), left(Some(1)), left(None)], [1, 1, 0]);
        let changed = straight(&graph, Some(1));
        assert!(is_step(&changed.value(changed.find("first").unwrap()).source));
    }
}
