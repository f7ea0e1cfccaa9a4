//! Each provider's own words and shapes for what went wrong, as they are on the wire, over HTTP: whole, and for a stream.

use std::collections::BTreeSet;

use crate::harness::{Config, Deployment, Gateway, Value, chat_with, json, streamed};
use crate::simulator::Simulator;

/// Provider; its status; its body. Then ours: the beginning of the message without `litellm.`, the status, the type.
/// A body that does not begin with a brace or bracket is sent as text.
const ANSWERS: &str = r#"
    # --- OpenAI
    openai | 401 | {"error":{"message":"Incorrect API key provided: sk-proj-****abcd. You can find your API key at https://platform.openai.com/account/api-keys.","type":"invalid_request_error","param":null,"code":"invalid_api_key"}} | AuthenticationError: AuthenticationError: OpenAIException - Incorrect | 401 | authentication_error
    openai | 429 | {"error":{"message":"You exceeded your current quota, please check your plan and billing details.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}} | RateLimitError: RateLimitError: OpenAIException - You exceeded | 429 | throttling_error
    openai | 404 | {"error":{"message":"The model `gpt-9` does not exist or you do not have access to it.","type":"invalid_request_error","param":null,"code":"model_not_found"}} | NotFoundError: NotFoundError: OpenAIException - The model | 404 | invalid_request_error
    openai | 403 | {"error":{"message":"Project `p` does not have access to model `m`","type":"invalid_request_error","param":null,"code":"model_not_found"}} | NotFoundError: NotFoundError: OpenAIException - Project | 403 | permission_error
    openai | 403 | {"error":{"message":"Country, region, or territory not supported","type":"request_forbidden","param":null,"code":"unsupported_country_region_territory"}} | APIError: APIError: OpenAIException - Country | 403 | permission_error
    openai | 400 | {"error":{"message":"This model's maximum context length is 128000 tokens. However, your messages resulted in 200000 tokens.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}} | ContextWindowExceededError: litellm.BadRequestError: ContextWindowExceededError: OpenAIException - This | 400 | invalid_request_error
    openai | 400 | {"error":{"message":"Invalid prompt: your prompt was flagged as potentially violating our usage policy.","type":"invalid_request_error","param":null,"code":"invalid_prompt"}} | BadRequestError: litellm.ContentPolicyViolationError: ContentPolicyViolationError: OpenAIException - Invalid prompt | 400 | invalid_request_error
    openai | 400 | {"error":{"message":"Unsupported value: 'temperature' does not support 0.2 with this model.","type":"invalid_request_error","param":"temperature","code":"unsupported_value"}} | BadRequestError: OpenAIException - Unsupported value | 400 | invalid_request_error
    openai | 400 | {"error":{"message":"Invalid 'messages[0].name': string too long. Expected a string with maximum length 64.","type":"invalid_request_error","param":"messages[0].name","code":"string_above_max_length"}} | BadRequestError: OpenAIException - Invalid | 400 | invalid_request_error
    openai | 413 | {"error":{"message":"Request too large for gpt-4o in organization org-x on tokens per min (TPM): Limit 30000, Requested 60000.","type":"tokens","param":null,"code":"rate_limit_exceeded"}} | RateLimitError: RateLimitError: OpenAIException - Request too large | 429 | throttling_error
    openai | 500 | {"error":{"message":"The server had an error processing your request. Sorry about that!","type":"server_error","param":null,"code":null}} | InternalServerError: InternalServerError: OpenAIException - The server | 500 | internal_server_error
    openai | 503 | {"error":{"message":"The engine is currently overloaded, please try again later","type":"server_error","param":null,"code":null}} | ServiceUnavailableError: ServiceUnavailableError: OpenAIException - The engine | 503 | internal_server_error
    openai | 520 | <html><head><title>520: Web server is returning an unknown error</title></head></html> | InternalServerError: InternalServerError: OpenAIException - Error code: 520 - 520: Web server | 500 | internal_server_error
    openai | 400 | {"error":{"message":"The encrypted content for item rs_1 could not be verified.","type":"invalid_request_error","param":null,"code":"invalid_encrypted_content"}} | BadRequestError: OpenAIException - The encrypted | 400 | invalid_request_error
    # --- Azure
    azure | 400 | {"error":{"message":"The response was filtered due to the prompt triggering Azure OpenAI's content management policy.","type":null,"param":"prompt","code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation","content_filter_result":{"violence":{"filtered":true,"severity":"medium"}}}}} | BadRequestError: litellm.ContentPolicyViolationError: ContentPolicyViolationError: AzureException - The response | 400 | invalid_request_error
    azure | 400 | {"error":{"message":"x","code":"content_filter","inner_error":{"code":"ResponsibleAIPolicyViolation","content_filter_results":{}}}} | BadRequestError: litellm.ContentPolicyViolationError: | 400 | invalid_request_error
    azure | 400 | {"error":{"message":"This model's maximum context length is 8192 tokens.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}} | ContextWindowExceededError: litellm.BadRequestError: ContextWindowExceededError: AzureException - This | 400 | invalid_request_error
    azure | 401 | {"error":{"code":"401","message":"Access denied due to invalid subscription key or wrong API endpoint."}} | AuthenticationError: AzureException - Access denied | 401 | authentication_error
    azure | 401 | {"statusCode":401,"message":"Unauthorized. Access token is missing, invalid, audience is incorrect, or have expired."} | AuthenticationError: AzureException - Unauthorized | 401 | authentication_error
    azure | 404 | {"error":{"code":"DeploymentNotFound","message":"The API deployment for this resource does not exist."}} | NotFoundError: AzureException - The API | 404 | invalid_request_error
    azure | 404 | {"error":{"code":"404","message":"Resource not found"}} | NotFoundError: AzureException - Resource | 404 | invalid_request_error
    azure | 429 | {"error":{"code":"429","message":"Requests to the ChatCompletions_Create Operation have exceeded token rate limit of your current OpenAI S0 pricing tier. Please retry after 7 seconds."}} | RateLimitError: AzureException - Requests | 429 | throttling_error
    azure | 500 | {"error":{"message":"Internal server error","type":"server_error","param":null,"code":null}} | InternalServerError: AzureException - Internal | 500 | internal_server_error
    azure | 504 | upstream request timeout | Timeout: AzureException - upstream | 504 | internal_server_error
    # --- Groq
    groq | 401 | {"error":{"message":"Invalid API Key","type":"invalid_request_error","code":"invalid_api_key"}} | BadRequestError: GroqException - Invalid API Key | 401 | authentication_error
    groq | 400 | {"error":{"message":"Please reduce the length of the messages or completion.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}} | ContextWindowExceededError: litellm.BadRequestError: ContextWindowExceededError: GroqException - Please | 400 | invalid_request_error
    groq | 413 | {"error":{"message":"Request too large for model `llama-3.3-70b-versatile`: Limit 6000, Requested 9000, please reduce your message size and try again.","type":"tokens","code":"rate_limit_exceeded"}} | RateLimitError: RateLimitError: GroqException - Request too large | 429 | throttling_error
    groq | 400 | {"error":{"message":"Failed to call a function. Please adjust your prompt. See 'failed_generation' for more details.","type":"invalid_request_error","code":"tool_use_failed","failed_generation":"<function=weather>"}} | BadRequestError: GroqException - Failed to call | 400 | invalid_request_error
    groq | 404 | {"error":{"message":"The model `x` does not exist or you do not have access to it.","type":"invalid_request_error","code":"model_not_found"}} | NotFoundError: NotFoundError: GroqException - The model | 404 | invalid_request_error
    groq | 498 | {"error":{"message":"Flex tier capacity exceeded","type":"capacity","code":"capacity_exceeded"}} | APIError: APIError: GroqException - Flex | 498 | invalid_request_error
    # --- DeepSeek
    deepseek | 401 | {"error":{"message":"Authentication Fails, Your api key: ****abcd is invalid","type":"authentication_error","param":null,"code":"invalid_request_error"}} | BadRequestError: DeepseekException - Authentication Fails | 401 | authentication_error
    deepseek | 402 | {"error":{"message":"Insufficient Balance","type":"unknown_error","param":null,"code":"invalid_request_error"}} | BadRequestError: DeepseekException - Insufficient | 402 | invalid_request_error
    deepseek | 400 | {"error":{"message":"Content Exists Risk","type":"invalid_request_error","param":null,"code":"invalid_request_error"}} | BadRequestError: litellm.ContentPolicyViolationError: ContentPolicyViolationError: DeepseekException - Content | 400 | invalid_request_error
    deepseek | 400 | {"error":{"message":"This model's maximum context length is 131072 tokens.","type":"invalid_request_error","param":null,"code":"invalid_request_error"}} | ContextWindowExceededError: litellm.BadRequestError: | 400 | invalid_request_error
    deepseek | 503 | {"error":{"message":"Service is too busy. We advise users to temporarily switch","type":"service_unavailable_error","param":null,"code":null}} | ServiceUnavailableError: | 503 | internal_server_error
    # --- Mistral
    mistral | 401 | {"message":"Unauthorized","request_id":"1"} | AuthenticationError: AuthenticationError: MistralException - Unauthorized | 401 | authentication_error
    mistral | 422 | {"detail":[{"type":"missing","loc":["body","messages"],"msg":"Field required"}]} | BadRequestError: MistralException - Field required (body.messages) | 422 | invalid_request_error
    mistral | 422 | {"object":"error","message":{"detail":[{"type":"extra_forbidden","loc":["body","x"],"msg":"Extra inputs are not permitted"}]},"type":"invalid_request_error","param":null,"code":null} | BadRequestError: MistralException - Extra inputs are not permitted (body.x) | 422 | invalid_request_error
    mistral | 400 | {"object":"error","message":"Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length","type":"invalid_request_error","param":null,"code":"3051"} | ContextWindowExceededError: litellm.BadRequestError: ContextWindowExceededError: MistralException - Prompt | 400 | invalid_request_error
    mistral | 400 | {"object":"error","message":"Invalid model: x","type":"invalid_model","param":null,"code":"1500"} | BadRequestError: MistralException - Invalid model | 400 | invalid_model
    mistral | 429 | {"object":"error","message":"Service tier capacity exceeded for this model.","type":"service_tier_capacity_exceeded","param":null,"code":"3505"} | RateLimitError: | 429 | throttling_error
    mistral | 429 | {"message":"Requests rate limit exceeded"} | RateLimitError: RateLimitError: MistralException - Requests | 429 | throttling_error
    # --- xAI
    xai | 400 | {"code":"Client specified an invalid argument","error":"Incorrect API key provided: xa***yz. You can obtain an API key from https://console.x.ai."} | BadRequestError: XaiException - Incorrect | 400 | invalid_request_error
    xai | 400 | {"code":"Client specified an invalid argument","error":"This model's maximum prompt length is 131072 but the request contains 537812 tokens."} | ContextWindowExceededError: | 400 | invalid_request_error
    xai | 403 | {"code":"The caller does not have permission to execute the specified operation","error":"Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE_BIO"} | BadRequestError: litellm.ContentPolicyViolationError: | 400 | invalid_request_error
    xai | 429 | {"code":"Some resource has been exhausted","error":"Your team has used all available credits"} | RateLimitError: | 429 | throttling_error
    # --- Together
    together_ai | 400 | {"error":{"message":"`inputs` tokens + `max_new_tokens` must be <= 8193. Given: 9000 `inputs` tokens and 0 `max_new_tokens`","type":"invalid_request_error","param":null,"code":null}} | ContextWindowExceededError: | 400 | invalid_request_error
    together_ai | 401 | {"error":{"message":"Invalid API key provided.","type":"invalid_request_error","param":null,"code":"invalid_api_key"}} | BadRequestError: Together_aiException - Invalid API key | 401 | authentication_error
    together_ai | 500 | {"error":"upstream died"} | InternalServerError: InternalServerError: Together_aiException - upstream died | 500 | internal_server_error
    together_ai | 524 | A timeout occurred | Timeout: | 408 | invalid_request_error
    # --- Fireworks
    fireworks_ai | 404 | {"error":{"object":"error","type":"NOT_FOUND","message":"Model not found, inaccessible, and/or not deployed"}} | NotFoundError: NotFoundError: Fireworks_aiException - Model not found | 404 | invalid_request_error
    fireworks_ai | 401 | {"fault":{"faultstring":"Invalid ApiKey","detail":{"errorcode":"oauth.v2.InvalidApiKey"}}} | AuthenticationError: AuthenticationError: Fireworks_aiException - Invalid ApiKey | 401 | authentication_error
    fireworks_ai | 400 | {"error":{"object":"error","type":"invalid_request_error","message":"The prompt is too long: 200000, model maximum context length: 131071"}} | ContextWindowExceededError: | 400 | invalid_request_error
    # --- OpenRouter, which also answers 200
    openrouter | 402 | {"error":{"message":"This request requires more credits, or fewer max_tokens.","code":402}} | APIError: APIError: OpenrouterException - This request | 402 | invalid_request_error
    openrouter | 403 | {"error":{"message":"moderation: your input was flagged","code":403,"metadata":{"reasons":["violence"],"flagged_input":"x"}}} | APIError: | 403 | permission_error
    openrouter | 502 | {"error":{"message":"Provider returned error","code":502,"metadata":{"raw":"boom","provider_name":"X"}}} | BadGatewayError: | 502 | internal_server_error
    openrouter | 200 | {"error":{"message":"Rate limit exceeded: free-models-per-min","code":429}} | RateLimitError: RateLimitError: OpenrouterException - Rate limit | 429 | throttling_error
    openrouter | 200 | {"id":"gen-1","error":{"message":"Internal Server Error","code":500}} | InternalServerError: | 500 | internal_server_error
    # --- Perplexity
    perplexity | 401 | <html><head><title>401 Authorization Required</title></head><body><center><h1>401 Authorization Required</h1></center><hr><center>openresty</center></body></html> | AuthenticationError: AuthenticationError: PerplexityException - Error code: 401 - 401 Authorization | 401 | authentication_error
    perplexity | 400 | {"error":{"message":"After the (optional) system message(s), user or tool message(s) should alternate with assistant message(s).","type":"invalid_message","code":400}} | BadRequestError: PerplexityException - After | 400 | invalid_message
    # --- Cerebras
    cerebras | 400 | {"message":"Please reduce the length of the messages or completion. Current length is 9000 while limit is 8192","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"} | ContextWindowExceededError: | 400 | invalid_request_error
    cerebras | 401 | {"message":"Wrong API Key","type":"invalid_request_error","param":"api_key","code":"wrong_api_key"} | BadRequestError: CerebrasException - Wrong API Key | 401 | authentication_error
    cerebras | 429 | {"message":"We're experiencing high traffic right now!","type":"too_many_requests_error","param":"queue","code":"queue_exceeded"} | RateLimitError: | 429 | throttling_error
    # --- Moonshot, Alibaba, Zhipu, ByteDance, MiniMax
    moonshot | 429 | {"error":{"message":"The engine is currently overloaded, please try again later","type":"engine_overloaded_error"}} | RateLimitError: | 429 | throttling_error
    moonshot | 400 | {"error":{"message":"Invalid request: Your request exceeded model token limit: 8192","type":"invalid_request_error"}} | ContextWindowExceededError: | 400 | invalid_request_error
    moonshot | 400 | {"error":{"message":"The request was rejected because it was considered high risk","type":"content_filter"}} | BadRequestError: litellm.ContentPolicyViolationError: | 400 | invalid_request_error
    dashscope | 400 | {"error":{"code":"invalid_parameter_error","message":"Range of input length should be [1, 30720]","type":"invalid_request_error","param":null},"request_id":"1"} | ContextWindowExceededError: | 400 | invalid_request_error
    dashscope | 400 | {"error":{"code":"data_inspection_failed","message":"Input data may contain inappropriate content.","type":"data_inspection_failed","param":null}} | BadRequestError: litellm.ContentPolicyViolationError: | 400 | invalid_request_error
    dashscope | 429 | {"code":"Throttling.RateQuota","message":"Requests rate limit exceeded, please try again later.","request_id":"1"} | RateLimitError: | 429 | throttling_error
    zai | 400 | {"error":{"code":"1261","message":"Prompt exceeds max length"}} | ContextWindowExceededError: | 400 | invalid_request_error
    zai | 400 | {"error":{"code":"1301","message":"System detected potentially unsafe or sensitive content in input or generation."}} | BadRequestError: litellm.ContentPolicyViolationError: | 400 | invalid_request_error
    zai | 429 | {"error":{"code":"1113","message":"Insufficient balance or no resource package."}} | RateLimitError: | 429 | throttling_error
    zai | 401 | {"error":{"code":"1000","message":"Authentication Failed"}} | AuthenticationError: | 401 | authentication_error
    volcengine | 404 | {"error":{"code":"InvalidEndpointOrModel.NotFound","message":"The model or endpoint x does not exist or you do not have access to it.","param":"","type":"NotFound"}} | NotFoundError: | 404 | invalid_request_error
    volcengine | 400 | {"error":{"code":"SensitiveContentDetected","message":"The request failed because the input text may contain sensitive information.","param":"","type":"BadRequest"}} | BadRequestError: litellm.ContentPolicyViolationError: | 400 | invalid_request_error
    volcengine | 429 | {"error":{"code":"ServerOverloaded","message":"The service is currently unable to serve additional requests.","param":"","type":"TooManyRequests"}} | RateLimitError: | 429 | throttling_error
    minimax | 200 | {"id":"1","choices":null,"base_resp":{"status_code":1039,"status_msg":"token limit"}} | ContextWindowExceededError: | 400 | invalid_request_error
    minimax | 200 | {"id":"1","choices":null,"base_resp":{"status_code":1026,"status_msg":"input new_sensitive"}} | BadRequestError: litellm.ContentPolicyViolationError: | 400 | invalid_request_error
    minimax | 200 | {"id":"1","choices":null,"base_resp":{"status_code":1002,"status_msg":"rate limit"}} | RateLimitError: RateLimitError: MinimaxException - rate limit | 429 | throttling_error
    minimax | 200 | {"choices":[],"base_resp":{"status_code":1004,"status_msg":"login fail"}} | AuthenticationError: AuthenticationError: MinimaxException - login fail | 401 | authentication_error
    minimax | 200 | {"base_resp":{"status_code":1008,"status_msg":"insufficient balance"}} | PaymentRequiredError: PaymentRequiredError: MinimaxException - insufficient balance | 402 | invalid_request_error
    minimax | 200 | {"base_resp":{"status_code":2013,"status_msg":"invalid params"}} | BadRequestError: MinimaxException - invalid params | 400 | invalid_request_error
    # --- servers of one's own
    hosted_vllm | 400 | {"object":"error","message":"This model's maximum context length is 4096 tokens. However, you requested 5000 tokens","type":"BadRequestError","param":null,"code":400} | ContextWindowExceededError: | 400 | invalid_request_error
    hosted_vllm | 404 | {"object":"error","message":"The model `x` does not exist.","type":"NotFoundError","param":null,"code":404} | NotFoundError: | 404 | invalid_request_error
    llamafile | 400 | {"error":{"code":400,"message":"the request exceeds the available context size. try increasing the context size or enable context shift","type":"exceed_context_size_error","n_prompt_tokens":9000,"n_ctx":8192}} | ContextWindowExceededError: | 400 | invalid_request_error
    llamafile | 503 | {"error":{"code":503,"message":"Loading model","type":"unavailable_error"}} | ServiceUnavailableError: | 503 | internal_server_error
    # --- others with shapes of their own
    databricks | 404 | {"error_code":"ENDPOINT_NOT_FOUND","message":"The given endpoint does not exist"} | NotFoundError: NotFoundError: DatabricksException - The given | 404 | invalid_request_error
    databricks | 429 | {"error_code":"REQUEST_LIMIT_EXCEEDED","message":"Exceeded workspace input tokens per minute"} | RateLimitError: | 429 | throttling_error
    cloudflare | 400 | {"result":null,"success":false,"errors":[{"code":5021,"message":"The estimated number of input and maximum output tokens exceeded this model context window limit"}],"messages":[]} | ContextWindowExceededError: litellm.BadRequestError: ContextWindowExceededError: CloudflareException - The estimated | 400 | invalid_request_error
    cloudflare | 401 | {"result":null,"success":false,"errors":[{"code":10000,"message":"Authentication error"}],"messages":[]} | AuthenticationError: AuthenticationError: CloudflareException - Authentication error | 401 | authentication_error
    nscale | 400 | {"detail":"Bad Request: max tokens"} | BadRequestError: NscaleException - Bad Request | 400 | invalid_request_error
    litellm_proxy | 400 | {"error":{"message":"litellm.ContextWindowExceededError: litellm.BadRequestError: too long","type":null,"param":null,"code":"400"}} | ContextWindowExceededError: | 400 | invalid_request_error
    litellm_proxy | 429 | {"error":{"message":"litellm.RateLimitError: slow down","type":"throttling_error","param":null,"code":"429"}} | RateLimitError: | 429 | throttling_error
"#;

struct Row {
    provider: &'static str,
    status: u16,
    body: Value,
    message: String,
    answered: u16,
    kind: &'static str,
}

fn rows() -> Vec<Row> {
    let lines = ANSWERS.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let cells: Vec<&'static str> = line.split(" | ").map(str::trim).collect();
            let [provider, status, body, message, answered, kind] = cells[..] else {
                panic!("six cells: {line}");
            };
            Row {
                provider,
                status: status.parse().expect(line),
                body: match body.starts_with(['{', '[']) {
                    true => serde_json::from_str(body).expect(line),
                    false => json!(body),
                },
                message: format!("litellm.{message}"),
                answered: answered.parse().expect(line),
                kind,
            }
        })
        .collect()
}

#[test]
fn what_every_provider_says() {
    let simulator = Simulator::start();
    let rows = rows();
    let providers: BTreeSet<&str> = rows.iter().map(|row| row.provider).collect();
    let deployments = providers.iter().map(|provider| {
        let base = simulator.base_url();
        // Azure's address is that of the resource.
        let base = match *provider {
            "azure" => base.trim_end_matches("/v1"),
            _ => base.as_str(),
        };
        Deployment::at(base, provider).param("model", format!("{provider}/m"))
    });
    let gateway = Gateway::of(
        &Config::of(deployments)
            .router("num_retries", 0)
            .router("disable_cooldowns", true),
    );
    let mut wrong = Vec::new();
    for row in rows {
        let how = json!({"simulate": {"status": row.status, "body": row.body}});
        for body in [
            chat_with(row.provider, how.clone()),
            streamed(row.provider, how),
        ] {
            let reply = gateway.master().chat(&body);
            let told = String::from_utf8_lossy(&reply.body).into_owned();
            let as_it_should_be = reply.status == row.answered && {
                let error = reply.error();
                error["type"] == row.kind
                    && error["message"]
                        .as_str()
                        .is_some_and(|text| text.starts_with(&row.message))
            };
            if !as_it_should_be {
                let Row {
                    provider,
                    answered,
                    kind,
                    message,
                    body,
                    ..
                } = &row;
                wrong.push(format!("{provider} {body}\n  expected {answered} {kind} {message}\n  but got {} {told}", reply.status));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What Azure's filter found is handed on; nothing else of its error is.
#[test]
fn what_azures_filter_found() {
    let simulator = Simulator::start();
    let deployment = Deployment::at(simulator.base_url().trim_end_matches("/v1"), "azure");
    let gateway =
        Gateway::of(&Config::of([deployment.param("model", "azure/m")]).router("num_retries", 0));
    let found = json!({"code": "ResponsibleAIPolicyViolation", "content_filter_result": {"hate": {"filtered": true, "severity": "high"}}});
    let body = json!({"error": {"message": "The response was filtered", "code": "content_filter", "innererror": found, "other": 1}});
    let how = json!({"simulate": {"status": 400, "body": body}});
    for body in [chat_with("azure", how.clone()), streamed("azure", how)] {
        let error = gateway.master().chat(&body).with_status(400).error();
        assert_eq!(
            error["provider_specific_fields"],
            json!({"innererror": found})
        );
    }
    let how = json!({"simulate": {"status": 500, "body": {"error": {"message": "x", "innererror": {"code": "other"}}}}});
    let error = gateway.master().chat(&chat_with("azure", how)).error();
    assert_eq!(error.get("provider_specific_fields"), None);
}
