//! The text of a key file, described at [`KeyFile`].

use std::time::SystemTime;

use ring::digest;
use zeroize::Zeroizing;

use super::KeyFile;
use crate::{Error, KeyId, LineFault, Secret, hex, utc};

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

/// The text that [`parse`] reads back.
pub(super) fn render(file: &KeyFile, created: SystemTime) -> Zeroizing<String> {
    // All room at once: a string that grows leaves unwiped copies behind.
    let mut text = Zeroizing::new(String::with_capacity(KeyFile::MAX_LEN));
    let mut comment = |words: &[&str]| {
        text.push_str("# ");
        words.iter().for_each(|word| text.push_str(word));
        text.push('\n');
    };
    comment(&["saligate key file"]);
    comment(&["created: ", &utc::rfc_3339(created)]);
    comment(&["key id: ", &file.secret.id().to_string()]);
    if let Some(label) = &file.label {
        comment(&["label: ", label]);
    }
    text.push_str(TAG);
    text.push_str(VERSION);
    text.push(':');
    hex::encode_into(file.secret.expose(), &mut text);
    text.push(':');
    hex::encode_into(&checksum(&file.secret), &mut text);
    text.push('\n');
    text
}

/// Reads the text of a key file, from which the [permissions](KeyFile::permissions_too_open) are
/// not known.
pub(super) fn parse(text: &[u8]) -> Result<KeyFile, Error> {
    let (mut secret, mut stated, mut label) = (None, None, None);
    for (line, text) in (1..).zip(text.split(|&byte| byte == b'\n')) {
        let repeated = match parse_line(line, text)? {
            Line::Nothing => None,
            Line::KeyId(id) => stated.replace(id).map(|_| LineFault::SecondField),
            Line::Label(text) => label.replace(text).map(|_| LineFault::SecondField),
            Line::Secret(found) => secret.replace(found).map(|_| LineFault::SecondSecret),
        };
        if let Some(fault) = repeated {
            return Err(Error::KeyFileLine { line, fault });
        }
    }
    let secret = secret.ok_or(Error::KeyFileEmpty)?;
    let derived = secret.id();
    match stated {
        Some(stated) if stated != derived => Err(Error::KeyFileKeyId { stated, derived }),
        _ => Ok(KeyFile { secret, label, permissions_too_open: false }),
    }
}

fn parse_line(line: usize, text: &[u8]) -> Result<Line, Error> {
    let fault = |fault| Error::KeyFileLine { line, fault };
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
        "label" if super::is_label(value) => Ok(Line::Label(value.to_owned())),
        "label" => Err(LineFault::Label),
        _ => Ok(Line::Nothing),
    }
}

fn parse_secret(line: usize, text: &str) -> Result<Secret, Error> {
    let fault = |fault| Error::KeyFileLine { line, fault };
    let malformed = || fault(LineFault::Syntax);
    let (version, text) =
        text.strip_prefix(TAG).and_then(|text| text.split_once(':')).ok_or_else(malformed)?;
    if version != VERSION {
        let found = version.parse().map_err(|_| malformed())?;
        return Err(Error::KeyFileVersion { line, found });
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
    let mut hash = digest::Context::new(&digest::SHA256);
    for part in [TAG, VERSION, ":"] {
        hash.update(part.as_bytes());
    }
    hash.update(secret.expose());
    let mut checksum = [0; CHECKSUM_LEN];
    checksum.copy_from_slice(&hash.finish().as_ref()[..CHECKSUM_LEN]);
    checksum
}

#[cfg(test)]
mod tests;
