use saligate_models::saliency::Method;

use super::*;
use crate::passes::testing::{Example, picture, unseen};

fn run(name: &str, settings: &Settings) -> Result<MethodExplanation, RuntimeError> {
    let model = Example::linear().model;
    let explainer = Explainer::named(name, settings)?;
    explainer.check(&model)?;
    explainer.run(&model, &picture(), Target::Predicted, None, &mut unseen)
}

#[test]
fn every_name_of_a_model_is_a_method_that_runs() {
    let model = Example::linear().model;
    let names = names(&model);
    assert_eq!(names[0], "gradient");
    let without_layer: Vec<_> = passes().filter(|name| *name != "score-cam").collect();
    assert_eq!(names[1..], without_layer);
    for name in names {
        // The picture has five rows, fewer than the usual cells.
        let settings = match name {
            "rise" => Settings::default().with("cells", Value::Whole(2)),
            _ => Settings::default(),
        };
        let found = run(name, &settings).unwrap();
        assert_eq!(found.passes.is_some(), reads(name).is_some(), "{name}");
        assert_eq!(found.explanation.map.len(), 30, "{name}");
    }
}

#[test]
fn all_names_are_different_and_those_of_graphs_read_no_passes() {
    let mut names: Vec<_> = all().collect();
    assert!(Method::ALL.iter().all(|method| reads(method.name()).is_none()));
    assert_eq!(reads("rise"), Some(Reads::Logits));
    assert_eq!(reads("smoothgrad"), Some(Reads::Gradient));
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn settings_are_those_of_the_method() {
    let model = Example::linear().model;
    let settings = Settings::default()
        .with("samples", Value::Whole(99))
        .with("samples", Value::Whole(3))
        .with("noise", Value::Number(0.02))
        .with("seed", Value::Whole(7));
    let found = run("smoothgrad", &settings).unwrap();
    let method = SmoothGrad { samples: 3, noise: 0.02, seed: 7 };
    let by_hand = method.run(&model, &picture(), Target::Predicted, None, &mut unseen).unwrap();
    assert_eq!(found.passes.as_ref().unwrap().count, 3);
    assert_eq!(found, by_hand.into());
    // What is whole is a number too.
    let covered = run("occlusion", &Settings::default().with("baseline", Value::Whole(1))).unwrap();
    let method = Occlusion { baseline: 1.0, ..Occlusion::default() };
    let by_hand = method.run(&model, &picture(), Target::Predicted, None, &mut unseen).unwrap();
    assert_eq!(covered, by_hand.into());
}

/// One that is not would be taken without effect.
#[test]
fn every_parameter_is_read() {
    for entry in PASSES {
        let usual = match entry.name {
            "rise" => Settings::default().with("cells", Value::Whole(2)),
            _ => Settings::default(),
        };
        for parameter in entry.parameters {
            let value = match parameter.kind {
                Kind::Whole => Value::Whole(3),
                Kind::Number => Value::Number(0.25),
            };
            // The gradient of this network depends on its picture.
            let model = Example::above(0.2).model;
            let told = |settings: &Settings| {
                let explainer = Explainer::named(entry.name, settings).unwrap();
                let target = Target::Class(0);
                format!("{:?}", explainer.run(&model, &picture(), target, None, &mut unseen))
            };
            let found = told(&usual.clone().with(parameter.name, value));
            assert_ne!(told(&usual), found, "{} of {}", parameter.name, entry.name);
        }
    }
}

#[test]
fn settings_of_other_methods_are_refused() {
    let refused = |name: &str, parameter: &str, value| {
        run(name, &Settings::default().with(parameter, value)).unwrap_err().to_string()
    };
    for (name, parameter, owners) in [
        ("gradient", "samples", "but to smoothgrad and gradient-shap"),
        ("smoothgrad", "masks", "but to rise"),
        ("occlusion", "seed", "but to smoothgrad and rise and gradient-shap"),
    ] {
        let error = refused(name, parameter, Value::Whole(1));
        assert!(error.starts_with(&format!("{parameter} does not belong")), "{error}");
        assert!(error.ends_with(owners), "{error}");
    }
    let error = refused("rise", "colour", Value::Whole(1));
    assert_eq!(error, "no method has a parameter 'colour'");
    let error = refused("rise", "masks", Value::Number(2.5));
    assert_eq!(error, "masks must be a whole number, not 2.5");
}

#[test]
fn values_are_read_by_their_kind() {
    let parse = |name: &str, text: &str| {
        let all = parameters();
        let (parameter, _) = all.iter().find(|(parameter, _)| parameter.name == name).unwrap();
        parameter.parse(text)
    };
    assert_eq!(parse("masks", "12"), Ok(Value::Whole(12)));
    assert_eq!(parse("noise", "0.5"), Ok(Value::Number(0.5)));
    assert_eq!(parse("noise", "-1"), Ok(Value::Number(-1.0)));
    for (name, text) in [("masks", "1.5"), ("masks", "-1"), ("masks", ""), ("noise", "much")] {
        assert!(parse(name, text).is_err(), "{name} {text}");
    }
}

#[test]
fn an_unknown_name_lists_all_methods_of_the_model() {
    let error = run("lime", &Settings::default()).unwrap_err();
    let RuntimeError::NoSuchMethod { asked, known } = error else { panic!("{error}") };
    assert_eq!(asked, "lime");
    assert_eq!(known[..2], ["gradient", "smoothgrad"]);
}
