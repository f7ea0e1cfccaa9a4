//! One answer for each rule, and the answers observed from the real providers.

use super::super::ErrorClass;
use super::{answer, openai_body};

fn class_named(name: &str) -> ErrorClass {
    ErrorClass::ALL
        .into_iter()
        .find(|class| class.as_str() == name)
        .expect(name)
}

/// The cells of a table, one row a line.
fn rows<const N: usize>(table: &str) -> impl Iterator<Item = [&str; N]> {
    let lines = table
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        cells
            .try_into()
            .unwrap_or_else(|cells| panic!("{line}: {cells:?}"))
    })
}

/// Upstream's status, `message`, `type` and `code`; our class and status.
const OPENAI: &str = "
    # timeouts told in words
    500 | Request timed out                                     | server_error | | Timeout | 408
    504 | Timed out generating response                         | server_error | | Timeout | 504
    500 | request timed out                                     | server_error | | InternalServerError | 500
    # rate limits
    429 | x                                                     | | | RateLimitError | 429
    400 | Rate-limit reached for gpt-4o                         | invalid_request_error | | RateLimitError | 429
    413 | too big                                               | tokens | rate_limit_exceeded | RateLimitError | 429
    500 | Service tier capacity exceeded for this model         | | 3505 | RateLimitError | 429
    400 | room 429 does not exist                               | invalid_request_error | | BadRequestError | 400
    # the context window
    400 | This model's maximum context length is 8192 tokens     | invalid_request_error | context_length_exceeded | ContextWindowExceededError | 400
    413 | THE PROMPT exceeds the available context size         | | | ContextWindowExceededError | 400
    400 | string too long. Expected a string with maximum length 10 | | | ContextWindowExceededError | 400
    400 | Current length is 9000 while limit is 8192            | | | ContextWindowExceededError | 400
    400 | Current length is 9000                                | | | BadRequestError | 400
    400 | maximum input length is 512 tokens                    | | | ContextWindowExceededError | 400
    400 | Please reduce the length of the messages              | invalid_request_error | | ContextWindowExceededError | 400
    400 | your context has outgrown the window                  | invalid_request_error | | ContextWindowExceededError | 400
    400 | string too long. Expected a string with maximum length 10 | | string_above_max_length | BadRequestError | 400
    400 | Invalid 'user': string too long. Expected a string with maximum length 64 | | | BadRequestError | 400
    500 | too many tokens                                       | | | InternalServerError | 500
    # an unknown model
    404 | no such model                                         | invalid_request_error | model_not_found | NotFoundError | 404
    403 | no access to model                                    | invalid_request_error | model_not_found | NotFoundError | 403
    524 | A timeout occurred                                    | | | Timeout | 408
    # content policy
    400 | rejected                                              | invalid_request_error | content_policy_violation | ContentPolicyViolationError | 400
    400 | Invalid prompt: potentially violating our usage policy | invalid_request_error | | ContentPolicyViolationError | 400
    400 | Invalid prompt                                        | invalid_request_error | | BadRequestError | 400
    400 | Your request was rejected as a result of the safety system | invalid_request_error | | ContentPolicyViolationError | 400
    # encrypted reasoning
    400 | The encrypted content could not be verified           | | | BadRequestError | 400
    418 | x                                                     | | invalid_encrypted_content | BadRequestError | 418
    # an invalid request, whatever the status
    400 | bad                                                   | invalid_request_error | | BadRequestError | 400
    401 | Invalid API Key                                       | invalid_request_error | invalid_api_key | BadRequestError | 401
    402 | Insufficient Balance                                  | unknown_error | invalid_request_error | BadRequestError | 402
    422 | bad                                                   | invalid_request_error | | BadRequestError | 422
    401 | Incorrect API key provided: sk-ab****yz               | invalid_request_error | invalid_api_key | AuthenticationError | 401
    # known texts
    520 | Web server is returning an unknown error              | | | InternalServerError | 500
    503 | The server had an error processing your request. Sorry | | | InternalServerError | 500
    413 | Request too large for gpt-4o                          | | | RateLimitError | 429
    500 | The api_key client option must be set                 | | | AuthenticationError | 500
    500 | Mistral API raised a streaming error                  | | | APIError | 500
    # the status alone
    302 | x | | | APIError | 502
    400 | x | | | BadRequestError | 400
    401 | x | | | AuthenticationError | 401
    402 | x | | | APIError | 402
    403 | x | | | APIError | 403
    404 | x | | | NotFoundError | 404
    408 | x | | | Timeout | 408
    409 | x | | | APIError | 409
    413 | x | | | APIError | 413
    418 | x | | | APIError | 418
    422 | x | | | BadRequestError | 422
    500 | x | | | InternalServerError | 500
    502 | x | | | BadGatewayError | 502
    503 | x | | | ServiceUnavailableError | 503
    504 | x | | | Timeout | 504
    529 | x | | | APIError | 529
";

#[test]
fn openai_rules() {
    for row @ [status, message, kind, code, class, answered] in rows::<6>(OPENAI) {
        let failure = answer(
            "openai",
            status.parse().unwrap(),
            &openai_body(message, kind, code),
        );
        assert_eq!(
            (failure.class, failure.status),
            (class_named(class), answered.parse().unwrap()),
            "{row:?}"
        );
    }
}

/// Provider, its status and body; our class, status and `type`.
const PROVIDERS: &str = r#"
    openai      | 403 | {"error":{"type":"invalid_request_error","code":"model_not_found"}} | NotFoundError | 403 | permission_error
    groq        | 401 | {"error":{"message":"Invalid API Key","type":"invalid_request_error"}} | BadRequestError | 401 | authentication_error
    mistral     | 422 | {"error":{"type":"invalid_request_error"}} | BadRequestError | 422 | invalid_request_error
    deepseek    | 402 | {"error":{"message":"Insufficient Balance","code":"invalid_request_error"}} | BadRequestError | 402 | invalid_request_error
    deepseek    | 400 | {"error":{"message":"Content Exists Risk","type":"invalid_request_error"}} | ContentPolicyViolationError | 400 | invalid_request_error
    openai      | 400 | {"error":{"message":"Content Exists Risk","type":"invalid_request_error"}} | BadRequestError | 400 | invalid_request_error
    bedrock     | 403 | {"message":"The security token included in the request is invalid."} | AuthenticationError | 403 | permission_error
    bedrock     | 403 | {"message":"AccessDeniedException"} | PermissionDeniedError | 403 | permission_error
    bedrock     | 500 | {"message":"x"} | ServiceUnavailableError | 503 | internal_server_error
    bedrock     | 500 | {"message":"Could not process image"} | InternalServerError | 500 | internal_server_error
    bedrock     | 400 | {"message":"A conversation must start with a user message"} | BadRequestError | 400 | invalid_request_error
    bedrock     | 400 | {"message":"ThrottlingException"} | RateLimitError | 429 | throttling_error
    bedrock     | 400 | {"message":"Input is too long"} | ContextWindowExceededError | 400 | invalid_request_error
    gemini      | 403 | {"error":{"code":403,"message":"no","status":"PERMISSION_DENIED"}} | BadRequestError | 403 | permission_error
    gemini      | 503 | [{"error":{"code":503,"message":"The model is overloaded."}}] | InternalServerError | 500 | internal_server_error
    gemini      | 400 | {"error":{"message":"API key not valid. Pass one"}} | AuthenticationError | 401 | authentication_error
    vertex_ai   | 500 | {"error":{"code":429,"message":"busy"}} | RateLimitError | 429 | throttling_error
    vertex_ai   | 502 | | APIConnectionError | 500 | internal_server_error
    vertex_ai   | 503 | | ServiceUnavailableError | 503 | internal_server_error
    anthropic   | 529 | {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}} | InternalServerError | 503 | internal_server_error
    anthropic   | 529 | | InternalServerError | 503 | internal_server_error
    anthropic   | 500 | {"type":"error","error":{"type":"api_error","message":"Overloaded"}} | InternalServerError | 503 | internal_server_error
    anthropic   | 500 | {"type":"error","error":{"type":"api_error","message":"x"}} | InternalServerError | 500 | internal_server_error
    anthropic   | 400 | {"error":{"type":"invalid_request_error","message":"input length and `max_tokens` exceed context limit: 9 + 9 > 8"}} | ContextWindowExceededError | 400 | invalid_request_error
    anthropic   | 400 | {"error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API."}} | BadRequestError | 400 | invalid_request_error
    anthropic   | 401 | {"error":{"type":"authentication_error","message":"invalid x-api-key"}} | AuthenticationError | 401 | authentication_error
    anthropic   | 404 | {"error":{"type":"not_found_error","message":"model: claude-none"}} | NotFoundError | 404 | invalid_request_error
    anthropic   | 429 | {"error":{"type":"rate_limit_error","message":"x"}} | RateLimitError | 429 | throttling_error
    anthropic   | 400 | {"error":{"type":"invalid_request_error","message":"prompt is too long: 9 > 8"}} | ContextWindowExceededError | 400 | invalid_request_error
    anthropic   | 400 | {"error":{"message":"Output blocked by content filtering policy"}} | ContentPolicyViolationError | 400 | invalid_request_error
    anthropic   | 400 | {"error":{"message":"messages.0: rate limit 429"}} | BadRequestError | 400 | invalid_request_error
    anthropic   | 413 | {"error":{"type":"request_too_large"}} | BadRequestError | 413 | invalid_request_error
    anthropic   | 403 | {"error":{"type":"permission_error"}} | PermissionDeniedError | 403 | permission_error
    anthropic   | 402 | {"error":{"type":"billing_error"}} | PaymentRequiredError | 402 | invalid_request_error
    azure       | 404 | {"error":{"code":"DeploymentNotFound","message":"x"}} | NotFoundError | 404 | invalid_request_error
    azure       | 400 | {"error":{"innererror":{"code":"ResponsibleAIPolicyViolation"}}} | ContentPolicyViolationError | 400 | invalid_request_error
    azure       | 429 | {"error":{"message":"exceeded token rate limit"}} | RateLimitError | 429 | throttling_error
    azure       | 504 | | Timeout | 504 | internal_server_error
    cohere      | 400 | {"message":"too many tokens: 9"} | ContextWindowExceededError | 400 | invalid_request_error
    replicate   | 422 | {"detail":"x"} | UnprocessableEntityError | 422 | invalid_request_error
    huggingface | 400 | {"error":"length limit exceeded"} | ContextWindowExceededError | 400 | invalid_request_error
    litellm_proxy | 400 | {"error":{"message":"litellm.BadRequestError: litellm.ContentPolicyViolationError: no"}} | ContentPolicyViolationError | 400 | invalid_request_error
    litellm_proxy | 403 | {"error":{"message":"litellm.PermissionDeniedError: no"}} | PermissionDeniedError | 403 | permission_error
"#;

#[test]
fn other_providers() {
    for row @ [provider, status, body, class, answered, kind] in rows::<6>(PROVIDERS) {
        let failure = answer(provider, status.parse().unwrap(), body);
        let expected = (class_named(class), answered.parse().unwrap(), Some(kind));
        assert_eq!(
            (failure.class, failure.status, failure.error_type.as_deref()),
            expected,
            "{row:?}"
        );
    }
}
