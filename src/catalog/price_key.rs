//! What a price is for, and the two spellings of it: LiteLLM's field names and the catalogue's short codes.

use std::fmt;

use super::ServiceTier;

/// Declares the kinds with code and field name side by side, so that neither map can miss one.
macro_rules! kinds {
    ($($name:ident $code:literal $field:literal),+ $(,)?) => {
        /// The unit a price is for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Kind { $($name),+ }

        impl Kind {
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The catalogue's code.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code),+ }
            }

            /// LiteLLM's field name, which users write in `model_info` and `litellm_params`.
            pub const fn field(self) -> &'static str {
                match self { $(Self::$name => $field),+ }
            }

            fn of_code(code: &str) -> Option<Self> {
                match code { $($code => Some(Self::$name),)+ _ => None }
            }

            fn of_field(field: &str) -> Option<Self> {
                match field { $($field => Some(Self::$name),)+ _ => None }
            }
        }
    };
}

kinds! {
    Input "in" "input_cost_per_token",
    Output "out" "output_cost_per_token",
    CacheRead "cr" "cache_read_input_token_cost",
    CacheWrite "cw" "cache_creation_input_token_cost",
    CacheWrite1h "cw1h" "cache_creation_input_token_cost_above_1hr",
    CacheReadAudio "cr_audio" "cache_read_input_audio_token_cost",
    CacheReadImage "cr_imgtok" "cache_read_input_image_token_cost",
    CacheReadExplicit "cr_explicit" "explicit_cache_read_input_token_cost",
    CacheWriteAudio "cw_audio" "cache_creation_input_audio_token_cost",
    CacheHit "in_hit" "input_cost_per_token_cache_hit",
    InputAudio "in_audio" "input_cost_per_audio_token",
    InputImage "in_imgtok" "input_cost_per_image_token",
    InputVideo "in_vidtok" "input_cost_per_video_token",
    Reasoning "out_reason" "output_cost_per_reasoning_token",
    OutputAudio "out_audio" "output_cost_per_audio_token",
    OutputImage "out_imgtok" "output_cost_per_image_token",
    OutputVideo "out_vidtok" "output_cost_per_video_token",
    Citation "citation" "citation_cost_per_token",
    InputDbu "in_dbu" "input_dbu_cost_per_token",
    OutputDbu "out_dbu" "output_dbu_cost_per_token",
    InputCharacter "in_char" "input_cost_per_character",
    OutputCharacter "out_char" "output_cost_per_character",
    InputSecond "in_sec" "input_cost_per_second",
    OutputSecond "out_sec" "output_cost_per_second",
    OutputSecond480p "out_sec/480p" "output_cost_per_second_480p",
    OutputSecond720p "out_sec/720p" "output_cost_per_second_720p",
    OutputSecond768p "out_sec/768p" "output_cost_per_second_768p",
    OutputSecond1080p "out_sec/1080p" "output_cost_per_second_1080p",
    OutputSecond2k "out_sec/2k" "output_cost_per_second_2k",
    OutputSecond4k "out_sec/4k" "output_cost_per_second_4k",
    Second "sec" "cost_per_second",
    InputAudioSecond "in_audio_sec" "input_cost_per_audio_per_second",
    InputVideoSecond "in_vid_sec" "input_cost_per_video_per_second",
    InputVideoSecondAbove8s "in_vid_sec>8s" "input_cost_per_video_per_second_above_8s_interval",
    InputVideoSecondAbove15s "in_vid_sec>15s" "input_cost_per_video_per_second_above_15s_interval",
    OutputVideoSecond "out_vid_sec" "output_cost_per_video_per_second",
    InputImageEach "in_img" "input_cost_per_image",
    OutputImageEach "out_img" "output_cost_per_image",
    OutputImageHalfK "out_img/0.5K" "output_cost_per_image_0.5K",
    OutputImage512 "out_img/512" "output_cost_per_image_512",
    OutputImage1024 "out_img/1024" "output_cost_per_image_1024",
    OutputImage1536 "out_img/1536" "output_cost_per_image_1536",
    OutputImage1K "out_img/1K" "output_cost_per_image_1K",
    OutputImage2K "out_img/2K" "output_cost_per_image_2K",
    OutputImage4K "out_img/4K" "output_cost_per_image_4K",
    InputPixel "in_px" "input_cost_per_pixel",
    OutputPixel "out_px" "output_cost_per_pixel",
    Query "in_query" "input_cost_per_query",
    Request "in_req" "input_cost_per_request",
    TextMessage "in_msg" "input_cost_per_text_message",
    OcrPage "ocr_page" "ocr_cost_per_page",
    OcrCredit "ocr_credit" "ocr_cost_per_credit",
    AnnotationPage "ocr_annot_page" "annotation_cost_per_page",
    SearchLow "web/low" "search_context_size_low",
    SearchMedium "web/medium" "search_context_size_medium",
    SearchHigh "web/high" "search_context_size_high",
    MapsQuery "gmaps_query" "google_maps_grounding_cost_per_query",
    CodeSession "code_session" "code_interpreter_cost_per_session",
    FileSearchThousand "fsearch_1k" "file_search_cost_per_1k_calls",
    FileSearchGbDay "fsearch_gb_day" "file_search_cost_per_gb_per_day",
    VectorStoreGbDay "vs_gb_day" "vector_store_cost_per_gb_per_day",
    ComputerInputThousand "cu_in_1k" "computer_use_input_cost_per_1k_tokens",
    ComputerOutputThousand "cu_out_1k" "computer_use_output_cost_per_1k_tokens",
    // Factors from here on: `Price(10^15)` is 1.
    UpliftUs "x_us" "regional_processing_uplift_multiplier_us",
    UpliftEu "x_eu" "regional_processing_uplift_multiplier_eu",
    UpliftRegional "x_regional" "regional_endpoint_uplift_multiplier",
    UpliftGeoUs "x_geo_us" "provider_specific_entry.us",
    UpliftFast "x_fast" "provider_specific_entry.fast",
}

impl Kind {
    /// A multiplier of prices, not a price: stored like one, with 10¹⁵ for 1.
    pub const fn is_factor(self) -> bool {
        self as u8 >= Self::UpliftUs as u8
    }
}

/// One price of a model: of which unit, beyond which prompt size, at which service tier.
///
/// As code `kind[>N k][@tier]`: `in`, `out>200k`, `cr@flex`, `in>272k@prio`. As field
/// `kind[_above_Nk_tokens][_priority|_flex|_batches|…]`: `input_cost_per_token_above_272k_tokens_priority`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PriceKey {
    pub kind: Kind,
    /// Thousands of prompt tokens beyond which the price holds, for the whole request; 0 is from the first token.
    pub above_k: u16,
    pub tier: ServiceTier,
}

impl PriceKey {
    /// The standard price of a unit.
    pub const fn base(kind: Kind) -> Self {
        Self {
            kind,
            above_k: 0,
            tier: ServiceTier::Standard,
        }
    }

    /// Reads a catalogue code.
    pub fn of_code(code: &str) -> Option<Self> {
        let (rest, tier) = strip_tier(code, ServiceTier::code_suffix);
        if let Some(kind) = Kind::of_code(rest) {
            return Some(Self {
                kind,
                above_k: 0,
                tier,
            });
        }
        let (kind, above) = rest.rsplit_once('>')?;
        Some(Self {
            kind: Kind::of_code(kind)?,
            above_k: threshold(above.strip_suffix('k')?)?,
            tier,
        })
    }

    /// Reads a field name; `None` when it names no price.
    pub fn of_field(field: &str) -> Option<Self> {
        let (rest, tier) = strip_tier(field, ServiceTier::field_suffix);
        if let Some(kind) = Kind::of_field(rest) {
            return Some(Self {
                kind,
                above_k: 0,
                tier,
            });
        }
        let (kind, above) = rest.strip_suffix("k_tokens")?.rsplit_once("_above_")?;
        Some(Self {
            kind: Kind::of_field(kind)?,
            above_k: threshold(above)?,
            tier,
        })
    }

    /// The field name, to show.
    pub fn field(self) -> impl fmt::Display {
        fmt::from_fn(move |f| {
            f.write_str(self.kind.field())?;
            if self.above_k > 0 {
                write!(f, "_above_{}k_tokens", self.above_k)?;
            }
            f.write_str(self.tier.field_suffix())
        })
    }

    /// The catalogue code, to show.
    pub fn code(self) -> impl fmt::Display {
        fmt::from_fn(move |f| {
            f.write_str(self.kind.code())?;
            if self.above_k > 0 {
                write!(f, ">{}k", self.above_k)?;
            }
            f.write_str(self.tier.code_suffix())
        })
    }
}

fn strip_tier(text: &str, suffix: impl Fn(ServiceTier) -> &'static str) -> (&str, ServiceTier) {
    ServiceTier::ALL
        .into_iter()
        .filter(|tier| *tier != ServiceTier::Standard)
        .find_map(|tier| Some((text.strip_suffix(suffix(tier))?, tier)))
        .unwrap_or((text, ServiceTier::Standard))
}

fn threshold(text: &str) -> Option<u16> {
    text.parse().ok().filter(|thousands| *thousands > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_fields_are_two_spellings_of_one_key() {
        for &kind in Kind::ALL {
            for above_k in [0, 128, 200] {
                for tier in ServiceTier::ALL {
                    let key = PriceKey {
                        kind,
                        above_k,
                        tier,
                    };
                    assert_eq!(PriceKey::of_code(&key.code().to_string()), Some(key));
                    assert_eq!(PriceKey::of_field(&key.field().to_string()), Some(key));
                }
            }
        }
    }

    #[test]
    fn litellms_spellings() {
        for (field, code) in [
            ("input_cost_per_token", "in"),
            (
                "input_cost_per_token_above_272k_tokens_priority",
                "in>272k@prio",
            ),
            ("cache_creation_input_token_cost_above_1hr", "cw1h"),
            (
                "cache_creation_input_token_cost_above_1hr_above_200k_tokens",
                "cw1h>200k",
            ),
            (
                "input_cost_per_video_per_second_above_8s_interval",
                "in_vid_sec>8s",
            ),
            ("output_cost_per_second_1080p", "out_sec/1080p"),
            ("ocr_cost_per_page_batches", "ocr_page@batch"),
        ] {
            let key = PriceKey::of_field(field);
            assert_eq!(key.map(|key| key.code().to_string()).as_deref(), Some(code));
            assert_eq!(key, PriceKey::of_code(code));
        }
        for no_price in [
            "",
            "model",
            "input_cost",
            "input_cost_per_token_above_k_tokens",
            "_flex",
            "rpm",
        ] {
            assert_eq!(PriceKey::of_field(no_price), None, "{no_price}");
        }
    }
}
