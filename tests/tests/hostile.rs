//! ONNX files that are broken or meant to break: `saligate import` names what is wrong, within a
//! second and 1 GiB of address space.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use saligate_tests::protobuf::{
    Message, external, file, floats, int, ints, longs, model, node, tensor, value,
};
use saligate_tests::{parts, program};

const SECOND: Duration = Duration::from_secs(1);

/// Exit code and messages of `saligate import` on a file, under the limits.
fn import(path: &Path) -> (i32, String) {
    let limited = "ulimit -v 1048576; exec \"$@\"";
    let out = path.with_extension("model");
    let mut command = Command::new("sh");
    command.args(["-c", limited, "sh"]).arg(program("saligate").get_program());
    let start = Instant::now();
    let done = command.arg("import").arg(path).arg("-o").arg(&out).output().unwrap();
    let seconds = start.elapsed();
    let (code, _, stderr) = parts(&done);
    assert!(code == 0 || seconds < SECOND, "{}: {seconds:?}", path.display());
    assert!(!stderr.contains("panicked"), "{stderr}");
    assert_eq!(out.exists(), code == 0);
    (code, stderr)
}

fn refused(name: &str, bytes: &[u8], expected: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hostile.onnx");
    fs::write(&path, bytes).unwrap();
    let (code, stderr) = import(&path);
    assert_eq!(code, 2, "{name}: {stderr}");
    assert!(stderr.contains(expected), "{name}: no '{expected}' in: {stderr}");
}

fn image() -> Message {
    value("x", &[1, 3, 8, 8])
}

fn scores() -> Message {
    value("y", &[1, 4])
}

/// A network whose image goes through one operation, with `tensors` beside it.
fn one(op: &str, operands: &[&str], attributes: &[Message], tensors: &[Message]) -> Vec<u8> {
    let nodes = [node(op, operands, "z", attributes), node("Flatten", &["z"], "y", &[])];
    file(&nodes, tensors, [&image(), &scores()])
}

#[test]
fn no_network_at_all() {
    refused("empty", b"", "no graph");
    refused("text", b"this is no model, it is a sentence", "no ONNX model");
    refused("zeros", &[0; 1000], "no ONNX model");
    refused("empty graph", &file(&[], &[], [&image(), &scores()]), "depend on an input");
    refused("no version", &model(&Message::new(), 0), "opset 0");
    refused("version 99", &model(&Message::new(), 99), "99");
    let no_ends = Message::new().message(1, &node("Relu", &["x"], "y", &[]));
    refused("no ends", &model(&no_ends, 17), "output");
    let whole = one("Relu", &["x"], &[], &[]);
    refused("half a file", &whole[..whole.len() / 2], "");
}

#[test]
fn cycles() {
    let ends = [&image(), &scores()];
    refused("itself", &file(&[node("Relu", &["y"], "y", &[])], &[], ends), "cycle");
    let two = [node("Add", &["x", "b"], "a", &[]), node("Relu", &["a"], "b", &[])];
    let ring = [two.as_slice(), &[node("Flatten", &["b"], "y", &[])]].concat();
    refused("a ring", &file(&ring, &[], ends), "cycle");
}

#[test]
fn sizes_that_cannot_be() {
    let relu = [node("Relu", &["x"], "z", &[]), node("Flatten", &["z"], "y", &[])];
    let with_input = |dims: &[i64]| file(&relu, &[], [&value("x", dims), &scores()]);
    refused("huge image", &with_input(&[1, 3, 1 << 31, 1 << 31]), "");
    refused("endless image", &with_input(&[1, 3, i64::MAX, i64::MAX]), "");
    refused("large image", &with_input(&[1, 3, 20_000, 20_000]), "too large");
    refused("negative image", &with_input(&[1, 3, -8, 8]), "negative");
    refused("no channels", &with_input(&[1, 7, 8, 8]), "channel");
    refused("a row", &with_input(&[1, 8]), "four");
    refused("scores of nothing", &with_input(&[1, 3, 0, 8]), "open");
    let add = |tensor: Message| one("Add", &["x", "w"], &[], &[tensor]);
    let declared = |dims: &[i64]| add(tensor("w", dims, 1, &[0; 16]));
    refused("huge tensor", &declared(&[1 << 40]), "'w'");
    refused("endless tensor", &declared(&[i64::MAX, i64::MAX, 3]), "'w'");
    refused("negative tensor", &declared(&[-4]), "'w'");
    refused("short tensor", &declared(&[1, 3, 8, 8]), "'w'");
    refused("many axes", &declared(&[1; 100]), "'w'");
    refused("text", &add(tensor("w", &[1], 8, b"")), "'w'");
    refused("no such type", &add(tensor("w", &[1], 77, &[0; 4])), "'w'");
    refused("NaN", &add(floats("w", &[1], f32::NAN)), "NaN");
    refused("does not fit", &add(floats("w", &[1, 5, 8, 8], 1.0)), "");
}

#[test]
fn values_that_are_not_there() {
    refused("no weights", &one("Conv", &["x", "w"], &[], &[]), "'w'");
    refused("no operand", &one("Conv", &["x"], &[], &[]), "operand");
    refused("no image", &one("Relu", &["w"], &[], &[floats("w", &[1, 4], 1.0)]), "input");
    let twice = [node("Relu", &["x"], "y", &[]), node("Sign", &["x"], "y", &[])];
    refused("two of a name", &file(&twice, &[], [&image(), &scores()]), "'y'");
    let two = [floats("w", &[1], 1.0), floats("w", &[1], 2.0)];
    refused("two tensors of a name", &one("Add", &["x", "w"], &[], &two), "'w'");
}

#[test]
fn attributes_that_make_no_sense() {
    let w = || floats("w", &[4, 3, 3, 3], 0.1);
    let conv = |attributes: &[Message]| one("Conv", &["x", "w"], attributes, &[w()]);
    let far = i64::MAX / 2;
    for (name, attribute) in [
        ("no stride", ints("strides", &[0, 1])),
        ("negative stride", ints("strides", &[-1, 1])),
        ("one stride", ints("strides", &[1])),
        ("far", ints("dilations", &[far, far])),
        ("negative pads", ints("pads", &[-3, 0, 0, 0])),
        ("wide pads", ints("pads", &[far, far, far, far])),
        ("no groups", int("group", 0)),
        ("many groups", int("group", far)),
        ("another kernel", ints("kernel_shape", &[5, 5])),
    ] {
        refused(name, &conv(&[attribute]), if name == "wide pads" { "'z'" } else { "Conv" });
    }
    let pool = |attributes: &[Message]| one("MaxPool", &["x"], attributes, &[]);
    refused("no window", &pool(&[]), "MaxPool");
    refused("empty window", &pool(&[ints("kernel_shape", &[0, 0])]), "MaxPool");
    refused("far window", &pool(&[ints("kernel_shape", &[far, far])]), "MaxPool");
    refused(
        "only padding",
        &pool(&[ints("kernel_shape", &[2, 2]), ints("pads", &[9; 4])]),
        "MaxPool",
    );
    refused("block 0", &one("DepthToSpace", &["x"], &[int("blocksize", 0)], &[]), "DepthToSpace");
    refused(
        "far block",
        &one("DepthToSpace", &["x"], &[int("blocksize", far)], &[]),
        "DepthToSpace",
    );
    refused(
        "axes twice",
        &one("Transpose", &["x"], &[ints("perm", &[0, 2, 2, 1])], &[]),
        "Transpose",
    );
    refused("no such axis", &one("Concat", &["x", "x"], &[int("axis", 9)], &[]), "Concat");
    refused("flat beyond", &one("Flatten", &["x"], &[int("axis", 99)], &[]), "Flatten");
    let listed = |op: &str, list: &[i64]| one(op, &["x", "l"], &[], &[longs("l", list)]);
    for (op, list) in [
        ("Reshape", [-1, -1, 3]),
        ("Reshape", [1 << 40, 1 << 40, 1 << 40]),
        ("Reshape", [0, 7, -1]),
        ("Pad", [far, far, far]),
        ("Expand", [1 << 21, 1 << 21, 1 << 21]),
        ("Split", [far, far, far]),
        ("Unsqueeze", [far, -far, 0]),
        ("Resize", [1, 1, 1]),
    ] {
        refused(op, &listed(op, &list), op);
    }
    let slice = ["x", "a", "b", "c", "d"];
    let lists = |step: i64, axis: i64| {
        [longs("a", &[0]), longs("b", &[far]), longs("c", &[axis]), longs("d", &[step])]
    };
    refused("no step", &one("Slice", &slice, &[], &lists(0, 2)), "Slice");
    refused("axis beyond", &one("Slice", &slice, &[], &lists(1, 44)), "Slice");
}

#[test]
fn operations_beyond() {
    refused("If", &one("If", &["x"], &[], &[]), "supported are");
    let foreign = node("Relu", &["x"], "z", &[]).bytes(7, "com.example");
    let nodes = [foreign, node("Flatten", &["z"], "y", &[])];
    refused("other domain", &file(&nodes, &[], [&image(), &scores()]), "com.example.Relu");
}

/// Constants are computed while a file is read.
#[test]
fn constants_that_grow() {
    let add = |nodes: &[Message], tensors: &[Message]| {
        let last = [node("Add", &["x", "c"], "z", &[]), node("Flatten", &["z"], "y", &[])];
        file(&[nodes, &last].concat(), tensors, [&image(), &scores()])
    };
    let filled = [node("ConstantOfShape", &["l"], "c", &[])];
    refused("huge", &add(&filled, &[longs("l", &[1 << 20, 1 << 20])]), "constants");
    let expanded = [node("Expand", &["w", "l"], "c", &[])];
    let tensors = [floats("w", &[1], 1.0), longs("l", &[1 << 16, 1 << 16])];
    refused("expanded", &add(&expanded, &tensors), "constants");
    let ranged = [node("Range", &["a", "b", "d"], "c", &[])];
    let scalar = |name: &str, v: i64| tensor(name, &[], 7, &v.to_le_bytes());
    let tensors = [scalar("a", 0), scalar("b", i64::MAX), scalar("d", 1)];
    refused("ranged", &add(&ranged, &tensors), "");
    let name = |step: usize| if step == 40 { "c".to_owned() } else { format!("w{step}") };
    let double = |step: usize| {
        let operand = name(step);
        node("Concat", &[&operand, &operand], &name(step + 1), &[int("axis", 0)])
    };
    let doubled: Vec<Message> = (0..40).map(double).collect();
    refused("doubled forty times", &add(&doubled, &[floats("w0", &[1024], 1.0)]), "constants");
}

/// Axes of length zero leave nothing to do, however long the others are.
#[test]
fn constants_without_elements() {
    let empty = || tensor("w", &[1 << 40, 0], 1, &[]);
    let add = |node: Message, tensors: &[Message]| {
        let last = [node, self::node("Add", &["x", "c"], "z", &[])];
        let flat = [self::node("Flatten", &["z"], "y", &[])];
        file(&[last.as_slice(), &flat].concat(), tensors, [&image(), &scores()])
    };
    let joined = node("Concat", &["w", "w"], "c", &[int("axis", 1)]);
    refused("joined", &add(joined, &[empty()]), "saligate: ");
    let picked = node("Gather", &["w", "i"], "c", &[int("axis", 1)]);
    refused("picked", &add(picked, &[empty(), longs("i", &[])]), "saligate: ");
}

/// Windows of which every cell would take nodes of its own.
#[test]
fn windows_of_many_cells() {
    let side = 2048;
    let nodes = [node("GlobalMaxPool", &["x"], "z", &[]), node("Flatten", &["z"], "y", &[])];
    let bytes = file(&nodes, &[], [&value("x", &[1, 3, side, side]), &value("y", &[1, 3])]);
    refused("global", &bytes, "1024 cells");
}

/// A file of two million empty messages would take hundreds of bytes for each.
#[test]
fn messages_without_content() {
    let empty = Message::new();
    for (name, field) in [("nodes", 1), ("tensors", 5), ("inputs", 11)] {
        let graph = Message::new().messages(field, vec![&empty; 2_000_000]);
        refused(name, &model(&graph, 17), "too many");
    }
    // Groups are skipped by decoders, and would hide what follows.
    let (start, end) = (100 << 3 | 3, 100 << 3 | 4);
    let hidden = Message::new().varints(&[start, end]).message(7, &Message::new());
    refused("a group", &hidden.done(), "no ONNX model");
    let packed = Message::new().bytes(1, vec![1; 2_000_000]).int(2, 1).bytes(8, "w");
    refused("packed axes", &one("Add", &["x", "w"], &[], &[packed]), "too many");
}

#[test]
fn tensors_in_other_files() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("net");
    fs::create_dir(&inside).unwrap();
    fs::write(folder.path().join("secret"), [0; 768]).unwrap();
    fs::write(inside.join("weights"), [0; 768]).unwrap();
    std::os::unix::fs::symlink("../secret", inside.join("link")).unwrap();
    let absolute = folder.path().join("secret");
    let import = |entries: &[(&str, &str)]| {
        let weights = external("w", &[1, 3, 8, 8], entries);
        let path = inside.join("hostile.onnx");
        fs::write(&path, one("Add", &["x", "w"], &[], &[weights])).unwrap();
        import(&path)
    };
    let (code, stderr) = import(&[("location", "weights")]);
    assert_eq!(code, 0, "{stderr}");
    fs::remove_file(inside.join("hostile.model")).unwrap();
    for (location, expected) in [
        ("../secret", "outside"),
        ("./../secret", "outside"),
        ("link", "outside"),
        (absolute.to_str().unwrap(), "outside"),
        ("missing", "missing"),
        (".", "no file"),
        ("", "outside"),
        ("a\0b", "missing"),
    ] {
        let (code, stderr) = import(&[("location", location)]);
        assert!(code == 2 && stderr.contains(expected), "{location}: {stderr}");
    }
    for (offset, length) in
        [("1", "768"), ("18446744073709551615", "768"), ("x", "768"), ("0", "4")]
    {
        let (code, stderr) =
            import(&[("location", "weights"), ("offset", offset), ("length", length)]);
        assert!(code == 2 && stderr.contains("'w'"), "{offset} {length}: {stderr}");
    }
}

/// Ten thousand nodes: read and explained within the limits, or refused.
#[test]
fn ten_thousand_nodes() {
    let name = |i: usize| if i == 0 { "x".to_owned() } else { format!("v{i}") };
    let chain = |op: &str, operands: usize, attributes: &[Message]| {
        let step = |i: usize| {
            let operand = name(i);
            node(op, &vec![operand.as_str(); operands], &name(i + 1), attributes)
        };
        let mut nodes: Vec<Message> = (0..10_000).map(step).collect();
        nodes.push(node("Flatten", &[&name(10_000)], "y", &[]));
        nodes
    };
    let folder = tempfile::tempdir().unwrap();
    for (case, mut nodes) in [
        ("relu", chain("Relu", 1, &[])),
        ("sum of itself", chain("Add", 2, &[])),
        ("doubled channels", chain("Concat", 2, &[int("axis", 1)])),
        ("turned", chain("Transpose", 1, &[ints("perm", &[0, 2, 3, 1])])),
        ("turned by default", chain("Transpose", 1, &[])),
        ("flat", chain("Flatten", 1, &[])),
    ] {
        for order in ["forwards", "backwards"] {
            let path = folder.path().join(format!("{case} {order}.onnx"));
            fs::write(&path, file(&nodes, &[], [&image(), &scores()])).unwrap();
            let (code, stderr) = import(&path);
            assert!(code == 0 || stderr.contains("saligate: "), "{case}: {stderr}");
            println!("{case} {order}: {code} {}", stderr.lines().next().unwrap_or_default());
            nodes.reverse();
        }
    }
}
