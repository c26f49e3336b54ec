//! `predict` and `explain`.

use std::num::NonZero;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use saligate_keys::Vendor;
use saligate_models::head::Head;
use saligate_models::saliency::Method;
use saligate_runtime::method::{self, Kind, Settings, Value};
use saligate_runtime::picture::FORMATS;
use saligate_runtime::render::Colormap;

use super::{AccessArgs, RunArgs};

#[derive(Args)]
pub(crate) struct PredictArgs {
    /// Model file, or an ONNX classifier from elsewhere
    pub(crate) model: PathBuf,
    #[arg(required = true, help = format!("Pictures ({}, any size and mode), folders of them, or - for one on standard input", formats()))]
    pub(crate) images: Vec<PathBuf>,
    /// Classes to list per picture, likeliest first [default: 1; where each class is a yes or no of
    /// its own, all that are likelier than not]
    #[arg(long, value_name = "N")]
    pub(crate) top: Option<usize>,
    /// Print one JSON object per picture
    #[arg(long)]
    pub(crate) json: bool,
    /// Pictures that are worked on at once, each on a thread of its own
    #[arg(long, value_name = "N", default_value = "1", conflicts_with = "threads")]
    pub(crate) jobs: NonZero<usize>,
    #[command(flatten)]
    pub(crate) running: RunArgs,
    /// Only with a model that this vendor signed (MODEL.sig), checked before it is read; licences
    /// must be signed by the same
    #[arg(long, value_name = "PUB")]
    pub(crate) vendor: Option<Vendor>,
    #[command(flatten)]
    pub(crate) access: AccessArgs,
    #[command(flatten)]
    pub(crate) foreign: ForeignArgs,
}

#[derive(Args)]
pub(crate) struct ExplainArgs {
    /// Model file, or an ONNX classifier from elsewhere, which is explained without training
    pub(crate) model: PathBuf,
    #[arg(
        required = true,
        help = format!(
            "Pictures ({}, any size and mode), folders of them, or - for one on standard input. In the \
             names of files to write, {{}} stands for the name of the picture without its ending, \
             {{method}} and {{class}} for those: -o 'maps/{{}}-{{method}}.png'",
            formats()
        )
    )]
    pub(crate) images: Vec<PathBuf>,
    /// Only with a model that this vendor signed (MODEL.sig), checked before it is read; licences
    /// must be signed by the same
    #[arg(long, value_name = "PUB")]
    pub(crate) vendor: Option<Vendor>,
    #[command(flatten)]
    pub(crate) access: AccessArgs,
    /// Class to explain, by number or label, or several (3,7 or --class again); the predicted one
    /// where absent
    #[arg(long, value_name = "CLASS")]
    pub(crate) class: Vec<String>,
    #[arg(long, value_name = "NAMES", value_delimiter = ',', help = methods())]
    pub(crate) method: Vec<String>,
    /// Write the heat map (PNG)
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Write the heat map over the picture, at the picture's own size (PNG)
    #[arg(long, value_name = "FILE")]
    pub(crate) overlay: Option<PathBuf>,
    /// Write picture, heat maps and overlays side by side, all methods and classes in one figure (PNG)
    #[arg(long, value_name = "FILE")]
    pub(crate) panel: Option<PathBuf>,
    /// Write one page for a browser with the figures of all pictures
    #[cfg(feature = "audit")]
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Colours of heat maps; coolwarm shows signs, from blue over white to red, and the others the
    /// values from the lowest to the highest
    #[arg(long, value_name = "NAME", default_value = "ember", value_parser = colormaps())]
    pub(crate) colormap: Colormap,
    /// Write the map as it is, not scaled for display: 32-bit floats [row, column] (.npy)
    #[arg(long, value_name = "FILE")]
    pub(crate) raw: Option<PathBuf>,
    /// Write the raw attribution: 32-bit floats [channel, row, column], at the resolution of the
    /// method (.npy)
    #[arg(long, value_name = "FILE")]
    pub(crate) attribution: Option<PathBuf>,
    /// Write the picture with the trigger on it (PNG), for you alone to read; needs --key. It is as
    /// secret as the key: beside the picture without it, it shows the trigger
    #[arg(long, value_name = "FILE")]
    pub(crate) triggered: Option<PathBuf>,
    /// Print one JSON object per picture, class and method
    #[arg(long)]
    pub(crate) json: bool,
    /// Pictures that are worked on at once, each on a thread of its own
    #[arg(long, value_name = "N", default_value = "1", conflicts_with = "threads")]
    pub(crate) jobs: NonZero<usize>,
    #[command(flatten)]
    pub(crate) running: RunArgs,
    #[command(flatten)]
    pub(crate) passes: PassArgs,
    #[command(flatten)]
    pub(crate) foreign: ForeignArgs,
    /// Feature map that grad-cam and its relatives read, by the name of a node or of its output, in a network from
    /// elsewhere [default: the last feature map that the whole network passes through]
    #[arg(long, value_name = "NAME", help_heading = FOREIGN)]
    pub(crate) layer: Option<String>,
}

const FOREIGN: &str = "Networks from elsewhere (ONNX files without a manifest)";

/// What a network from elsewhere expects of its pixels, and what its classes are called.
#[derive(Args, Clone)]
#[command(next_help_heading = FOREIGN)]
pub(crate) struct ForeignArgs {
    /// Values of a black and a white pixel [default: 0,1]
    #[arg(long, value_name = "LOW,HIGH", value_delimiter = ',', allow_hyphen_values = true)]
    pub(crate) range: Vec<f32>,
    /// Mean that is taken off, per channel of the network [default: none; ImageNet networks of
    /// PyTorch: 0.485,0.456,0.406]
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', allow_hyphen_values = true)]
    pub(crate) mean: Vec<f32>,
    /// Standard deviation that is divided by, per channel [default: none; ImageNet networks of
    /// PyTorch: 0.229,0.224,0.225]
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',')]
    pub(crate) std: Vec<f32>,
    /// The network's channels are blue, green, red
    #[arg(long)]
    pub(crate) bgr: bool,
    /// Resize the shorter side of a picture to so many pixels and cut the middle out [default:
    /// stretch the whole picture]
    #[arg(long, value_name = "PIXELS")]
    pub(crate) resize: Option<usize>,
    /// Rows and columns of what is cut out [default: the size of the network's input; needed where
    /// that is not fixed]
    #[arg(long, value_name = "SIDE or HxW", value_parser = size)]
    pub(crate) crop: Option<[usize; 2]>,
    /// Output with the scores of the classes, by name [default: the only one, or the only one that
    /// is a row]
    #[arg(long, value_name = "NAME")]
    pub(crate) logits: Option<String>,
    /// What the scores mean: softmax (one class of all) or sigmoid (a yes or no to each) [default: as
    /// the network ends; sigmoid for a single score]
    #[arg(long, value_name = "softmax or sigmoid")]
    pub(crate) head: Option<Head>,
    /// Class names: a text file with one per line, in the order of the scores [default: numbers]
    #[arg(long, value_name = "FILE")]
    pub(crate) labels: Option<PathBuf>,
}

/// `224` or `192x256`: rows and columns.
fn size(text: &str) -> Result<[usize; 2], String> {
    let (rows, columns) = text.split_once('x').unwrap_or((text, text));
    match (rows.parse(), columns.parse()) {
        (Ok(rows @ 1..), Ok(columns @ 1..)) => Ok([rows, columns]),
        _ => Err("a number of pixels, or rows x columns such as 192x256".to_owned()),
    }
}

/// What `--method` takes, in words.
fn methods() -> String {
    let of_graphs: Vec<_> = Method::ALL.iter().map(|method| method.name()).collect();
    let of_passes: Vec<_> = method::passes().collect();
    let (last, others) = of_graphs.split_last().expect("there are methods");
    format!(
        "Saliency methods, one or several with commas: those of the model (see `inspect`; the first where absent; for a network \
         from elsewhere {} or {last}), or {}, which run the model many times",
        others.join(", "),
        of_passes.join(", ")
    )
}

fn colormaps() -> impl TypedValueParser<Value = Colormap> {
    let names = Colormap::ALL.iter().map(|map| map.name());
    PossibleValuesParser::new(names.collect::<Vec<_>>()).try_map(|name| {
        let found = Colormap::ALL.iter().find(|map| map.name() == name);
        found.copied().ok_or("no colormap of this name")
    })
}

/// The formats of pictures that are read, in words.
pub(super) fn formats() -> String {
    let (last, others) = FORMATS.split_last().expect("there are formats");
    format!("{} or {last}", others.join(", "))
}

/// Parameters of the methods that run the model many times: an option for each that the registry
/// has.
pub(crate) struct PassArgs(pub(crate) Settings);

impl Args for PassArgs {
    fn augment_args(command: Command) -> Command {
        method::parameters().into_iter().fold(command, |command, (parameter, methods)| {
            command.arg(
                Arg::new(parameter.name)
                    .long(parameter.name)
                    .value_name(parameter.unit)
                    .help(format!("{}: {}", methods.join(", "), parameter.about))
                    .help_heading("Methods that run the model many times")
                    .allow_negative_numbers(parameter.kind == Kind::Number)
                    .value_parser(move |text: &str| parameter.parse(text)),
            )
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for PassArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut args = Self(Settings::default());
        args.update_from_arg_matches(matches)?;
        Ok(args)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for (parameter, _) in method::parameters() {
            if let Some(&value) = matches.get_one::<Value>(parameter.name) {
                self.0 = std::mem::take(&mut self.0).with(parameter.name, value);
            }
        }
        Ok(())
    }
}
