//! `inspect`.

use saligate_keys::VendorKeys;

use crate::folder::{Folder, secret};

#[test]
fn a_locked_model_shows_what_licences_call_it_and_who_signs_them() {
    let folder = Folder::new();
    let shown = folder.done("inspect model.onnx");
    let vendor = VendorKeys::of(&secret()).public();
    assert!(shown.contains(&format!("vendor        {vendor}")), "{shown}");
    let ana = folder.identity("ana");
    folder.done(&folder.issue(&ana, "--holder Ana"));
    let licence = folder.done("license show 1.license");
    let digest = licence.lines().find_map(|line| line.strip_prefix("model")).unwrap().trim();
    assert!(shown.contains(&format!("licensed as   {digest}")), "{shown}");
    let open = folder.done(&format!("inspect {}", Folder::demo("clean.onnx").display()));
    assert!(!open.contains("vendor") && !open.contains("licensed as"), "{open}");
}
