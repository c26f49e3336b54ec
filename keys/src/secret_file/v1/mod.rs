//! Key files of version 1, which are read but no longer written:
//!
//! ```text
//! # saligate key file
//! # created: 2026-11-23T14:31:21Z
//! # key id: cb119eaac5a19582
//! # label: bench by the window
//! saligate-secret-key-v1:000102…1e1f:9e11fb41
//! ```
//!
//! UTF-8 without control characters; lines end with LF or CRLF, the last one may lack its end, and
//! blanks around a line do not count. A line is empty; or a comment, of which `key id:` (checked)
//! and `label:` mean something and may stand once; or the secret, exactly once:
//! `saligate-secret-key-v1:`, 64 lowercase hex digits, `:`, and as 8 digits the first 4 bytes of
//! SHA-256 over `saligate-secret-key-v1:` and the 32 bytes.

mod error;
#[cfg(test)]
mod tests;

pub use error::{LineFault, V1Error};

use super::is_label;
use crate::{KeyId, Secret, Sha256, hex};

const TAG: &str = "saligate-secret-key-v";
const VERSION: &str = "1";
const CHECKSUM_LEN: usize = 4;

/// What a line says.
enum Line {
    Nothing,
    KeyId(KeyId),
    Label(String),
    Secret(Secret),
}

/// What a key file of version 1 says.
pub(super) struct Content {
    pub(super) secret: Secret,
    pub(super) label: Option<String>,
    /// The key id in a comment, not yet compared with the secret.
    pub(super) stated: Option<KeyId>,
}

/// Reads the text of a key file of version 1.
pub(super) fn parse(text: &[u8]) -> Result<Content, V1Error> {
    let (mut secret, mut stated, mut label) = (None, None, None);
    for (line, text) in (1..).zip(text.split(|&byte| byte == b'\n')) {
        let repeated = match parse_line(line, text)? {
            Line::Nothing => None,
            Line::KeyId(id) => stated.replace(id).map(|_| LineFault::SecondField),
            Line::Label(text) => label.replace(text).map(|_| LineFault::SecondField),
            Line::Secret(found) => secret.replace(found).map(|_| LineFault::SecondSecret),
        };
        if let Some(fault) = repeated {
            return Err(V1Error::Line { line, fault });
        }
    }
    let secret = secret.ok_or(V1Error::Empty)?;
    Ok(Content { secret, label, stated })
}

fn parse_line(line: usize, text: &[u8]) -> Result<Line, V1Error> {
    let fault = |fault| V1Error::Line { line, fault };
    let text = str::from_utf8(text).map_err(|_| fault(LineFault::Encoding))?;
    let text = text.trim();
    if text.contains(char::is_control) {
        return Err(fault(LineFault::Encoding));
    }
    if text.is_empty() {
        return Ok(Line::Nothing);
    }
    let Some(comment) = text.strip_prefix('#') else {
        return parse_secret(line, text).map(Line::Secret);
    };
    match comment.split_once(':') {
        Some((name, value)) => parse_field(name.trim(), value.trim()).map_err(fault),
        None => Ok(Line::Nothing),
    }
}

fn parse_field(name: &str, value: &str) -> Result<Line, LineFault> {
    match name {
        "key id" => value.parse().map(Line::KeyId).map_err(|_| LineFault::KeyId),
        "label" if is_label(value) => Ok(Line::Label(value.to_owned())),
        "label" => Err(LineFault::Label),
        _ => Ok(Line::Nothing),
    }
}

fn parse_secret(line: usize, text: &str) -> Result<Secret, V1Error> {
    let fault = |fault| V1Error::Line { line, fault };
    let malformed = || fault(LineFault::Syntax);
    let (version, text) =
        text.strip_prefix(TAG).and_then(|text| text.split_once(':')).ok_or_else(malformed)?;
    if version != VERSION {
        let found = version.parse().map_err(|_| malformed())?;
        return Err(V1Error::Version { line, found });
    }
    let (digits, check_digits) = text.split_once(':').ok_or_else(malformed)?;
    let mut secret = Secret::zeros();
    hex::decode(digits, secret.expose_mut()).ok_or_else(malformed)?;
    let mut found = [0; CHECKSUM_LEN];
    hex::decode(check_digits, &mut found).ok_or_else(malformed)?;
    if found != checksum(&secret) {
        return Err(fault(LineFault::Checksum));
    }
    Ok(secret)
}

/// Covers type and version beside the bytes, so that no line of another kind passes for this one.
fn checksum(secret: &Secret) -> [u8; CHECKSUM_LEN] {
    let mut hash = Sha256::new();
    for part in [TAG, VERSION, ":"] {
        hash.update(part.as_bytes());
    }
    hash.update(secret.expose());
    let mut checksum = [0; CHECKSUM_LEN];
    checksum.copy_from_slice(&hash.finish()[..CHECKSUM_LEN]);
    checksum
}
