import assert from 'node:assert/strict';
import test from 'node:test';
import { client, messages } from './client.mjs';

test('a stream with usage', async () => {
  const stream = await client.chat.completions.create({
    model: 'gpt-4o',
    messages,
    stream: true,
    stream_options: { include_usage: true },
    simulate: { content: 'one two 😀', split: 'every_byte' },
  });
  let said = '';
  let usage;
  for await (const chunk of stream) {
    said += chunk.choices[0]?.delta.content ?? '';
    usage = chunk.usage ?? usage;
  }
  assert.equal(said, 'one two 😀');
  assert.ok(usage.total_tokens > 0);
});

test('tool calls in a stream', async () => {
  const calls = [{ id: 'call_1', name: 'weather', arguments: '{"city": "Chur"}' }];
  const runner = client.chat.completions.stream({
    model: 'gpt-4o',
    messages,
    tools: [{ type: 'function', function: { name: 'weather', parameters: { type: 'object', properties: {} } } }],
    simulate: { tool_calls: calls, chunk_bytes: 4 },
  });
  const { choices } = await runner.finalChatCompletion();
  assert.equal(choices[0].message.tool_calls[0].function.arguments, calls[0].arguments);
});
