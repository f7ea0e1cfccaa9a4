import assert from 'node:assert/strict';
import test from 'node:test';
import OpenAI from 'openai';
import { zodTextFormat } from 'openai/helpers/zod';
import { z } from 'zod';
import { ARGUMENTS, TEXT, client, schema, upstreams } from './client.mjs';

const tools = [{ type: 'function', name: 'weather', description: 'The weather.', strict: false, parameters: schema }];
const thinking = { reasoning: { effort: 'low', summary: 'auto' }, include: ['reasoning.encrypted_content'], store: false };
const City = z.object({ name: z.string(), people: z.number() });

for (const upstream of upstreams) {
  const request = (conversation, more) => ({ model: `${upstream}-${conversation}`, input: 'Hi', store: false, ...more });

  test(`a response over ${upstream}`, async () => {
    const response = await client.responses.create(request('text'));
    assert.deepEqual([response.output_text, response.status], [TEXT, 'completed']);
    assert.deepEqual([response.usage.input_tokens, response.usage.output_tokens], [140, 30]);
  });

  test(`a stream over ${upstream}`, async () => {
    const stream = client.responses.stream(request('text'));
    let said = '';
    stream.on('response.output_text.delta', ({ delta }) => (said += delta));
    const response = await stream.finalResponse();
    assert.deepEqual([said, response.output_text], [TEXT, TEXT]);
  });

  test(`the loop of tools with thoughts over ${upstream}`, async () => {
    const turn = (input) =>
      client.responses.stream({ model: `${upstream}-tools`, input, tools, ...thinking }).finalResponse();
    const input = [{ role: 'user', content: 'Hi' }];
    const asked = await turn(input);
    const call = asked.output.find(({ type }) => type === 'function_call');
    assert.deepEqual(JSON.parse(call.arguments), ARGUMENTS);
    const back = asked.output.map(({ parsed_arguments, ...item }) => item);
    for (const item of back) for (const part of item.content ?? []) delete part.parsed;
    const result = { type: 'function_call_output', call_id: call.call_id, output: 'rain' };
    assert.equal((await turn([...input, ...back, result])).output_text, 'Rain.');
  });

  test(`a parsed answer over ${upstream}`, async () => {
    const text = { format: zodTextFormat(City, 'city') };
    const { output_parsed } = await client.responses.parse(request('parsed', { text }));
    assert.deepEqual(output_parsed, { name: 'Bern', people: 134506 });
  });

  test(`errors over ${upstream}`, async () => {
    await assert.rejects(client.responses.create(request('limited')), OpenAI.RateLimitError);
    await assert.rejects(client.responses.create(request('overloaded', { stream: true })), OpenAI.InternalServerError);
  });
}
