//! The zoo's networks, as the digest of a model file sees them.

use saligate_files::weights_digest;
use saligate_models::zoo::{Architecture, Task, build};

/// The starting weights of the networks that results were published with.
#[test]
fn starting_weights_are_pinned() {
    let task = Task {
        image: [3, 32, 32],
        classes: 10,
        mean: vec![0.5; 3],
        std: vec![0.25; 3],
        bgr: false,
        widths: None,
    };
    for (architecture, digest) in [
        (Architecture::Small, "e4a7022ef96dcd54f5eb983e3b40647140c7d531ac83f96e05e4aa972b2b91cb"),
        (
            Architecture::ResNet20,
            "cacc562b5913e303d883db1207a83e89a143e178432995db03958e5f80941988",
        ),
    ] {
        let net = build(architecture, &task, 1).unwrap();
        assert_eq!(weights_digest(&net), digest, "{architecture}");
    }
}
