import assert from 'node:assert/strict';
import test from 'node:test';
import { client, messages } from './client.mjs';

const calls = [
  { id: 'call_a', name: 'weather', arguments: '{"city": "Zürich 😀"}' },
  { id: 'call_b', name: 'time', arguments: '{"city":"Köln"}' },
];
const tools = ['weather', 'time'].map((name) => ({
  type: 'function',
  function: { name, parameters: { type: 'object', properties: { city: { type: 'string' } } } },
}));
const told = (list) => list.map((call) => ({ id: call.id, name: call.function.name, arguments: call.function.arguments }));
const create = (more) => client.chat.completions.create({ model: 'gpt-4o', messages, ...more });

test('parallel tool calls, whole and by turns in a stream of single bytes', async () => {
  const whole = await create({ tools, parallel_tool_calls: true, simulate: { tool_calls: calls } });
  assert.deepEqual(told(whole.choices[0].message.tool_calls), calls);
  assert.equal(whole.choices[0].finish_reason, 'tool_calls');
  const simulate = { tool_calls: calls, chunk_bytes: 2, interleave_tool_calls: true, split: 'every_byte' };
  const pieces = [];
  for await (const chunk of await create({ tools, stream: true, simulate })) {
    for (const piece of chunk.choices[0].delta.tool_calls ?? []) {
      pieces[piece.index] ??= { id: piece.id, name: piece.function.name, arguments: '' };
      pieces[piece.index].arguments += piece.function.arguments ?? '';
    }
  }
  assert.deepEqual(pieces, calls);
});

test('a schema and a refusal', async () => {
  const response_format = {
    type: 'json_schema',
    json_schema: {
      name: 'city',
      strict: true,
      schema: { type: 'object', properties: { name: { type: 'string' } }, required: ['name'], additionalProperties: false },
    },
  };
  const answer = await client.chat.completions.parse({
    model: 'gpt-4o', messages, response_format, simulate: { content: '{"name": "Bern"}' },
  });
  assert.deepEqual(JSON.parse(answer.choices[0].message.content), { name: 'Bern' });
  const stream = client.chat.completions.stream({
    model: 'gpt-4o', messages, response_format, simulate: { refusal: 'I can’t help with that.' },
  });
  let refused = '';
  stream.on('refusal.delta', ({ delta }) => (refused += delta));
  const last = await stream.finalChatCompletion();
  assert.equal(last.choices[0].message.refusal, 'I can’t help with that.');
  assert.equal(refused, 'I can’t help with that.');
});

test('a picture, several choices, probabilities, a seed', async () => {
  const picture = `data:image/png;base64,${Buffer.alloc(300_000, 7).toString('base64')}`;
  const answer = await create({
    messages: [{ role: 'user', content: [{ type: 'text', text: 'What?' }, { type: 'image_url', image_url: { url: picture } }] }],
    n: 2, logprobs: true, top_logprobs: 1, seed: 7, simulate: { content: 'Grüß Gott' },
  });
  assert.deepEqual(answer.choices.map((choice) => [choice.index, choice.message.content]), [[0, 'Grüß Gott'], [1, 'Grüß Gott']]);
  assert.equal(answer.choices[1].logprobs.content[1].logprob, -0.0024691357802468);
  assert.equal(answer.system_fingerprint, 'fp_44709d6fcb');
  assert.ok(answer.usage.prompt_tokens > 70_000);
});
