//! What an image costs: by its detail and, where the bytes are in the request, its size.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// An image in low (or automatic) detail; also what each high-detail image costs before its tiles.
const BASE: u64 = 85;
const TILE: u64 = 170;
const TILE_SIDE: u64 = 512;
/// High detail scales an image down until its short side is at most this …
const SHORT_SIDE: u64 = 768;
/// … and its long side at most this.
const LONG_SIDE: u64 = 2_000;
/// The size of an image whose header tells none.
const UNKNOWN: (u64, u64) = (300, 300);
/// A high-detail image that would have to be fetched, or a document that would have to be unpacked.
pub(super) const UNREAD: u64 = 250;

/// A JPEG may hold its size behind a preview picture.
const HEADER_BYTES: usize = 96 << 10;

/// The tokens of an `image_url`, `input_image` or `image` part.
pub(super) fn count(part: &Value) -> u64 {
    let image = part.get("image_url").unwrap_or(part);
    let detail = [image, part]
        .iter()
        .find_map(|object| object.get("detail"))
        .and_then(Value::as_str);
    if detail != Some("high") {
        return BASE;
    }
    let url = image
        .as_str()
        .or_else(|| image.get("url").and_then(Value::as_str));
    let in_url = url
        .and_then(|url| url.strip_prefix("data:"))
        .and_then(|data| data.split_once("base64,"))
        .map(|(_, data)| data);
    let in_source = || part.get("source")?.get("data")?.as_str();
    match in_url.or_else(in_source) {
        Some(data) => high_detail(size_of(data).unwrap_or(UNKNOWN)),
        None => UNREAD,
    }
}

fn high_detail((width, height): (u64, u64)) -> u64 {
    let (short, long) = (width.min(height).max(1), width.max(height).max(1));
    let (mut scaled_short, mut scaled_long) = (short, long);
    if long > SHORT_SIDE {
        scaled_short = short.min(SHORT_SIDE);
        scaled_long = long * scaled_short / short;
        if scaled_long > LONG_SIDE {
            scaled_short = short * LONG_SIDE / long;
            scaled_long = LONG_SIDE;
        }
    }
    BASE + TILE * scaled_short.max(1).div_ceil(TILE_SIDE) * scaled_long.div_ceil(TILE_SIDE)
}

/// Width and height from the header of a base64 image.
fn size_of(data: &str) -> Option<(u64, u64)> {
    let head = data.as_bytes().get(..data.len().min(HEADER_BYTES))?;
    // Whole groups of four decode on their own.
    let bytes = match STANDARD.decode(head) {
        Ok(bytes) => bytes,
        Err(_) => STANDARD.decode(head.get(..head.len() / 4 * 4)?).ok()?,
    };
    let bytes = bytes.as_slice();
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => Some((big(bytes, 16, 4)?, big(bytes, 20, 4)?)),
        [b'G', b'I', b'F', b'8', ..] => Some((little(bytes, 6, 2)?, little(bytes, 8, 2)?)),
        [0xFF, 0xD8, ..] => jpeg(bytes),
        [
            b'R',
            b'I',
            b'F',
            b'F',
            _,
            _,
            _,
            _,
            b'W',
            b'E',
            b'B',
            b'P',
            ..,
        ] => webp(bytes),
        _ => None,
    }
}

/// Walks the segments to the frame header, which has the size.
fn jpeg(bytes: &[u8]) -> Option<(u64, u64)> {
    let mut at = 2;
    loop {
        match (bytes.get(at)?, bytes.get(at + 1)?) {
            (0xFF, 0xFF) => at += 1,
            // All frame headers but the tables C4, C8 and CC, which share their range.
            (0xFF, 0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF) => {
                return Some((big(bytes, at + 7, 2)?, big(bytes, at + 5, 2)?));
            }
            (0xFF, 0x01 | 0xD0..=0xD8) => at += 2,
            (0xFF, _) => at += 2 + usize::try_from(big(bytes, at + 2, 2)?.max(2)).ok()?,
            _ => return None,
        }
    }
}

fn webp(bytes: &[u8]) -> Option<(u64, u64)> {
    match bytes.get(12..16)? {
        b"VP8 " => Some((
            little(bytes, 26, 2)? & 0x3FFF,
            little(bytes, 28, 2)? & 0x3FFF,
        )),
        b"VP8L" => {
            let bits = little(bytes, 21, 4)?;
            Some(((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1))
        }
        b"VP8X" => Some((little(bytes, 24, 3)? + 1, little(bytes, 27, 3)? + 1)),
        _ => None,
    }
}

fn big(bytes: &[u8], at: usize, len: usize) -> Option<u64> {
    Some(
        bytes
            .get(at..at.checked_add(len)?)?
            .iter()
            .fold(0, |number, byte| number << 8 | u64::from(*byte)),
    )
}

fn little(bytes: &[u8], at: usize, len: usize) -> Option<u64> {
    Some(
        bytes
            .get(at..at.checked_add(len)?)?
            .iter()
            .rev()
            .fold(0, |number, byte| number << 8 | u64::from(*byte)),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
        bytes.extend(width.to_be_bytes());
        bytes.extend(height.to_be_bytes());
        bytes
    }

    #[test]
    fn tiles() {
        for (size, tokens) in [
            ((300, 300), 255),
            ((512, 512), 255),
            ((768, 768), 765),
            ((1_024, 1_024), 765),
            ((2_048, 4_096), 1_105),
            ((100, 3_000), 765),
            ((700, 1_000), 765),
            ((0, 0), 255),
            ((1, u64::from(u32::MAX)), 765),
        ] {
            assert_eq!(high_detail(size), tokens, "{size:?}");
        }
    }

    #[test]
    fn sizes_are_read_from_headers() {
        let jpeg = b"\xFF\xD8\xFF\xE0\x00\x04ab\xFF\xFF\xC2\x00\x11\x08\x02\x58\x03\x20";
        let gif = b"GIF89a\x20\x03\x58\x02";
        let lossy = b"RIFF\0\0\0\0WEBPVP8 \0\0\0\0\0\0\0\x9d\x01\x2a\x20\x03\x58\x02";
        let extended = b"RIFF\0\0\0\0WEBPVP8X\0\0\0\0\0\0\0\0\x1f\x03\x00\x57\x02\x00";
        let lossless = [
            b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f".as_slice(),
            &(799u32 | 599 << 14).to_le_bytes(),
        ]
        .concat();
        for (what, bytes) in [
            ("png", png(800, 600)),
            ("jpeg", jpeg.to_vec()),
            ("gif", gif.to_vec()),
            ("lossy", lossy.to_vec()),
            ("extended", extended.to_vec()),
            ("lossless", lossless),
        ] {
            assert_eq!(size_of(&STANDARD.encode(bytes)), Some((800, 600)), "{what}");
        }
        let long = [png(800, 600), vec![7; 300_000]].concat();
        assert_eq!(size_of(&STANDARD.encode(long)), Some((800, 600)));
    }

    #[test]
    fn parts() {
        let data = STANDARD.encode(png(1_024, 1_024));
        let url = format!("data:image/png;base64,{data}");
        for (part, tokens) in [
            (json!({"type": "image_url", "image_url": {"url": url}}), 85),
            (json!({"type": "image_url", "image_url": url}), 85),
            (
                json!({"type": "image_url", "image_url": {"url": url, "detail": "auto"}}),
                85,
            ),
            (
                json!({"type": "image_url", "image_url": {"url": url, "detail": "high"}}),
                765,
            ),
            (
                json!({"type": "input_image", "image_url": url, "detail": "high"}),
                765,
            ),
            (
                json!({"type": "image", "source": {"type": "base64", "data": data}, "detail": "high"}),
                765,
            ),
            (
                json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,****", "detail": "high"}}),
                255,
            ),
            (
                json!({"type": "image_url", "image_url": {"url": "https://images.test/a.png", "detail": "high"}}),
                250,
            ),
            (json!({"type": "image_url"}), 85),
        ] {
            assert_eq!(count(&part), tokens, "{part}");
        }
    }

    proptest! {
        #[test]
        fn no_header_panics(kind in 0usize..5, bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let heads: [&[u8]; 5] = [b"", b"\x89PNG", b"GIF8", b"\xFF\xD8", b"RIFF\0\0\0\0WEBPVP8"];
            if let Some((width, height)) = size_of(&STANDARD.encode([heads[kind], &bytes].concat())) {
                prop_assert!(high_detail((width, height)) >= BASE);
            }
        }
    }
}
