//! The fields of an ONNX file that are not its network, read without the network.

use std::io::{self, BufReader, Read, Seek, SeekFrom};

use super::limits::{METADATA, entry};
use super::{MANIFEST_KEY, SEALED_FIELD};
use crate::manifest::MAX_MANIFEST_BYTES;
use crate::read::{MAX_FILE_BYTES, reserved};

/// Bytes of a metadata entry beside its value.
const ENTRY: u64 = 1 << 10;

/// The manifest and the sealed part of a file.
pub(crate) struct Found {
    pub(crate) manifest: Vec<u8>,
    pub(crate) part: Vec<u8>,
}

/// Reads them from a file that can be searched; `None` where one of them is missing or stands twice, or
/// the fields are broken.
pub(crate) fn read<F: Read + Seek>(file: &mut BufReader<F>) -> io::Result<Option<Found>> {
    let end = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(0))?;
    let (mut at, mut manifest, mut part) = (0, None, None);
    while at < end {
        let Some((field, length)) = field(file)? else { return Ok(None) };
        at = file.stream_position()?;
        if length > end.saturating_sub(at) {
            return Ok(None);
        }
        let wanted = match field {
            METADATA => length <= MAX_MANIFEST_BYTES as u64 + ENTRY,
            field if field == u64::from(SEALED_FIELD) => length <= MAX_FILE_BYTES,
            _ => false,
        };
        if wanted {
            let mut bytes = reserved(length)?;
            file.by_ref().take(length).read_to_end(&mut bytes)?;
            match field {
                METADATA => {
                    if let Some(value) = entry(&bytes, MANIFEST_KEY)
                        && manifest.replace(value.to_vec()).is_some()
                    {
                        return Ok(None);
                    }
                }
                _ if part.replace(bytes).is_some() => return Ok(None),
                _ => {}
            }
        }
        at += length;
        if !wanted {
            // Keeps what is buffered, where the next field is near.
            file.seek_relative(length as i64)?;
        }
    }
    Ok(manifest.zip(part).map(|(manifest, part)| Found { manifest, part }))
}

/// Number and length of the next field.
fn field(file: &mut impl Read) -> io::Result<Option<(u64, u64)>> {
    let Some(key) = varint(file)? else { return Ok(None) };
    let length = match key & 7 {
        0 => varint(file)?.map(|_| 0),
        1 => Some(8),
        2 => varint(file)?,
        5 => Some(4),
        _ => None,
    };
    Ok(length.map(|length| (key >> 3, length)))
}

fn varint(file: &mut impl Read) -> io::Result<Option<u64>> {
    let mut value = 0u64;
    for place in 0..10 {
        let mut byte = [0];
        if file.read(&mut byte)? == 0 {
            return Ok(None);
        }
        value |= u64::from(byte[0] & 0x7f).checked_shl(7 * place).unwrap_or_default();
        if byte[0] & 0x80 == 0 {
            return Ok(Some(value));
        }
    }
    Ok(None)
}
