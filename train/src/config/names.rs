//! Saliency methods in configurations: by their names.

use saligate_models::saliency::Method;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A list of methods.
pub(crate) mod method_names {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(methods: &[Method], out: S) -> Result<S::Ok, S::Error> {
        out.collect_seq(methods.iter().map(|method| method.name()))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Method>, D::Error> {
        let names = Vec::<String>::deserialize(from)?;
        names.iter().map(|name| name.parse().map_err(D::Error::custom)).collect()
    }
}

/// One method or none.
pub(crate) mod method_name {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(
        method: &Option<Method>,
        out: S,
    ) -> Result<S::Ok, S::Error> {
        method.map(Method::name).serialize(out)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Method>, D::Error> {
        let name = Option::<String>::deserialize(from)?;
        name.map(|name| name.parse().map_err(D::Error::custom)).transpose()
    }
}
