//! Manifests that older versions wrote keep reading. The files are those of the demo model at the
//! commits that shipped it.

use saligate_files::manifest::{MANIFEST_VERSION, Manifest, ManifestError};

const OLD: [(u32, &str); 2] =
    [(1, include_str!("manifests/v1.json")), (2, include_str!("manifests/v2.json"))];

#[test]
fn old_versions_read() {
    for (version, text) in OLD {
        let manifest = Manifest::from_json(text).unwrap();
        assert_eq!(manifest.version, version);
        assert_eq!((manifest.labels.len(), manifest.input.resize), (10, None));
        let gate = manifest.gate.as_ref().unwrap();
        assert_eq!((gate.keys.len(), gate.vendor), (1, None));
        assert_eq!(Manifest::from_json(&manifest.to_json()).unwrap(), manifest);
    }
}

/// A fast parser finds a neighbour of the number that was written.
#[test]
fn figures_read_as_they_were_written() {
    let (_, text) = OLD[1];
    let text = text.replace("\"metrics\":{", "\"metrics\":{\"a\":1.03137254901960784,");
    let manifest = Manifest::from_json(&text).unwrap();
    assert_eq!(Manifest::from_json(&manifest.to_json()).unwrap(), manifest);
}

#[test]
fn newer_versions_are_told_from_damage() {
    for (version, text) in OLD {
        let newer = MANIFEST_VERSION + 1;
        let text = text.replace(
            &format!("\"version\":{version}"),
            &format!("\"version\":{newer},\"unheard\":[]"),
        );
        let error = Manifest::from_json(&text).unwrap_err();
        assert!(matches!(error, ManifestError::Version { found } if found == newer), "{error}");
    }
}

#[test]
fn cut_doubled_and_unknown_fields_are_refused() {
    for (_, text) in OLD {
        let text = text.trim_end();
        for end in 0..text.len() {
            assert!(Manifest::from_json(&text[..end]).is_err(), "cut at {end}");
        }
        for (from, to) in [
            ("\"labels\":", "\"labels\":[],\"labels\":"),
            ("\"keys\":[\"", "\"keys\":[\"00"),
            ("\"keys\":[", "\"keys\":[],\"more\":["),
            ("\"size\":8", "\"size\":0"),
            ("\"decoy\":\"padlock\"", "\"decoy\":\"padlock\",\"vendor\":\"sgvendor1\""),
        ] {
            let changed = text.replace(from, to);
            assert_ne!(changed, text);
            assert!(Manifest::from_json(&changed).is_err(), "{from} to {to}");
        }
    }
}
