//! The zoo beside PyTorch: writes the weights that `tests/reference/zoo.py` reads, or prints the
//! table of docs/zoo.md.
//!
//! usage: zoo weights DIR | zoo table

use std::path::Path;
use std::process::ExitCode;

use saligate_tests::zoo::{CASES, Case, Closeness, Engine, Golden, trained_count};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["weights", folder] => weights(Path::new(folder)),
        ["table"] => table(),
        _ => {
            eprintln!("usage: zoo weights DIR | zoo table");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

fn weights(folder: &Path) {
    for case in CASES {
        case.save(&case.net(), &folder.join(format!("{}.safetensors", case.architecture)));
    }
}

fn table() {
    println!(
        "| network | weights | image | engine | logits | gradient | Grad-CAM | VisualBackProp |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let golden = Golden::open();
    for case in CASES {
        rows(*case, &golden);
    }
}

fn rows(case: Case, golden: &Golden) {
    let net = case.net();
    let model = case.model(&net);
    let [_, rows, columns] = case.image;
    for (engine, name) in [
        (Engine::Reference, "f64"),
        (Engine::Native, "native"),
        (Engine::Tract, "tract"),
        (Engine::Burn, "Burn"),
    ] {
        let found = engine.answers(case, &model);
        let cells = found.closeness(&golden.answers(case)).into_iter().map(cell);
        let cells = cells.collect::<Vec<_>>().join(" | ");
        let head = match engine {
            Engine::Reference => {
                format!("{} | {} | {rows} x {columns}", case.architecture, trained_count(&net))
            }
            _ => " | | ".to_owned(),
        };
        println!("| {head} | {name} | {cells} |");
    }
}

fn cell(closeness: Closeness) -> String {
    format!("{:.0e}, {:.0e}", closeness.off, closeness.turned)
}
