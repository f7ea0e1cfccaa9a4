//! The parsers that are fuzzed (`tests/fuzz`), with bytes of chance and with real ones that were spoiled.

#[path = "../fuzz/parsers.rs"]
mod all;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use all::PARSERS;

/// Bytes that each parser knows something of.
const SEEDS: &[&[u8]] = &[
    br#"{"model": "m", "messages": [{"role": "user", "content": "h\u00e9llo \"x\""}], "stream": true, "n": 1, "max_tokens": 5}"#,
    br#"{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5,"prompt_tokens_details":{"cached_tokens":1}}}"#,
    b"\x03data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\r\n\r\n: note\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}}\n\ndata: [DONE]\n\n",
    br#"{"model":"m","max_tokens":9,"system":"s","messages":[{"role":"user","content":[{"type":"text","text":"a"}]},{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"EqQB"},{"type":"tool_use","id":"t1","name":"f","input":{"a":1}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"r"}]}],"tools":[{"name":"f","input_schema":{"type":"object"}}]}"#,
    br#"{"model":"m","instructions":"s","input":[{"role":"user","content":[{"type":"input_text","text":"a"}]},{"type":"reasoning","id":"rs","summary":[],"encrypted_content":"gAAA"},{"type":"custom_tool_call","call_id":"c","name":"p","input":"x"},{"type":"custom_tool_call_output","call_id":"c","output":"r"}],"tools":[{"type":"custom","name":"p"},{"type":"namespace","name":"n","tools":[{"type":"function","name":"f"}]}],"tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"type":"custom","name":"p"}]}}"#,
    br#"{"id":"resp_1","status":"completed","model":"m","output":[{"type":"reasoning","id":"rs","summary":[{"type":"summary_text","text":"t"}],"encrypted_content":"gAAA"},{"type":"message","content":[{"type":"output_text","text":"a","annotations":[{"type":"url_citation","start_index":0,"end_index":1,"url":"u","title":"t"}]}]},{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}],"usage":{"input_tokens":1,"output_tokens":2}}"#,
    b"\x05data: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"model\":\"c\"}}\n\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"a\"}}\n\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"}}\n\ndata: {\"type\":\"message_stop\"}\n\n",
    b"\x07data: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\",\"model\":\"m\"}}\n\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"a\"}\n\ndata: {\"type\":\"response.output_item.done\",\"output_index\":1,\"item\":{\"type\":\"custom_tool_call\",\"call_id\":\"c\",\"name\":\"p\",\"input\":\"x\"}}\n\ndata: {\"type\":\"response.completed\",\"response\":{\"id\":\"resp_1\",\"status\":\"completed\",\"usage\":{\"input_tokens\":1}}}\n\n",
    br#"{"error":{"message":"Rate limit reached, try again in 1.5s","type":"tokens","code":"rate_limit_exceeded"}}"#,
    b"model_list:\n- model_name: m\n  litellm_params: {model: openai/m, api_base: 'https://h', rpm: 5}\n  model_info: &a {id: x}\ngeneral_settings: {master_key: sk-a, max_request_size_mb: 1.5}\n",
    b"http://user:p%40ss@proxy.test:3128",
    b"localhost, .a.test, 10.0.0.0/8, [::1]:80, *",
    b"30d",
    b"https://example.com:8443/v1",
    b"\x00\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xffK\x04\x00\xc3\x1d\x1d\xe8\x01\x00\x00\x00",
    b"\x01\x78\x9c\x4b\x04\x00\x00\x62\x00\x62",
    b"\x10\x00\x00\x00\xff\xff\xff\xff\x01\x00\x00\x00\x00\x00\x00\x00\x01abcdef",
];

/// A seed with some bytes changed, taken out, doubled or put in.
fn spoiled() -> impl Strategy<Value = Vec<u8>> {
    let edit = (any::<Index>(), 0..5u8, any::<u8>());
    (any::<Index>(), vec(edit, 0..6)).prop_map(|(seed, edits)| {
        let mut bytes = seed.get(SEEDS).to_vec();
        for (place, how, byte) in edits {
            if bytes.is_empty() {
                break;
            }
            let at = place.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => drop(bytes.remove(at)),
                2 => bytes.insert(at, byte),
                3 => bytes.truncate(at),
                _ => {
                    let rest = bytes[at..].to_vec();
                    bytes.extend(rest);
                }
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn bytes_of_chance(bytes in vec(any::<u8>(), 0..300)) {
        PARSERS.iter().for_each(|(_, parse)| parse(&bytes));
    }

    #[test]
    fn spoiled_ones(bytes in spoiled()) {
        PARSERS.iter().for_each(|(_, parse)| parse(&bytes));
    }
}

/// Every parser has its fuzz target.
#[test]
fn each_is_fuzzed() {
    let manifest = include_str!("../fuzz/Cargo.toml");
    for (name, _) in PARSERS {
        assert!(
            manifest.contains(&format!("path = \"targets/{name}.rs\"")),
            "{name}"
        );
        let path = format!(
            "{}/tests/fuzz/targets/{name}.rs",
            env!("CARGO_MANIFEST_DIR")
        );
        let target = std::fs::read_to_string(path).unwrap();
        assert!(
            target.contains(&format!("parsers::{name}(bytes)")),
            "{name}"
        );
    }
}
