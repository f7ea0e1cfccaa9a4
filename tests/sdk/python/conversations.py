"""Conversations that every protocol can have with every kind of upstream: a model each, because clients cannot send `simulate`.

The group `messages-tools` is the conversation `tools` with an upstream that speaks Anthropic's Messages. Upstream models have
names that the catalog knows, so that what they can do is known too.
"""

TEXT = "Grüezi – 東京 🚂 \"quoted\""
THOUGHT = "Let me see. 🤔"
ARGUMENTS = '{"city": "Zürich 😀", "days": 2}'
CALL = {"id": "toolu_01A", "name": "weather", "arguments": ARGUMENTS}
COUNTS = {"input": 100, "cache_read": 40, "output": 30, "thinking": 7}

CONVERSATIONS = {
    "text": {"content": TEXT, "counts": COUNTS, "chunk_bytes": 3, "split": {"random": 5}, "pings": True},
    "tools": {"turns": [
        {"blocks": [{"type": "thinking", "thinking": THOUGHT}, {"type": "text", "text": "One moment."}, {"type": "tool_use", **CALL}],
         "chunk_bytes": 4, "counts": COUNTS},
        {"content": "Rain.", "counts": COUNTS},
    ]},
    "parsed": {"content": '{"name": "Bern", "people": 134506}'},
    "cut": {"content": "And then", "finish_reason": "length"},
    "broken": {"content": "a b c d", "error_mid_stream": {"after_chunks": 2}},
    "overloaded": {"status": 529},
    "limited": {"status": 429, "headers": {"retry-after": "7"}},
}

# Providers with a model for each conversation.
UPSTREAMS = {
    "messages": ("anthropic", ["claude-haiku-4-5", "claude-sonnet-4-5", "claude-sonnet-4-6", "claude-opus-4-5",
                               "claude-opus-4-1", "claude-opus-4-6", "claude-sonnet-4-20250514"]),
    "chat": ("custom_openai", [f"local-{name}" for name in CONVERSATIONS]),
    "responses": ("openai", ["gpt-5.1", "gpt-5.2", "gpt-5", "gpt-5-mini", "gpt-5-nano", "gpt-4.1", "gpt-4.1-mini"]),
}


def models():
    """Upstream, conversation, provider and model of each."""
    for upstream, (provider, names) in UPSTREAMS.items():
        for conversation, model in zip(CONVERSATIONS, names, strict=True):
            yield upstream, conversation, provider, model


def rehearse(simulator):
    """Tells the simulator what each model says."""
    for _, conversation, _, model in models():
        simulator.behave(model, CONVERSATIONS[conversation])


def model_list(base_url):
    """Their entries of a configuration's `model_list`."""
    lines = []
    for upstream, conversation, provider, model in models():
        base = base_url.removesuffix("/v1") if provider == "anthropic" else base_url
        lines.append(f"  - model_name: {upstream}-{conversation}")
        lines.append(f"    litellm_params: {{model: {provider}/{model}, api_base: \"{base}\", api_key: os.environ/PROVIDER_KEY}}")
    return "\n".join(lines) + "\n"
