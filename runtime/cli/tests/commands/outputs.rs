//! What is written over what.

use std::fs;

use crate::folder::Folder;

#[test]
fn results_replace_no_record() {
    let folder = Folder::new();
    folder.identity("ana");
    fs::copy(Folder::demo("demo.key"), folder.path("old.key")).unwrap();
    for name in ["vendor.key", "ana.identity", "old.key"] {
        let before = fs::read(folder.path(name)).unwrap();
        let mut commands = vec![
            format!("import model.onnx -o {name}"),
            format!("demo -o {name}"),
            format!("compile model.onnx -o {name}"),
            format!("sign model.onnx --key vendor.key -o {name}"),
        ];
        for option in ["-o", "--overlay", "--panel", "--raw", "--attribution", "--triggered"] {
            commands.push(format!("explain model.onnx scene.png --key vendor.key {option} {name}"));
        }
        for words in commands {
            let stderr = folder.fails(2, &words);
            assert!(stderr.contains("is not replaced"), "{words}: {stderr}");
            assert!(stderr.contains("try: another name"), "{words}: {stderr}");
        }
        assert_eq!(fs::read(folder.path(name)).unwrap(), before, "{name}");
    }
    let record = fs::read(folder.path("vendor.key")).unwrap();
    fs::write(folder.path("scene.explained.png"), &record).unwrap();
    folder.fails(2, "explain model.onnx scene.png");
    assert_eq!(fs::read(folder.path("scene.explained.png")).unwrap(), record);
}

#[test]
fn results_replace_nothing_that_is_read() {
    let folder = Folder::new();
    fs::write(folder.path("words"), "correct horse").unwrap();
    folder.done("key protect vendor.key sealed.key --passphrase-file words");
    let explain = "explain model.onnx scene.png --key sealed.key --passphrase-file words -o";
    let compile =
        "compile model.onnx --compare scene.png --key sealed.key --passphrase-file words -o";
    for name in ["model.onnx", "./scene.png", "words"] {
        let before = fs::read(folder.path(name)).unwrap();
        for words in [explain, compile] {
            let stderr = folder.fails(2, &format!("{words} {name}"));
            assert!(stderr.contains("one of the files that are read"), "{words} {name}: {stderr}");
        }
        assert_eq!(fs::read(folder.path(name)).unwrap(), before, "{name}");
    }
}

#[test]
fn results_replace_results() {
    let folder = Folder::new();
    for _ in 0..2 {
        folder.done("explain model.onnx scene.png -o map.png --raw map.npy");
        folder.done("sign model.onnx --key vendor.key");
    }
    let stderr = folder.fails(2, "sign model.onnx --key vendor.key -o model.onnx");
    assert!(stderr.contains("is no signature"), "{stderr}");
}

/// It is as secret as the key.
#[cfg(unix)]
#[test]
fn a_triggered_picture_is_private() {
    use std::os::unix::fs::PermissionsExt;

    let folder = Folder::new();
    fs::write(folder.path("seen.png"), "a file that all can read").unwrap();
    for name in ["new.png", "seen.png"] {
        let explain = "explain model.onnx scene.png --key vendor.key --triggered";
        folder.done(&format!("{explain} {name}"));
        let mode = fs::metadata(folder.path(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}
