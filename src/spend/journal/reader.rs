//! The reading side: the segments of a journal, record by record, up to the first torn one.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
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

/// The ending of a segment that was set aside because it is damaged.
const DAMAGED: &str = "damaged";

/// What a damaged segment is called when its journal is done with.
pub fn damaged_name(segment: &Path) -> PathBuf {
    segment.with_extension(format!("wal.{DAMAGED}"))
}

/// Segments of a folder that were set aside.
pub fn damaged(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == DAMAGED)
        {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn parse_name(name: &str) -> Option<(JournalId, u32)> {
    let (id, segment) = name.strip_suffix(".wal")?.split_once('-')?;
    Some((
        uuid::Uuid::try_parse(id).ok()?.into_bytes(),
        segment.parse().ok()?,
    ))
}

/// The end of a segment that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unread {
    pub segment: u32,
    /// Bytes before it.
    pub offset: u64,
    /// Bytes of it.
    pub bytes: u64,
    pub why: Unreadable,
}

/// Why nothing more of a segment can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// The last record was not written to its end: its writer died, or is at it.
    Torn,
    /// What is there is no record.
    Damaged,
}

/// Reads one journal in order.
pub struct Segments {
    folder: PathBuf,
    id: JournalId,
    current: Option<BufReader<File>>,
    next_segment: u32,
    /// Bytes of the current segment that were whole records.
    offset: u64,
    bytes: u64,
    unread: Vec<Unread>,
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
            offset: 0,
            bytes: 0,
            unread: Vec::new(),
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

    /// Bytes of the records read so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The ends of segments that could not be read so far.
    pub fn unread(&self) -> &[Unread] {
        &self.unread
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
                self.offset = 0;
            }
            if let Some(file) = &mut self.current {
                match next_of(file, &mut self.body)? {
                    Ok(Some(record)) => {
                        let length = (FRAME + self.body.len()) as u64;
                        self.offset += length;
                        self.bytes += length;
                        return Ok(Some(record));
                    }
                    Ok(None) => {}
                    Err(why) => {
                        let whole = file.get_ref().metadata()?.len();
                        self.unread.push(Unread {
                            segment: self.segment(),
                            offset: self.offset,
                            bytes: whole.saturating_sub(self.offset),
                            why,
                        });
                    }
                }
            }
            self.current = None;
        }
    }
}

/// The next record, none at the segment's end, or why there is no telling.
type Next = Result<Option<(u64, Record)>, Unreadable>;

fn next_of(file: &mut BufReader<File>, body: &mut Vec<u8>) -> io::Result<Next> {
    if file.fill_buf()?.is_empty() {
        return Ok(Ok(None));
    }
    let mut frame = [0; FRAME];
    if !fill(file, &mut frame)? {
        return Ok(Err(Unreadable::Torn));
    }
    let Some(length) = record::body_length(frame) else {
        return Ok(Err(Unreadable::Damaged));
    };
    body.resize(length, 0);
    if !fill(file, body)? {
        return Ok(Err(Unreadable::Torn));
    }
    Ok(record::read(frame, body)
        .map(Some)
        .ok_or(Unreadable::Damaged))
}

/// Fills `buffer`; false when the file ends first.
fn fill(file: &mut BufReader<File>, buffer: &mut [u8]) -> io::Result<bool> {
    match file.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}
