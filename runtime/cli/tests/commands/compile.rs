//! What `compile` does to licences.

use crate::folder::Folder;

#[test]
fn a_licence_opens_the_compiled_model_whose_weights_are_as_before() {
    let folder = Folder::new();
    let ana = folder.identity("ana");
    folder.done(&folder.issue(&ana, "--holder Ana"));
    let stderr = folder.fails(0, "compile model.onnx -o model.edge");
    assert!(stderr.is_empty(), "{stderr}");
    let options = "--license 1.license --identity ana.identity -o map.png";
    let told = folder.done(&format!("explain model.edge scene.png {options}"));
    assert!(told.contains("(keyed)"), "{told}");
}

#[test]
fn licences_are_issued_for_the_model_with_rounded_weights() {
    let folder = Folder::new();
    let ana = folder.identity("ana");
    folder.done(&folder.issue(&ana, "--holder Ana"));
    let stderr = folder.fails(0, "compile model.onnx -o model.edge --precision int8");
    assert!(stderr.contains("licences issued for model.onnx do not open model.edge"), "{stderr}");
    assert!(stderr.contains("license issue --model model.edge"), "{stderr}");
    // No licence is issued for a model without a gate.
    let clean = Folder::demo("clean.onnx");
    let compile = format!("compile {} -o clean.edge --precision int8", clean.display());
    assert!(folder.fails(0, &compile).is_empty());

    let options = "--identity ana.identity -o map.png";
    let explain = format!("explain model.edge scene.png {options} --license");
    let stderr = folder.fails(1, &format!("{explain} 1.license"));
    assert!(stderr.contains("try: a licence for this very file"), "{stderr}");
    let stderr = folder.fails(
        1,
        &format!("explain model.onnx scene.png {options} --license 1.license --precision int8"),
    );
    assert!(stderr.contains("try: a licence for this very file"), "{stderr}");

    let issue = folder.issue(&ana, "--holder Ana").replace("model.onnx", "model.edge");
    folder.done(&issue);
    let told = folder.done(&format!("{explain} 2.license"));
    assert!(told.contains("(keyed)"), "{told}");
}
