//! Tensors kept in other files: only below the model's own folder, and only what is there.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

use super::super::OnnxError;
use super::super::proto;

/// The bytes of a tensor that needs this many.
pub(super) fn read(
    tensor: &proto::Tensor,
    bytes: usize,
    folder: Option<&Path>,
) -> Result<Vec<u8>, OnnxError> {
    let bad = |reason: String| OnnxError::Tensor { name: tensor.name.clone(), reason };
    let folder = folder.ok_or_else(|| bad("is kept in another file".to_owned()))?;
    let entry = |key: &str| tensor.external_data.iter().find(|e| e.key == key).map(|e| &e.value);
    let location = entry("location").ok_or_else(|| bad("does not say where it is".to_owned()))?;
    let number = |key: &str, default: u64| match entry(key) {
        None => Ok(default),
        Some(text) => text.parse().map_err(|_| bad(format!("has the {key} '{text}'"))),
    };
    let (offset, length) = (number("offset", 0)?, number("length", bytes as u64)?);
    if length != bytes as u64 {
        return Err(bad(format!("has {length} bytes in '{location}', its shape needs {bytes}")));
    }

    let path = inside(folder, location).map_err(bad)?;
    let io = |source| OnnxError::Io { path: path.clone(), source };
    let about = path.metadata().map_err(io)?;
    if !about.is_file() {
        return Err(bad(format!("is kept in '{location}', which is no file")));
    }
    if offset.checked_add(length).is_none_or(|end| end > about.len()) {
        return Err(bad(format!(
            "is {length} bytes from {offset} in '{location}', which has {}",
            about.len()
        )));
    }
    let mut file = File::open(&path).map_err(io)?;
    file.seek(SeekFrom::Start(offset)).map_err(io)?;
    let mut data = vec![0; bytes];
    file.read_exact(&mut data).map_err(io)?;
    Ok(data)
}

/// The file at a place below a folder, links followed; the reason where it is elsewhere.
fn inside(folder: &Path, location: &str) -> Result<PathBuf, String> {
    let plain = |part| matches!(part, Component::Normal(_) | Component::CurDir);
    let relative = Path::new(location);
    let outside = || format!("is kept in '{location}', outside the model's folder");
    if location.is_empty() || !relative.components().all(plain) {
        return Err(outside());
    }
    let resolved = |path: &Path| {
        path.canonicalize().map_err(|e| format!("is kept in '{location}', which is missing ({e})"))
    };
    // The folder of a bare file name is empty.
    let folder = Path::new(".").join(folder);
    let (folder, path) = (resolved(&folder)?, resolved(&folder.join(relative))?);
    if path.starts_with(&folder) { Ok(path) } else { Err(outside()) }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn tensor(entries: &[(&str, &str)]) -> proto::Tensor {
        let entry = |&(key, value): &(&str, &str)| proto::StringEntry {
            key: key.into(),
            value: value.into(),
        };
        proto::Tensor {
            name: "t".to_owned(),
            external_data: entries.iter().map(entry).collect(),
            ..Default::default()
        }
    }

    #[test]
    fn only_files_below_the_folder_are_read() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("model");
        fs::create_dir_all(folder.join("sub")).unwrap();
        fs::write(outer.path().join("secret"), [7; 16]).unwrap();
        fs::write(folder.join("sub/data"), [1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
        let get = |entries: &[(&str, &str)]| {
            read(&tensor(entries), 4, Some(&folder)).map_err(|e| e.to_string())
        };
        assert_eq!(get(&[("location", "sub/data")]), Ok(vec![1, 2, 3, 4]));
        assert_eq!(get(&[("location", "./sub/data"), ("offset", "4")]), Ok(vec![5, 6, 7, 8]));
        let secret = outer.path().join("secret");
        for location in ["../secret", "sub/../../secret", secret.to_str().unwrap(), ""] {
            let error = get(&[("location", location)]).unwrap_err();
            assert!(error.contains("outside the model's folder"), "{location}: {error}");
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(&secret, folder.join("link")).unwrap();
            let error = get(&[("location", "link")]).unwrap_err();
            assert!(error.contains("outside the model's folder"), "{error}");
        }
        let wrong: [(&[(&str, &str)], &str); 6] = [
            (&[], "does not say where"),
            (&[("location", "missing")], "which is missing"),
            (&[("location", "sub")], "which is no file"),
            (&[("location", "sub/data"), ("offset", "5")], "which has 8"),
            (&[("location", "sub/data"), ("offset", "-1")], "offset '-1'"),
            (&[("location", "sub/data"), ("length", "8")], "its shape needs 4"),
        ];
        for (entries, reason) in wrong {
            let error = get(entries).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
        let huge = [("location", "sub/data"), ("offset", "18446744073709551615")];
        assert!(get(&huge).unwrap_err().contains("which has 8"));
        assert!(read(&tensor(&huge), 4, None).is_err());
    }
}
