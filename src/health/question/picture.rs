//! A white square.

use std::io::Read as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use flate2::Compression;
use flate2::read::ZlibEncoder;

/// Of each side, in pixels: small, but no model calls it too small.
const SIDE: u32 = 64;
/// White, and nothing behind it: what may be edited is where a picture is transparent.
const PIXEL: [u8; 4] = [255, 255, 255, 0];

/// As a PNG file (RFC 2083).
pub fn png() -> Vec<u8> {
    let mut head = Vec::from(SIDE.to_be_bytes());
    head.extend_from_slice(&SIDE.to_be_bytes());
    // Eight bits of red, green, blue and alpha; the one compression and filter there are; not interlaced.
    head.extend_from_slice(&[8, 6, 0, 0, 0]);
    let mut png = Vec::from(*b"\x89PNG\r\n\x1a\n");
    chunk(&mut png, b"IHDR", &head);
    let mut packed = Vec::new();
    // Reading from memory cannot fail.
    let _ = ZlibEncoder::new(&lines()[..], Compression::best()).read_to_end(&mut packed);
    chunk(&mut png, b"IDAT", &packed);
    chunk(&mut png, b"IEND", &[]);
    png
}

pub fn data_url() -> String {
    format!("data:image/png;base64,{}", BASE64_STANDARD.encode(png()))
}

/// Each line behind the number of its filter.
fn lines() -> Vec<u8> {
    let line = || [0].into_iter().chain((0..SIDE).flat_map(|_| PIXEL));
    (0..SIDE).flat_map(|_| line()).collect()
}

fn chunk(png: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) {
    png.extend_from_slice(&(data.len() as u32).to_be_bytes());
    let from = png.len();
    png.extend_from_slice(kind);
    png.extend_from_slice(data);
    let sum = crc32fast::hash(&png[from..]);
    png.extend_from_slice(&sum.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_can_be_read() {
        let png = png();
        let data = lines();
        let packed = &png[8 + 25 + 8..];
        let mut read = Vec::new();
        flate2::read::ZlibDecoder::new(packed)
            .read_to_end(&mut read)
            .unwrap();
        assert_eq!(read, data);
        assert_eq!(data.len(), (SIDE * (SIDE * 4 + 1)) as usize);
    }
}
