//! `saligate bench`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use saligate_console::{Failure, emit, shown};
use saligate_files::manifest::InputSpec;
use saligate_keys::{Timestamp, Trigger};
use saligate_runtime::picture::Picture;
use saligate_runtime::{Isa, Model, RuntimeError, StepTime, Target};
use serde_json::json;

use crate::args::BenchArgs;
use crate::shared::access::{self, Wanted};
use crate::shared::opening::{Opening, Purpose};

/// What is timed, once per round.
type Run<'a> = Box<dyn Fn() -> Result<(), RuntimeError> + 'a>;

pub(crate) fn run(args: &BenchArgs) -> Result<(), Failure> {
    let start = Instant::now();
    let purpose = Purpose::Explanation { methods: &[], layer: None };
    let opening = Opening { path: &args.model, vendor: None, access: &args.access };
    let (model, unsealed) = opening.open(&args.foreign, &purpose, &args.running)?;
    let open = start.elapsed();
    let method = model.manifest().method().name.clone();
    let wanted = Wanted { methods: &[&method], vendor: None };
    let access = match unsealed {
        Some(access) => Some(access),
        None => access::open(&args.access, &model, wanted)?,
    };
    let trigger = access.as_ref().map(|a| a.trigger(&model, &method, Timestamp::now()));
    let trigger = trigger.transpose()?;
    let picture = picture(&model)?;
    if let Some(method) = &args.steps {
        return steps(args, &model, method, &picture);
    }
    let start = Instant::now();
    model.explain(&picture, Target::Predicted, trigger)?;
    let first = start.elapsed();

    let runs = runs(&model, &picture, trigger);
    let mut times = vec![Vec::with_capacity(args.rounds.get()); runs.len()];
    // Once unmeasured; then all take turns, so that what else the machine does hits them alike.
    for round in 0..=args.rounds.get() {
        for ((_, run), times) in runs.iter().zip(&mut times) {
            let start = Instant::now();
            run()?;
            if round > 0 {
                times.push(1e3 * start.elapsed().as_secs_f64());
            }
        }
    }
    let rows = runs.iter().zip(times).map(|((name, _), times)| Row::of(name, times));
    let rows: Vec<Row> = rows.collect();
    report(args, &rows, [open, first].map(|t| 1e3 * t.as_secs_f64()))
}

/// The steps of one method, or of predicting.
fn steps(args: &BenchArgs, model: &Model, method: &str, picture: &Picture) -> Result<(), Failure> {
    let method = Some(method).filter(|&method| method != "predict");
    let steps = model.step_times(method, picture, args.rounds.get())?;
    let milliseconds = |time: &Duration| 1e3 * time.as_secs_f64();
    if args.json {
        let row = |step: &StepTime| {
            json!({
                "operation": step.operation,
                "operand": step.operand,
                "result": step.result,
                "median_ms": milliseconds(&step.median),
            })
        };
        let rows: Vec<_> = steps.iter().map(row).collect();
        return emit(&json!({"schema": 1, "model": shown(&args.model), "steps": rows}).to_string());
    }
    let all: Duration = steps.iter().map(|step| step.median).sum();
    let size = |[channels, rows, columns]: [usize; 3]| format!("{channels} x {rows} x {columns}");
    for StepTime { operation, operand, result, median } in &steps {
        let (from, to) = (operand.map_or(String::new(), size), size(*result));
        let share = 100.0 * median.as_secs_f64() / all.as_secs_f64();
        let time = milliseconds(median);
        emit(&format!("{operation:<32} {from:>16} -> {to:<16} {time:9.4} ms  {share:4.1} %"))?;
    }
    emit(&format!("{:<69} {:9.4} ms", "all steps", milliseconds(&all)))
}

fn runs<'a>(
    model: &'a Model,
    picture: &'a Picture,
    trigger: Option<&'a Trigger>,
) -> Vec<(String, Run<'a>)> {
    let mut runs: Vec<(String, Run<'a>)> = Vec::new();
    let predict = || model.predict(picture).map(|found| drop(black_box(found)));
    runs.push(("predict".to_owned(), Box::new(predict)));
    for method in &model.manifest().methods {
        for trigger in [None, trigger].into_iter().take(1 + usize::from(trigger.is_some())) {
            let explain = move || {
                let found = model.explain_by(&method.name, picture, Target::Predicted, trigger);
                found.map(|found| drop(black_box(found)))
            };
            let keyed = if trigger.is_some() { " keyed" } else { "" };
            runs.push((format!("{}{keyed}", method.name), Box::new(explain)));
        }
    }
    runs
}

/// A picture of the model's size that is neither flat nor random.
fn picture(model: &Model) -> Result<Picture, Failure> {
    let &InputSpec { channels, height, width, .. } = &model.manifest().input;
    let pixel = |i: usize| (i.wrapping_mul(2_654_435_761) >> 13) as u8;
    let pixels = (0..channels * height * width).map(pixel).collect();
    Ok(Picture::from_planar(channels, height, width, pixels)?)
}

/// Milliseconds of one run.
struct Row {
    name: String,
    median: f64,
    quartiles: [f64; 2],
}

impl Row {
    fn of(name: &str, mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        let at = |share: usize| times[(times.len() - 1) * share / 4];
        Self { name: name.to_owned(), median: at(2), quartiles: [at(1), at(3)] }
    }
}

fn report(args: &BenchArgs, rows: &[Row], [open, first]: [f64; 2]) -> Result<(), Failure> {
    let peak = peak_memory();
    let forward = rows[0].median;
    #[cfg(feature = "audit")]
    if let Some(path) = &args.html {
        page(path, args, rows, [open, first], peak)?;
    }
    if args.json {
        let rows: Vec<_> = rows
            .iter()
            .map(|row| {
                json!({"run": row.name, "median_ms": row.median, "quartiles_ms": row.quartiles})
            })
            .collect();
        let line = json!({
            "schema": 1,
            "model": shown(&args.model),
            "instructions": Isa::best().to_string(),
            "threads": args.running.threads,
            "precision": args.running.precision.name(),
            "rounds": args.rounds,
            "open_ms": open,
            "first_map_ms": first,
            "peak_bytes": peak,
            "runs": rows,
        });
        return emit(&line.to_string());
    }
    let threads = args.running.threads;
    emit(&format!("{}, {} threads, {} rounds", Isa::best(), threads, args.rounds))?;
    emit(&format!("{:<26} {open:9.3} ms", "open"))?;
    emit(&format!("{:<26} {first:9.3} ms", "first map"))?;
    for row in rows {
        let [low, high] = row.quartiles;
        let ratio = row.median / forward;
        let name = &row.name;
        emit(&format!(
            "{name:<26} {:9.3} ms  ({low:.3} to {high:.3})  {ratio:5.2} x predict",
            row.median
        ))?;
    }
    match peak {
        Some(bytes) => emit(&format!("{:<26} {:9.1} MB", "peak memory", bytes as f64 / 1e6)),
        None => Ok(()),
    }
}

#[cfg(feature = "audit")]
fn page(
    path: &std::path::Path,
    args: &BenchArgs,
    rows: &[Row],
    [open, first]: [f64; 2],
    peak: Option<u64>,
) -> Result<(), Failure> {
    let mut page =
        saligate_audit::report::page::Page::new(&format!("How fast {} runs", shown(&args.model)));
    page.paragraph("Medians over the rounds, in milliseconds; all runs take turns.");
    let cells = rows.iter().map(|row| {
        let [low, high] = row.quartiles;
        vec![
            row.name.clone(),
            format!("{:.3}", row.median),
            format!("{low:.3} to {high:.3}"),
            format!("{:.2}", row.median / rows[0].median),
        ]
    });
    let cells: Vec<Vec<String>> = cells.collect();
    page.table(&["run", "median", "quartiles", "of predict"], &cells);
    let mut all = vec![
        vec!["open".to_owned(), format!("{open:.3} ms")],
        vec!["first map".to_owned(), format!("{first:.3} ms")],
        vec!["instructions".to_owned(), Isa::best().to_string()],
        vec!["threads".to_owned(), args.running.threads.to_string()],
        vec!["precision of weights".to_owned(), args.running.precision.name().to_owned()],
        vec!["rounds".to_owned(), args.rounds.to_string()],
        vec!["made by".to_owned(), format!("saligate {}", env!("CARGO_PKG_VERSION"))],
    ];
    all.extend(peak.map(|b| vec!["peak memory".to_owned(), format!("{:.1} MB", b as f64 / 1e6)]));
    page.heading(2, "Here");
    page.table(&["", ""], &all);
    saligate_console::outputs::write_text(path, &page.finished())
}

/// The most memory that this process had, where the system tells.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(1024 * kilobytes)
}
