//! Any bytes as an ONNX file: as a model file of this project, and as a network from elsewhere that
//! is imported, explained and written. Nothing may panic, take long or fill the memory.
#![no_main]

use libfuzzer_sys::fuzz_target;
use saligate_files::ModelFile;
use saligate_files::import::{self, Preprocessing};
use saligate_files::onnx::{Foreign, to_bytes};
use saligate_models::saliency::{Attachment, Method, attach};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(model) = ModelFile::from_bytes(bytes) {
        let again = ModelFile::from_bytes(&model.to_onnx()).expect("what was read can be written");
        assert_eq!(again.manifest(), model.manifest());
    }
    let Ok(foreign) = Foreign::from_bytes(bytes, None) else {
        return;
    };
    Foreign::from_bytes(&to_bytes(&foreign.graph, None), None).expect("a network, as before");
    let Ok(classifier) = import::classifier(&foreign.graph, &Preprocessing::default()) else {
        return;
    };
    for method in Method::ALL {
        let found = Attachment::of(*method, &classifier);
        let _ = found.and_then(|explained| attach(&classifier, &[explained]));
    }
});
