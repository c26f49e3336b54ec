//! `saligate device`: what this machine is called in licences.

use saligate_runtime::device_name;

use crate::emit;
use crate::error::CliError;

pub(crate) fn run() -> Result<(), CliError> {
    let name = device_name().ok_or_else(|| {
        CliError::no("this system has no machine id, and so no name")
            .hint("any text of your own, the same in `license issue` and `explain --device`")
    })?;
    emit(&name)
}
