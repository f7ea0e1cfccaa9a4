//! The reading side: the segments of a journal, record by record, up to the first torn one.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use super::JournalId;
use super::record::{self, FRAME, Record};

/// The journals of a folder and the numbers of their segments.
pub fn journals(folder: &Path) -> io::Result<BTreeMap<JournalId, Vec<u32>>> {
    let mut found: BTreeMap<JournalId, Vec<u32>> = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let Some((id, segment)) = name.to_str().and_then(parse_name) else {
            continue;
        };
        found.entry(id).or_default().push(segment);
    }
    for segments in found.values_mut() {
        segments.sort_unstable();
    }
    Ok(found)
}

fn parse_name(name: &str) -> Option<(JournalId, u32)> {
    let (id, segment) = name.strip_suffix(".wal")?.split_once('-')?;
    Some((
        uuid::Uuid::try_parse(id).ok()?.into_bytes(),
        segment.parse().ok()?,
    ))
}

/// Reads one journal in order.
pub struct Segments {
    folder: PathBuf,
    id: JournalId,
    current: Option<BufReader<File>>,
    next_segment: u32,
    body: Vec<u8>,
}

impl Segments {
    /// Begins with the segment numbered `first`.
    pub fn open(folder: &Path, id: JournalId, first: u32) -> Self {
        Self {
            folder: folder.to_owned(),
            id,
            current: None,
            next_segment: first,
            body: Vec::new(),
        }
    }

    /// The path of one segment.
    pub fn path(folder: &Path, id: &JournalId, segment: u32) -> PathBuf {
        folder.join(format!("{}-{segment:08}.wal", super::hex(id)))
    }

    /// The number of the segment that the last record came from.
    pub fn segment(&self) -> u32 {
        self.next_segment.saturating_sub(1)
    }

    /// The next record; `None` at the end of what is readable. A damaged record ends its segment: what follows it was never
    /// acknowledged, since records are written in order.
    pub fn read(&mut self) -> io::Result<Option<(u64, Record)>> {
        loop {
            if self.current.is_none() {
                match File::open(Self::path(&self.folder, &self.id, self.next_segment)) {
                    Ok(file) => self.current = Some(BufReader::with_capacity(256 * 1024, file)),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                    Err(error) => return Err(error),
                }
                self.next_segment += 1;
            }
            if let Some(file) = &mut self.current
                && let Some(record) = next_of(file, &mut self.body)?
            {
                return Ok(Some(record));
            }
            self.current = None;
        }
    }
}

fn next_of(file: &mut BufReader<File>, body: &mut Vec<u8>) -> io::Result<Option<(u64, Record)>> {
    let mut frame = [0; FRAME];
    if !fill(file, &mut frame)? {
        return Ok(None);
    }
    let Some(length) = record::body_length(frame) else {
        return Ok(None);
    };
    body.resize(length, 0);
    if !fill(file, body)? {
        return Ok(None);
    }
    Ok(record::read(frame, body))
}

/// Fills `buffer`; false when the file ends first.
fn fill(file: &mut BufReader<File>, buffer: &mut [u8]) -> io::Result<bool> {
    match file.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}
