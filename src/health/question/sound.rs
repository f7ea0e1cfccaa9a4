//! Silence.

/// Samples a second, the least that models of speech like.
const RATE: u32 = 16_000;
/// Half a second: OpenAI takes nothing shorter than a tenth.
const SAMPLES: u32 = RATE / 2;
/// Bytes of a sample.
const WIDTH: u16 = 2;

/// Half a second of it as a WAV file: one channel, 16 bits.
pub fn silence() -> Vec<u8> {
    let length = SAMPLES * u32::from(WIDTH);
    let mut wav = Vec::with_capacity(length as usize + 44);
    wav.extend_from_slice(b"RIFF");
    wav.extend_from_slice(&(36 + length).to_le_bytes());
    wav.extend_from_slice(b"WAVEfmt ");
    wav.extend_from_slice(&16u32.to_le_bytes());
    // PCM, one channel.
    wav.extend_from_slice(&[1, 0, 1, 0]);
    wav.extend_from_slice(&RATE.to_le_bytes());
    wav.extend_from_slice(&(RATE * u32::from(WIDTH)).to_le_bytes());
    wav.extend_from_slice(&WIDTH.to_le_bytes());
    wav.extend_from_slice(&(WIDTH * 8).to_le_bytes());
    wav.extend_from_slice(b"data");
    wav.extend_from_slice(&length.to_le_bytes());
    wav.resize(wav.len() + length as usize, 0);
    wav
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_right() {
        let wav = silence();
        let word = |at: usize| u32::from_le_bytes(wav[at..at + 4].try_into().unwrap()) as usize;
        assert_eq!(wav.len(), 44 + 16_000);
        assert_eq!((word(4), word(40)), (wav.len() - 8, wav.len() - 44));
        assert_eq!((&wav[..4], &wav[36..40]), (&b"RIFF"[..], &b"data"[..]));
    }
}
