//! The name in the shared library, which programs that are linked with it ask for.
#![cfg(all(target_pointer_width = "64", target_endian = "little"))]

use std::fs;
use std::path::Path;

use crate::{edge, own};

/// Of the ELF specification: a section with what the loader reads, and the entry with the name.
const SHT_DYNAMIC: usize = 6;
const DT_SONAME: usize = 14;

/// The `size` bytes at an offset, as a little-endian number.
fn number(file: &[u8], at: usize, size: usize) -> usize {
    file[at..at + size].iter().rev().fold(0, |number, &byte| (number << 8) | usize::from(byte))
}

/// DT_SONAME of a 64-bit ELF file.
fn soname(path: &Path) -> Option<String> {
    let file = fs::read(path).unwrap();
    assert_eq!(file[..6], *b"\x7fELF\x02\x01", "a 64-bit little-endian ELF file");
    let (sections, size, count) =
        (number(&file, 0x28, 8), number(&file, 0x3a, 2), number(&file, 0x3c, 2));
    let section = |index: usize| sections + index * size;
    let dynamic = (0..count).map(section).find(|&at| number(&file, at + 4, 4) == SHT_DYNAMIC)?;
    let (start, length) = (number(&file, dynamic + 0x18, 8), number(&file, dynamic + 0x20, 8));
    let entries = (start..start + length).step_by(16);
    let entry = entries.into_iter().find(|&at| number(&file, at, 8) == DT_SONAME)?;
    let texts = number(&file, section(number(&file, dynamic + 0x28, 4)) + 0x18, 8);
    let name = &file[texts + number(&file, entry + 8, 8)..];
    let end = name.iter().position(|&byte| byte == 0)?;
    Some(String::from_utf8(name[..end].to_vec()).unwrap())
}

#[test]
fn the_name_ends_with_the_major_version() {
    let expected = concat!("libsaligate.so.", env!("CARGO_PKG_VERSION_MAJOR"));
    for library in [Some(own()), edge()].into_iter().flatten() {
        assert_eq!(soname(&library).as_deref(), Some(expected), "{}", library.display());
    }
}

/// The reader tells something of libraries that others made, too.
#[test]
fn the_c_library_has_its_name() {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let path = maps.split_whitespace().find(|word| word.ends_with("/libc.so.6"));
    if let Some(path) = path {
        assert_eq!(soname(Path::new(path)).as_deref(), Some("libc.so.6"));
    }
}
