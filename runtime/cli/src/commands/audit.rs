//! `saligate audit`.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use saligate_audit::report::{About, Report};
use saligate_audit::{
    AuditError, CHECKS, Event, Finding, Pictures, Settings, Subject, Verdict, audit,
};
use saligate_console::outputs::write_text;
use saligate_console::{Failure, emit, outputs, printable, progress, shown};
use saligate_data::DataSource;
use saligate_files::{ModelFile, onnx, read_file};

use crate::args::{AuditArgs, ForeignArgs};
use crate::shared::network::Network;
use crate::shared::running::threads;
use crate::shared::sources::Wanted;

/// Where JSON goes that is no file.
const STDOUT: &str = "-";

/// What the audit tells the program, which waits no longer than the budget.
enum Told {
    Opened(About, usize, String),
    Event(Event),
}

pub(crate) fn run(args: &AuditArgs) -> Result<(), Failure> {
    let written = [&args.html, &args.json];
    let files = written.into_iter().flatten().filter(|path| path.as_os_str() != STDOUT);
    let read = [&args.model].into_iter().chain(&args.foreign.labels);
    outputs::check(files.map(PathBuf::as_path), read.map(PathBuf::as_path))?;
    let begin = Instant::now();
    let budget = Duration::from_secs(args.budget.get().into());
    let (sender, receiver) = channel();
    let (told, failed) = (sender, channel());
    let work = Work::of(args, budget);
    std::thread::spawn(move || {
        if let Err(failure) = work.run(&told) {
            let _ = failed.0.send(failure);
        }
    });
    let listened = listen(args, &receiver, begin, budget);
    if let Ok(failure) = failed.1.try_recv() {
        return Err(failure);
    }
    let Some((about, pictures, origin)) = listened.opened else {
        return Err(Failure::new(format!(
            "the model and the pictures were not read within {} seconds",
            args.budget
        ))
        .in_file(&args.model)
        .hint("more --budget"));
    };
    let mut findings = listened.findings;
    for check in CHECKS.iter().filter(|check| asked(args, check.name)) {
        if findings.iter().all(|finding| finding.check != check.name) {
            findings.push(Finding::unmade(check));
        }
    }
    let mut report = Report::new(about, (pictures, origin), findings, command(args));
    report.seed = args.seed;
    report.budget_seconds = budget.as_secs_f64();
    report.seconds = begin.elapsed().as_secs_f64();
    give(args, &report)
}

fn asked(args: &AuditArgs, check: &str) -> bool {
    args.check.is_empty() || args.check.iter().any(|name| name == check)
}

/// What was heard within the budget.
#[derive(Default)]
struct Listened {
    opened: Option<(About, usize, String)>,
    findings: Vec<Finding>,
}

fn listen(
    args: &AuditArgs,
    receiver: &Receiver<Told>,
    begin: Instant,
    budget: Duration,
) -> Listened {
    let count = CHECKS.iter().filter(|check| asked(args, check.name)).count();
    let bar = progress::bar("audit", count, false);
    let mut heard = Listened::default();
    loop {
        let left = budget.saturating_sub(begin.elapsed());
        match receiver.recv_timeout(left) {
            Ok(Told::Opened(about, pictures, origin)) => {
                heard.opened = Some((about, pictures, origin));
            }
            Ok(Told::Event(Event::Begins(check, at))) => {
                bar.set_position(at as u64);
                bar.set_message(check.name);
            }
            Ok(Told::Event(Event::Found(finding))) => heard.findings.push(finding),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
        }
    }
    bar.finish_and_clear();
    heard
}

/// What the audit's own thread needs.
struct Work {
    model: PathBuf,
    data: Option<DataSource>,
    count: usize,
    foreign: ForeignArgs,
    settings: Settings,
}

impl Work {
    fn of(args: &AuditArgs, budget: Duration) -> Self {
        Self {
            model: args.model.clone(),
            data: args.data.clone(),
            count: args.pictures.get(),
            foreign: args.foreign.clone(),
            settings: Settings {
                seed: args.seed,
                threads: threads(args.threads),
                // A report takes a moment to write.
                budget: budget.mul_f64(0.95),
                checks: args.check.clone(),
            },
        }
    }

    fn run(mut self, told: &Sender<Told>) -> Result<(), Failure> {
        let begin = Instant::now();
        let path = self.model.clone();
        let named = |failure: Failure| failure.in_file(&path);
        let bytes = read_file(&path)?;
        let sha256 = saligate_keys::sha256(&bytes);
        let strange = !onnx::has_manifest(&bytes);
        let file = match strange {
            false => ModelFile::from_vec(bytes).map_err(|e| named(e.into()))?,
            true => {
                let network = Network::read(&path, path.parent(), &bytes, &self.foreign, None)?;
                network.model(&[Network::unused()]).map_err(named)?
            }
        };
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let subject = Subject::of_file(&file, &name.unwrap_or_default());
        let mut subject = subject.map_err(|error| named(failure(error)))?;
        if strange {
            subject = subject.without_claims();
        }
        let wanted =
            Wanted { source: self.data.as_ref(), count: self.count, seed: self.settings.seed };
        let (pictures, origin) = wanted.pictures(&file.manifest().input)?;
        let pictures = Pictures::new(pictures, origin).map_err(failure)?;
        let about = About {
            file: shown(&path),
            sha256: sha256.iter().map(|byte| format!("{byte:02x}")).collect(),
            architecture: file.manifest().architecture.clone(),
            input: pictures.shape(),
            classes: subject.labels.len(),
        };
        let opened = Told::Opened(about, pictures.count(), pictures.origin().to_owned());
        // Whoever does not listen any more has seen the time run out.
        let _ = told.send(opened);
        self.settings.budget = self.settings.budget.saturating_sub(begin.elapsed());
        audit(&subject, &pictures, &self.settings, &mut |event| {
            let _ = told.send(Told::Event(event));
        });
        Ok(())
    }
}

fn give(args: &AuditArgs, report: &Report) -> Result<(), Failure> {
    if let Some(path) = &args.html {
        write_text(path, &report.page()?)?;
    }
    match &args.json {
        Some(path) if path.as_os_str() == STDOUT => emit(&report.json())?,
        Some(path) => write_text(path, &report.json())?,
        None => (),
    }
    if args.json.as_deref().is_none_or(|path| path.as_os_str() != STDOUT) {
        tell(report)?;
        for path in [&args.html, &args.json].into_iter().flatten() {
            emit(&format!("wrote {}", path.display()))?;
        }
    }
    match report.verdict {
        Verdict::Found => {
            let found: Vec<&Finding> =
                report.findings.iter().filter(|f| f.verdict == Verdict::Found).collect();
            let (count, first) = (found.len(), &found[0].says);
            Err(Failure::no(format!("{count} findings, the first: {first}")))
        }
        _ => Ok(()),
    }
}

/// The findings for people, those that matter most first.
fn tell(report: &Report) -> Result<(), Failure> {
    for verdict in [Verdict::Found, Verdict::Unknown, Verdict::NotFound] {
        for finding in report.findings.iter().filter(|finding| finding.verdict == verdict) {
            let method = finding.method.map(|m| format!(" ({m})")).unwrap_or_default();
            let word = verdict.name();
            emit(&format!("{word:<10} {}{method}: {}", finding.check, printable(&finding.says)))?;
            for number in &finding.numbers {
                let interval = number
                    .interval
                    .map_or_else(String::new, |[low, high]| format!(" ({low:.3} to {high:.3})"));
                let bound = number.bound.map_or_else(String::new, |b| format!(", bound {b}"));
                let value = format!("{:.3}{interval}{bound}", number.value);
                emit(&format!("           {value}: {}", number.name))?;
            }
        }
    }
    emit(
        "Nothing found is not the same as safe: see what was not checked, in --html or the documentation.",
    )
}

/// The command that makes the audit again.
fn command(args: &AuditArgs) -> String {
    let mut words = vec!["saligate".to_owned(), "audit".to_owned(), shown(&args.model)];
    if let Some(data) = &args.data {
        words.extend(["--data".to_owned(), data.to_string()]);
    }
    words.extend(["--pictures".to_owned(), args.pictures.to_string()]);
    words.extend(["--budget".to_owned(), args.budget.to_string()]);
    words.extend(["--seed".to_owned(), args.seed.to_string()]);
    if !args.check.is_empty() {
        words.extend(["--check".to_owned(), args.check.join(",")]);
    }
    words.extend(args.foreign.words());
    shlex::try_join(words.iter().map(String::as_str)).unwrap_or_else(|_| words.join(" "))
}

fn failure(error: AuditError) -> Failure {
    Failure::new(error.to_string())
}
