//! The names that mean something in a network: what is an input, what is trained, what belongs to a
//! gate.
//!
//! | name | what has it |
//! |---|---|
//! | [`IMAGE`], [`TARGET`] | the inputs |
//! | [`LOGITS`], [`ATTRIBUTION`], `attribution/METHOD` | the outputs |
//! | [`SEED`], `seed/...` | what gradients start from |
//! | [`PIXELS`], `pixels.PART` | what is done to the pixels before the first layer |
//! | `grad/...`, `grad-cam/...`, `vbp/...`, `method/...` | the nodes that methods append |
//! | `slope/OUTPUT` | the slope of a loss by an output, where a network is trained |
//! | `const/...` | a constant |
//! | `gate.PART` | a part of a gate |
//! | `gate.keys.PART` | what a gate has of its keys, a row for each |
//! | `own/...` | a value of an imported network that had one of these names |
//!
//! Whether a parameter is trained, rounded on a device or hashed for licences follows from its name;
//! the functions here are the one place where that is decided.

/// Name of the input with pixels in [0, 1], `[n, channel, row, column]`.
pub const IMAGE: &str = "image";
/// Name of the output with one score per class, before any softmax, `[n, class]`.
pub const LOGITS: &str = "logits";
/// Name of the input with class weights, `[n, class]` or `[1, class]`: a one-hot row explains that
/// class, and a row of zeros explains the predicted one.
pub const TARGET: &str = "target";
/// Name of the output with the scores of the first method: `[n, channel, row, column]`, of the
/// image's shape, or with one channel at the resolution of a layer.
pub const ATTRIBUTION: &str = "attribution";
/// Name of the class weights that gradients start from; what leads to them is below it.
pub const SEED: &str = "seed";
/// Name of the pixels as the first layer sees them, standardized; what leads to them begins so.
pub const PIXELS: &str = "pixels";
/// The value that tells whether the picture carries one of the keys: 1 or 0, `[n, 1]`.
pub const KEY_FOUND: &str = "gate.found.any";
/// The pixels without the trigger of a built-in gate's key, as far as there is one: what the
/// classifier behind the gate reads.
pub const RESTORED: &str = "gate.restored";

/// Start of the names of constants: a mean, a kernel of ones.
pub const CONSTANT: &str = "const/";
/// Start of the names of everything that belongs to a gate.
pub const GATE: &str = "gate.";
/// Start of the names of the parameters of a gate that have a row for each key.
pub const OF_KEYS: &str = "gate.keys.";
/// Start of the new names of imported values whose own ones are [reserved](is_reserved).
pub const OWN: &str = "own/";
/// Start of the names of the nodes that a gradient is made of.
pub const GRADIENT: &str = "grad/";
/// Start of the names of the slopes of a loss by the outputs of a network.
pub const SLOPE: &str = "slope/";
/// Start of the names of the nodes that Grad-CAM is made of.
pub const GRAD_CAM: &str = "grad-cam/";
/// Start of the names of the nodes that VisualBackProp is made of.
pub const VISUAL_BACKPROP: &str = "vbp/";

/// Start of the names of the nodes, and of the parameters, that the other methods are made of.
pub const METHOD: &str = "method/";

/// Starts of names that a network from elsewhere may not bring along.
const RESERVED: [&str; 9] =
    [ATTRIBUTION, SEED, PIXELS, GRADIENT, GRAD_CAM, VISUAL_BACKPROP, METHOD, OWN, GATE];

/// Whether a name has a meaning in a network of this house, so that a value of another network must
/// give it up. Constants, whose names say what they hold, keep theirs.
pub fn is_reserved(name: &str) -> bool {
    [IMAGE, LOGITS, TARGET].contains(&name) || RESERVED.iter().any(|stem| name.starts_with(stem))
}

/// The name that a value of another network has here: its own, or one below [`OWN`] where that is
/// [reserved](is_reserved).
pub fn imported(name: &str) -> String {
    if is_reserved(name) { format!("{OWN}{name}") } else { name.to_owned() }
}

/// Whether a name is that of a constant.
pub fn is_constant(name: &str) -> bool {
    name.starts_with(CONSTANT)
}

/// Whether a name belongs to a gate.
pub fn is_of_gate(name: &str) -> bool {
    name.starts_with(GATE)
}

/// Whether a name is that of a parameter with a row for each key of a gate.
pub fn is_of_keys(name: &str) -> bool {
    name.starts_with(OF_KEYS)
}

/// Whether training may change a weight of this name, and a device round it: neither constants nor
/// anything of a gate or of a method.
pub fn is_trained(name: &str) -> bool {
    !is_constant(name) && !is_of_gate(name) && !name.starts_with(METHOD)
}

/// Whether a parameter of this name makes the model what licences are issued for: all but constants
/// and what tells one key of a gate from another.
pub fn is_licensed(name: &str) -> bool {
    !is_constant(name) && !is_of_keys(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_is_neither_trained_nor_rounded_and_its_keys_are_not_licensed() {
        for (name, trained, licensed) in [
            ("conv1.weight", true, true),
            ("const/1/1x1", false, false),
            ("gate.field", false, true),
            ("gate.keys.tiles", false, false),
            ("gated.weight", true, true),
        ] {
            assert_eq!((is_trained(name), is_licensed(name)), (trained, licensed), "{name}");
        }
        assert!(is_of_gate(KEY_FOUND) && is_of_gate(OF_KEYS));
    }

    #[test]
    fn reserved_names_are_given_up_and_others_kept() {
        for name in [
            "image",
            "logits",
            "target",
            "attribution/vbp",
            "seed/own",
            "pixels.mean",
            "grad/conv1/conv",
            "grad-cam/map",
            "vbp/up",
            "own/x",
            "gate.field.coupling",
        ] {
            assert_eq!(imported(name), format!("own/{name}"));
        }
        for name in ["image2", "logits.weight", "const/1/1x1", "gated", "conv1"] {
            assert_eq!(imported(name), name);
        }
    }
}
