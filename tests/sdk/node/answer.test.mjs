import assert from 'node:assert/strict';
import test from 'node:test';
import { client, messages } from './client.mjs';

test('a whole answer, with its headers', async () => {
  const { data, response } = await client.chat.completions
    .create({ model: 'gpt-4o', messages, simulate: { content: 'Grüezi!' } })
    .withResponse();
  assert.equal(data.choices[0].message.content, 'Grüezi!');
  assert.equal(data.model, 'gpt-4o');
  assert.ok(data.usage.total_tokens > 0);
  assert.equal(response.headers.get('x-litellm-model-id'), 'gpt-4o-at-simulator');
  assert.ok(Number(response.headers.get('x-litellm-response-cost')) > 0);
});

test('the list of models', async () => {
  const names = [];
  for await (const model of client.models.list()) names.push(model.id);
  assert.ok(names.includes('house-model'));
});
