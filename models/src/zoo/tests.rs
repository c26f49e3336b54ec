use std::slice::from_ref;

use ndarray::ArrayD;

use super::*;
use crate::reference::run;
use crate::saliency::{Attachment, Method, attach};

fn task(image: [usize; 3]) -> Task {
    Task {
        image,
        classes: 10,
        mean: vec![0.5; image[0]],
        std: vec![0.25; image[0]],
        bgr: false,
        widths: None,
    }
}

/// Number of trained weights and biases.
fn trained(net: &Graph) -> usize {
    let names = net.trainable();
    let shapes = names.iter().map(|name| net.shape(net.find(name).unwrap()));
    shapes.map(|shape| shape.iter().product::<usize>()).sum()
}

/// torchvision's counts for 1000 classes and images of 224 x 224. What is built here are smaller
/// images, on which only the first dense layers of AlexNet and VGG are narrower.
#[test]
fn networks_have_the_published_sizes() {
    let missing = |channels: usize, all: usize| channels * (all - 1) * 4096;
    for (architecture, side, missing, published) in [
        (Architecture::AlexNet, 63, missing(256, 6 * 6), 61_100_840),
        (Architecture::Vgg11, 32, missing(512, 7 * 7), 132_863_336),
        (Architecture::Vgg16, 32, missing(512, 7 * 7), 138_357_544),
        (Architecture::ResNet18, 32, 0, 11_689_512),
        (Architecture::ResNet34, 32, 0, 21_797_672),
        (Architecture::ResNet50, 32, 0, 25_557_032),
        (Architecture::SqueezeNet, 32, 0, 1_235_496),
        (Architecture::SqueezeNetCaffe, 32, 0, 1_235_496),
        (Architecture::MobileNetV2, 32, 0, 3_504_872),
        (Architecture::MobileNetV3Small, 32, 0, 2_542_856),
        (Architecture::DenseNet121, 32, 0, 7_978_856),
        (Architecture::EfficientNetB0, 32, 0, 5_288_548),
    ] {
        let task = Task { classes: 1000, ..task([3, side, side]) };
        let net = build(architecture, &task, 1).unwrap();
        assert_eq!(trained(&net) + missing, published, "{architecture}");
    }
}

/// He et al. 2016, table 6, gives 0.27 M and 0.85 M; the convolutional and dense weights of LeNet-5
/// add up by hand.
#[test]
fn networks_for_small_images_have_the_published_sizes() {
    for (architecture, image, published) in [
        (Architecture::ResNet20, [3, 32, 32], 269_722),
        (Architecture::ResNet56, [3, 32, 32], 853_018),
        (Architecture::LeNet5, [1, 28, 28], 156 + 2_416 + 48_120 + 10_164 + 850),
    ] {
        let net = build(architecture, &task(image), 1).unwrap();
        assert_eq!(trained(&net), published, "{architecture}");
    }
}

#[test]
fn images_may_be_as_small_as_the_table_says() {
    for (architecture, side) in [
        (Architecture::LeNet5, 12),
        (Architecture::AlexNet, 63),
        (Architecture::Vgg11, 32),
        (Architecture::ResNet20, 1),
        (Architecture::ResNet18, 1),
        (Architecture::SqueezeNet, 17),
        (Architecture::SqueezeNetCaffe, 17),
        (Architecture::MobileNetV2, 1),
        (Architecture::MobileNetV3Small, 1),
        (Architecture::DenseNet121, 29),
        (Architecture::EfficientNetB0, 1),
    ] {
        assert!(build(architecture, &task([3, side, side]), 1).is_ok(), "{architecture}");
        let smaller = build(architecture, &task([3, side - 1, side]), 1);
        assert!(smaller.is_err(), "{architecture}");
    }
}

#[test]
fn larger_maps_must_be_multiples_of_what_the_dense_layers_read() {
    let pooled = |size: [usize; 2]| {
        let mut layers = Layers::new(&task([1, size[0], size[1]]), 1).unwrap();
        let pixels = layers.pixels;
        let y = layers.adaptive_average_pool("avgpool", pixels, 7)?;
        Ok::<_, GraphError>(layers.size(y))
    };
    assert_eq!(pooled([7, 7]), Ok([7, 7]));
    assert_eq!(pooled([14, 5]), Ok([7, 5]));
    assert_eq!(pooled([28, 14]), Ok([7, 7]));
    let error = pooled([7, 10]).unwrap_err().to_string();
    assert!(error.contains("'avgpool'") && error.contains("at most 7 rows"), "{error}");
}

#[test]
fn windows_that_start_in_the_image_count() {
    // Side of the pooled map with windows of 3 every 2 pixels, rounded up, as PyTorch has it.
    for (size, pooled) in [(2, 1), (3, 1), (4, 2), (5, 2), (6, 3), (113, 56), (114, 57)] {
        let mut layers = Layers::new(&task([1, size, 3]), 1).unwrap();
        let y = layers.max_pool_ceil("pool", layers.pixels, [3, 2]).unwrap();
        assert_eq!(layers.graph.shape(y), [1, 1, pooled, 1], "{size}");
    }
}

#[test]
fn a_network_for_bgr_sees_the_channels_in_reverse() {
    let image = ArrayD::from_shape_fn(vec![1, 3, 8, 8], |i| (i[1] * 7 + i[2] + i[3]) as f64);
    let mut reversed = image.clone();
    reversed.invert_axis(ndarray::Axis(1));
    let statistics = Task { mean: vec![0.2, 0.5, 0.8], ..task([3, 8, 8]) };
    let turned = Task { mean: vec![0.8, 0.5, 0.2], bgr: true, ..task([3, 8, 8]) };
    let [a, b] = [(statistics, image), (turned, reversed)].map(|(task, image)| {
        run(&build(Architecture::Small, &task, 1).unwrap(), &[image]).unwrap()
    });
    assert_eq!(a, b);
}

#[test]
fn names_are_those_of_configurations() {
    for architecture in Architecture::ALL {
        assert_eq!(architecture.name().parse(), Ok(*architecture));
        let text = serde_json::to_string(architecture).unwrap();
        assert_eq!(text, format!("\"{architecture}\""));
        assert_eq!(serde_json::from_str::<Architecture>(&text).unwrap(), *architecture);
    }
    assert!("resnet19".parse::<Architecture>().unwrap_err().contains("small, lenet5"));
}

#[test]
fn folding_keeps_the_logits() {
    let net = build(Architecture::ResNet20, &task([3, 8, 8]), 1).unwrap();
    let folded = net.fold_batch_norm().unwrap();
    let image = ArrayD::from_shape_fn(vec![2, 3, 8, 8], |i| {
        ((i[0] * 7 + i[1] * 5 + i[2] * 3 + i[3]) % 11) as f64 / 11.0
    });
    let (a, b) = (run(&net, from_ref(&image)).unwrap(), run(&folded, &[image]).unwrap());
    let largest = (&a[0] - &b[0]).iter().fold(0.0f64, |m, d| m.max(d.abs()));
    assert!(largest < 1e-5, "{largest}");
}

#[test]
fn every_net_can_be_explained() {
    for architecture in Architecture::ALL {
        let net = build(*architecture, &task([1, 64, 64]), 1).unwrap();
        let net = net.fold_batch_norm().unwrap();
        for method in Method::ALL {
            // Its blocks have no activation that all paths pass.
            if (*architecture, *method) == (Architecture::Vit, Method::VisualBackProp) {
                continue;
            }
            let explained = Attachment::of(*method, &net).unwrap();
            let in_proportion =
                matches!(method, Method::LrpEpsilon | Method::LrpComposite | Method::DeepLift);
            match attach(&net, &[explained]) {
                Ok(_) => {}
                Err(_) if Method::OF_ATTENTION.contains(method) => {
                    assert_ne!(*architecture, Architecture::Vit, "{method}");
                }
                // Relevance of a product of two values is nothing that these methods define.
                Err(error) if in_proportion => {
                    assert!(error.to_string().contains("product"), "{architecture} {error}");
                }
                Err(error) => panic!("{architecture} {method}: {error}"),
            }
        }
    }
}

#[test]
fn the_seed_decides_the_weights() {
    let net = |seed| build(Architecture::Small, &task([1, 28, 28]), seed).unwrap();
    assert_eq!(net(1), net(1));
    assert_ne!(net(1), net(2));
}

#[test]
fn statistics_that_do_not_fit_the_channels_are_an_error() {
    let task = Task { mean: vec![0.5; 2], ..task([3, 8, 8]) };
    assert!(build(Architecture::Small, &task, 1).is_err());
}
