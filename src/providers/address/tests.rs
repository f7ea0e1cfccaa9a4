use super::*;
use crate::providers::{find, or_generic};

/// What an entry with these values comes to: `base key` or what is wrong.
fn came_to(
    provider: &str,
    base: Option<&str>,
    key: Option<&str>,
    env: &[(&str, &str)],
) -> Result<String, AddressError> {
    let look_up = |name: &str| {
        env.iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| (*value).to_owned())
    };
    let given = Given {
        base,
        key: key.map(Secret::new),
        look_up: &look_up,
    };
    let address = or_generic(provider).address(provider, "model", given)?;
    let key = address.key.as_ref().map_or("-", Secret::expose);
    Ok(format!("{} {key}", address.base))
}

#[test]
fn keys_go_only_where_they_belong() {
    let none: &[(&str, &str)] = &[];
    let key = &[("OPENAI_API_KEY", "env-key")][..];
    let moved = &[
        ("OPENAI_API_KEY", "env-key"),
        ("OPENAI_BASE_URL", "http://local:8080/v1/"),
    ][..];
    let vllm = &[
        ("HOSTED_VLLM_API_KEY", "vllm-key"),
        ("OPENAI_API_KEY", "env-key"),
    ][..];
    let groq = &[("GROQ_API_KEY", "groq-key"), ("OPENAI_API_KEY", "env-key")][..];
    let azure = &[("AZURE_API_KEY", "azure-key")][..];
    for (provider, base, given, env, expected) in [
        ("openai", None, None, none, "https://api.openai.com/v1 -"),
        (
            "openai",
            None,
            None,
            key,
            "https://api.openai.com/v1 env-key",
        ),
        (
            "openai",
            None,
            Some("own"),
            key,
            "https://api.openai.com/v1 own",
        ),
        (
            "openai",
            Some("https://API.openai.com:443/v1/"),
            None,
            key,
            "https://API.openai.com:443/v1 env-key",
        ),
        (
            "openai",
            Some("https://elsewhere/v1"),
            None,
            key,
            "https://elsewhere/v1 -",
        ),
        (
            "openai",
            Some("http://api.openai.com/v1"),
            None,
            key,
            "http://api.openai.com/v1 -",
        ),
        (
            "openai",
            Some("https://api.openai.com.evil.org/v1"),
            None,
            key,
            "https://api.openai.com.evil.org/v1 -",
        ),
        ("openai", None, None, moved, "http://local:8080/v1 env-key"),
        (
            "openai",
            Some("https://api.openai.com/v1"),
            None,
            moved,
            "https://api.openai.com/v1 -",
        ),
        (
            "openai",
            Some("https://api.groq.com/openai/v1"),
            None,
            groq,
            "https://api.groq.com/openai/v1 -",
        ),
        ("groq", None, None, key, "https://api.groq.com/openai/v1 -"),
        (
            "groq",
            None,
            None,
            groq,
            "https://api.groq.com/openai/v1 groq-key",
        ),
        (
            "groq",
            Some("http://mine:1/v1"),
            None,
            groq,
            "http://mine:1/v1 -",
        ),
        (
            "custom_openai",
            Some("http://h/v1"),
            None,
            key,
            "http://h/v1 -",
        ),
        (
            "acme",
            Some("http://h/v1"),
            Some("own"),
            key,
            "http://h/v1 own",
        ),
        ("acme", Some("http://h/v1"), None, key, "http://h/v1 -"),
        // Without a home of its own a provider is where the operator says, but not where another one is.
        (
            "hosted_vllm",
            Some("http://gpu:8000/v1"),
            None,
            vllm,
            "http://gpu:8000/v1 vllm-key",
        ),
        (
            "hosted_vllm",
            Some("https://api.openai.com/v1"),
            None,
            vllm,
            "https://api.openai.com/v1 -",
        ),
        (
            "azure",
            Some("https://r.openai.azure.com"),
            None,
            azure,
            "https://r.openai.azure.com azure-key",
        ),
        (
            "azure",
            Some("https://openrouter.ai/api/v1"),
            None,
            azure,
            "https://openrouter.ai/api/v1 -",
        ),
        // Other hosts of the same provider.
        (
            "moonshot",
            Some("https://api.moonshot.cn/v1"),
            None,
            &[("MOONSHOT_API_KEY", "k")][..],
            "https://api.moonshot.cn/v1 k",
        ),
        (
            "moonshot",
            Some("http://api.moonshot.cn/v1"),
            None,
            &[("MOONSHOT_API_KEY", "k")][..],
            "http://api.moonshot.cn/v1 -",
        ),
        // The first variable that is set.
        (
            "azure",
            Some("https://r"),
            None,
            &[("AZURE_API_KEY", "b"), ("AZURE_OPENAI_API_KEY", "a")][..],
            "https://r a",
        ),
        (
            "cloudflare",
            None,
            None,
            &[
                ("CLOUDFLARE_API_KEY", "k"),
                ("CLOUDFLARE_ACCOUNT_ID", "acc1"),
            ][..],
            "https://api.cloudflare.com/client/v4/accounts/acc1/ai/v1 k",
        ),
        (
            "cloudflare",
            Some("https://api.cloudflare.com/client/v4/accounts/acc2/ai/run"),
            None,
            &[
                ("CLOUDFLARE_API_KEY", "k"),
                ("CLOUDFLARE_ACCOUNT_ID", "acc1"),
            ][..],
            "https://api.cloudflare.com/client/v4/accounts/acc2/ai/v1 k",
        ),
        (
            "bedrock_mantle",
            None,
            Some("k"),
            &[
                ("aws_region_name", "eu-west-1"),
                ("AWS_REGION", "us-east-1"),
            ][..],
            "https://bedrock-mantle.eu-west-1.api.aws/v1 k",
        ),
    ] {
        assert_eq!(
            came_to(provider, base, given, env).as_deref(),
            Ok(expected),
            "{provider} {base:?}"
        );
    }
    for base in [
        "",
        "h/v1",
        "ftp://h",
        "https://u:p@h/v1",
        "http://h:0",
        "http://a b/",
    ] {
        assert_eq!(
            came_to("openai", Some(base), None, none),
            Err(AddressError::BadBase),
            "{base}"
        );
    }
    let wrong = &[("OPENAI_API_BASE", "h/v1")][..];
    assert_eq!(
        came_to("openai", None, None, wrong),
        Err(AddressError::BadVariable("OPENAI_API_BASE"))
    );
    assert_eq!(
        came_to("azure", None, None, azure),
        Err(AddressError::NeedsBase("azure".into()))
    );
    for bad in ["a/b", "x.evil.org", "a@b", ""] {
        let env = &[("AWS_REGION", bad)][..];
        let error = came_to("bedrock_mantle", None, None, env).unwrap_err();
        assert!(error.to_string().contains("AWS_REGION_NAME"), "{error}");
    }
}

/// Every provider: its own key at its own address, no foreign key anywhere, and nothing of it elsewhere.
#[test]
fn no_row_lends_its_key() {
    let everything = |name: &str| Some(format!("value-of-{name}"));
    let keys_only = |name: &str| {
        let is_key = crate::providers::all().any(|row| row.key_variables.contains(&name));
        is_key.then(|| everything(name)).flatten().or_else(|| {
            // What fills a place in an address.
            ["CLOUDFLARE_ACCOUNT_ID", "AWS_REGION"]
                .contains(&name)
                .then(|| "x".to_owned())
        })
    };
    for row in crate::providers::all().filter(|row| row.protocol != crate::providers::Protocol::Own)
    {
        let ask = |base: Option<&str>| {
            let given = Given {
                base,
                key: None,
                look_up: &keys_only,
            };
            row.address(row.name, "model", given)
        };
        let expected = row
            .key_variables
            .first()
            .map(|name| format!("value-of-{name}"));
        if row.base.is_some() {
            let own = ask(None).unwrap();
            assert_eq!(
                own.key.as_ref().map(Secret::expose),
                expected.as_deref(),
                "{}",
                row.name
            );
        }
        // Somebody else's home.
        for other in ["https://api.perplexity.ai", "https://api.together.ai/v1"] {
            if row.base != Some(other) {
                let address = ask(Some(other)).unwrap();
                assert!(address.key.is_none(), "{} sends a key to {other}", row.name);
                assert_eq!(
                    address.withheld,
                    row.key_variables.first().copied(),
                    "{}",
                    row.name
                );
            }
        }
        let nowhere = ask(Some("https://unknown.example.com/v1")).unwrap();
        if row.has_no_home() {
            assert_eq!(
                nowhere.key.as_ref().map(Secret::expose),
                expected.as_deref(),
                "{}",
                row.name
            );
        } else {
            assert!(nowhere.key.is_none(), "{}", row.name);
        }
    }
    assert!(find("azure").is_some());
}
