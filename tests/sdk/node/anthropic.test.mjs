import Anthropic from '@anthropic-ai/sdk';
import assert from 'node:assert/strict';
import test from 'node:test';
import { ARGUMENTS, TEXT, THOUGHT, anthropic, messages, origin, schema, upstreams } from './client.mjs';

const tools = [{ name: 'weather', description: 'The weather.', input_schema: schema }];
const thinking = { type: 'enabled', budget_tokens: 1024 };

for (const upstream of upstreams) {
  const ask = (conversation, more) =>
    anthropic.messages.create({ model: `${upstream}-${conversation}`, max_tokens: 4000, messages, ...more });

  test(`a message over ${upstream}`, async () => {
    const message = await ask('text');
    assert.deepEqual(message.content.map(({ text }) => text), [TEXT]);
    assert.deepEqual([message.stop_reason, message.model], ['end_turn', `${upstream}-text`]);
    const { input_tokens, cache_read_input_tokens, output_tokens } = message.usage;
    assert.deepEqual([input_tokens, cache_read_input_tokens, output_tokens], [100, 40, 30]);
  });

  test(`the stream helper over ${upstream}`, async () => {
    const stream = anthropic.messages.stream({ model: `${upstream}-text`, max_tokens: 4000, messages });
    let said = '';
    stream.on('text', (text) => (said += text));
    const message = await stream.finalMessage();
    assert.deepEqual([said, message.content[0].text, message.usage.output_tokens], [TEXT, TEXT, 30]);
  });

  test(`the loop of tools with thoughts over ${upstream}`, async () => {
    const turn = (history) =>
      anthropic.messages
        .stream({ model: `${upstream}-tools`, max_tokens: 4000, messages: history, tools, thinking })
        .finalMessage();
    const asked = await turn(messages);
    assert.equal(asked.stop_reason, 'tool_use');
    assert.equal(asked.content.find(({ type }) => type === 'thinking').thinking, THOUGHT);
    const call = asked.content.find(({ type }) => type === 'tool_use');
    assert.deepEqual(call.input, ARGUMENTS);
    const results = [{ type: 'tool_result', tool_use_id: call.id, content: 'rain' }];
    const told = await turn([...messages, { role: 'assistant', content: asked.content }, { role: 'user', content: results }]);
    assert.equal(told.content.at(-1).text, 'Rain.');
  });

  test(`errors over ${upstream}`, async () => {
    await assert.rejects(ask('limited'), (error) => {
      assert.ok(error instanceof Anthropic.RateLimitError, error.constructor.name);
      assert.equal(error.error.error.type, 'rate_limit_error');
      return true;
    });
    await assert.rejects(ask('overloaded', { stream: true }), Anthropic.InternalServerError);
    const broken = anthropic.messages.stream({ model: `${upstream}-broken`, max_tokens: 100, messages });
    await assert.rejects(broken.finalMessage(), Anthropic.APIError);
  });

  test(`tokens are counted over ${upstream}`, async () => {
    const counted = await anthropic.messages.countTokens({ model: `${upstream}-text`, messages });
    assert.ok(counted.input_tokens > 0);
  });
}

test('a wrong key, and the list of models', async () => {
  const stranger = new Anthropic({ apiKey: 'sk-nobody-has-this-key', baseURL: origin, maxRetries: 0 });
  const call = stranger.messages.create({ model: 'chat-text', max_tokens: 10, messages });
  await assert.rejects(call, Anthropic.AuthenticationError);
  const names = [];
  for await (const model of anthropic.models.list({ limit: 1000 })) names.push(model.id);
  assert.ok(names.includes('chat-text'));
});
