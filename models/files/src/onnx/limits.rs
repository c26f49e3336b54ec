//! What can be told of a file before it is decoded: its size in memory, and who wrote it.
//!
//! An empty message takes two bytes in a file and some hundred as a structure, so the messages are
//! counted before they are decoded. Raw bytes and floats take as much as in the file.

use super::OnnxError;

/// Largest number of fields of the network, without the elements of its tensors: fifty for each of
/// 20 000 nodes.
const MAX_FIELDS: usize = 1_000_000;

/// Largest number of bytes of elements that are stored one by one, not as raw bytes.
const MAX_PACKED: usize = 1 << 26;

/// A kind of message, with the fields that hold other messages.
#[derive(Clone, Copy)]
enum Kind {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    /// An input or output, and from there down to the axes of its shape.
    Value,
    Type,
    TensorType,
    Shape,
    /// A message of leaves.
    Flat,
    /// Packed numbers that a structure holds.
    Numbers,
    /// Packed elements of a tensor, which take up to eight times as much in memory.
    Elements,
    /// No message: text, bytes or floats.
    Leaf,
}

impl Kind {
    fn child(self, field: u64) -> Self {
        match (self, field) {
            (Self::Model, 7) => Self::Graph,
            (Self::Model, 8 | 14) | (Self::Tensor, 13) | (Self::Shape, 1) => Self::Flat,
            (Self::Graph, 1) => Self::Node,
            (Self::Graph, 5) | (Self::Attribute, 5) => Self::Tensor,
            (Self::Graph, 11 | 12) => Self::Value,
            (Self::Value, 2) => Self::Type,
            (Self::Type, 1) => Self::TensorType,
            (Self::TensorType, 2) => Self::Shape,
            (Self::Node, 5) => Self::Attribute,
            (Self::Tensor, 1) | (Self::Attribute, 8) => Self::Numbers,
            (Self::Tensor, 5 | 7 | 11) => Self::Elements,
            _ => Self::Leaf,
        }
    }
}

/// Counts the fields of a file.
pub(super) fn check(bytes: &[u8]) -> Result<(), OnnxError> {
    let (mut left, mut packed) = (MAX_FIELDS, MAX_PACKED);
    let mut open = vec![(Kind::Model, bytes)];
    while let Some((kind, mut rest)) = open.pop() {
        while let Some((field, content, behind)) = next_field(rest)? {
            let [fields, elements] = match (kind.child(field), content) {
                (Kind::Numbers, Some(content)) => [content.len(), 0],
                (Kind::Elements, Some(content)) => [1, content.len()],
                (Kind::Elements, None) => [1, 1],
                (Kind::Leaf | Kind::Numbers, _) | (_, None) => [1, 0],
                (child, Some(content)) => {
                    open.push((child, content));
                    [1, 0]
                }
            };
            let taken = (left.checked_sub(fields), packed.checked_sub(elements));
            let (Some(fields), Some(elements)) = taken else {
                return Err(OnnxError::Limit { what: "nodes, attributes or packed numbers" });
            };
            (left, packed) = (fields, elements);
            rest = behind;
        }
    }
    Ok(())
}

/// Numbers of fields: metadata in a file, key and value in an entry of it.
pub(super) const METADATA: u64 = 14;
const KEY: u64 = 1;
const VALUE: u64 = 2;

/// Whether the file's metadata has an entry with this key.
pub(super) fn has_metadata(bytes: &[u8], key: &str) -> bool {
    let mut rest = bytes;
    while let Ok(Some((field, content, behind))) = next_field(rest) {
        let is_key = |entry| matches!(next_field(entry), Ok(Some((KEY, Some(name), _))) if name == key.as_bytes());
        if field == METADATA && content.is_some_and(is_key) {
            return true;
        }
        rest = behind;
    }
    false
}

/// Where the bytes of a field of the outermost message stand, if it is there once.
pub(super) fn field(bytes: &[u8], number: u64) -> Option<std::ops::Range<usize>> {
    let (mut rest, mut found) = (bytes, None);
    while let Ok(Some((field, content, behind))) = next_field(rest) {
        if field == number {
            let end = bytes.len() - behind.len();
            let range = end - content?.len()..end;
            if found.replace(range).is_some() {
                return None;
            }
        }
        rest = behind;
    }
    found
}

/// The text of the entry of the file's metadata with this key.
pub(super) fn metadata<'a>(bytes: &'a [u8], key: &str) -> Option<&'a [u8]> {
    let mut rest = bytes;
    while let Ok(Some((field, content, behind))) = next_field(rest) {
        if let (METADATA, Some(content)) = (field, content)
            && let Some(value) = entry(content, key)
        {
            return Some(value);
        }
        rest = behind;
    }
    None
}

/// The text of a metadata entry, if it has this key.
pub(super) fn entry<'a>(entry: &'a [u8], key: &str) -> Option<&'a [u8]> {
    match next_field(entry) {
        Ok(Some((KEY, Some(name), value))) if name == key.as_bytes() => match next_field(value) {
            Ok(Some((VALUE, content, []))) => content,
            _ => None,
        },
        _ => None,
    }
}

/// The number of a field, its bytes if it has a length, and what follows.
type Field<'a> = (u64, Option<&'a [u8]>, &'a [u8]);

/// The first field of a message, if it has one. Groups are an error: ONNX has none.
fn next_field(bytes: &[u8]) -> Result<Option<Field<'_>>, OnnxError> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let field = || {
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
    };
    field().map(Some).ok_or_else(|| OnnxError::NotOnnx { detail: "broken fields".to_owned() })
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
