//! `saligate device`: what this machine is called in licences.

use saligate_console::{Failure, emit};
use saligate_runtime::device_name;

pub(crate) fn run() -> Result<(), Failure> {
    let name = device_name().ok_or_else(|| {
        Failure::no("this system has no machine id, and so no name")
            .hint("any text of your own, the same in `license issue` and `explain --device`")
    })?;
    emit(&name)
}
