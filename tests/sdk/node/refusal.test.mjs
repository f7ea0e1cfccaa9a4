import assert from 'node:assert/strict';
import test from 'node:test';
import OpenAI from 'openai';
import { client, messages } from './client.mjs';

test('a wrong key', async () => {
  const stranger = new OpenAI({ apiKey: 'sk-nobody-has-this-key', maxRetries: 0 });
  await assert.rejects(stranger.chat.completions.create({ model: 'gpt-4o', messages }), OpenAI.AuthenticationError);
});

const classes = [
  [400, OpenAI.BadRequestError, 'invalid_request_error'],
  [401, OpenAI.AuthenticationError, 'authentication_error'],
  [403, OpenAI.PermissionDeniedError, 'permission_error'],
  [404, OpenAI.NotFoundError, 'invalid_request_error'],
  [409, OpenAI.ConflictError, 'invalid_request_error'],
  [422, OpenAI.UnprocessableEntityError, 'invalid_request_error'],
  [429, OpenAI.RateLimitError, 'throttling_error'],
  [500, OpenAI.InternalServerError, 'internal_server_error'],
  [503, OpenAI.InternalServerError, 'internal_server_error'],
];

for (const [status, expected, type] of classes)
  for (const stream of [false, true])
    test(`a provider's ${status}, ${stream ? 'streamed' : 'whole'}`, async () => {
      const call = client.chat.completions.create({ model: 'gpt-4o', messages, stream, simulate: { status } });
      await assert.rejects(call, (error) => {
        assert.ok(error instanceof expected, error.constructor.name);
        assert.deepEqual([error.status, error.code, error.type], [status, String(status), type]);
        assert.ok(error.headers.get('x-litellm-call-id'));
        return true;
      });
    });

test('a model that nobody has, and a body without messages', async () => {
  await assert.rejects(client.chat.completions.create({ model: 'no-such-model', messages }), /no-such-model/);
  await assert.rejects(client.chat.completions.create({ model: 'gpt-4o' }), (error) => {
    assert.deepEqual([error.status, error.param], [400, 'messages']);
    return true;
  });
});

test('its patience, and an abort', async () => {
  const slow = { model: 'giving-up', messages, simulate: { hang: 'before_head' } };
  await assert.rejects(client.chat.completions.create(slow, { timeout: 300 }), OpenAI.APIConnectionTimeoutError);
  const controller = new AbortController();
  const stream = await client.chat.completions.create(
    { model: 'giving-up', messages, stream: true, simulate: { chunks: 2000, chunk_bytes: 4, chunk_delay_ms: 10 } },
    { signal: controller.signal },
  );
  let chunks = 0;
  for await (const _ of stream) if (++chunks === 3) controller.abort();
  assert.ok(chunks < 100);
});

test("a provider's rate limit", async () => {
  const call = client.chat.completions.create({ model: 'gpt-4o', messages, simulate: { status: 429 } });
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof OpenAI.RateLimitError);
    assert.equal(error.code, '429');
    assert.equal(error.type, 'throttling_error');
    return true;
  });
});

test('an error in the middle of a stream', async () => {
  const stream = await client.chat.completions.create({
    model: 'gpt-4o',
    messages,
    stream: true,
    simulate: { content: 'a b c', error_mid_stream: { after_chunks: 1 } },
  });
  await assert.rejects(async () => {
    for await (const _ of stream);
  }, OpenAI.APIError);
});
