use proptest::prelude::*;

use super::charge::cost;
use super::hold::{hold, hold_at};
use super::rates::Rates;
use super::*;
use crate::catalog::{Kind, Prices, ServiceTier, find};
use crate::types::{NanoUsd, Price, Usage};

fn prices(stated: &[(&str, &str)]) -> Prices {
    let mut prices = Prices::default();
    for (field, text) in stated {
        assert_eq!(prices.set(field, text), Ok(true), "{field}");
    }
    prices
}

fn rates(stated: &[(&str, &str)]) -> Rates {
    Rates::compile(&prices(stated), "openai").expect("priced")
}

fn dollars(rates: &Rates, usage: &Usage, call: &CallFacts) -> String {
    cost(rates, usage, call).total.to_string()
}

const STANDARD: CallFacts = CallFacts {
    tier: ServiceTier::Standard,
    residency: Residency::Global,
    inference_in_us: false,
    fast: false,
    units: Units {
        milliseconds: 0,
        answer_milliseconds: 0,
        video_milliseconds: 0,
        characters: 0,
        queries: 0,
        input_images: 0,
        output_images: 0,
        pages: 0,
        web_searches: 0,
        search_context: SearchContext::Medium,
        maps_queries: 0,
        code_sessions: 0,
    },
};

fn at(tier: ServiceTier) -> CallFacts {
    CallFacts { tier, ..STANDARD }
}

const IN: &str = "input_cost_per_token";
const OUT: &str = "output_cost_per_token";
const READ: &str = "cache_read_input_token_cost";
const BASIC: [(&str, &str); 3] = [(IN, "2e-6"), (READ, "5e-7"), (OUT, "8e-6")];

fn first_example() -> Usage {
    Usage {
        input: 600,
        cache_read: 400,
        output: 200,
        ..Usage::default()
    }
}

#[test]
fn cached_input_has_its_own_price() {
    assert_eq!(
        dollars(&rates(&BASIC), &first_example(), &STANDARD),
        "0.003"
    );
}

#[test]
fn beyond_a_threshold_the_whole_request_costs_more() {
    let stated = [
        (IN, "3e-6"),
        (OUT, "15e-6"),
        ("input_cost_per_token_above_200k_tokens", "6e-6"),
        ("output_cost_per_token_above_200k_tokens", "22.5e-6"),
    ];
    let rates_of = |provider| Rates::compile(&prices(&stated), provider).expect("priced");
    let usage = |input| Usage {
        input,
        output: 1000,
        ..Usage::default()
    };
    assert_eq!(
        dollars(&rates_of("openai"), &usage(250_000), &STANDARD),
        "1.5225"
    );
    assert_eq!(
        dollars(&rates_of("openai"), &usage(200_001), &STANDARD),
        "1.222506"
    );
    assert_eq!(
        dollars(&rates_of("openai"), &usage(200_000), &STANDARD),
        "0.615"
    );
    assert_eq!(
        dollars(&rates_of("xai"), &usage(200_000), &STANDARD),
        "1.2225"
    );
}

#[test]
fn a_batch_without_a_price_costs_half() {
    let usage = Usage {
        input: 1000,
        output: 200,
        ..Usage::default()
    };
    let rates = rates(&[(IN, "2e-6"), (OUT, "8e-6")]);
    assert_eq!(dollars(&rates, &usage, &at(ServiceTier::Batch)), "0.0018");
}

#[test]
fn a_stated_batch_price_is_taken_whole() {
    let usage = Usage {
        input: 1000,
        output: 200,
        ..Usage::default()
    };
    let rates = rates(&[
        (IN, "2e-6"),
        (OUT, "8e-6"),
        ("input_cost_per_token_batches", "1.5e-6"),
    ]);
    assert_eq!(dollars(&rates, &usage, &at(ServiceTier::Batch)), "0.0023");
}

#[test]
fn half_of_an_odd_price_is_exact() {
    let rates = rates(&[(IN, "1e-15")]);
    let usage = |input| Usage {
        input,
        ..Usage::default()
    };
    assert_eq!(
        cost(&rates, &usage(999_999), &at(ServiceTier::Batch)).total,
        NanoUsd(0)
    );
    assert_eq!(
        cost(&rates, &usage(1_000_000), &at(ServiceTier::Batch)).total,
        NanoUsd(1)
    );
}

#[test]
fn a_tier_takes_what_it_has_and_the_standard_price_for_the_rest() {
    let mut stated = BASIC.to_vec();
    stated.push(("input_cost_per_token_priority", "4e-6"));
    let rates = rates(&stated);
    assert_eq!(
        dollars(&rates, &first_example(), &at(ServiceTier::Priority)),
        "0.0042"
    );
    assert_eq!(
        dollars(&rates, &first_example(), &at(ServiceTier::Flex)),
        "0.003"
    );
}

#[test]
fn discount_then_margin() {
    let rates = rates(&BASIC).adjusted(Adjustment {
        discount: Share::discount("0.05").expect("a share"),
        margin: Share::margin("0.10").expect("a share"),
        margin_fixed: NanoUsd(100_000),
    });
    let cost = cost(&rates, &first_example(), &STANDARD);
    assert_eq!(cost.total.to_string(), "0.003235");
    assert_eq!(cost.original.to_string(), "0.003");
    assert_eq!(cost.discount.to_string(), "0.00015");
    assert_eq!(cost.margin.to_string(), "0.000385");
}

#[test]
fn cache_writes_by_how_long_they_last() {
    let write = ("cache_creation_input_token_cost", "3.75e-6");
    let write_1h = ("cache_creation_input_token_cost_above_1hr", "6e-6");
    let usage = Usage {
        cache_write_5m: 300,
        cache_write_1h: 200,
        ..Usage::default()
    };
    for (stated, total) in [
        (vec![(IN, "3e-6"), write, write_1h], "0.002325"),
        (vec![(IN, "3e-6"), write], "0.001875"),
        (vec![(IN, "3e-6")], "0.0015"),
    ] {
        assert_eq!(dollars(&rates(&stated), &usage, &STANDARD), total);
    }
}

#[test]
fn units_that_are_no_tokens() {
    let call = |units| CallFacts { units, ..STANDARD };
    let none = Usage::default();
    let queries = call(Units {
        queries: 3,
        ..STANDARD.units
    });
    assert_eq!(
        dollars(
            &rates(&[("input_cost_per_query", "0.002")]),
            &none,
            &queries
        ),
        "0.006"
    );
    let seconds = call(Units {
        milliseconds: 90_000,
        ..STANDARD.units
    });
    assert_eq!(
        dollars(
            &rates(&[("output_cost_per_second", "1e-4")]),
            &none,
            &seconds
        ),
        "0.009"
    );
    let whisper = find("openai", "whisper-1")
        .and_then(|entry| Rates::compile(&entry.prices, "openai"))
        .expect("priced");
    assert_eq!(dollars(&whisper, &none, &seconds), "0.009");
    let searches = call(Units {
        web_searches: 2,
        search_context: SearchContext::High,
        ..STANDARD.units
    });
    let cost = cost(
        &rates(&[("search_context_size_high", "0.05")]),
        &none,
        &searches,
    );
    assert_eq!(
        (
            cost.total.to_string().as_str(),
            cost.breakdown.tools.to_string().as_str()
        ),
        ("0.1", "0.1")
    );
}

#[test]
fn a_stated_zero_is_a_price_and_nothing_is_none() {
    let free_reads = rates(&[(IN, "2e-6"), (READ, "0")]);
    assert_eq!(dollars(&free_reads, &first_example(), &STANDARD), "0.0012");
    let no_reads = rates(&[(IN, "2e-6")]);
    assert_eq!(dollars(&no_reads, &first_example(), &STANDARD), "0.002");
    assert!(Rates::compile(&Prices::default(), "openai").is_none());
    assert_eq!(
        dollars(&rates(&[(IN, "0")]), &first_example(), &STANDARD),
        "0"
    );
}

#[test]
fn reasoning_audio_and_images_fall_back_to_text() {
    let usage = Usage {
        input_audio: 10,
        input_image: 20,
        reasoning: 30,
        output_audio: 40,
        ..Usage::default()
    };
    assert_eq!(dollars(&rates(&BASIC), &usage, &STANDARD), "0.00062");
    let mut stated = BASIC.to_vec();
    stated.extend([
        ("input_cost_per_audio_token", "1e-5"),
        ("input_cost_per_image_token", "3e-6"),
        ("output_cost_per_reasoning_token", "1e-5"),
        ("output_cost_per_audio_token", "2e-5"),
    ]);
    let cost = cost(&rates(&stated), &usage, &STANDARD);
    assert_eq!(cost.total.to_string(), "0.00126");
    assert_eq!(cost.breakdown.input.to_string(), "0.00016");
    assert_eq!(cost.breakdown.reasoning.to_string(), "0.0003");
    assert_eq!(cost.breakdown.output.to_string(), "0.0008");
}

#[test]
fn tiers_by_prompt_size_come_from_the_catalogue() {
    let entry = find("dashscope", "qwen3-coder-flash").expect("in the catalogue");
    let rates = Rates::compile(&entry.prices, entry.provider).expect("priced");
    let usage = |input| Usage {
        input,
        ..Usage::default()
    };
    for (tokens, total) in [
        (32_000, "0.0096"),
        (32_001, "0.0160005"),
        (2_000_000, "3.2"),
    ] {
        assert_eq!(dollars(&rates, &usage(tokens), &STANDARD), total);
    }
}

#[test]
fn every_priced_model_can_be_billed() {
    for entry in crate::catalog::all() {
        let rates = Rates::compile(&entry.prices, entry.provider);
        assert_eq!(rates.is_some(), entry.prices.is_priced(), "{}", entry.key);
        let Some((rates, input)) = rates.zip(entry.prices.base(Kind::Input)) else {
            continue;
        };
        let thousand = Usage {
            input: 1000,
            ..Usage::default()
        };
        let request = entry
            .prices
            .base(Kind::Request)
            .map_or(0, |price| i128::from(price.0));
        let exact = i128::from(input.0) * 1000 + request;
        let total = i128::from(cost(&rates, &thousand, &STANDARD).total.0);
        assert_eq!(total, (exact + 500_000) / 1_000_000, "{}", entry.key);
    }
}

#[test]
fn uplifts_multiply() {
    let entry = find("anthropic", "claude-opus-4-6").expect("in the catalogue");
    let rates = Rates::compile(&entry.prices, entry.provider).expect("priced");
    let usage = Usage {
        input: 1000,
        ..Usage::default()
    };
    assert_eq!(dollars(&rates, &usage, &STANDARD), "0.005");
    assert_eq!(
        dollars(
            &rates,
            &usage,
            &CallFacts {
                inference_in_us: true,
                ..STANDARD
            }
        ),
        "0.0055"
    );
    let batch = CallFacts {
        tier: ServiceTier::Batch,
        inference_in_us: true,
        ..STANDARD
    };
    assert_eq!(dollars(&rates, &usage, &batch), "0.00275");
}

#[test]
fn a_providers_own_figure_is_adjusted_too() {
    let adjustment = Adjustment {
        margin: Share::margin("0.5").expect("a share"),
        ..Adjustment::default()
    };
    assert_eq!(
        Cost::stated(NanoUsd(2_000), &adjustment).total,
        NanoUsd(3_000)
    );
}

#[test]
fn time_is_billed_where_tokens_are_not() {
    let usage = Usage {
        input: 1000,
        output: 100,
        ..Usage::default()
    };
    let call = CallFacts {
        units: Units {
            answer_milliseconds: 1_500,
            ..STANDARD.units
        },
        ..STANDARD
    };
    let second = ("input_cost_per_second", "0.01");
    for (stated, total) in [
        (vec![second], "0.015"),
        (vec![second, ("output_cost_per_second", "0.02")], "0.045"),
        (vec![second, (IN, "1e-6")], "0.001"),
        (vec![second, (OUT, "1e-6")], "0.0151"),
    ] {
        assert_eq!(dollars(&rates(&stated), &usage, &call), total, "{stated:?}");
    }
}

/// Deepseek's hours: 04:00 to 06:00 UTC on working days are off peak at half the price.
#[test]
fn a_tariff_bills_by_the_hour_a_call_began() {
    let entry = find("deepseek", "deepseek-v4-flash").expect("in the catalogue");
    let off_peak = OffPeak::of_entry(&entry).and_then(Result::ok);
    let own = |tariff: &Tariff, hour: i64| {
        // Monday 2024-01-01.
        let at = 1_704_067_200 + hour * 3600;
        let usage = Usage {
            input: 1_000_000,
            ..Usage::default()
        };
        tariff
            .bill(&usage, &STANDARD, None, at)
            .map(|cost| cost.total.to_string())
    };
    let tariff = Tariff::new(
        "deepseek",
        &entry.prices,
        off_peak.clone(),
        Adjustment::default(),
    );
    assert_eq!(own(&tariff, 2).as_deref(), Some("0.3"));
    assert_eq!(own(&tariff, 5).as_deref(), Some("0.15"));
    let expected = Expected {
        tier: None,
        input_tokens: 1_000_000,
        output_tokens: 0,
    };
    assert_eq!(tariff.hold(&expected, false).to_string(), "0.3");
    // A deployment's own price holds at all hours.
    let mine = prices(&[(IN, "1e-6")]);
    let tariff = Tariff::new(
        "deepseek",
        &entry.prices.overridden_by(&mine),
        off_peak.map(|off_peak| off_peak.overridden_by(&mine)),
        Adjustment::default(),
    );
    assert_eq!(own(&tariff, 5).as_deref(), Some("1"));
}

#[test]
fn only_providers_that_tell_their_cost_are_believed() {
    let usage = first_example();
    let bill = |provider: &str, stated: Option<i64>| {
        let tariff = Tariff::new(provider, &prices(&BASIC), None, Adjustment::default());
        let cost = tariff.bill(&usage, &STANDARD, stated.map(NanoUsd), 0);
        cost.map(|cost| cost.total.to_string())
    };
    assert_eq!(bill("openrouter", Some(5)).as_deref(), Some("0.000000005"));
    assert_eq!(bill("openrouter", None).as_deref(), Some("0.003"));
    assert_eq!(bill("openai", Some(5)).as_deref(), Some("0.003"));
    let absurd = 1_000_001 * NanoUsd::PER_DOLLAR;
    assert_eq!(bill("openrouter", Some(absurd)).as_deref(), Some("0.003"));
}

#[test]
fn unpriced_and_free_are_not_one() {
    let tariff = |provider: &str, stated: &[(&str, &str)]| {
        Tariff::new(provider, &prices(stated), None, Adjustment::default())
    };
    let unknown = tariff("openai", &[]);
    assert_eq!(
        (
            unknown.is_unpriced(),
            unknown.is_priced(),
            unknown.is_free()
        ),
        (true, false, false)
    );
    assert_eq!(unknown.bill(&first_example(), &STANDARD, None, 0), None);
    let free = tariff("openai", &[(IN, "0"), (OUT, "0")]);
    assert_eq!(
        (free.is_unpriced(), free.is_priced(), free.is_free()),
        (false, true, true)
    );
    for dear in [
        (IN, "1e-9"),
        ("input_cost_per_request", "0.01"),
        ("input_cost_per_second", "0.01"),
    ] {
        assert!(!tariff("openai", &[dear]).is_free(), "{dear:?}");
    }
    assert!(!tariff("openrouter", &[]).is_unpriced());
    assert!(!tariff("openrouter", &[(IN, "0")]).is_free());
}

/// OpenAI's regional hosts cost a tenth more, before the call as after it.
#[test]
fn a_region_has_its_uplift() {
    let mut stated = BASIC.to_vec();
    stated.push(("regional_processing_uplift_multiplier_eu", "1.1"));
    let world = Tariff::new("openai", &prices(&stated), None, Adjustment::default());
    let europe = world.clone().at_residency(Residency::Eu);
    let expected = Expected {
        tier: None,
        input_tokens: 1000,
        output_tokens: 200,
    };
    for (tariff, billed, held) in [(world, "0.003", "0.0036"), (europe, "0.0033", "0.00396")] {
        let bill = tariff.bill(&first_example(), &STANDARD, None, 0);
        assert_eq!(
            bill.map(|cost| cost.total.to_string()).as_deref(),
            Some(billed)
        );
        for any_tier in [false, true] {
            assert_eq!(tariff.hold(&expected, any_tier).to_string(), held);
        }
    }
}

/// Where a request leaves the tier to the provider, the dearest one is an upper bound and the standard one the expectation.
#[test]
fn a_hold_knows_the_tier_asked_for() {
    let mut stated = BASIC.to_vec();
    stated.extend([
        ("input_cost_per_token_priority", "4e-6"),
        ("output_cost_per_token_priority", "16e-6"),
        ("output_cost_per_token_flex", "4e-6"),
    ]);
    let tariff = Tariff::new("openai", &prices(&stated), None, Adjustment::default());
    let hold = |tier, any_tier| {
        let expected = Expected {
            tier,
            input_tokens: 1000,
            output_tokens: 100,
        };
        tariff.hold(&expected, any_tier).to_string()
    };
    for (tier, any_tier, held) in [
        (None, false, "0.0028"),
        (None, true, "0.0056"),
        (Some(ServiceTier::Standard), true, "0.0028"),
        (Some(ServiceTier::Priority), false, "0.0056"),
        // Flex may be served as standard.
        (Some(ServiceTier::Flex), true, "0.0028"),
    ] {
        assert_eq!(hold(tier, any_tier), held, "{tier:?} {any_tier}");
    }
}

#[test]
fn a_hold_takes_the_dearest_way() {
    let mut stated = BASIC.to_vec();
    stated.push(("output_cost_per_token_priority", "16e-6"));
    stated.push(("cache_creation_input_token_cost", "2.5e-6"));
    let rates = rates(&stated);
    let any_tier = hold(&rates, Residency::Global, 1000, 200);
    assert_eq!(any_tier.to_string(), "0.0057");
    assert_eq!(hold_at(&rates, &STANDARD, 1000, 200).to_string(), "0.0041");
    assert_eq!(
        hold_at(&rates, &at(ServiceTier::Priority), 1000, 200).to_string(),
        "0.0057"
    );
}

/// Any usage; small numbers, so that sums stay in range, or all of `u64`.
fn usage(most: u64) -> impl Strategy<Value = Usage> {
    proptest::array::uniform12(0..=most).prop_map(|n| Usage {
        input: n[0],
        cache_read: n[1],
        cache_write_5m: n[2],
        cache_write_1h: n[3],
        input_audio: n[4],
        input_image: n[5],
        input_video: n[6],
        output: n[7],
        reasoning: n[8],
        output_audio: n[9],
        output_image: n[10],
        output_video: n[11],
    })
}

fn any_rates() -> impl Strategy<Value = Rates> {
    let price = 0..20_000_000_000i64;
    (
        proptest::array::uniform6(price),
        0u32..1_000_000,
        0u32..2_000_000,
    )
        .prop_map(|(n, discount, margin)| {
            let text = |units: i64| Price(units).to_string();
            let mut prices = Prices::default();
            for (field, units) in [
                (IN, n[0]),
                (OUT, n[1]),
                (READ, n[2]),
                ("cache_creation_input_token_cost", n[3]),
                // Beyond the threshold nothing is cheaper, as with every provider.
                (
                    "input_cost_per_token_above_200k_tokens",
                    n[0].saturating_mul(2),
                ),
                ("output_cost_per_token_above_200k_tokens", n[1] + n[4]),
                ("output_cost_per_token_flex", n[5]),
                (
                    "output_cost_per_token_above_200k_tokens_flex",
                    n[5].max(n[1] + n[4]),
                ),
            ] {
                assert_eq!(prices.set(field, &text(units)), Ok(true));
            }
            let share = |millionths: u32| NanoUsd(i64::from(millionths) * 1000).to_string();
            Rates::compile(&prices, "openai")
                .expect("priced")
                .adjusted(Adjustment {
                    discount: Share::discount(&share(discount)).expect("a share"),
                    margin: Share::margin(&share(margin)).expect("a share"),
                    margin_fixed: NanoUsd(7),
                })
        })
}

fn any_tier() -> impl Strategy<Value = ServiceTier> {
    proptest::sample::select(ServiceTier::ALL.to_vec())
}

proptest! {
    #[test]
    fn more_usage_never_costs_less(rates in any_rates(), tier in any_tier(), usage in usage(100_000), more in usage(100_000)) {
        let sum = Usage {
            input: usage.input + more.input,
            cache_read: usage.cache_read + more.cache_read,
            cache_write_5m: usage.cache_write_5m + more.cache_write_5m,
            input_audio: usage.input_audio + more.input_audio,
            output: usage.output + more.output,
            reasoning: usage.reasoning + more.reasoning,
            ..usage
        };
        prop_assert!(cost(&rates, &usage, &at(tier)).total <= cost(&rates, &sum, &at(tier)).total);
    }

    #[test]
    fn the_breakdown_adds_up(rates in any_rates(), tier in any_tier(), usage in usage(10_000_000)) {
        let cost = cost(&rates, &usage, &at(tier));
        prop_assert_eq!(cost.breakdown.sum(), cost.original);
        prop_assert_eq!((cost.original - cost.discount + cost.margin).round(), cost.total);
    }

    #[test]
    fn the_bill_is_the_sum_of_tokens_times_prices(price in 0..1_000_000_000_000i64, out in 0..1_000_000_000_000i64, usage in usage(1_000_000)) {
        let rates = rates(&[(IN, &Price(price).to_string()), (OUT, &Price(out).to_string())]);
        let exact = i128::from(usage.prompt_tokens()) * i128::from(price) + i128::from(usage.completion_tokens()) * i128::from(out);
        prop_assert_eq!(i128::from(cost(&rates, &usage, &STANDARD).total.0), (exact + 500_000) / 1_000_000);
    }

    #[test]
    fn no_number_is_too_much(usage in usage(u64::MAX), tier in any_tier(), count: u64) {
        let units = Units { milliseconds: count, characters: count, queries: count, web_searches: count, ..STANDARD.units };
        let call = CallFacts { tier, units, fast: true, residency: Residency::Eu, ..STANDARD };
        let highest = Price(i64::MAX).to_string();
        let rates = rates(&[
            (IN, &highest), (OUT, &highest), (READ, &highest), ("input_cost_per_query", &highest),
            ("input_cost_per_character", &highest), ("search_context_size_medium", &highest),
            ("provider_specific_entry.fast", "9000"), ("regional_processing_uplift_multiplier_eu", "9000"),
        ]).adjusted(Adjustment {
            margin: Share::margin("1000").expect("a share"), margin_fixed: NanoUsd::MAX, ..Adjustment::default()
        });
        let cost = cost(&rates, &usage, &call);
        prop_assert_eq!(cost.breakdown.sum(), cost.original);
        prop_assert_eq!(cost.total, NanoUsd::MAX);
        prop_assert_eq!(hold_at(&rates, &call, usage.input, usage.output), NanoUsd::MAX);
    }

    #[test]
    fn a_hold_is_never_too_small(rates in any_rates(), tier in any_tier(), parts in proptest::array::uniform6(0..200_000u64)) {
        let usage = Usage {
            input: parts[0], cache_read: parts[1], cache_write_5m: parts[2], cache_write_1h: parts[3],
            output: parts[4], reasoning: parts[5], ..Usage::default()
        };
        let (input, output) = (usage.prompt_tokens(), usage.completion_tokens());
        let bill = cost(&rates, &usage, &at(tier)).total;
        prop_assert!(bill <= hold_at(&rates, &at(tier), input, output));
        prop_assert!(hold_at(&rates, &at(tier), input, output) <= hold(&rates, Residency::Global, input, output));
    }
}
