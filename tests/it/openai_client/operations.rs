//! What the SDK can ask besides chats: embeddings, completions, models; and its Azure configuration.

use async_openai::Client;
use async_openai::config::AzureConfig;
use async_openai::types::completions::CreateCompletionRequest;
use async_openai::types::embeddings::CreateEmbeddingRequest;
use futures_util::StreamExt;

use super::{chat, client, gateway, json, raised, request, wait_for};
use crate::harness::Value;
use crate::simulator::Simulator;

fn embed(more: Value) -> CreateEmbeddingRequest {
    let mut body = json!({"model": "m", "input": "Hi", "dimensions": 5});
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    serde_json::from_value(body).expect("a request of the SDK")
}

#[test]
fn embeddings_as_numbers_and_as_base64() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let key = gateway.key(json!({})).secret;
    wait_for(async {
        let client = client(&gateway, &key);
        for input in [json!("Hi"), json!(["Hi"]), json!([1, 2]), json!([[1], [2]])] {
            let numbers = client
                .embeddings()
                .create(embed(json!({"input": input})))
                .await
                .unwrap();
            let packed = embed(json!({"input": input, "encoding_format": "base64"}));
            let packed = client.embeddings().create_base64(packed).await.unwrap();
            assert_eq!(numbers.data.len(), packed.data.len(), "{input}");
            for (own, (at, packed)) in numbers.data.iter().zip(packed.data.into_iter().enumerate())
            {
                assert_eq!((own.index, packed.index), (at as u32, at as u32));
                assert_eq!(own.embedding.len(), 5);
                assert_eq!(own.embedding, Vec::<f32>::from(packed.embedding));
            }
            assert_eq!(numbers.model, "m");
            assert!(numbers.usage.prompt_tokens > 0);
        }
        simulator.behave("m", crate::simulator::Behaviour::failing(404));
        let error = client
            .embeddings()
            .create(embed(json!({})))
            .await
            .unwrap_err();
        assert_eq!(raised(error).0, 404);
    });
}

#[test]
fn completions_whole_and_streamed() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let key = gateway.key(json!({})).secret;
    let request = |more: Value| -> CreateCompletionRequest {
        let mut body = json!({"model": "m", "prompt": "Once", "max_tokens": 9});
        if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
            body.extend(more);
        }
        serde_json::from_value(body).expect("a request of the SDK")
    };
    wait_for(async {
        let client = client(&gateway, &key);
        let whole = client
            .completions()
            .create(request(json!({"n": 2})))
            .await
            .unwrap();
        assert_eq!((whole.model.as_str(), whole.choices.len()), ("m", 2));
        let mut stream = client
            .completions()
            .create_stream(request(json!({"stream": true})))
            .await
            .unwrap();
        let mut said = String::new();
        while let Some(event) = stream.next().await {
            for choice in event.unwrap().choices {
                said.push_str(&choice.text);
            }
        }
        assert_eq!(said, whole.choices[1].text);
        assert!(!said.is_empty());
    });
}

#[test]
fn models_listed_and_one_by_one() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let key = gateway.key(json!({})).secret;
    wait_for(async {
        let client = client(&gateway, &key);
        let list = client.models().list().await.unwrap();
        let names: Vec<&str> = list.data.iter().map(|model| model.id.as_str()).collect();
        assert_eq!(names, ["m"]);
        let one = client.models().retrieve("m").await.unwrap();
        assert_eq!(
            (one.id, one.object),
            (list.data[0].id.clone(), "model".to_owned())
        );
        assert_eq!(
            raised(client.models().retrieve("none").await.unwrap_err()).0,
            404
        );
    });
}

#[test]
fn azures_configuration() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let azure = AzureConfig::new()
        .with_api_base(format!("http://{}", gateway.address()))
        .with_api_key(gateway.key(json!({})).secret)
        .with_api_version("2024-10-21")
        .with_deployment_id("m");
    let answer = wait_for(
        Client::with_config(azure)
            .chat()
            .create(request(chat("whatever"))),
    )
    .unwrap();
    assert_eq!(answer.model, "m");
    assert_eq!(simulator.received("m"), 1);
}
