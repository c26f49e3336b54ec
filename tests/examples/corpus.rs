//! Writes the small networks of `tests/reference/foreign.safetensors` as ONNX files: where fuzzing
//! starts.
//!
//! usage: corpus DIR

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use safetensors::SafeTensors;
use saligate_tests::root;

fn main() -> ExitCode {
    let Some(folder) = std::env::args().nth(1) else {
        eprintln!("usage: corpus DIR");
        return ExitCode::from(2);
    };
    let packed = fs::read(root().join("tests/reference/foreign.safetensors"));
    let packed = packed.expect("the file is committed");
    let tensors = SafeTensors::deserialize(&packed).expect("the file is whole");
    fs::create_dir_all(&folder).expect("the folder can be made");
    for (name, tensor) in tensors.iter().filter(|(name, _)| name.ends_with(".onnx")) {
        fs::write(Path::new(&folder).join(name), tensor.data()).expect("the file can be written");
    }
    ExitCode::SUCCESS
}
