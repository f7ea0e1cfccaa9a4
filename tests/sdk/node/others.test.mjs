import assert from 'node:assert/strict';
import test from 'node:test';
import OpenAI, { AzureOpenAI } from 'openai';
import { client, messages } from './client.mjs';

test('embeddings, whose default is base64', async () => {
  const packed = await client.embeddings.create({ model: 'embedding', input: ['Hello', 'Grüezi'] });
  const floats = await client.embeddings.create({ model: 'embedding', input: ['Hello'], encoding_format: 'float' });
  assert.deepEqual(packed.data.map(({ index }) => index), [0, 1]);
  assert.equal(packed.data[0].embedding.length, floats.data[0].embedding.length);
  for (const [at, number] of floats.data[0].embedding.entries())
    assert.ok(Math.abs(number - packed.data[0].embedding[at]) < 1e-6);
  assert.ok(packed.usage.total_tokens > 0);
});

test('completions, whole and streamed', async () => {
  const request = { model: 'instruct', prompt: 'Once', simulate: { content: 'one two' } };
  assert.equal((await client.completions.create(request)).choices[0].text, 'one two');
  let said = '';
  for await (const chunk of await client.completions.create({ ...request, stream: true })) said += chunk.choices[0].text;
  assert.equal(said, 'one two');
});

test('one model', async () => {
  const model = await client.models.retrieve('house-model');
  assert.deepEqual([model.id, model.object], ['house-model', 'model']);
  await assert.rejects(client.models.retrieve('no-such-model'), OpenAI.NotFoundError);
});

test('the Azure client', async () => {
  const azure = new AzureOpenAI({
    endpoint: process.env.OPENAI_BASE_URL.replace('/v1', ''),
    baseURL: null,
    apiKey: process.env.OPENAI_API_KEY,
    apiVersion: '2024-10-21',
    maxRetries: 0,
  });
  const answer = await azure.chat.completions.create({ model: 'house-model', messages, simulate: { content: 'Grüezi!' } });
  assert.deepEqual([answer.model, answer.choices[0].message.content], ['house-model', 'Grüezi!']);
  let said = '';
  for await (const chunk of await azure.chat.completions.create({ model: 'gpt-4o', messages, stream: true, simulate: { content: 'a b' } }))
    said += chunk.choices[0]?.delta.content ?? '';
  assert.equal(said, 'a b');
  await assert.rejects(azure.chat.completions.create({ model: 'no-such-model', messages }), OpenAI.BadRequestError);
});
