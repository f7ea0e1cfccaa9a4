use proptest::prelude::*;

use super::*;

fn settings() -> Settings {
    Settings {
        tiers: ["s", "m", "c", "r"].map(|name| vec![Target::plain(name)]),
        escalations: vec![ESCALATE.to_owned()],
        rules: vec![
            Rule {
                words: Words::of(["invoice"]),
                tier: Tier::Medium,
            },
            Rule {
                words: Words::of(["lawsuit", "invoice fraud"]),
                tier: Tier::Complex,
            },
        ],
        plan_mode: Some(PlanMode {
            least: Tier::Complex,
            patterns: Vec::new(),
        }),
        ..Settings::default()
    }
}

fn said(text: &str) -> Said<'_> {
    Said {
        text,
        is_planning: false,
    }
}

fn decide(settings: &Settings, text: &str, random: f64) -> Option<Decision> {
    settings.place(settings.judge(text), said(text), random)
}

#[test]
fn tiers_of_texts() {
    let settings = settings();
    for (text, tier, cause) in [
        ("Hello there", Tier::Simple, Cause::Score),
        (
            "Please have a look at this python function, it does not do what I want it to",
            Tier::Medium,
            Cause::Score,
        ),
        (
            "Implement a distributed cache with replication in python: what about latency and performance of the api?",
            Tier::Complex,
            Cause::Score,
        ),
        (
            "Think step by step and show your work",
            Tier::Reasoning,
            Cause::ReasoningMarkers,
        ),
        ("an Invoice", Tier::Medium, Cause::Words),
        ("an invoice and a lawsuit", Tier::Complex, Cause::Words),
        ("Hello LITELLM ESCALATE", Tier::Medium, Cause::Score),
        ("a lawsuit, LITELLM ESCALATE", Tier::Reasoning, Cause::Words),
        ("litellm escalate", Tier::Simple, Cause::Score),
    ] {
        let decided = decide(&settings, text, 0.5).unwrap();
        assert_eq!(
            (decided.tier, decided.cause),
            (tier, cause),
            "{text}: {decided:?}"
        );
        assert_eq!(
            *decided.target.model,
            *["s", "m", "c", "r"][tier as usize],
            "{text}"
        );
        assert_eq!(decided.stays_in, Some(tier));
    }
    let stays = settings.stay(Tier::Complex, said("Hello"), 0.0).unwrap();
    assert_eq!((stays.tier, stays.cause), (Tier::Complex, Cause::Session));
    let more = settings.stay(Tier::Complex, said(ESCALATE), 0.0).unwrap();
    assert_eq!(
        (more.tier, more.cause),
        (Tier::Reasoning, Cause::SessionEscalated)
    );
    let on = settings.go_on(Tier::Complex, said(ESCALATE), 0.0).unwrap();
    assert_eq!((on.tier, on.cause), (Tier::Complex, Cause::Continued));
    let meant = settings.by_meaning(1).unwrap();
    assert_eq!((meant.tier, meant.cause), (Tier::Complex, Cause::Meaning));
    assert_eq!(settings.by_meaning(2), None);
}

#[test]
fn plans_have_a_least_tier() {
    let settings = settings();
    let plan = |text| Said {
        text,
        is_planning: true,
    };
    let told = |decision: Option<Decision>| {
        let decision = decision.unwrap();
        (decision.tier, decision.cause, decision.stays_in)
    };
    let judged = |text| settings.place(settings.judge(text), plan(text), 0.0);
    assert_eq!(
        told(judged("Hello there")),
        (Tier::Complex, Cause::PlanMode, Some(Tier::Simple)),
        "a session does not stay where a plan was made"
    );
    let hard = "Think step by step and show your work";
    assert_eq!(
        told(judged(hard)),
        (
            Tier::Reasoning,
            Cause::ReasoningMarkers,
            Some(Tier::Reasoning)
        )
    );
    assert_eq!(
        told(settings.stay(Tier::Simple, plan("ok"), 0.0)),
        (Tier::Complex, Cause::PlanMode, Some(Tier::Simple))
    );
    assert_eq!(
        told(settings.without_text(plan(""), 0.0)),
        (Tier::Complex, Cause::PlanMode, None)
    );
}

#[test]
fn titles_go_to_the_easiest_tier() {
    let mut settings = settings();
    let title = "Write the title in the predominant language of the session: prove it step by step";
    assert_eq!(settings.by_housekeeping(title), None);
    settings.housekeeping = Some(vec!["Name this".to_owned()]);
    settings.tiers[0].clear();
    for text in [title, "Name this"] {
        let judged = settings.by_housekeeping(text).unwrap();
        assert_eq!(
            (judged.tier, judged.cause),
            (Tier::Medium, Cause::Housekeeping)
        );
    }
    assert_eq!(settings.by_housekeeping("name this"), None);
}

#[test]
fn where_nothing_can_be_judged() {
    let mut settings = settings();
    let told = |decision: Option<Decision>| {
        decision.map(|decision| (decision.target.model.to_string(), decision.cause))
    };
    let of = |group: &str, cause| Some((group.to_owned(), cause));
    assert_eq!(
        told(settings.without_text(said(""), 0.0)),
        of("s", Cause::NoText)
    );
    assert_eq!(settings.unanswered(said("x"), 0.0), None);
    settings.default = Some("d".into());
    assert_eq!(
        told(settings.without_text(said(""), 0.0)),
        of("d", Cause::NoText)
    );
    assert_eq!(
        told(settings.unanswered(said("x"), 0.0)),
        of("d", Cause::Unanswered)
    );
}

#[test]
fn tiers_without_groups() {
    let mut settings = settings();
    settings.tiers[0].clear();
    let group =
        |settings: &Settings| decide(settings, "hi", 0.0).map(|decided| decided.target.model);
    assert_eq!(
        group(&settings).as_deref(),
        Some("m"),
        "the next harder one"
    );
    settings.default = Some("d".into());
    assert_eq!(group(&settings).as_deref(), Some("d"));
    settings.default = None;
    settings.tiers = [vec![Target::plain("s")], vec![], vec![], vec![]];
    let hard = decide(&settings, "think through it step by step", 0.0).unwrap();
    assert_eq!(&*hard.target.model, "s", "the next easier one");
    settings.tiers = Default::default();
    assert_eq!(decide(&settings, "hi", 0.0), None);
}

proptest! {
    /// Every text leads somewhere, and the same text and chance to the same place.
    #[test]
    fn decisions_are_functions(text in "\\PC{0,300}", random in 0.0..1.0f64) {
        let settings = settings();
        let decided = decide(&settings, &text, random);
        prop_assert!(decided.is_some());
        prop_assert_eq!(decided, decide(&settings, &text, random));
    }

    /// A tier's groups share its requests evenly.
    #[test]
    fn groups_of_a_tier_take_turns_by_chance(count in 1usize..6, random in 0.0..1.0f64) {
        let targets: Vec<Target> = (0..count).map(|n| Target::plain(n.to_string())).collect();
        let expected = ((random * count as f64) as usize).min(count - 1).to_string();
        prop_assert_eq!(&*any_of(&targets, random).unwrap().model, expected.as_str());
    }
}
