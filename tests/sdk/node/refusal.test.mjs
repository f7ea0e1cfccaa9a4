import assert from 'node:assert/strict';
import test from 'node:test';
import OpenAI from 'openai';
import { client, messages } from './client.mjs';

test('a wrong key', async () => {
  const stranger = new OpenAI({ apiKey: 'sk-nobody-has-this-key', maxRetries: 0 });
  await assert.rejects(stranger.chat.completions.create({ model: 'gpt-4o', messages }), OpenAI.AuthenticationError);
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
