//! Answers that come compressed although identity was asked for: proxies in front of providers do that.
//!
//! gzip and deflate are read, piece by piece as they arrive, so that streams stay streams. What expands beyond reason is
//! refused before it fills the memory.

use std::io::{self, BufRead, ErrorKind, Read};

use bytes::{Buf, Bytes};
use flate2::bufread::{MultiGzDecoder, ZlibDecoder};

use super::ReadError;

/// Most bytes decoded at a time.
const PIECE: usize = 32 * 1024;
/// So much may come out of anything.
const ALWAYS_ALLOWED: u64 = 1024 * 1024;
/// Beyond that, so many bytes for each that went in. Ordinary JSON expands to ten or twenty.
const MOST_EXPANSION: u64 = 200;

/// Decodes one body.
pub struct Decoder {
    inflate: Inflate,
    taken: u64,
    given: u64,
    done: bool,
}

enum Inflate {
    Gzip(MultiGzDecoder<Inbox>),
    Deflate(ZlibDecoder<Inbox>),
}

impl Decoder {
    /// A decoder for a `content-encoding`; `None` when it is one that cannot be read here.
    pub fn of(encoding: &str) -> Option<Self> {
        let inflate = match encoding.trim().to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => Inflate::Gzip(MultiGzDecoder::new(Inbox::default())),
            "deflate" => Inflate::Deflate(ZlibDecoder::new(Inbox::default())),
            _ => return None,
        };
        Some(Self {
            inflate,
            taken: 0,
            given: 0,
            done: false,
        })
    }

    /// Takes the next bytes that came. Everything of the bytes before must have been read.
    pub fn feed(&mut self, bytes: Bytes) {
        self.taken += bytes.len() as u64;
        self.inbox().bytes = bytes;
    }

    /// No more will come.
    pub fn end(&mut self) {
        self.inbox().ended = true;
    }

    pub fn has_ended(&self) -> bool {
        match &self.inflate {
            Inflate::Gzip(decoder) => decoder.get_ref().ended,
            Inflate::Deflate(decoder) => decoder.get_ref().ended,
        }
    }

    /// The next decoded bytes; `None` when more must come first, or when all is read.
    pub fn piece(&mut self) -> Result<Option<Bytes>, ReadError> {
        if self.done {
            return Ok(None);
        }
        let mut piece = vec![0; PIECE];
        let read = match &mut self.inflate {
            Inflate::Gzip(decoder) => decoder.read(&mut piece),
            Inflate::Deflate(decoder) => decoder.read(&mut piece),
        };
        match read {
            Ok(0) => {
                self.done = true;
                Ok(None)
            }
            Ok(length) => {
                self.given += length as u64;
                let most = ALWAYS_ALLOWED.max(self.taken.saturating_mul(MOST_EXPANSION));
                if self.given > most {
                    log::debug!("upstream: a compressed body expands to more than {most} bytes");
                    return Err(ReadError::TooLarge);
                }
                piece.truncate(length);
                Ok(Some(piece.into()))
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => {
                log::debug!("upstream: compressed body: {error}");
                Err(ReadError::Cut)
            }
        }
    }

    fn inbox(&mut self) -> &mut Inbox {
        match &mut self.inflate {
            Inflate::Gzip(decoder) => decoder.get_mut(),
            Inflate::Deflate(decoder) => decoder.get_mut(),
        }
    }
}

/// What has come and is not decoded yet: a reader that waits for more instead of ending.
#[derive(Default)]
struct Inbox {
    bytes: Bytes,
    ended: bool,
}

impl Read for Inbox {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut here = self.fill_buf()?;
        let length = here.read(out)?;
        self.consume(length);
        Ok(length)
    }
}

impl BufRead for Inbox {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.bytes.is_empty() && !self.ended {
            return Err(ErrorKind::WouldBlock.into());
        }
        Ok(&self.bytes)
    }

    fn consume(&mut self, length: usize) {
        self.bytes.advance(length.min(self.bytes.len()));
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{GzEncoder, ZlibEncoder};

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn decode(encoding: &str, bytes: &[u8], piece: usize) -> Result<Vec<u8>, ReadError> {
        let mut decoder = Decoder::of(encoding).unwrap();
        let mut out = Vec::new();
        for bytes in bytes.chunks(piece) {
            decoder.feed(Bytes::copy_from_slice(bytes));
            while let Some(read) = decoder.piece()? {
                out.extend_from_slice(&read);
            }
        }
        decoder.end();
        while let Some(read) = decoder.piece()? {
            out.extend_from_slice(&read);
        }
        Ok(out)
    }

    #[test]
    fn any_pieces_give_the_text() {
        let text = "The pointsman sets the track for every train. ".repeat(3000);
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
        zlib.write_all(text.as_bytes()).unwrap();
        let zlib = zlib.finish().unwrap();
        for piece in [1, 2, 7, 1000, usize::MAX] {
            assert_eq!(
                decode("gzip", &gzip(text.as_bytes()), piece).unwrap(),
                text.as_bytes()
            );
            assert_eq!(decode("Deflate", &zlib, piece).unwrap(), text.as_bytes());
        }
        assert_eq!(decode("x-gzip", &gzip(b""), 1).unwrap(), b"");
        // Two members one after the other are one text.
        let twice = [gzip(b"a"), gzip(b"b")].concat();
        assert_eq!(decode("gzip", &twice, 3).unwrap(), b"ab");
    }

    #[test]
    fn what_was_flushed_is_there_at_once() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(b"data: 1\n\n").unwrap();
        encoder.flush().unwrap();
        let mut decoder = Decoder::of("gzip").unwrap();
        decoder.feed(encoder.get_ref().clone().into());
        assert_eq!(decoder.piece().unwrap().unwrap(), "data: 1\n\n");
        assert_eq!(decoder.piece(), Ok(None));
    }

    #[test]
    fn what_is_cut_or_no_gzip_is_told() {
        let whole = gzip(b"a text that is long enough to be cut somewhere");
        for bytes in [&whole[..5], &whole[..whole.len() - 9], b"{\"id\":1}", b""] {
            assert_eq!(decode("gzip", bytes, 4), Err(ReadError::Cut));
        }
        assert!(Decoder::of("br").is_none());
    }

    #[test]
    fn bombs_are_refused() {
        let bomb = gzip(&vec![b' '; 64 << 20]);
        assert!(bomb.len() < 100_000);
        assert_eq!(decode("gzip", &bomb, 4096), Err(ReadError::TooLarge));
    }
}
