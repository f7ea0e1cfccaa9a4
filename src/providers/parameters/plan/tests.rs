use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::providers::parameters::{Change, Field, Path, Wishes};
use crate::providers::{all, find, or_generic};

use super::*;

fn plan(provider: &str, model: Model<'_>, settings: Settings) -> Plan {
    Plan::compile(or_generic(provider), provider, &model, settings)
}

/// What a request with the fields of `request` becomes, written as an object; or what is refused.
fn sent(plan: &Plan, wishes: &Wishes, request: &str) -> Result<Value, Vec<String>> {
    let request: Map<String, Value> = serde_json::from_str(request).unwrap();
    let values: Vec<Vec<u8>> = request
        .values()
        .map(|value| value.to_string().into())
        .collect();
    let named = request.keys().zip(&values);
    let fields: Vec<Field<'_>> = named.map(|(name, value)| Field { name, value }).collect();
    let mut changes = plan
        .apply(&fields, wishes)
        .map_err(|error| error.parameters)?;
    let json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();
    let mut out = Map::new();
    for (place, field) in fields.iter().enumerate() {
        let change = changes.fields.iter().position(|(at, _)| *at == place);
        let (name, value) = match change.map(|at| changes.fields.remove(at).1) {
            None | Some(Change::Without(_)) => (field.name, json(field.value)),
            Some(Change::Remove) => continue,
            Some(Change::Rename(to)) => (to, json(field.value)),
            Some(Change::Value(value)) => (field.name, json(&value)),
            Some(Change::RenameAndValue(to, value)) => (to, json(&value)),
        };
        assert!(out.insert(name.to_owned(), value).is_none(), "{name} twice");
    }
    assert!(changes.fields.is_empty());
    for (name, value) in changes.added {
        let before = out.insert(name.to_owned(), json(&value));
        assert!(before.is_none(), "{name} twice");
    }
    Ok(out.into())
}

fn named(name: &str) -> Model<'_> {
    Model {
        name,
        ..Model::default()
    }
}

#[test]
#[rustfmt::skip]
fn what_providers_make_of_parameters() {
    let known = |name| Model { is_known: true, ..named(name) };
    let reasoning = |name| Model { reasons: true, ..known(name) };
    let quiet = |name| Model { may_not_reason: Some(true), ..reasoning(name) };
    for (provider, model, request, expected) in [
        // OpenAI's families.
        ("openai", named("gpt-4o"), r#"{"max_tokens":1,"temperature":0.5,"user":"u","n":2}"#, Ok(r#"{"max_tokens":1,"temperature":0.5,"user":"u","n":2}"#)),
        ("openai", named("o3-mini"), r#"{"max_tokens":1,"temperature":1,"n":2}"#, Ok(r#"{"max_completion_tokens":1,"temperature":1,"n":2}"#)),
        ("openai", named("o3-mini"), r#"{"max_tokens":1,"max_completion_tokens":2}"#, Ok(r#"{"max_completion_tokens":2}"#)),
        ("openai", named("o1"), r#"{"temperature":0.5,"top_p":1,"logprobs":true}"#, Err("logprobs temperature top_p")),
        ("openai", named("gpt-5"), r#"{"temperature":1.0,"reasoning_effort":"low","stop":null}"#, Ok(r#"{"temperature":1.0,"reasoning_effort":"low"}"#)),
        ("openai", named("gpt-5"), r#"{"stop":"x","temperature":0,"top_p":0.5,"logit_bias":{}}"#, Err("logit_bias stop temperature top_p")),
        ("openai", quiet("gpt-5.1"), r#"{"temperature":0,"top_p":0.5}"#, Ok(r#"{"temperature":0,"top_p":0.5}"#)),
        ("openai", quiet("gpt-5.1"), r#"{"temperature":0,"reasoning_effort":"none"}"#, Ok(r#"{"temperature":0,"reasoning_effort":"none"}"#)),
        ("openai", quiet("gpt-5.1"), r#"{"temperature":0,"top_p":0.5,"reasoning_effort":"high"}"#, Err("temperature top_p")),
        ("openai", quiet("gpt-5.1"), r#"{"temperature":1,"reasoning_effort":"high"}"#, Ok(r#"{"temperature":1,"reasoning_effort":"high"}"#)),
        ("azure", Model { base: Some("o3-mini"), ..named("mine") }, r#"{"max_tokens":1}"#, Ok(r#"{"max_completion_tokens":1}"#)),
        ("azure", Model { hint: Some("gpt5_series"), ..named("mine") }, r#"{"max_tokens":1}"#, Ok(r#"{"max_completion_tokens":1}"#)),
        // Reasoning is for models that do; who is unknown may.
        ("openai", known("gpt-4o"), r#"{"reasoning_effort":"low","verbosity":"low"}"#, Err("reasoning_effort verbosity")),
        ("openai", reasoning("gpt-5"), r#"{"reasoning_effort":"low"}"#, Ok(r#"{"reasoning_effort":"low"}"#)),
        ("hosted_vllm", named("mine"), r#"{"reasoning_effort":"low"}"#, Ok(r#"{"reasoning_effort":"low"}"#)),
        ("deepseek", reasoning("chat"), r#"{"reasoning_effort":"low"}"#, Ok(r#"{"thinking":{"type":"enabled"}}"#)),
        ("deepseek", reasoning("chat"), r#"{"reasoning_effort":"none"}"#, Ok(r#"{"thinking":{"type":"disabled"}}"#)),
        ("deepseek", reasoning("chat"), r#"{"reasoning_effort":"low","thinking":{"type":"x"}}"#, Ok(r#"{"thinking":{"type":"x"}}"#)),
        ("deepseek", known("v3"), r#"{"reasoning_effort":"low"}"#, Err("reasoning_effort")),
        ("openrouter", reasoning("x/y"), r#"{"reasoning_effort":"max"}"#, Ok(r#"{"reasoning_effort":"xhigh","usage":{"include":true}}"#)),
        ("openrouter", reasoning("x/y"), r#"{"usage":{"include":false}}"#, Ok(r#"{"usage":{"include":false}}"#)),
        // Names, values and refusals of others.
        ("mistral", named("m"), r#"{"seed":7,"max_completion_tokens":5,"tool_choice":"required","user":"u"}"#, Ok(r#"{"random_seed":7,"max_tokens":5,"tool_choice":"any"}"#)),
        ("mistral", named("m"), r#"{"tool_choice":"auto","n":1,"logit_bias":null}"#, Ok(r#"{"tool_choice":"auto"}"#)),
        ("mistral", named("m"), r#"{"n":2,"logprobs":true}"#, Err("logprobs n")),
        ("groq", named("m"), r#"{"user":"u","temperature":0.1,"unknown":1}"#, Ok(r#"{"temperature":0.1,"unknown":1}"#)),
        ("cerebras", named("m"), r#"{"user":"u","max_completion_tokens":3}"#, Ok(r#"{"user":"u","max_tokens":3}"#)),
        ("cerebras", named("m"), r#"{"max_tokens":1,"max_completion_tokens":3}"#, Ok(r#"{"max_tokens":3}"#)),
        ("moonshot", named("kimi-k2"), r#"{"temperature":1.7}"#, Ok(r#"{"temperature":1}"#)),
        ("moonshot", named("kimi-k2"), r#"{"temperature":0.3}"#, Ok(r#"{"temperature":0.3}"#)),
        ("moonshot", named("kimi-k2-thinking"), r#"{"temperature":0.3}"#, Ok("{}")),
        ("deepinfra", named("m"), r#"{"tool_choice":"auto"}"#, Ok(r#"{"tool_choice":"auto"}"#)),
        ("deepinfra", named("m"), r#"{"tool_choice":"required"}"#, Err("tool_choice")),
        ("deepinfra", named("m"), r#"{"tool_choice":{"type":"function"}}"#, Err("tool_choice")),
        ("xai", named("grok-4-fast"), r#"{"stop":"x","frequency_penalty":1}"#, Err("frequency_penalty stop")),
        ("xai", named("grok-2"), r#"{"stop":"x","frequency_penalty":1}"#, Ok(r#"{"stop":"x","frequency_penalty":1}"#)),
        ("morph", named("m"), r#"{"user":"u","stream_options":{}}"#, Ok("{}")),
        ("morph", named("m"), r#"{"temperature":1}"#, Err("temperature")),
        ("v0", named("m"), r#"{"tools":[1],"tool_choice":"auto"}"#, Ok(r#"{"tools":[1],"tool_choice":"auto"}"#)),
        ("perplexity", named("sonar"), r#"{"tools":[]}"#, Ok("{}")),
        ("perplexity", named("sonar"), r#"{"tools":[1]}"#, Err("tools")),
        ("reka", named("who-knows"), r#"{"tools":[1]}"#, Ok(r#"{"tools":[1]}"#)),
        ("reka", known("flat"), r#"{"tools":[1]}"#, Err("tools")),
        ("reka", Model { calls_functions: true, ..known("deep") }, r#"{"tools":[1]}"#, Ok(r#"{"tools":[1]}"#)),
        ("databricks", named("m"), r#"{"stream_options":{"include_usage":true}}"#, Ok("{}")),
        ("nobody-knows", named("m"), r#"{"max_completion_tokens":3,"user":"u"}"#, Ok(r#"{"max_tokens":3}"#)),
    ] {
        let came = sent(&plan(provider, model, Settings::default()), &Wishes::default(), request);
        let expected = expected
            .map(|text| serde_json::from_str(text).unwrap())
            .map_err(|names: &str| names.split(' ').map(str::to_owned).collect());
        assert_eq!(came, expected, "{provider} {} {request}", model.name);
    }
}

#[test]
fn settings_and_wishes() {
    let request = r#"{"logprobs":true,"n":2,"temperature":0.5,"x":1}"#;
    let names = || vec!["logprobs".to_owned(), "n".to_owned()];
    let paths = || ["n", "logprobs", "x"].map(|text| Path::parse(text).unwrap());
    let ask = |settings: Settings, wishes: Wishes| {
        sent(&plan("mistral", named("m"), settings), &wishes, request)
    };
    let drop = |drop_params| Settings {
        drop_params,
        ..Settings::default()
    };
    let wish = |drop_params| Wishes {
        drop_params,
        ..Wishes::default()
    };
    let dropped = Ok(json!({"temperature": 0.5, "x": 1}));
    assert_eq!(ask(drop(false), wish(None)), Err(names()));
    assert_eq!(ask(drop(true), wish(None)), dropped);
    assert_eq!(ask(drop(false), wish(Some(true))), dropped);
    assert_eq!(ask(drop(true), wish(Some(false))), Err(names()));
    let settings = Settings {
        additional_drop_params: paths().into(),
        ..Settings::default()
    };
    let wishes = Wishes {
        additional_drop_params: paths().into(),
        ..Wishes::default()
    };
    let less = Ok(json!({"temperature": 0.5}));
    assert_eq!(ask(settings, wish(None)), less);
    assert_eq!(ask(drop(false), wishes), less);
    let settings = Settings {
        allowed_openai_params: names(),
        ..Settings::default()
    };
    let wishes = Wishes {
        allowed_openai_params: names(),
        ..Wishes::default()
    };
    let all = Ok(serde_json::from_str(request).unwrap());
    assert_eq!(ask(settings, wish(None)), all);
    assert_eq!(ask(drop(false), wishes), all);
}

#[test]
fn defaults_are_for_requests_without_a_value() {
    let defaults = [
        ("temperature", "0.2"),
        ("max_tokens", "9"),
        ("seed", "3"),
        ("top_k", "40"),
    ];
    let settings = Settings {
        defaults: defaults
            .map(|(name, value)| (name.to_owned(), value.into()))
            .into(),
        ..Settings::default()
    };
    let plan = plan("mistral", named("m"), settings);
    let ask = |request| sent(&plan, &Wishes::default(), request);
    assert_eq!(
        ask("{}"),
        Ok(json!({"temperature": 0.2, "max_tokens": 9, "random_seed": 3, "top_k": 40}))
    );
    let own = r#"{"temperature":0.9,"max_completion_tokens":5,"seed":1,"top_k":null}"#;
    assert_eq!(
        ask(own),
        Ok(json!({"temperature": 0.9, "max_tokens": 5, "random_seed": 1, "top_k": null}))
    );
}

#[test]
fn the_refusal_says_what_helps() {
    let plan = plan("mistral", named("m"), Settings::default());
    let fields = [Field {
        name: "n",
        value: b"2",
    }];
    let error = plan.apply(&fields, &Wishes::default()).unwrap_err();
    let said = error.to_string();
    let start = "mistral does not support parameters: ['n'], for model=m";
    assert!(said.starts_with(start), "{said}");
    assert!(said.contains("drop_params") && said.contains("allowed_openai_params=['n']"));
}

/// A request that a plan says it leaves alone is left alone.
#[test]
fn the_short_cut_tells_the_truth() {
    for row in all() {
        let plan = Plan::compile(row, row.name, &named("m"), Settings::default());
        for parameter in Parameter::ALL {
            let mut present = ParameterSet::default();
            present.insert(*parameter);
            let fields = [Field {
                name: parameter.name(),
                value: b"5",
            }];
            if plan.leaves_alone(present) {
                let wishes = Wishes::default();
                let changes = plan.apply(&fields, &wishes);
                assert_eq!(
                    changes,
                    Ok(Default::default()),
                    "{} {parameter:?}",
                    row.name
                );
            }
        }
    }
    let openai = find("openai").unwrap();
    let openai = Plan::compile(openai, "openai", &named("gpt-4o"), Settings::default());
    let mut everything = ParameterSet::default();
    Parameter::ALL
        .iter()
        .for_each(|parameter| everything.insert(*parameter));
    assert!(
        openai.leaves_alone(everything),
        "OpenAI's usual models need nothing"
    );
}

proptest! {
    #[test]
    fn any_fields_are_judged(
        row in 0..all().count(),
        model in "[a-z0-9.-]{0,12}",
        fields in prop::collection::hash_map(
            prop::sample::select(Parameter::ALL.iter().map(|parameter| parameter.name()).collect::<Vec<_>>()),
            prop::sample::select(vec!["null", "1", "0.5", "\"auto\"", "[]", "{}", "\"none\"", "x", ""]),
            0..8,
        ),
        drop_params in any::<bool>(),
    ) {
        let provider = all().nth(row).unwrap();
        let settings = Settings { drop_params, ..Settings::default() };
        let plan = Plan::compile(provider, provider.name, &named(&model), settings);
        let fields: Vec<Field<'_>> = fields
            .iter()
            .map(|(name, value)| Field { name, value: value.as_bytes() })
            .collect();
        let wishes = Wishes::default();
        let changes = plan.apply(&fields, &wishes);
        prop_assert!(changes.is_ok() || !drop_params);
        if let Ok(changes) = changes {
            prop_assert!(changes.fields.windows(2).all(|pair| pair[0].0 < pair[1].0), "ascending, each once");
        }
    }
}
