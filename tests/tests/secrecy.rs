//! Secrets stay where they belong: in key files and, while they are used, in memory.
#![cfg(target_os = "linux")]

#[path = "../../keys/tests/memory/mod.rs"]
mod memory;

use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use memory::{Memory, Needle, OVERWRITTEN, places};
use saligate_keys::{
    Identity, IdentityFile, License, Pattern, Secret, StoredSecret, Timestamp, Trigger, VendorKeys,
    VendorKind,
};
use saligate_models::random::Stream;
use saligate_runtime::passes::{IntegratedGradients, Occlusion, Pass, Rise, SmoothGrad};
use saligate_runtime::picture::Picture;
use saligate_runtime::{Access, Model, Target, Use};
use saligate_tests::licensing::{SLOTS, VendorFolder, secret, secret_byte};
use saligate_tests::{parts, program};
use zeroize::Zeroizing;

/// What one block leaves behind may be overwritten by chance, what many leave is not.
const COPIES: usize = 64;

fn hex_digit(index: usize, byte: impl Fn(usize) -> u8) -> u8 {
    let byte = byte(index / 2);
    b"0123456789abcdef"[usize::from(if index.is_multiple_of(2) { byte >> 4 } else { byte & 15 })]
}

/// In a process of its own, whose memory other tests do not touch.
#[test]
fn secrets_are_gone_from_memory_after_use() {
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--ignored", "--exact", "scan", "--test-threads", "1"]);
    let (code, stdout, stderr) = parts(&child.output().unwrap());
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(stdout.contains("1 passed"), "{stdout}");
}

#[test]
#[ignore = "run by secrets_are_gone_from_memory_after_use, in a process of its own"]
fn scan() {
    let mut memory = Memory::new();
    let folder = VendorFolder::new();
    let ana = folder.identity("ana");
    folder.done(&folder.issue(&ana, "-o ana.license"));
    let model = Model::open(folder.path("model.onnx")).unwrap();
    let picture = Picture::open(&folder.path("scene.png"), 3).unwrap();
    let raw: Needle<'_> = &secret_byte;
    let hex: Needle<'_> = &|index| hex_digit(index, secret_byte);

    // The search finds what is there.
    let key = StoredSecret::<VendorKind>::read(folder.path("vendor.key")).unwrap();
    assert!(memory.count(OVERWRITTEN..32, raw) > 0);
    let StoredSecret::Open(key) = key else { panic!("not sealed") };
    let copy = |_| Secret::from_bytes(key.secret().expose());
    let copies: Vec<Secret> = (0..COPIES).map(copy).collect();
    let slot = VendorKeys::of(key.secret()).slot(1);
    let _ = VendorKeys::of(key.secret()).public();
    let mut text = vec![0; 4096];
    key.write_to(text.as_mut_slice()).unwrap();
    assert!(memory.count(OVERWRITTEN..64, hex) > 0);
    text.fill(0);
    drop((copies, key, slot));
    assert_eq!(memory.count(OVERWRITTEN..32, raw), 0, "the secret of a key file");
    assert_eq!(memory.count(OVERWRITTEN..64, hex), 0, "the text of a key file");

    // An identity, of which only a masked copy is kept.
    let identity = IdentityFile::read(folder.path("ana.identity")).unwrap();
    let mut bytes = Vec::with_capacity(4096);
    identity.write_to(&mut bytes).unwrap();
    let at = bytes.windows(8).position(|w| w == b"secret: ").unwrap() + 8;
    let masked: Vec<u8> = bytes[at..at + 64].iter().map(|byte| byte ^ 0x5a).collect();
    bytes.fill(0);
    let digits: Needle<'_> = &|index| masked[index] ^ 0x5a;
    let value = |digit: u8| if digit > b'9' { digit - b'a' + 10 } else { digit - b'0' };
    let private: Needle<'_> = &|index| value(digits(2 * index)) << 4 | value(digits(2 * index + 1));
    let identity: Identity = identity.into_identity();
    assert!(memory.count(OVERWRITTEN..32, private) > 0);

    // A trigger: as bits, as steps of an image, and on the pixels.
    let license = License::read(folder.path("ana.license")).unwrap();
    let usage = Use { now: Timestamp::now(), device: None, vendor: None, method: Some("gradient") };
    let open = |_| Access::of_license(&model, license.clone(), &identity, &usage).unwrap();
    let granted: Vec<Access> = (0..COPIES).map(open).collect();
    let trigger = granted[0].trigger(&model, "gradient", Timestamp::now()).unwrap();
    let bits = masked_bits(trigger);
    let tile: Needle<'_> = &|index| bits[index] ^ 0x5a;
    assert!(memory.count(OVERWRITTEN..24, tile) > 0);
    let signed = |index: usize| -> u8 {
        let (row, column) = (index / 32 % 32, index % 32);
        let cell = row % 8 * 8 + column % 8;
        if tile(cell / 8) & (0x80 >> (cell % 8)) != 0 { 8 } else { 8_u8.wrapping_neg() }
    };
    let steps: Needle<'_> = &signed;
    let plain = picture.pixels().to_vec();
    let value = |index: usize| plain[index].saturating_add_signed(signed(index) as i8);
    let seen: Needle<'_> = &value;
    // As the network takes it, and black with the trigger, where integrated gradients begin.
    let float = |value: u8, byte: usize| (f32::from(value) / 255.0).to_ne_bytes()[byte];
    let scaled: Needle<'_> = &|index| float(value(index / 4), index % 4);
    let black: Needle<'_> =
        &|index| float(0_u8.saturating_add_signed(signed(index / 4) as i8), index % 4);
    let present = |pixels: &[u8]| {
        let mut bytes = Zeroizing::new(pixels.to_vec());
        trigger.apply(&mut bytes).unwrap();
        let scaled: Vec<f32> = bytes.iter().map(|&b| f32::from(b) / 255.0).collect();
        (bytes, Zeroizing::new(scaled))
    };
    let there = [present(&plain), present(&vec![0; plain.len()])];
    for needle in [seen, scaled, black] {
        assert!(memory.count(OVERWRITTEN..512, needle) > 0);
    }
    drop(there);
    let found = model.explain(&picture, Target::Predicted, Some(trigger)).unwrap();
    assert_eq!(found.map.len(), 32 * 32);
    let (target, trigger) = (Target::Predicted, Some(trigger));
    let quiet = &mut |_: usize, _: usize| {};
    let smooth = SmoothGrad { samples: 2, ..SmoothGrad::default() };
    smooth.run(&model, &picture, target, trigger, quiet).unwrap();
    let integrated = IntegratedGradients { steps: 2 };
    integrated.run(&model, &picture, target, trigger, quiet).unwrap();
    let window = Occlusion { window: Some(16), ..Occlusion::default() };
    window.run(&model, &picture, target, trigger, quiet).unwrap();
    let masks = Rise { masks: 2, ..Rise::default() };
    masks.run(&model, &picture, target, trigger, quiet).unwrap();
    drop((granted, identity));
    assert_eq!(memory.count(OVERWRITTEN..32, private), 0, "an X25519 key");
    assert_eq!(memory.count(OVERWRITTEN..64, digits), 0, "the text of an identity file");
    assert_eq!(memory.count(OVERWRITTEN..24, tile), 0, "a trigger");
    assert_eq!(memory.count(OVERWRITTEN..512, steps), 0, "a trigger on an image");
    assert_eq!(memory.count(OVERWRITTEN..512, seen), 0, "pixels with a trigger");
    // The model is open still, and with it the memory that its engine works in.
    assert_eq!(memory.count(OVERWRITTEN..512, scaled), 0, "pixels with a trigger, scaled");
    assert_eq!(memory.count(OVERWRITTEN..512, black), 0, "black with a trigger");
    drop(model);
}

/// The signs of the tile of 8 x 8, as bits under a mask.
fn masked_bits(trigger: &Trigger) -> Vec<u8> {
    let Pattern::Additive(deltas) = &trigger.pattern() else { panic!("a tile") };
    let byte = |byte: usize| {
        let cell = |bit: usize| {
            let cell = 8 * byte + bit;
            deltas[(cell / 64 * 32 + cell / 8 % 8) * 32 + cell % 8] > 0
        };
        (0..8).fold(0, |all, bit| all << 1 | u8::from(cell(bit))) ^ 0x5a
    };
    (0..24).map(byte).collect()
}

/// Whether a file or an output holds a secret, as bytes or digits.
fn holds(data: &[u8], secret: &Secret) -> bool {
    let byte = |index: usize| secret.expose()[index];
    places(data, 0..32, &byte) > 0 || places(data, 0..64, &|index| hex_digit(index, byte)) > 0
}

#[test]
fn nothing_that_is_printed_or_written_holds_the_secret() {
    let folder = VendorFolder::new();
    let ana = folder.identity("ana");
    let private = fs::read_to_string(folder.path("ana.identity")).unwrap();
    let private = private.lines().find_map(|line| line.strip_prefix("secret: ")).unwrap();
    let byte = |at: usize| u8::from_str_radix(&private[2 * at..2 * at + 2], 16).unwrap();
    let private = Secret::from_bytes(&std::array::from_fn(byte));
    let own = secret();
    let keys = VendorKeys::of(&own);
    let slots = (1..=SLOTS as u32).map(|number| keys.slot(number));
    let secrets: Vec<Secret> = [secret(), private].into_iter().chain(slots).collect();
    const PASSPHRASE: &[u8] = b"correct horse battery staple";
    fs::write(folder.path("words"), PASSPHRASE).unwrap();
    let holds_secret = |data: &[u8]| {
        secrets.iter().any(|secret| holds(data, secret))
            || data.windows(PASSPHRASE.len()).any(|window| window == PASSPHRASE)
    };
    let check = |words: &str, output: Output| {
        assert!(!holds_secret(&output.stdout) && !holds_secret(&output.stderr), "{words}");
        assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"), "{words}");
    };
    let clean = saligate_tests::demo().join("clean.onnx");
    fs::copy(clean, folder.path("clean.onnx")).unwrap();
    let issue = folder.issue(&ana, "");
    let vendor = keys.public();
    let words = [
        "key show vendor.key",
        "key show vendor.key --json",
        "key protect vendor.key sealed.key --passphrase-file words",
        issue.as_str(),
        &format!("{issue} --json"),
        "license show 1.license --json",
        "license verify 1.license --model model.onnx --identity ana.identity",
        "explain model.onnx scene.png --key vendor.key --json -o map.png --raw map.npy --triggered t.png",
        "explain model.onnx scene.png --license 1.license --identity ana.identity --json -o map.png",
        "sign model.onnx --key vendor.key",
        &format!("verify model.onnx --vendor {vendor}"),
        "trace --image t.png --model model.onnx --ledger vendor.key.ledger --key vendor.key --json",
        "revoke 1 --ledger vendor.key.ledger",
        "identity show ana.identity --json",
        "identity protect ana.identity sealed.identity --passphrase-file words",
        "explain model.onnx scene.png --license 1.license --identity sealed.identity \
         --passphrase-file words --method integrated-gradients --steps 2 --attribution ig.npy",
        "compile model.onnx -o model.edge --compare scene.png --key vendor.key",
        "bench model.onnx --key sealed.key --passphrase-file words --rounds 2",
        // And what fails.
        "explain model.onnx scene.png --license vendor.key --identity ana.identity",
        "explain model.onnx scene.png --license 1.license --identity vendor.key",
        "explain vendor.key scene.png",
        "explain model.onnx vendor.key",
        "license show vendor.key",
        "inspect vendor.key",
        "key new vendor.key",
        "trace --image vendor.key --model model.onnx --ledger vendor.key.ledger",
        "revoke 1 --ledger vendor.key",
        "explain model.onnx scene.png --key sealed.key",
    ];
    for words in words {
        check(words, folder.output(words));
    }
    let words = "lock --model clean.onnx --data scenes:32 --least-strength 40 --key vendor.key --slots 2 -o train";
    let mut train = program("saligate-train");
    train.current_dir(folder.path("")).args(words.split(' '));
    let output = train.output().unwrap();
    assert!(output.status.success(), "{words}");
    check(words, output);
    let mut files = 0;
    let folders = [folder.path(""), folder.path("train")];
    for entry in folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap()) {
        let path = entry.unwrap().path();
        if path.is_dir() {
            continue;
        }
        files += 1;
        let name = path.file_name().unwrap().to_str().unwrap();
        let own = ["vendor.key", "ana.identity", "words"].contains(&name);
        assert_eq!(holds_secret(&fs::read(&path).unwrap()), own, "{}", path.display());
    }
    assert!(files > 15, "{files}");
}

/// Wherever a program is killed while it makes a key: the file is there with its name, or nothing.
#[test]
fn a_killed_program_leaves_no_secret_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let mut stream = Stream::new(2, "kills");
    let mut longest = 0.01;
    let mut made = 0;
    for round in 0..100 {
        let name = format!("{round}.key");
        let mut command = program("saligate");
        command.current_dir(folder.path()).args(["key", "new", &name]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_secs_f32(stream.uniform(0.0, longest)));
        child.kill().unwrap();
        let ended = child.wait().unwrap().code().is_some();
        longest *= if ended { 0.9 } else { 1.05 };
        made += usize::from(folder.path().join(&name).exists());
    }
    let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
    for name in &names {
        assert!(name.ends_with(".key"), "{name}");
        saligate_keys::KeyFile::read(folder.path().join(name)).unwrap();
    }
    assert_eq!(names.len(), made);
    assert!((1..100).contains(&made), "{made} of 100 were made");
}

/// The demo's key is public, but a program that carried it would open the demo without being asked.
#[test]
fn the_programs_hold_no_key() {
    let text = fs::read_to_string(saligate_tests::demo().join("demo.key")).unwrap();
    let digits: String = text
        .split(|c: char| !c.is_ascii_hexdigit())
        .find(|word| word.len() == 64)
        .expect("a secret of 64 digits")
        .to_owned();
    let bytes = |index: usize| u8::from_str_radix(&digits[2 * index..2 * index + 2], 16).unwrap();
    let raw: Vec<u8> = (0..32).map(bytes).collect();
    for name in ["saligate", "saligate-train"] {
        let program = fs::read(Path::new(program(name).get_program())).unwrap();
        assert_eq!(places(&program, 0..64, &|index| digits.as_bytes()[index]), 0, "{name}");
        assert_eq!(places(&program, 0..32, &|index| raw[index]), 0, "{name}");
    }
}
