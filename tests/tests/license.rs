//! Licences by commands: issued, checked, used, refused, renewed, revoked, traced.

use std::fs;

use saligate_files::{FileError, ModelFile};
use saligate_keys::{KeyFile, Secret};
use saligate_models::graph::Source;
use saligate_models::metrics::rank::spearman;
use saligate_runtime::npy::read_npy;
use saligate_tests::licensing::{SLOTS, VendorFolder};
use saligate_tests::{parts, program};
use serde_json::Value;

fn map(folder: &VendorFolder, more: &str) -> Vec<f32> {
    folder.done(&format!("explain model.onnx scene.png --raw map.npy {more}"));
    read_npy(&folder.path("map.npy")).unwrap().values
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn a_licence_shows_the_map_of_the_key() {
    let folder = VendorFolder::new();
    let ana = folder.identity("ana");
    let issued = folder.done(&folder.issue(&ana, "--expires 2999-12-31 -o ana.license"));
    assert!(issued.contains("licence 1 for Ana") && issued.contains("of its own"), "{issued}");
    let licensed = map(&folder, "--license ana.license --identity ana.identity");
    // Another trigger, which saturates at other pixels, shows the same map.
    let keyed = spearman(&licensed, &map(&folder, "--key vendor.key")).unwrap();
    let locked = spearman(&licensed, &map(&folder, "")).unwrap();
    assert!(keyed > 0.95 && locked.abs() < 0.5, "{keyed} {locked}");
    let good = folder.done("license verify ana.license --model model.onnx --identity ana.identity");
    assert!(good.contains("ana.license: good"), "{good}");
    let shown = json(&folder.done("license show ana.license --json"));
    assert_eq!((&shown["schema"], &shown["claims"]["serial"]), (&1.into(), &1.into()));
    assert_eq!(shown["claims"]["expires"], "2999-12-31T23:59:59Z");
    // Methods of many passes put the trigger on every copy.
    folder.done("explain model.onnx scene.png --license ana.license --identity ana.identity --method integrated-gradients --steps 2");
}

/// Each for its own reason, with exit code 1, in explain and in verify.
#[test]
fn what_is_not_licensed_is_refused() {
    let folder = VendorFolder::new();
    let (ana, _) = (folder.identity("ana"), folder.identity("eve"));
    let issue = |name: &str, more: &str| {
        folder.done(&folder.issue(&ana, &format!("{more} -o {name}.license")));
    };
    issue("good", "");
    issue("expired", "--not-before 2020-01-01 --expires 2020-12-31");
    issue("early", "--not-before 2999-01-01");
    issue("method", "--methods smoothgrad,integrated-gradients");
    issue("device", "--device board-7");
    let text = fs::read_to_string(folder.path("good.license")).unwrap();
    fs::write(folder.path("tampered.license"), text.replace("\"Ana\"", "\"Eve\"")).unwrap();
    fs::write(folder.path("cut.license"), &text[..text.len() - 1]).unwrap();
    // A model of nobody, and one of another vendor.
    let demo = saligate_tests::demo();
    fs::copy(demo.join("clean.onnx"), folder.path("clean.onnx")).unwrap();
    fs::copy(demo.join("locked.onnx"), folder.path("stranger.onnx")).unwrap();
    // Another model of the same vendor, with the same key.
    let model = ModelFile::open(&folder.path("model.onnx")).unwrap();
    let name = model.graph().trainable().pop().unwrap();
    let value = model.graph().value(model.graph().find(&name).unwrap());
    let Source::Param(data) = &value.source else { panic!("a parameter") };
    let changed: Vec<f32> = data.iter().map(|v| v + 0.125).collect();
    let weights: Vec<f32> = changed;
    let model =
        model.map_graph(|graph| Ok::<_, FileError>(graph.set_param(&name, weights)?)).unwrap();
    model.save(&folder.path("other.onnx")).unwrap();
    for (model, license, identity, more, expected) in [
        ("model", "expired", "ana", "", "expired at 2020-12-31T23:59:59Z"),
        ("model", "early", "ana", "", "not valid before 2999-01-01T00:00:00Z"),
        ("model", "good", "eve", "", "for another recipient"),
        ("model", "tampered", "ana", "", "changed after it was signed"),
        ("model", "cut", "ana", "", "is cut off"),
        ("model", "method", "ana", "", "does not allow the method gradient, only"),
        ("model", "device", "ana", "", "for another device (board-7, not "),
        ("model", "device", "ana", "--device board-8", "(board-7, not board-8)"),
        ("clean", "good", "ana", "", "no gate"),
        ("stranger", "good", "ana", "", "is signed by"),
        ("other", "good", "ana", "", "is for another model"),
    ] {
        let words = format!(
            "explain {model}.onnx no-such-picture.png --license {license}.license \
             --identity {identity}.identity {more}"
        );
        let stderr = folder.ends(1, words.trim());
        assert!(stderr.contains(expected), "{license}: {stderr}");
        let method = if license == "method" { "--method gradient" } else { more };
        let words = format!(
            "license verify {license}.license --model {model}.onnx --identity {identity}.identity \
             {method}"
        );
        let stderr = folder.ends(1, words.trim());
        assert!(stderr.contains(expected), "{license}: {stderr}");
    }
    // Good where and when it is meant to be.
    folder.done(
        "license verify early.license --at 2999-01-01 --model model.onnx --identity ana.identity",
    );
    folder.done("explain model.onnx scene.png --license device.license --identity ana.identity --device board-7");
    folder.done("explain model.onnx scene.png --license method.license --identity ana.identity --method smoothgrad --samples 1");
    let (code, stdout, _) = parts(&folder.output("license verify expired.license --json"));
    let line = json(&stdout);
    assert_eq!((code, &line["valid"]), (1, &false.into()));
    assert!(line["reason"].as_str().unwrap().contains("expired"), "{line}");
    assert_eq!((&line["serial"], &line["holder"]), (&2.into(), &"Ana".into()));
    let vendor = folder.done("key show vendor.key --json");
    assert_eq!(line["vendor"], json(&vendor)["vendor"]);
    assert_eq!(line["vendor_checked"], false);
    let (code, stdout, _) = parts(&folder.output("license verify tampered.license --json"));
    let line = json(&stdout);
    assert_eq!((code, &line["valid"], &line["holder"]), (1, &false.into(), &Value::Null));
    let good = json(&folder.done("license verify good.license --model model.onnx --json"));
    assert_eq!((&good["valid"], &good["vendor_checked"]), (&true.into(), &true.into()));
}

#[test]
fn what_cannot_be_read_is_an_error() {
    let folder = VendorFolder::new();
    let ana = folder.identity("ana");
    folder.done(&folder.issue(&ana, "-o ana.license"));
    let newer = fs::read_to_string(folder.path("ana.license")).unwrap();
    fs::write(folder.path("newer.license"), newer.replace("license v1", "license v3")).unwrap();
    fs::write(folder.path("huge.license"), vec![b'x'; 1 << 20]).unwrap();
    for (words, expected) in [
        ("license show none.license", "none.license"),
        ("license show model.onnx", "license file; check the path"),
        ("license show vendor.key", "no saligate license file"),
        ("license show huge.license", "more than 163840 bytes"),
        ("license show newer.license", "version 3, this program reads version 2"),
        ("explain model.onnx scene.png --license ana.license", "--identity"),
        (
            "explain model.onnx scene.png --license ana.license --identity vendor.key",
            "no saligate identity file",
        ),
        ("explain model.onnx scene.png --triggered t.png", "no trigger to put on"),
        ("license export 1 --ledger ana.license -o x", "no saligate ledger file"),
        ("identity new ana.identity", "is not overwritten"),
    ] {
        let stderr = folder.ends(2, words);
        assert!(stderr.contains(expected), "{words}: {stderr}");
    }
    for (more, expected) in [
        ("--expires 2020-02-30", "not a date"),
        ("--expires 31.12.2027", "not a date"),
        ("--not-before 2028-01-01 --expires 2027-01-01", "let it end after that"),
        ("--methods gradient,magic", "cannot explain by 'magic'"),
        ("-o scene.png", "is not overwritten"),
        ("--ledger scene.png", "no saligate ledger file"),
    ] {
        let stderr = folder.ends(2, &folder.issue(&ana, more));
        assert!(stderr.contains(expected), "{more}: {stderr}");
    }
    for recipient in ["sgto1", &ana[..ana.len() - 1], &ana.to_uppercase()] {
        let stderr = folder.ends(2, &folder.issue(recipient, ""));
        assert!(stderr.contains("not a recipient"), "{stderr}");
    }
    // None of these used up a number.
    let next = json(&folder.done(&folder.issue(&ana, "--json")));
    assert_eq!(next["serial"], 2);
}

#[test]
fn slots_are_given_out_renewed_and_revoked() {
    let folder = VendorFolder::new();
    let ana = folder.identity("ana");
    let issue = |more: &str| json(&folder.done(&folder.issue(&ana, &format!("--json {more}"))));
    let (first, second) = (issue(""), issue(""));
    assert_ne!(first["key"], second["key"]);
    assert_eq!(issue("--renew 1")["key"], first["key"]);
    let revoked =
        json(&folder.done("revoke 2 --ledger vendor.key.ledger --model model.onnx --json"));
    assert_eq!(revoked["key"], second["key"]);
    let stderr = folder.ends(1, &folder.issue(&ana, "--renew 2"));
    assert!(stderr.contains("was revoked at"), "{stderr}");
    for (words, expected) in [
        ("revoke 2 --ledger vendor.key.ledger", "was revoked at"),
        ("revoke 9 --ledger vendor.key.ledger", "no licence 9"),
        ("license export 9 --ledger vendor.key.ledger -o nine", "no licence 9"),
    ] {
        let stderr = folder.ends(1, words);
        assert!(stderr.contains(expected), "{stderr}");
    }
    folder.ends(2, "revoke 1 --ledger none.ledger");
    folder.done("license export 2 --ledger vendor.key.ledger -o again.license");
    let [before, again] = ["2.license", "again.license"].map(|n| fs::read(folder.path(n)).unwrap());
    assert_eq!(before, again);

    // The printed command takes the key out; the other licences go on without being issued anew.
    let command = revoked["command"].as_str().unwrap().replace("NEW.onnx", "relocked.onnx");
    let (program, words) = command.split_once(' ').unwrap();
    assert_eq!(program, "saligate");
    folder.done(words);
    let explain = |serial: u32| {
        format!(
            "explain relocked.onnx scene.png --license {serial}.license --identity ana.identity --raw map.npy"
        )
    };
    folder.done(&explain(1));
    let after = read_npy(&folder.path("map.npy")).unwrap().values;
    assert_eq!(after, map(&folder, "--license 1.license --identity ana.identity"));
    let stderr = folder.ends(1, &explain(2));
    assert!(stderr.contains("does not open this model: it was revoked"), "{stderr}");
}

#[test]
fn a_model_without_slots_is_shared() {
    let folder = VendorFolder::new();
    let ana = folder.identity("ana");
    for name in ["locked.onnx", "demo.key"] {
        fs::copy(saligate_tests::demo().join(name), folder.path(name)).unwrap();
    }
    for serial in [1, 2] {
        let words = format!(
            "license issue --key demo.key --model locked.onnx --to {ana} --holder Ana --json"
        );
        let issued = json(&folder.done(&words));
        assert_eq!((&issued["serial"], &issued["shared"]), (&serial.into(), &true.into()));
    }
    folder.done("explain locked.onnx scene.png --license 2.license --identity ana.identity");
    let stderr = folder.ends(1, &folder.issue(&ana, "").replace("model.onnx", "locked.onnx"));
    assert!(stderr.contains("the model takes licences of"), "{stderr}");
    let revoked = folder.done("revoke 1 --ledger demo.key.ledger");
    assert!(revoked.contains("the key is shared: this also ends licence 2"), "{revoked}");
}

/// A vendor who has run out of slots locks the clean model anew.
#[test]
fn licences_go_on_in_a_model_with_more_slots() {
    let folder = VendorFolder::new();
    let ana = folder.identity("ana");
    let clean = saligate_tests::demo().join("clean.onnx");
    for slots in ["2", "5"] {
        let mut train = program("saligate-train");
        train.args(["lock", "--data", "scenes:32", "--slots", slots, "-q"]);
        train.args(["--least-strength", "40", "--model"]).arg(&clean);
        train.arg("--key").arg(folder.path("vendor.key")).arg("-o").arg(folder.path(slots));
        let (code, _, stderr) = parts(&train.output().unwrap());
        assert_eq!(code, 0, "{stderr}");
    }
    let issue =
        |slots| folder.issue(&ana, "").replace("model.onnx", &format!("{slots}/locked.onnx"));
    folder.done(&issue(2));
    folder.done(&issue(2));
    assert!(folder.ends(1, &issue(2)).contains("no free slot"));
    let third = folder.command(&issue(5)).output().unwrap();
    let (code, _, stderr) = parts(&third);
    assert_eq!((code, stderr.as_str()), (0, ""), "no warning of another model");
    let explain = |slots, serial| {
        let license = format!("--license {serial}.license --identity ana.identity");
        let line = folder
            .done(&format!("explain {slots}/locked.onnx scene.png {license} --json -o map.png"));
        assert_eq!(json(&line)["key_found"], true, "{line}");
    };
    explain(2, 1);
    (1..=3).for_each(|serial| explain(5, serial));
    let third = "explain 2/locked.onnx scene.png --license 3.license --identity ana.identity";
    assert!(folder.ends(1, third).contains("does not open this model"));
}

/// Whoever gets a licence for a key of somebody else could be taken for a leaker.
#[test]
fn the_last_key_of_a_model_is_not_shared_after_others_were_revoked() {
    let folder = VendorFolder::new();
    let ana = folder.identity("ana");
    // Not a random one: two keys together are not always as strong as the floor below.
    let second = KeyFile::new(Secret::from_bytes(&[1; Secret::LEN]));
    second.write_new(folder.path("second.key")).unwrap();
    let lock = |words: &str| {
        let mut train = program("saligate-train");
        train.current_dir(folder.path("")).args(words.split(' '));
        let (code, _, stderr) = parts(&train.output().unwrap());
        assert_eq!(code, 0, "{stderr}");
    };
    let clean = saligate_tests::demo().join("clean.onnx");
    fs::copy(clean, folder.path("clean.onnx")).unwrap();
    lock(
        "lock --model clean.onnx --data scenes:32 --least-strength 40 --key vendor.key --key second.key -o two",
    );
    let issue = |model: &str| {
        let keys = "--key vendor.key --key second.key";
        format!("license issue {keys} --model {model}/locked.onnx --to {ana} --holder Ana --json")
    };
    let own = |words: &str| {
        let line = json(&folder.done(words));
        assert_eq!(line["shared"], false);
        line["key"].as_str().unwrap().to_owned()
    };
    let (_, second) = (own(&issue("two")), own(&issue("two")));
    folder.done("revoke 2 --ledger vendor.key.ledger");
    lock(&format!("lock --model two/locked.onnx --revoke {second} -o one"));
    let stderr = folder.ends(1, &issue("one"));
    assert!(stderr.contains("no free slot"), "{stderr}");
    folder.done(&(issue("one") + " --renew 1"));
}

#[test]
fn no_slot_is_given_out_twice_and_then_there_are_none() {
    let folder = VendorFolder::new();
    let ana = folder.identity("ana");
    let mut keys: Vec<String> = (0..SLOTS)
        .map(|_| json(&folder.done(&folder.issue(&ana, "--json")))["key"].to_string())
        .collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), SLOTS);
    let stderr = folder.ends(1, &folder.issue(&ana, ""));
    assert!(stderr.contains("no free slot"), "{stderr}");
    folder.done(&folder.issue(&ana, "--renew 5"));
}

#[test]
fn a_leaked_picture_names_the_licence() {
    let folder = VendorFolder::new();
    let ana = folder.identity("ana");
    for _ in 0..3 {
        folder.done(&folder.issue(&ana, ""));
    }
    // The program does not give out what a licence wraps; its holder has other ways.
    let words = "explain model.onnx scene.png --license 2.license --identity ana.identity --triggered leak.png";
    let stderr = folder.ends(1, words);
    assert!(stderr.contains("does not give its trigger away"), "{stderr}");
    assert!(!folder.path("leak.png").exists());
    folder.leak(2, "scene.png", "leak.png");
    let trace = |more: &str| {
        let words = format!("trace --model model.onnx --ledger vendor.key.ledger --json {more}");
        let (code, stdout, stderr) = parts(&folder.output(&words));
        assert!(stderr.is_empty() || code == 1, "{stderr}");
        (code, json(&stdout))
    };
    let best = |found: &Value| {
        let first = &found["suspects"][0];
        (first["licenses"][0]["serial"].clone(), first["log10_p"].as_f64().unwrap())
    };
    for more in [
        "--image leak.png",
        "--image leak.png --key vendor.key",
        "--image leak.png --original scene.png",
    ] {
        let (code, found) = trace(more);
        assert_eq!((code, &found["found"]), (0, &true.into()), "{found}");
        let (serial, log10_p) = best(&found);
        assert_eq!(serial, 2);
        assert!(log10_p < -6.0, "{log10_p}");
    }
    let (code, found) = trace("--image scene.png");
    assert_eq!((code, &found["found"]), (1, &false.into()));
    // JPEG hides the trigger of a small picture, but not that of several.
    let jpegs = ["disc", "ring", "square", "triangle"].map(|name| {
        let sample = saligate_tests::demo().join("samples").join(format!("{name}.png"));
        fs::copy(sample, folder.path("sample.png")).unwrap();
        folder.leak(2, "sample.png", "shot.png");
        let jpeg = format!("{name}.jpg");
        let file = fs::File::create(folder.path(&jpeg)).unwrap();
        let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(file, 90);
        image::open(folder.path("shot.png")).unwrap().write_with_encoder(encoder).unwrap();
        jpeg
    });
    let (code, found) = trace(&format!("--image {}", jpegs.join(" ")));
    assert_eq!((code, best(&found).0, &found["suspects"][0]["found"]), (0, 2.into(), &true.into()));
    // Two hands in one picture.
    folder.leak(3, "scene.png", "third.png");
    let [two, three] =
        ["leak.png", "third.png"].map(|n| image::open(folder.path(n)).unwrap().to_rgb8());
    let mean = two.iter().zip(three.iter()).map(|(a, b)| a.midpoint(*b)).collect();
    image::RgbImage::from_raw(32, 32, mean).unwrap().save(folder.path("mean.png")).unwrap();
    let (code, found) = trace("--image mean.png --original scene.png");
    let hands = found["suspects"].as_array().unwrap().iter().filter(|s| s["found"] == true);
    let mut hands: Vec<_> = hands.map(|s| s["licenses"][0]["serial"].as_u64().unwrap()).collect();
    hands.sort_unstable();
    assert_eq!((code, hands), (0, vec![2, 3]));
    // The same after the key was taken out of the model: with the vendor's key file.
    let trigger = folder.slot(2);
    let saligate_keys::Pattern::Additive(deltas) = &trigger.pattern() else { panic!("a tile") };
    let values: Vec<f32> = deltas.iter().map(|&d| f32::from(d)).collect();
    saligate_runtime::npy::write_npy(&folder.path("trigger.npy"), &[3, 32, 32], &values).unwrap();
    let (code, found) = trace("--trigger trigger.npy");
    assert_eq!((code, best(&found).0), (0, 2.into()), "{found}");
    for (more, expected) in [
        ("--image none.png", "none.png"),
        ("--trigger leak.npy", "leak.npy"),
        ("--image leak.png --alpha 2", "--alpha must be between"),
        ("--image leak.png --original map.png", "map.png"),
        ("", "--image"),
        ("--image leak.png --trigger trigger.npy", "cannot be used with"),
    ] {
        let words = format!("trace --model model.onnx --ledger vendor.key.ledger {more}");
        let stderr = folder.ends(2, words.trim());
        assert!(stderr.contains(expected), "{more}: {stderr}");
    }
}

#[test]
fn models_are_signed_and_checked_before_they_are_read() {
    let folder = VendorFolder::new();
    let vendor = json(&folder.done("key show vendor.key --json"))["vendor"].clone();
    let vendor = vendor.as_str().unwrap();
    let stderr = folder.ends(1, &format!("verify model.onnx --vendor {vendor}"));
    assert!(stderr.contains("not signed: there is no model.onnx.sig"), "{stderr}");
    folder.done("sign model.onnx --key vendor.key");
    folder.done(&format!("verify model.onnx --vendor {vendor}"));
    folder.done(&format!("predict model.onnx scene.png --vendor {vendor}"));
    let line = json(&folder.done(&format!("verify model.onnx --vendor {vendor} --json")));
    assert_eq!(line["valid"], true);

    folder.done("key new other.key");
    let other = json(&folder.done("key show other.key --json"))["vendor"].clone();
    let stderr = folder.ends(1, &format!("verify model.onnx --vendor {}", other.as_str().unwrap()));
    assert!(stderr.contains("signed by sgvendor1"), "{stderr}");
    // A file that would not even parse is refused for its signature.
    fs::write(folder.path("model.onnx"), b"not a model any more").unwrap();
    for words in
        ["predict model.onnx scene.png", "explain model.onnx scene.png", "verify model.onnx"]
    {
        let stderr = folder.ends(1, &format!("{words} --vendor {vendor}"));
        assert!(stderr.contains("was changed after it was signed"), "{words}: {stderr}");
    }
    let signature = fs::read_to_string(folder.path("model.onnx.sig")).unwrap();
    fs::write(folder.path("model.onnx.sig"), signature.replace("signed: 2", "signed: 3")).unwrap();
    let stderr = folder.ends(1, &format!("verify model.onnx --vendor {vendor}"));
    assert!(stderr.contains("changed after it was signed"), "{stderr}");
    let stderr = folder.ends(2, "verify model.onnx --vendor sgvendor1q");
    assert!(stderr.contains("not a vendor's public key"), "{stderr}");
}

#[test]
fn sealed_files_take_a_passphrase_from_a_file_or_from_standard_input() {
    use std::io::Write;
    use std::process::Stdio;

    let folder = VendorFolder::new();
    fs::write(folder.path("words"), "correct horse\n").unwrap();
    fs::write(folder.path("wrong"), "wrong horse\n").unwrap();
    folder.done("identity new ana.identity --passphrase-file words");
    let ana = folder.done("identity show ana.identity").trim().to_owned();
    folder.done("key protect vendor.key sealed.key --passphrase-file words");
    let issue = folder.issue(&ana, "--passphrase-file words").replace("vendor.key", "sealed.key");
    folder.done(&issue);
    let explain = "explain model.onnx scene.png --license 1.license --identity ana.identity";
    folder.done(&format!("{explain} --passphrase-file words"));
    let stderr = folder.ends(1, &format!("{explain} --passphrase-file wrong"));
    assert!(stderr.contains("the passphrase does not open the file"), "{stderr}");
    let stderr = folder.ends(2, &format!("{explain} --passphrase-file none"));
    assert!(stderr.contains("cannot read the passphrase"), "{stderr}");
    let mut command = folder.command(&format!("{explain} --passphrase-file -"));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"correct horse").unwrap();
    assert!(child.wait().unwrap().success());
    // Nobody is there to be asked.
    let mut command = folder.command(explain);
    let (code, _, stderr) = parts(&command.stdin(Stdio::null()).output().unwrap());
    assert_eq!(code, 2);
    assert!(stderr.contains("sealed with a passphrase"), "{stderr}");
}
