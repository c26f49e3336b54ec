//! Sealed models, from the vendor's command line to the holder's.

use std::fs;

use saligate_files::sealed::SealedFile;
use saligate_tests::licensing::VendorFolder;
use saligate_tests::{demo, parts, program};

/// A vendor's folder with `sealed.onnx`: the demo's classifier, sealed behind the network of its
/// trained gate, with slots.
fn sealed() -> VendorFolder {
    let folder = VendorFolder::new();
    for name in ["clean.onnx", "trained.onnx"] {
        fs::copy(demo().join(name), folder.path(name)).unwrap();
    }
    folder.done(
        "lock --model clean.onnx --data scenes:32 --key vendor.key --slots 3 --tile 8 \
         --least-strength 40 --sealed --public trained.onnx -o sealed.onnx -q",
    );
    folder
}

#[test]
fn a_licence_opens_what_the_file_does_not_show() {
    let folder = sealed();
    let [ana, bob] = ["ana", "bob"].map(|name| folder.identity(name));
    let issue = |to: &str, more: &str| {
        format!("license issue --key vendor.key --model sealed.onnx --to {to} --holder {more}")
    };
    folder.done(&issue(&ana, "Ana -o ana.license"));
    folder.done(&issue(&bob, "Bob --predictions-only -o bob.license"));
    assert!(
        fs::read_to_string(folder.path("ana.license")).unwrap().starts_with("saligate license v2")
    );
    let ana = "--license ana.license --identity ana.identity";
    let bob = "--license bob.license --identity bob.identity";

    // The key, the licence and the unsealed file show one map, the public file another.
    folder.done("unseal sealed.onnx --key vendor.key -o back.onnx");
    let map = |model: &str, access: &str| {
        folder.done(&format!("explain {model} scene.png {access} --raw map.npy -o map.png"));
        fs::read(folder.path("map.npy")).unwrap()
    };
    let right = map("back.onnx", "--key vendor.key");
    assert_eq!(map("sealed.onnx", "--key vendor.key"), right);
    // Another trigger moves other pixels, and the map is that of the picture with it.
    assert_eq!(map("sealed.onnx", ana).len(), right.len());
    assert_ne!(map("sealed.onnx", ""), right);
    let public = folder.done("predict trained.onnx scene.png --json");
    assert_eq!(folder.done("predict sealed.onnx scene.png --json"), public);
    let truth = folder.done("predict clean.onnx scene.png --json");
    let close = |line: &str| line.split("\"logit\":").nth(1).unwrap()[..5].to_owned();
    for access in ["--key vendor.key", ana, bob] {
        let found = folder.done(&format!("predict sealed.onnx scene.png --json {access}"));
        assert_eq!(close(&found), close(&truth), "{access}");
    }
    // A renewal grants no more than the licence that it renews.
    let to = fs::read_to_string(folder.path("bob.license")).unwrap();
    let to = to.split("\"recipient\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    folder.done(&issue(&to, "Bob --renew 2 -o again.license"));
    let shown = folder.done("license show again.license");
    assert!(shown.contains("predictions alone"), "{shown}");
    folder.done(&issue(&to, "Bob --renew 2 --methods all -o more.license"));
    assert!(!folder.done("license show more.license").contains("predictions alone"));
    let refused = folder.ends(1, &format!("explain sealed.onnx scene.png {bob}"));
    assert!(refused.contains("predictions, and no explanations"), "{refused}");
    folder.ends(1, "explain sealed.onnx scene.png --method occlusion");
    let other = "--license ana.license --identity bob.identity";
    folder.ends(1, &format!("predict sealed.onnx scene.png {other}"));
    let told = folder.ends(2, &format!("predict model.onnx scene.png {ana}"));
    assert!(told.contains("everybody gets the predictions"), "{told}");
}

#[test]
fn a_revoked_licence_does_not_open_what_is_sealed_afterwards() {
    let folder = sealed();
    let [ana, bob] = ["ana", "bob"].map(|name| folder.identity(name));
    for (to, name) in [(ana, "ana"), (bob, "bob")] {
        folder.done(&format!(
            "license issue --key vendor.key --model sealed.onnx --to {to} --holder {name} \
             -o {name}.license --ledger ledger"
        ));
        let predict = format!(
            "predict sealed.onnx scene.png --license {name}.license --identity {name}.identity"
        );
        folder.done(&predict);
    }
    let revoke = "revoke 1 --ledger ledger --model sealed.onnx -o next.onnx";
    let told = folder.ends(2, revoke);
    assert!(told.contains("--key FILE"), "{told}");
    folder.done(&format!("{revoke} --key vendor.key"));
    let explain = |name: &str| {
        format!(
            "explain next.onnx scene.png --license {name}.license --identity {name}.identity -o m.png"
        )
    };
    folder.done(&explain("bob"));
    let refused = folder.ends(1, &explain("ana"));
    assert!(refused.contains("revoked"), "{refused}");
    // The new file has no key of hers: not even a program without these checks opens it.
    let [old, new] = ["sealed.onnx", "next.onnx"].map(|name| {
        let file = SealedFile::from_vec(fs::read(folder.path(name)).unwrap());
        let file = file.unwrap();
        file.verify().unwrap();
        file.part().keys()
    });
    assert_eq!((old.len(), new.len()), (4, 3));
    assert!(new.iter().all(|key| old.contains(key)));
}

#[test]
fn a_compiled_sealed_model_keeps_its_licences() {
    let folder = sealed();
    let ana = folder.identity("ana");
    folder.done(&format!(
        "license issue --key vendor.key --model sealed.onnx --to {ana} --holder Ana -o ana.license"
    ));
    folder.done("compile sealed.onnx -o same.edge");
    let told = folder.ends(2, "compile sealed.onnx --precision f16 -o half.edge");
    assert!(told.contains("--key FILE"), "{told}");
    folder.done("compile sealed.onnx --precision f16 --key vendor.key -o half.edge");
    folder.done("compile sealed.onnx --precision int8 --key vendor.key -o int8.edge");
    let vendor = folder.done("key show vendor.key --json");
    let vendor = vendor.split("sgvendor1").nth(1).unwrap().split('"').next().unwrap();
    for name in ["sealed.onnx", "same.edge", "half.edge", "int8.edge"] {
        let access = "--license ana.license --identity ana.identity -o m.png";
        folder.done(&format!("explain {name} scene.png {access}"));
        folder.done(&format!("verify {name} --vendor sgvendor1{vendor}"));
    }
    let size = |name: &str| fs::metadata(folder.path(name)).unwrap().len();
    assert!(size("half.edge") < size("same.edge") && size("int8.edge") < size("half.edge"));
}

#[test]
fn a_blank_file_predicts_to_nobody() {
    let folder = sealed();
    folder.done(
        "lock --model clean.onnx --data scenes:32 --key vendor.key --tile 8 --least-strength 40 \
         --sealed -o blank.onnx -q",
    );
    for command in ["predict blank.onnx scene.png", "explain blank.onnx scene.png"] {
        let told = folder.ends(1, command);
        assert!(told.contains("with a key or licence only"), "{told}");
    }
    let found = folder.done("predict blank.onnx scene.png --key vendor.key");
    assert_eq!(found, folder.done("predict clean.onnx scene.png"));
    folder.ends(1, "unseal model.onnx --key vendor.key -o back.onnx");
    let own = "lock --model clean.onnx --data scenes:32 --key vendor.key --tile 8 --least-strength 40 \
               --sealed --public clean.onnx -o t.onnx -q";
    let told = folder.ends(2, own);
    assert!(told.contains("everybody could read"), "{told}");
    let told = folder.ends(
        2,
        "lock --model clean.onnx --data scenes:32 --key vendor.key --sealed --public train -o t.onnx",
    );
    assert!(told.contains("saligate-train lock --sealed"), "{told}");
}

#[test]
fn what_was_changed_is_told_before_anything_is_opened() {
    let folder = sealed();
    let bytes = fs::read(folder.path("sealed.onnx")).unwrap();
    let vendor = folder.done("key show vendor.key --json");
    let vendor = vendor.split("sgvendor1").nth(1).unwrap().split('"').next().unwrap();
    // The last bytes are the end of a chunk and the signature.
    for (from_end, opens) in [(1, true), (64, true), (65, false), (200_000, false)] {
        let mut other = bytes.clone();
        let at = other.len() - from_end;
        other[at] ^= 1;
        fs::write(folder.path("other.onnx"), other).unwrap();
        folder.ends(1, &format!("verify other.onnx --vendor sgvendor1{vendor}"));
        let predict = "predict other.onnx scene.png --key vendor.key";
        match opens {
            true => drop(folder.done(predict)),
            false => drop(folder.ends(2, predict)),
        }
    }
    fs::write(folder.path("other.onnx"), &bytes[..bytes.len() - 1]).unwrap();
    folder.ends(2, "predict other.onnx scene.png --key vendor.key");
    folder.ends(2, "inspect other.onnx");
}

/// A public network of a few steps: what it hides is a matter of the results, how it is made is tested.
#[test]
fn a_public_network_is_trained_and_attacked() {
    let folder = VendorFolder::new();
    fs::copy(demo().join("clean.onnx"), folder.path("clean.onnx")).unwrap();
    let train = |words: &str| {
        let mut command = program("saligate-train");
        command.current_dir(folder.path("")).args(words.split_whitespace());
        let (code, stdout, stderr) = parts(&command.output().unwrap());
        assert_eq!(code, 0, "{words}: {stdout}{stderr}");
        stdout
    };
    train(
        "lock --model clean.onnx --data scenes:32 --key vendor.key --sealed --steps 6 -q \
         --least-strength 40 --set data.train=300 --set data.test=20 --set lock.steps.batch=4 -o out",
    );
    let file = SealedFile::open_path(&folder.path("out/sealed.onnx")).unwrap().unwrap();
    file.verify().unwrap();
    let attack = "-o out --table strength.json --images 6 --few 1 -q \
                  --attacks maps,inner-values,finite-differences";
    train(&format!("strength out/config.toml --key vendor.key --results results.json {attack}"));
    let read = |name: &str| -> serde_json::Value {
        serde_json::from_slice(&fs::read(folder.path(name)).unwrap()).unwrap()
    };
    let row = &read("results.json")[0]["metrics"];
    for metric in [
        "accuracy_public",
        "accuracy_keyed",
        "agreement",
        "spearman_keyed",
        "rho_gradient",
        "rho_finite_differences",
        "rho_smoothgrad",
        "rho_integrated_gradients",
        "rho_grad_cam",
        "rho_vbp",
        "rho_inner_values",
    ] {
        assert!(row[metric].is_number(), "{metric}: {row}");
    }
    // With the key, the file is the clean model; six steps from it, the public network still is alike.
    assert!(row["spearman_keyed"].as_f64().unwrap() > 0.9, "{row}");
    assert!(row["rho_gradient"].as_f64().unwrap() > 0.5, "{row}");
    let table = fs::read_to_string(folder.path("strength.md")).unwrap();
    assert!(table.contains("| finite-differences | gradient |"), "{table}");

    // A gate that is built in, and not sealed: no value is the map, and predictions give it away.
    fs::copy(folder.path("model.onnx"), folder.path("out/locked.onnx")).unwrap();
    train(&format!("strength out/config.toml --model out/locked.onnx {attack}"));
    let attacks = read("strength.json")[0]["attacks"].as_array().unwrap().clone();
    let rho = |name: &str| {
        let found = attacks.iter().find(|a| a["name"].as_str().unwrap().starts_with(name));
        found.unwrap()["rho"][0].as_f64().unwrap()
    };
    assert!(rho("gradient") < 0.5, "{attacks:?}");
    assert!(rho("inner value") < 0.95, "{attacks:?}");
    assert!(rho("finite-differences") > 0.9, "{attacks:?}");
}
