//! Prices compiled for billing: every fallback decided, every tier and threshold laid out.

use super::adjust::Adjustment;
use super::call::{CallFacts, Residency, SearchContext};
use crate::catalog::{Kind, PriceKey, Prices, ServiceTier};
use crate::types::{Price, Usage};

/// Token buckets, in the order of [`counts`].
pub(super) const BUCKETS: usize = 12;
/// The input text of a prompt, cached or not: the first buckets.
pub(super) const TEXT_IN: std::ops::Range<usize> = 0..4;
/// Output text and reasoning.
pub(super) const TEXT_OUT: std::ops::Range<usize> = 7..9;

/// Kinds that price each bucket; the first that is stated counts.
const CHAINS: [&[Kind]; BUCKETS] = [
    &[Kind::Input],
    &[Kind::CacheRead, Kind::CacheHit, Kind::Input],
    &[Kind::CacheWrite, Kind::Input],
    &[Kind::CacheWrite1h, Kind::CacheWrite, Kind::Input],
    &[Kind::InputAudio, Kind::Input],
    &[Kind::InputImage, Kind::Input],
    &[Kind::InputVideo, Kind::Input],
    &[Kind::Output],
    &[Kind::Reasoning, Kind::Output],
    &[Kind::OutputAudio, Kind::Output],
    &[Kind::OutputImage, Kind::Output],
    &[Kind::OutputVideo, Kind::Output],
];

pub(super) fn counts(usage: &Usage) -> [u64; BUCKETS] {
    [
        usage.input,
        usage.cache_read,
        usage.cache_write_5m,
        usage.cache_write_1h,
        usage.input_audio,
        usage.input_image,
        usage.input_video,
        usage.output,
        usage.reasoning,
        usage.output_audio,
        usage.output_image,
        usage.output_video,
    ]
}

/// One deployment's prices, ready for billing. A few hundred bytes; read only, shared by all calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rates {
    /// Prompt tokens above which each band holds, rising; the first is 0.
    bounds: Box<[u64]>,
    /// For each band one sheet for each tier with prices.
    sheets: Box<[Sheet]>,
    /// Place of a tier's sheet in its band, by the tier's number.
    places: [u8; ServiceTier::ALL.len()],
    /// Sheets in a band.
    tiers: usize,
    /// A threshold belongs to the band above it.
    inclusive: bool,
    uplifts: Uplifts,
    pub(super) units: UnitRates,
    pub(super) adjustment: Adjustment,
}

/// Token prices in 10⁻¹⁵ dollars at one prompt size and tier.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sheet {
    pub rates: [i64; BUCKETS],
    /// Bit n: bucket n costs half its rate (a batch without a price of its own).
    pub halved: u16,
}

/// Factors in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Uplifts {
    us: u64,
    eu: u64,
    regional: u64,
    inference_us: u64,
    fast: u64,
}

/// Prices of what is no token, in 10⁻¹⁵ dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct UnitRates {
    /// Of transcribed audio.
    pub second: i64,
    /// Of the time an answer took, for input and output that have no token price.
    pub answer_second: i64,
    pub video_second: i64,
    pub character: i64,
    pub query: i64,
    pub request: i64,
    pub input_image: i64,
    pub output_image: i64,
    /// Standard, and in a batch.
    pub page: [i64; 2],
    search: [i64; 3],
    pub maps_query: i64,
    pub code_session: i64,
}

impl Rates {
    /// Compiles the prices of a deployment of `provider` (LiteLLM's name); `None` when nothing is priced.
    ///
    /// The rules are LiteLLM 1.106's: beyond a threshold the whole request is billed at that threshold's price (at xAI
    /// from the threshold on), and a price without one for the threshold stays what it was below. A tier's price comes
    /// before the standard price of the same threshold, a batch without a price is half of it. A unit without any price
    /// is billed as text of its direction.
    pub fn compile(prices: &Prices, provider: &str) -> Option<Self> {
        if !prices.is_priced() {
            return None;
        }
        let bounds = bounds(prices);
        let mut places = [0; ServiceTier::ALL.len()];
        let mut tiers = Vec::new();
        for (place, tier) in places.iter_mut().zip(ServiceTier::ALL) {
            if prices.has_tier(tier) {
                *place = tiers.len() as u8;
                tiers.push(tier);
            }
        }
        let sheets = (1..=bounds.len())
            .flat_map(|reached| tiers.iter().map(move |tier| (reached, *tier)))
            .map(|(reached, tier)| {
                Sheet::compile(prices, bounds.get(..reached).unwrap_or_default(), tier)
            })
            .collect();
        Some(Self {
            bounds: bounds
                .iter()
                .map(|above_k| u64::from(*above_k) * 1000)
                .collect(),
            sheets,
            places,
            tiers: tiers.len(),
            inclusive: provider.eq_ignore_ascii_case("xai"),
            uplifts: Uplifts::compile(prices),
            units: UnitRates::compile(prices),
            adjustment: Adjustment::default(),
        })
    }

    /// With the discount and the margin that hold for the deployment's provider.
    pub fn adjusted(mut self, adjustment: Adjustment) -> Self {
        self.adjustment = adjustment;
        self
    }

    /// Whether no token and no unit costs anything, at whatever size, tier or number.
    pub fn is_free(&self) -> bool {
        self.sheets
            .iter()
            .all(|sheet| sheet.rates.iter().all(|rate| *rate == 0))
            && self.units.is_free()
    }

    /// The band that a prompt falls into.
    fn band(&self, prompt_tokens: u64) -> usize {
        let reached =
            |above: &&u64| prompt_tokens > **above || (self.inclusive && prompt_tokens == **above);
        self.bounds.iter().skip(1).take_while(reached).count()
    }

    /// The sheet of a call.
    pub(super) fn sheet(&self, prompt_tokens: u64, tier: ServiceTier) -> Option<&Sheet> {
        let place = self.places.get(tier as usize).copied().unwrap_or(0);
        self.sheets
            .get(self.band(prompt_tokens) * self.tiers + usize::from(place))
    }

    /// The sheets of every tier in the bands that a prompt of up to so many tokens can fall into.
    pub(super) fn sheets_to(&self, prompt_tokens: u64) -> impl Iterator<Item = &Sheet> {
        self.sheets
            .iter()
            .take((self.band(prompt_tokens) + 1) * self.tiers)
    }

    /// As [`Self::sheets_to`], of one tier.
    pub(super) fn sheets_of(
        &self,
        prompt_tokens: u64,
        tier: ServiceTier,
    ) -> impl Iterator<Item = &Sheet> {
        let place = self.places.get(tier as usize).copied().unwrap_or(0);
        self.sheets_to(prompt_tokens)
            .skip(usize::from(place))
            .step_by(self.tiers.max(1))
    }

    /// The product of the factors that apply to a call, in millionths, 1 to 1000 million.
    pub(super) fn factor(&self, call: &CallFacts) -> i128 {
        let by_residency = match call.residency {
            Residency::Global => ONE,
            Residency::Us => self.uplifts.us,
            Residency::Eu => self.uplifts.eu,
            Residency::Regional => self.uplifts.regional,
        };
        let mut factor = by_residency;
        if call.inference_in_us {
            factor = times(factor, self.uplifts.inference_us);
        }
        if call.fast {
            factor = times(factor, self.uplifts.fast);
        }
        i128::from(factor)
    }
}

/// Thousands of tokens at which some token price changes; the first is 0.
fn bounds(prices: &Prices) -> Vec<u16> {
    let mut bounds: Vec<u16> = prices
        .iter()
        .filter(|(key, _)| CHAINS.iter().any(|chain| chain.contains(&key.kind)))
        .map(|(key, _)| key.above_k)
        .chain([0])
        .collect();
    bounds.sort_unstable();
    bounds.dedup();
    bounds
}

impl Sheet {
    /// Prices beyond the last of the thresholds `reached`.
    fn compile(prices: &Prices, reached: &[u16], tier: ServiceTier) -> Self {
        let mut sheet = Self::default();
        for (bucket, (rate, chain)) in sheet.rates.iter_mut().zip(CHAINS).enumerate() {
            let found = chain
                .iter()
                .find_map(|kind| stated(prices, *kind, reached, tier));
            let (price, halved) = found.unwrap_or((Price::FREE, false));
            *rate = price.0.max(0);
            sheet.halved |= u16::from(halved) << bucket;
        }
        sheet
    }
}

/// The price of a kind at the highest threshold that has one, and whether it is to be halved.
fn stated(
    prices: &Prices,
    kind: Kind,
    reached: &[u16],
    tier: ServiceTier,
) -> Option<(Price, bool)> {
    reached.iter().rev().find_map(|&above_k| {
        let at = |tier| {
            prices.get(PriceKey {
                kind,
                above_k,
                tier,
            })
        };
        at(tier)
            .map(|price| (price, false))
            .or_else(|| at(ServiceTier::Standard).map(|price| (price, tier == ServiceTier::Batch)))
    })
}

const ONE: u64 = 1_000_000;

/// Product of two factors in millionths, rounded, held at 1000.
fn times(one: u64, other: u64) -> u64 {
    ((one * other + ONE / 2) / ONE).min(1000 * ONE)
}

impl Uplifts {
    fn compile(prices: &Prices) -> Self {
        let factor = |kind| {
            prices.base(kind).map_or(ONE, |factor| {
                (factor.0.unsigned_abs() / 1_000_000_000).min(1000 * ONE)
            })
        };
        Self {
            us: factor(Kind::UpliftUs),
            eu: factor(Kind::UpliftEu),
            regional: factor(Kind::UpliftRegional),
            inference_us: factor(Kind::UpliftGeoUs),
            fast: factor(Kind::UpliftFast),
        }
    }
}

impl UnitRates {
    fn compile(prices: &Prices) -> Self {
        let base = |kind| prices.base(kind).map(|price| price.0.max(0));
        let price = |kind| base(kind).unwrap_or(0);
        // Lists state a second of audio under input, under output or, being the same second, under both.
        let first = |kinds: &[Kind]| {
            kinds
                .iter()
                .map(|kind| price(*kind))
                .find(|price| *price > 0)
                .unwrap_or(0)
        };
        let page_in_batch = PriceKey {
            tier: ServiceTier::Batch,
            ..PriceKey::base(Kind::OcrPage)
        };
        // A direction that is billed by the token is not billed by the second as well (LiteLLM 1.106.2).
        let unless = |by_token, by_second| match price(by_token) {
            0 => price(by_second),
            _ => 0,
        };
        let medium = base(Kind::SearchMedium);
        let search = |kind| base(kind).or(medium).unwrap_or(0);
        Self {
            second: first(&[
                Kind::InputSecond,
                Kind::OutputSecond,
                Kind::Second,
                Kind::InputAudioSecond,
            ]),
            answer_second: unless(Kind::Input, Kind::InputSecond)
                .saturating_add(unless(Kind::Output, Kind::OutputSecond)),
            video_second: first(&[Kind::OutputVideoSecond, Kind::OutputSecond]),
            character: price(Kind::InputCharacter),
            query: price(Kind::Query),
            request: price(Kind::Request),
            input_image: price(Kind::InputImageEach),
            output_image: price(Kind::OutputImageEach),
            page: [
                price(Kind::OcrPage),
                prices
                    .get(page_in_batch)
                    .map_or(price(Kind::OcrPage), |price| price.0.max(0)),
            ],
            search: [
                search(Kind::SearchLow),
                search(Kind::SearchMedium),
                search(Kind::SearchHigh),
            ],
            maps_query: price(Kind::MapsQuery),
            code_session: price(Kind::CodeSession),
        }
    }

    fn is_free(&self) -> bool {
        *self == Self::default()
    }

    pub fn search(&self, context: SearchContext) -> i64 {
        let [low, medium, high] = self.search;
        match context {
            SearchContext::Low => low,
            SearchContext::Medium => medium,
            SearchContext::High => high,
        }
    }
}
