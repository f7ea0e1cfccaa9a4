//! Cases of the rules of LiteLLM 1.106.2.

use super::*;
use crate::config::Config;

const MODELS: &str = r"
model_list:
  - {model_name: a, litellm_params: {model: openai/m, api_key: k}, model_info: {id: one}}
  - {model_name: a, litellm_params: {model: openai/n, api_key: k}, model_info: {id: two}}
  - {model_name: b, litellm_params: {model: openai/m, api_key: k}, model_info: {id: a}}
  - {model_name: c, litellm_params: {model: openai/c, api_key: k}, model_info: {id: three, blocked: true}}
  - {model_name: openai/*, litellm_params: {model: openai/*, api_key: k}, model_info: {id: star}}
  - {model_name: openai/gpt-*, litellm_params: {model: openai/gpt-*, api_key: k}, model_info: {id: gpt}}
  - {model_name: internal, litellm_params: {model: openai/t, api_key: k}, model_info: {id: of-t, team_id: t, team_public_model_name: ours}}
  - {model_name: internal, litellm_params: {model: openai/t, api_key: k}, model_info: {id: of-u, team_id: u, team_public_model_name: ours}}
  - {model_name: only-u, litellm_params: {model: openai/u, api_key: k}, model_info: {id: of-u-too, team_id: u}}
  - {model_name: b, litellm_params: {model: openai/m, api_key: k}, model_info: {id: b-of-t, team_id: t}}
  - {model_name: mine-t, litellm_params: {model: openai/x, api_key: k}, model_info: {id: star-of-t, team_id: t, team_public_model_name: 'tt/*'}}
router_settings:
  model_group_alias:
    nick: a
    second: nick
    secret: {model: b, hidden: true}
    one-of: openai/gpt-4o
    by-id: two
    b: c
    my/*: openai/*
    round: about
    about: round
";

fn table() -> RoutingTable {
    let config = Config::from_text("t.yaml", MODELS, &|_| None)
        .unwrap()
        .config;
    RoutingTable::compile(&config)
}

/// Where a name leads: the group's name with the ids of its members, the only one, what the star stands for.
fn led(table: &RoutingTable, name: &str, asker: Asker<'_>) -> String {
    let destination = match table.resolve(name, asker) {
        Ok(destination) => destination,
        Err(astray) => return format!("{astray:?}"),
    };
    let id = |number: u32| table.deployment(number).map_or("?", |own| &own.id);
    if let Some(only) = destination.only {
        return format!("= {}", id(only));
    }
    let group = table.group(destination.group).unwrap();
    let members = group.members.iter().map(|member| id(member.deployment));
    let members: Vec<&str> = members.collect();
    let concrete = destination.concrete.as_deref().unwrap_or_default();
    format!("{} [{}] {concrete}", group.name, members.join(" "))
        .trim()
        .to_owned()
}

#[test]
fn where_names_lead() {
    let table = table();
    for (name, expected) in [
        // A group, also where a deployment has its name for an id.
        ("a", "a [one two]"),
        ("two", "= two"),
        ("nick", "a [one two]"),
        ("second", "a [one two]"),
        ("by-id", "= two"),
        // An alias takes the place of a group.
        ("b", "c [three]"),
        ("secret", "c [three]"),
        ("round", "Unknown"),
        // The longest pattern; what is known by itself needs none.
        ("openai/gpt-4o", "openai/gpt-* [gpt] openai/gpt-4o"),
        ("openai/o3", "openai/* [star] openai/o3"),
        ("one-of", "openai/gpt-* [gpt] openai/gpt-4o"),
        ("my/o3", "openai/* [star] openai/o3"),
        // Behind the provider that is known for it.
        ("gpt-4o", "openai/gpt-* [gpt] openai/gpt-4o"),
        ("gpt-4o\n", "FitsNoPattern"),
        ("elsewhere", "FitsNoPattern"),
        ("", "FitsNoPattern"),
        // Of teams.
        ("ours", "FitsNoPattern"),
        ("internal", "FitsNoPattern"),
        ("of-t", "Unknown"),
    ] {
        assert_eq!(led(&table, name, Asker::default()), expected, "{name}");
    }
}

#[test]
fn teams_have_models_of_their_own() {
    let table = table();
    let of = |team| Asker {
        team: Some(team),
        is_admin: false,
    };
    let admin = Asker {
        team: None,
        is_admin: true,
    };
    for (asker, name, expected) in [
        (of("t"), "ours", "ours [of-t]"),
        (of("u"), "ours", "ours [of-u]"),
        (of("v"), "ours", "FitsNoPattern"),
        (of("t"), "internal", "internal [of-t]"),
        (of("t"), "of-t", "= of-t"),
        (of("t"), "of-u", "Unknown"),
        (of("u"), "only-u", "only-u [of-u-too]"),
        (of("t"), "only-u", "FitsNoPattern"),
        (of("t"), "a", "a [one two]"),
        (of("t"), "tt/x", "tt/* [star-of-t] tt/x"),
        (of("u"), "tt/x", "FitsNoPattern"),
        (admin, "ours", "OfSeveralTeams"),
        (admin, "only-u", "only-u [of-u-too]"),
        (admin, "of-t", "= of-t"),
    ] {
        assert_eq!(led(&table, name, asker), expected, "{name} {asker:?}");
    }
    let names = |asker| {
        let names = table.listed(asker).map(|name| name.to_string());
        names.collect::<Vec<_>>().join(" ")
    };
    let general = "a b c openai/* openai/gpt-* nick second one-of by-id b my/* round about";
    assert_eq!(names(Asker::default()), general);
    assert_eq!(names(admin), general);
    assert_eq!(names(of("u")), format!("{general} ours internal only-u"));
}

#[test]
fn a_deployments_own_model_is_a_name_of_all_that_have_it() {
    let table = table();
    let led = |name, asker| {
        let destination = table.resolve_model(name, asker).ok()?;
        let group = table.group(destination.group)?;
        let members = group.members.iter();
        let numbers = members.map(|member| member.deployment);
        let ids = numbers.filter_map(|number| Some(table.deployment(number)?.id.to_string()));
        Some(ids.collect::<Vec<_>>().join(" "))
    };
    let of_t = Asker {
        team: Some("t"),
        is_admin: false,
    };
    for (name, asker, expected) in [
        ("openai/m", Asker::default(), Some("one a")),
        ("openai/m", of_t, Some("one a b-of-t")),
        ("openai/n", Asker::default(), Some("two")),
        ("openai/t", Asker::default(), None),
        ("a", Asker::default(), None),
    ] {
        assert_eq!(led(name, asker).as_deref(), expected, "{name} {asker:?}");
    }
    // Names by which groups are known, patterns too, come first.
    let by_pattern = table.resolve("openai/m", Asker::default()).unwrap();
    assert!(by_pattern.concrete.is_some());
}

#[test]
fn who_is_paused() {
    let table = table();
    let is_paused = |name| {
        let destination = table.resolve(name, Asker::default()).unwrap();
        table.is_paused(&destination)
    };
    for (name, expected) in [("a", false), ("one", false), ("c", true), ("three", true)] {
        assert_eq!(is_paused(name), expected, "{name}");
    }
}
