//! Parameters of methods, and values for them.

use std::num::{ParseFloatError, ParseIntError};

/// What can be set of a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// The name, on command lines too.
    pub name: &'static str,
    /// What its values are.
    pub kind: Kind,
    /// What a value counts or measures, as a placeholder in help texts.
    pub unit: &'static str,
    /// What it is and what it is by default, for people.
    pub about: &'static str,
}

/// What the values of a parameter are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Whole numbers from 0.
    Whole,
    /// Any number.
    Number,
}

/// The value of a parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// Of [`Kind::Whole`].
    Whole(u64),
    /// Of [`Kind::Number`].
    Number(f32),
}

impl Parameter {
    pub(crate) const fn whole(name: &'static str, unit: &'static str, about: &'static str) -> Self {
        Self { name, kind: Kind::Whole, unit, about }
    }

    pub(crate) const fn number(
        name: &'static str,
        unit: &'static str,
        about: &'static str,
    ) -> Self {
        Self { name, kind: Kind::Number, unit, about }
    }

    /// Reads a value.
    ///
    /// # Errors
    /// In words, where the text is no number of the parameter's kind.
    pub fn parse(&self, text: &str) -> Result<Value, String> {
        match self.kind {
            Kind::Whole => {
                let value = text.parse().map_err(|error: ParseIntError| error.to_string());
                value.map(Value::Whole)
            }
            Kind::Number => {
                let value = text.parse().map_err(|error: ParseFloatError| error.to_string());
                value.map(Value::Number)
            }
        }
    }
}

/// Values of some parameters by their names. What is not set is as the method has it by default.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings(Vec<(String, Value)>);

impl Settings {
    /// The same with one more value, in the place of an earlier one of this name. Names and kinds
    /// are checked by [`Explainer::named`](super::Explainer::named).
    pub fn with(mut self, parameter: &str, value: Value) -> Self {
        self.0.retain(|(name, _)| name != parameter);
        self.0.push((parameter.to_owned(), value));
        self
    }

    /// Those that belong to a method.
    pub fn of_method(mut self, method: &str) -> Self {
        self.0.retain(|(name, _)| super::owners(name).contains(&method));
        self
    }

    /// Names of the parameters that are set, in the order in which they were.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// A whole number. One with a point is refused before a method is made.
    pub(crate) fn whole(&self, parameter: &str) -> Option<u64> {
        match self.value(parameter)? {
            Value::Whole(value) => Some(value),
            Value::Number(_) => None,
        }
    }

    /// A whole number as a count, the greatest one where the machine has none as large.
    pub(crate) fn count(&self, parameter: &str) -> Option<usize> {
        self.whole(parameter).map(|value| usize::try_from(value).unwrap_or(usize::MAX))
    }

    pub(crate) fn number(&self, parameter: &str) -> Option<f32> {
        self.value(parameter).map(|value| match value {
            Value::Number(value) => value,
            Value::Whole(value) => value as f32,
        })
    }

    pub(super) fn value(&self, parameter: &str) -> Option<Value> {
        self.0.iter().find(|(name, _)| name == parameter).map(|&(_, value)| value)
    }
}
