//! What can be told of a file before it is decoded: its size in memory, and who wrote it.
//!
//! An empty message takes two bytes in a file and some hundred as a structure, so the messages are
//! counted before they are decoded. The contents of tensors take about as much as in the file.

use super::OnnxError;

/// Largest number of fields of the network, without the elements of its tensors: fifty for each of
/// 20 000 nodes.
const MAX_FIELDS: usize = 1_000_000;

/// A kind of message, with the fields that hold other messages.
#[derive(Clone, Copy)]
enum Kind {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    Other,
    /// No message: text or packed numbers.
    Leaf,
}

impl Kind {
    fn child(self, field: u64) -> Self {
        match (self, field) {
            (Self::Model, 7) => Self::Graph,
            (Self::Model, 8 | 14) => Self::Other,
            (Self::Graph, 1) => Self::Node,
            (Self::Graph, 5) | (Self::Attribute, 5) => Self::Tensor,
            (Self::Graph, 11 | 12) => Self::Other,
            (Self::Node, 5) => Self::Attribute,
            (Self::Tensor, 13) => Self::Other,
            // A type, its tensor, the shape of that and each axis.
            (Self::Other, 1 | 2) => Self::Other,
            _ => Self::Leaf,
        }
    }
}

/// Counts the fields of a file.
pub(super) fn check(bytes: &[u8]) -> Result<(), OnnxError> {
    let mut left = MAX_FIELDS;
    let mut open = vec![(Kind::Model, bytes)];
    while let Some((kind, mut rest)) = open.pop() {
        // What is malformed is left to the decoder.
        while let Some((field, content, behind)) = next_field(rest) {
            left = left.checked_sub(1).ok_or(OnnxError::Limit { what: "nodes and attributes" })?;
            match (kind.child(field), content) {
                (Kind::Leaf, _) | (_, None) => {}
                (child, Some(content)) => open.push((child, content)),
            }
            rest = behind;
        }
    }
    Ok(())
}

/// Whether the file's metadata has an entry with this key.
pub(super) fn has_metadata(bytes: &[u8], key: &str) -> bool {
    const METADATA: u64 = 14;
    const KEY: u64 = 1;
    let mut rest = bytes;
    while let Some((field, content, behind)) = next_field(rest) {
        let is_key = |entry| matches!(next_field(entry), Some((KEY, Some(found), _)) if found == key.as_bytes());
        if field == METADATA && content.is_some_and(is_key) {
            return true;
        }
        rest = behind;
    }
    false
}

/// The number of a field, its bytes if it has a length, and what follows.
type Field<'a> = (u64, Option<&'a [u8]>, &'a [u8]);

fn next_field(bytes: &[u8]) -> Option<Field<'_>> {
    let (key, rest) = varint(bytes)?;
    let (content, behind) = match key & 7 {
        0 => (None, varint(rest)?.1),
        1 => (None, rest.get(8..)?),
        2 => {
            let (length, rest) = varint(rest)?;
            let (content, behind) = rest.split_at_checked(usize::try_from(length).ok()?)?;
            (Some(content), behind)
        }
        5 => (None, rest.get(4..)?),
        _ => return None,
    };
    Some((key >> 3, content, behind))
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0u64;
    for (position, byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f).checked_shl(7 * position as u32)?;
        if byte & 0x80 == 0 {
            return Some((value, &bytes[position + 1..]));
        }
    }
    None
}
