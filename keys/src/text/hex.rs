//! Lowercase hexadecimal, without leaving copies of what passes through.

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Appends two digits for every byte. The caller reserves the room where a growing `String` would
/// leave a secret behind.
pub(crate) fn encode_into(bytes: &[u8], text: &mut String) {
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 0xf)]));
    }
}

/// Two digits for every byte.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    encode_into(bytes, &mut text);
    text
}

/// Fills `bytes` from exactly two lowercase digits each; `None` for anything else, and then `bytes`
/// may be partly filled.
pub(crate) fn decode(text: &str, bytes: &mut [u8]) -> Option<()> {
    if text.len() != 2 * bytes.len() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(())
}

fn digit(ascii: u8) -> Option<u8> {
    match ascii {
        b'0'..=b'9' => Some(ascii - b'0'),
        b'a'..=b'f' => Some(ascii - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_survives() {
        let bytes: Vec<u8> = (0..=255).collect();
        let mut back = [0; 256];
        decode(&encode(&bytes), &mut back).unwrap();
        assert_eq!(back.as_slice(), bytes);
    }

    #[test]
    fn only_lowercase_digits_of_the_right_number() {
        for text in ["", "0", "000", "0G", "0A", "é", "+1"] {
            assert!(decode(text, &mut [0; 1]).is_none(), "{text:?}");
        }
    }
}
