//! Tables of LiteLLM's rules, and what holds for every group and request.

use proptest::prelude::*;

use super::*;

fn texts(words: &str) -> Vec<String> {
    words.split_whitespace().map(str::to_owned).collect()
}

/// A member by its tags; `~x` is a pattern.
fn member(deployment: u32, tags: &str) -> MemberFacts {
    let (patterns, tags): (Vec<String>, Vec<String>) = texts(tags)
        .into_iter()
        .partition(|word| word.starts_with('~'));
    MemberFacts {
        deployment,
        traits: Traits {
            searches_web: true,
            takes_response_format: true,
            tags,
            tag_patterns: patterns.iter().map(|word| word[1..].to_owned()).collect(),
            ..Traits::default()
        },
        ..MemberFacts::default()
    }
}

fn group(members: Vec<MemberFacts>) -> GroupFacts {
    GroupFacts::new(members, &Arc::default(), false)
}

/// The numbers of those that may take the call, or `-`.
fn taken(facts: &GroupFacts, wants: &Wants<'_>) -> String {
    let shown = |of: &dyn Fn(u32) -> bool| {
        let numbers = facts.members.iter().map(|member| member.deployment);
        let left = numbers.filter(|number| of(*number));
        left.map(|number| number.to_string()).collect::<String>()
    };
    match draft(facts, wants).map(|draft| draft.list()) {
        Err(_) => "-".to_owned(),
        Ok(None) => shown(&|_| true),
        Ok(Some(list)) => shown(&|number| list.allows(number)),
    }
}

fn by_tags(facts: &GroupFacts, tags: &str, inherited: &str, agent: &str) -> String {
    let (tags, inherited) = (texts(tags), texts(inherited));
    let inherited: Vec<Arc<str>> = inherited.iter().map(|tag| tag.as_str().into()).collect();
    let tags: Vec<String> = inherited
        .iter()
        .map(|tag| tag.to_string())
        .chain(tags)
        .collect();
    let wish = TagWish {
        tags: &tags,
        inherited: &inherited,
        user_agent: Some(agent),
    };
    let wants = Wants {
        tags: Some(wish),
        ..Wants::default()
    };
    taken(facts, &wants)
}

/// LiteLLM's `get_deployments_for_tag`, case by case.
#[test]
fn tags_choose() {
    let tiers = ["free", "paid eu", "paid us", "default"];
    let plain = ["free", "paid eu", ""];
    let agents = ["~^User-Agent:\\sclaude", "paid ~curl", "default"];
    for (members, tags, agent, expected) in [
        (&tiers[..], "free", "", "0"),
        (&tiers, "paid", "", "12"),
        (&tiers, "paid free", "", "012"),
        // Nobody knows it: the defaults, if there are some.
        (&tiers, "unheard", "", "3"),
        (&plain, "unheard", "", "-"),
        (&tiers, "", "", "3"),
        (&plain, "", "", "012"),
        (&tiers, "!paid", "", "3"),
        (&tiers, "!default", "", "-"),
        (&plain, "!paid", "", "02"),
        (&tiers, "&paid", "", "12"),
        (&tiers, "&paid &eu", "", "1"),
        (&tiers, "&paid !eu", "", "2"),
        (&tiers, "&paid &unheard", "", "-"),
        (&tiers, "paid &eu", "", "1"),
        (&tiers, "paid !eu !us", "", "-"),
        // It is known, so the defaults are not for it.
        (&tiers, "free &eu", "", "-"),
        (&tiers, "! &", "", "3"),
        (&agents, "", "claude-cli/2.0", "0"),
        (&agents, "", "curl/8", "1"),
        (&agents, "paid", "claude-cli/2.0", "01"),
        (&agents, "", "python", "2"),
        (&agents, "!paid", "curl/8", "2"),
        // A requirement leaves no place for a pattern alone.
        (&agents, "&paid", "python", "1"),
    ] {
        let members = members
            .iter()
            .zip(0..)
            .map(|(tags, number)| member(number, tags));
        let facts = group(members.collect());
        assert_eq!(by_tags(&facts, tags, "", agent), expected, "{tags} {agent}");
    }
}

#[test]
fn all_tags_must_fit_where_the_router_says_so() {
    let rules = TagRules {
        match_any: false,
        ..TagRules::default()
    };
    let members = ["paid", "paid eu", "~curl", "eu ~curl"];
    let members = members
        .iter()
        .zip(0..)
        .map(|(tags, number)| member(number, tags));
    let facts = GroupFacts::new(members.collect(), &Arc::new(rules), true);
    for (tags, agent, expected) in [
        ("paid", "", "01"),
        ("paid eu", "", "1"),
        ("paid unheard", "", "-"),
        // A pattern counts where there are no tags that could have failed.
        ("paid", "curl", "012"),
        ("", "curl", "2"),
    ] {
        assert_eq!(by_tags(&facts, tags, "", agent), expected, "{tags} {agent}");
    }
}

#[test]
fn a_prefix_says_what_is_meant_for_routing() {
    let rules = TagRules {
        prefix: "route:".into(),
        ..TagRules::default()
    };
    let members = ["free", "paid", "default"];
    let members = members
        .iter()
        .zip(0..)
        .map(|(tags, number)| member(number, tags));
    let facts = GroupFacts::new(members.collect(), &Arc::new(rules), true);
    for (tags, expected) in [
        ("route:free", "0"),
        ("free", "0"),
        ("route:&paid", "1"),
        ("route:!default", "-"),
        // Somebody's own word gets the defaults; one that is meant for routing is not guessed at.
        ("batch-7", "2"),
        ("route:batch-7", "-"),
        ("route:", "2"),
    ] {
        assert_eq!(by_tags(&facts, tags, "", ""), expected, "{tags}");
    }
}

#[test]
fn who_would_be_refused_may_get_the_defaults() {
    let mut members: Vec<MemberFacts> = ["free", "paid eu", "default eu", "default us"]
        .iter()
        .zip(0..)
        .map(|(tags, number)| member(number, tags))
        .collect();
    members[0].traits.fails_open = true;
    let facts = group(members);
    for (tags, inherited, expected) in [
        ("free &paid", "", "23"),
        ("&free &paid", "", "23"),
        // What key and team require holds.
        ("free", "&eu", "2"),
        ("free", "&free &eu", "-"),
        ("free", "!us !free", "2"),
        // A tag that nobody has must not open what the others leave.
        ("&paid &unheard", "", "-"),
        ("&unheard", "", "23"),
    ] {
        let found = by_tags(&facts, tags, inherited, "");
        assert_eq!(found, expected, "{tags} / {inherited}");
    }
}

#[test]
fn whether_tags_choose() {
    let filters = |said: &[Option<bool>], router| {
        let members = said.iter().zip(0..).map(|(said, number)| {
            let mut member = member(number, "");
            member.traits.tag_filtering = *said;
            member
        });
        GroupFacts::new(members.collect(), &Arc::default(), router).filters_tags
    };
    for (said, router, expected) in [
        (&[None, None][..], false, false),
        (&[None, None], true, true),
        (&[None, Some(true)], false, true),
        (&[Some(false), None], true, false),
        (&[Some(false), Some(true)], false, true),
        (&[Some(true), Some(false)], false, true),
    ] {
        assert_eq!(filters(said, router), expected, "{said:?} {router}");
    }
}

#[test]
fn windows_regions_and_abilities() {
    let mut members: Vec<MemberFacts> = (0..4).map(|number| member(number, "")).collect();
    members[0].window = Some(8_192);
    members[1].window = Some(128_000);
    members[2].region = Some("eu".into());
    members[2].window = Some(4_096);
    members[3].traits.searches_web = false;
    members[3].traits.takes_response_format = false;
    let facts = group(members.clone());
    assert!(facts.concern_everybody && facts.minds_web_search && facts.minds_response_format);
    let eu: Arc<str> = "eu".into();
    let all = Wants::default();
    let in_eu = Wants {
        region: Some(&eu),
        ..Wants::default()
    };
    let searching = Wants {
        web_search: true,
        response_format: true,
        ..Wants::default()
    };
    assert_eq!(taken(&facts, &all), "0123");
    assert_eq!(taken(&facts, &in_eu), "2");
    assert_eq!(taken(&facts, &searching), "012");
    let drafted = draft(&facts, &all).unwrap();
    assert_eq!(drafted.smallest_window(), Some(4_096));
    let for_prompt = |needed| {
        let list = draft(&facts, &all).unwrap().for_prompt(needed)?.list();
        Ok::<_, Nobody>(list.map_or(0, |list| list.left_out().len()))
    };
    for (needed, left_out) in [(4_096, 0), (4_097, 1), (8_193, 2), (128_001, 3)] {
        assert_eq!(for_prompt(needed), Ok(left_out), "{needed}");
    }
    members.truncate(3);
    let facts = group(members);
    let nobody = draft(&facts, &all)
        .unwrap()
        .for_prompt(200_000)
        .unwrap_err();
    let (largest, needed) = (128_000, 200_000);
    assert_eq!(nobody.why, Cause::Window { largest, needed });
    let shown: Vec<String> = nobody
        .left_out
        .iter()
        .map(|(_, reason)| reason.to_string())
        .collect();
    assert_eq!(shown[0], "window 8192 < 200000");
    let mars: Arc<str> = "mars".into();
    let nobody = draft(
        &facts,
        &Wants {
            region: Some(&mars),
            ..all
        },
    )
    .unwrap_err();
    assert_eq!(nobody.why, Cause::Region(mars));
}

#[test]
fn paused_members_are_nobody_and_their_tags_are_known() {
    let mut members = vec![member(0, "free"), member(1, "default"), member(2, "")];
    members[0].is_paused = true;
    members[1].window = Some(10);
    members[2].window = Some(20);
    let facts = group(members.clone());
    assert_eq!(taken(&facts, &Wants::default()), "12");
    // Not for the defaults: it is for the one that is away.
    assert_eq!(by_tags(&facts, "free", "", ""), "-");
    let drafted = draft(&facts, &Wants::default()).unwrap();
    assert!(matches!(
        drafted.for_prompt(21).unwrap_err().why,
        Cause::Window { largest: 20, .. }
    ));
    members
        .iter_mut()
        .for_each(|member| member.is_paused = true);
    let facts = group(members);
    let none = draft(&facts, &Wants::default())
        .unwrap()
        .for_prompt(21)
        .unwrap();
    assert_eq!(none.list().unwrap().left_out().len(), 3);
}

#[test]
fn one_that_is_named() {
    let mut members = vec![member(0, ""), member(1, ""), member(2, "")];
    members[0].region = Some("eu".into());
    members[2].is_paused = true;
    let facts = group(members);
    let eu: Arc<str> = "eu".into();
    let wants = Wants {
        region: Some(&eu),
        ..Wants::default()
    };
    let only = |number| draft(&facts, &wants).unwrap().only(number).map(|_| ());
    assert_eq!(only(0), Ok(()));
    assert_eq!(only(1).unwrap_err().why, Cause::Region(eu.clone()));
    assert_eq!(only(2), Ok(()), "the Router says that it is paused");
}

#[test]
fn reserved_for_others() {
    let window = Reservation::new("08:00", "18:00", "UTC", &["day".to_owned()]).unwrap();
    let mut members = vec![member(0, ""), member(1, "")];
    members[0].reservations = [window.clone()].into();
    let noon = 12 * 3_600;
    let of = |members: &[MemberFacts], team, now| {
        let facts = group(members.to_vec());
        let wants = Wants {
            now,
            team,
            ..Wants::default()
        };
        taken(&facts, &wants)
    };
    assert_eq!(of(&members, None, noon), "1");
    assert_eq!(of(&members, Some("day"), noon), "01");
    assert_eq!(of(&members, None, 0), "01");
    members[1].reservations = [window].into();
    assert_eq!(of(&members, Some("night"), noon), "-");
}

fn any_member() -> impl Strategy<Value = MemberFacts> {
    let tags = proptest::collection::vec("a|b|c|default|~x|~a", 0..3);
    let region = proptest::option::of(prop_oneof![Just("eu"), Just("us")]);
    let window = proptest::option::of(0u64..4);
    (
        tags,
        region,
        window,
        any::<[bool; 4]>(),
        proptest::option::of(any::<bool>()),
    )
        .prop_map(|(tags, region, window, flags, tag_filtering)| {
            let mut member = member(0, &tags.join(" "));
            member.region = region.map(Arc::from);
            member.window = window;
            member.traits.searches_web = flags[0];
            member.traits.takes_response_format = flags[1];
            member.traits.fails_open = flags[2];
            member.is_paused = flags[3] && flags[0];
            member.traits.tag_filtering = tag_filtering;
            member
        })
}

proptest! {
    /// In whatever order the members stand, the same ones are left out, for the same reasons; and nobody is lost.
    #[test]
    fn the_order_of_members_does_not_matter(
        members in proptest::collection::vec(any_member(), 1..7),
        tags in proptest::collection::vec("[!&]?(a|b|c|d|p:a|p:d)", 0..4),
        inherited in proptest::collection::vec("[!&]?(a|b)", 0..2),
        flags in any::<[bool; 5]>(),
        needed in 0u64..5,
        turn in 0usize..7,
    ) {
        let numbered: Vec<MemberFacts> = members
            .into_iter()
            .zip(10..)
            .map(|(member, deployment)| MemberFacts { deployment, ..member })
            .collect();
        let mut turned = numbered.clone();
        turned.rotate_left(turn % numbered.len());
        turned.reverse();
        let rules = Arc::new(TagRules { match_any: flags[0], prefix: if flags[1] { "p:".into() } else { "".into() } });
        let inherited: Vec<Arc<str>> = inherited.iter().map(|tag| tag.as_str().into()).collect();
        let tags: Vec<String> = tags.into_iter().chain(inherited.iter().map(|tag| tag.to_string())).collect();
        let region: Arc<str> = "eu".into();
        let wants = Wants {
            region: flags[2].then_some(&region),
            web_search: flags[3],
            response_format: flags[4],
            tags: Some(TagWish { tags: &tags, inherited: &inherited, user_agent: Some("x") }),
            ..Wants::default()
        };
        let decide = |members: &[MemberFacts]| {
            let facts = GroupFacts::new(members.to_vec(), &rules, false);
            let decided = draft(&facts, &wants).and_then(|draft| draft.for_prompt(needed));
            let (allowed, mut left_out) = match decided {
                Err(nobody) => (Vec::new(), nobody.left_out.to_vec()),
                Ok(draft) => match draft.list() {
                    None => (members.iter().map(|member| member.deployment).collect(), Vec::new()),
                    Some(list) => {
                        let numbers = members.iter().map(|member| member.deployment);
                        (numbers.filter(|number| list.allows(*number)).collect(), list.left_out().to_vec())
                    }
                },
            };
            left_out.sort_by_key(|(number, _)| *number);
            let mut allowed: Vec<u32> = allowed;
            allowed.sort_unstable();
            (allowed, left_out)
        };
        let (allowed, left_out) = decide(&numbered);
        prop_assert_eq!(&decide(&turned), &(allowed.clone(), left_out.clone()));
        let mut all: Vec<u32> = left_out.iter().map(|(number, _)| *number).chain(allowed).collect();
        all.sort_unstable();
        prop_assert_eq!(all, numbered.iter().map(|member| member.deployment).collect::<Vec<_>>());
    }
}

#[test]
fn members_of_other_access_groups_are_left_out() {
    let of = |deployment: u32, groups: &str| MemberFacts {
        access_groups: groups.split_whitespace().map(Arc::from).collect(),
        ..member(deployment, "")
    };
    let facts = group(vec![of(1, "beta"), of(2, "beta gamma"), of(3, "")]);
    assert!(facts.splits_access && !facts.concern_everybody);
    assert!(!group(vec![of(1, "beta"), of(2, "beta")]).splits_access);
    let list = |entries: &str| ModelAccess(texts(entries));
    let (beta, gamma, both, other) = (
        list("beta"),
        list("x gamma"),
        list("gamma beta"),
        list("other"),
    );
    for (access, expected) in [
        (vec![], "123"),
        (vec![&beta], "12"),
        (vec![&gamma], "2"),
        (vec![&beta, &gamma], "2"),
        (vec![&both], "12"),
        (vec![&other], "-"),
    ] {
        let wants = Wants {
            access,
            ..Wants::default()
        };
        assert_eq!(taken(&facts, &wants), expected, "{wants:?}");
    }
    let wants = Wants {
        access: vec![&other],
        ..Wants::default()
    };
    assert_eq!(draft(&facts, &wants).unwrap_err().why, Cause::Access);
}

#[test]
fn who_has_no_model_of_the_name_is_left_out() {
    let without = |deployment: u32| MemberFacts {
        is_no_model: true,
        ..member(deployment, "")
    };
    let facts = group(vec![member(1, ""), without(2)]);
    assert!(facts.concern_everybody);
    assert_eq!(taken(&facts, &Wants::default()), "1");
    let facts = group(vec![without(2)]);
    assert_eq!(taken(&facts, &Wants::default()), "-");
}
