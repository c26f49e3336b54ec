//! Methods by name, with their settings.

use saligate_console::Failure;
use saligate_runtime::Model;
use saligate_runtime::method::{Explainer, Settings};

/// The methods, each with those of the settings that it has; every setting belongs to one of them.
pub(crate) fn explainers(
    settings: &Settings,
    model: &Model,
    methods: &[&str],
) -> Result<Vec<Explainer>, Failure> {
    let made = methods.iter().map(|name| {
        let own = match methods {
            [_] => settings.clone(),
            _ => settings.clone().of_method(name),
        };
        let explainer = Explainer::named(name, &own)?;
        explainer.check(model)?;
        Ok(explainer)
    });
    let made = made.collect::<Result<Vec<_>, Failure>>()?;
    let owned = |name: &str| {
        methods.iter().any(|m| settings.clone().of_method(m).names().any(|own| own == name))
    };
    match settings.names().find(|name| !owned(name)) {
        Some(name) => {
            Err(Failure::new(format!("--{name} belongs to none of {}", methods.join(", "))))
        }
        None => Ok(made),
    }
}
