//! What this process has in memory, for tests that look for secrets in it.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;

/// Bytes of a needle are computed one by one, so that the search itself leaves no copy of it.
pub type Needle<'a> = &'a dyn Fn(usize) -> u8;

/// The allocator writes its own lists over the first bytes of a freed block, so these are gone
/// whether they were wiped or not.
pub const OVERWRITTEN: usize = 16;

/// Where these bytes of the needle stand in the data.
pub fn places(data: &[u8], bytes: Range<usize>, needle: Needle<'_>) -> usize {
    let fits = |start: &usize| bytes.clone().all(|i| data[start + i - bytes.start] == needle(i));
    (0..(data.len() + 1).saturating_sub(bytes.len())).filter(fits).count()
}

/// The memory that this process can write to.
pub struct Memory {
    file: File,
    maps: String,
    buffer: Vec<u8>,
}

impl Memory {
    /// To be made before there are secrets: what it allocates later could be put over what a secret
    /// left behind.
    pub fn new() -> Self {
        let file = File::open("/proc/self/mem").unwrap();
        Self { file, maps: String::with_capacity(1 << 20), buffer: vec![0; 1 << 20] }
    }

    /// How often these bytes of the needle stand in it.
    pub fn count(&mut self, bytes: Range<usize>, needle: Needle<'_>) -> usize {
        self.maps.clear();
        File::open("/proc/self/maps").unwrap().read_to_string(&mut self.maps).unwrap();
        let maps = std::mem::take(&mut self.maps);
        let found = maps.lines().filter_map(writable);
        let found = found.map(|part| self.count_in(part, bytes.clone(), needle)).sum();
        self.maps = maps;
        self.buffer.fill(0);
        found
    }

    fn count_in(&mut self, part: Range<u64>, bytes: Range<usize>, needle: Needle<'_>) -> usize {
        let own = self.buffer.as_ptr() as u64;
        let (mut at, mut found) = (part.start, 0);
        while at < part.end {
            let size = (part.end - at).min(self.buffer.len() as u64);
            // The buffer would find what was copied into it.
            if at < own + self.buffer.len() as u64 && own < at + size {
                at += size;
                continue;
            }
            let read = &mut self.buffer[..size as usize];
            self.file.seek(SeekFrom::Start(at)).unwrap();
            if self.file.read_exact(read).is_err() {
                break;
            }
            found += places(read, bytes.clone(), needle);
            // Over the seam between two reads.
            let seam = if at + size < part.end { bytes.len() as u64 - 1 } else { 0 };
            at += size - seam;
        }
        found
    }
}

/// The addresses in a line of `/proc/self/maps`, if they can be written to.
fn writable(line: &str) -> Option<Range<u64>> {
    let mut words = line.split(' ');
    let (start, end) = words.next()?.split_once('-')?;
    let [start, end] = [start, end].map(|digits| u64::from_str_radix(digits, 16).unwrap());
    words.next()?.starts_with("rw").then_some(start..end)
}
