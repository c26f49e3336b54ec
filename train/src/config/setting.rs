//! Single values of a configuration that a command line exchanges.

use std::str::FromStr;

use serde::Deserialize;
use toml::{Table, Value};

use super::{Config, ConfigError};

/// One value, by the path of its key: `lock.poison=0.25`, `lock.phases.2.steps=9000`.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// Names of tables and numbers of list entries, counted from 0, down to the key.
    path: Vec<String>,
    value: Value,
}

impl FromStr for Setting {
    type Err = String;

    /// The value is written as in TOML; what is none is a text.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is no setting; write KEY=VALUE, such as lock.poison=0.25");
        let (key, value) = text.split_once('=').ok_or_else(wrong)?;
        let path: Vec<String> = key.trim().split('.').map(str::to_owned).collect();
        if path.iter().any(String::is_empty) {
            return Err(wrong());
        }
        let parsed = toml::from_str::<Table>(&format!("value = {value}"));
        let parsed = parsed.ok().and_then(|mut table| table.remove("value"));
        Ok(Self { path, value: parsed.unwrap_or_else(|| Value::String(value.trim().to_owned())) })
    }
}

impl Config {
    /// The configuration with other values.
    ///
    /// # Errors
    /// There is no such key, or the values make no sense.
    pub fn with(self, settings: &[Setting]) -> Result<Self, ConfigError> {
        if settings.is_empty() {
            return Ok(self);
        }
        let error = |setting: &str, source| {
            let setting = setting.to_owned();
            ConfigError::Setting { setting, source }
        };
        let mut whole = self;
        for Setting { path, value } in settings {
            let name = path.join(".");
            let mut table = Value::Table(
                Table::try_from(&whole).expect("a configuration has string keys only"),
            );
            let place = place(&mut table, path).ok_or_else(|| error(&name, None))?;
            *place = value.clone();
            whole = Self::deserialize(table).map_err(|source| error(&name, Some(source)))?;
        }
        whole.check()?;
        Ok(whole)
    }
}

/// Where a value is or will be.
fn place<'a>(mut at: &'a mut Value, path: &[String]) -> Option<&'a mut Value> {
    let (last, before) = path.split_last()?;
    for key in before {
        at = match at {
            Value::Table(table) => {
                table.entry(key.as_str()).or_insert_with(|| Value::Table(Table::new()))
            }
            Value::Array(list) => list.get_mut(key.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    match at {
        Value::Table(table) => Some(table.entry(last.as_str()).or_insert(Value::Boolean(false))),
        Value::Array(list) => list.get_mut(last.parse::<usize>().ok()?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        let text = r#"
            id = "a"
            seed = 1
            data = { source = "scenes:16" }
            model = { architecture = "small" }
            fit = { steps = { count = 3, batch = 2, rate = 1e-3 } }
            evaluate = { images = 4, wrong_keys = 2, images_per_key = 1 }
            trigger = {}
            [lock]
            steps = { batch = 2, rate = 1e-3 }
            phases = [{ name = "one", steps = 4 }, { name = "two", steps = 5 }]
        "#;
        toml::from_str(text).unwrap()
    }

    fn with(settings: &[&str]) -> Result<Config, ConfigError> {
        let settings: Vec<Setting> = settings.iter().map(|text| text.parse().unwrap()).collect();
        config().with(&settings)
    }

    #[test]
    fn values_are_exchanged_where_they_are() {
        let other = with(&[
            "id=another one",
            "lock.poison=0.25",
            "lock.phases.1.steps = 9",
            "trigger.spec={ family = \"tile\", size = 4, amplitude = 2 }",
            "trigger.spec.amplitude=3",
        ])
        .unwrap();
        let mut expected = config();
        expected.id = "another one".to_owned();
        expected.lock.poison = 0.25;
        expected.lock.phases[1].steps = 9;
        expected.trigger.spec =
            toml::from_str("family = \"tile\"\nsize = 4\namplitude = 3").unwrap();
        assert_eq!(other, expected);
        assert_eq!(with(&[]).unwrap(), config());
    }

    #[test]
    fn what_is_no_setting_is_told() {
        for text in ["lock.poison", "=3", "lock..poison=1"] {
            assert!(text.parse::<Setting>().unwrap_err().contains("write KEY=VALUE"), "{text}");
        }
        for (text, part) in [
            ("lock.poision=1", "unknown field `poision`"),
            ("lock.phases.7.steps=1", "lock.phases.7.steps"),
            ("id.more=1", "id.more"),
            ("lock.poison=much", "lock.poison"),
            ("lock.poison=2", "poison"),
        ] {
            let error = with(&[text]).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
