// Vercel's AI SDK, with its providers for each of the three protocols.
import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { APICallError, generateText, stepCountIs, streamText, tool } from 'ai';
import assert from 'node:assert/strict';
import test from 'node:test';
import { z } from 'zod';
import { ARGUMENTS, TEXT, THOUGHT, apiKey, origin, upstreams } from './client.mjs';

const baseURL = `${origin}/v1`;
const openai = createOpenAI({ apiKey, baseURL });
const compatible = createOpenAICompatible({ name: 'gateway', apiKey, baseURL, includeUsage: true });
const protocols = {
  chat: { of: (name) => compatible(name), options: {} },
  messages: {
    of: createAnthropic({ apiKey, baseURL }),
    options: { anthropic: { thinking: { type: 'enabled', budgetTokens: 1024 } } },
  },
  responses: {
    of: (name) => openai.responses(name),
    options: { openai: { store: false, include: ['reasoning.encrypted_content'], reasoningSummary: 'auto', forceReasoning: true } },
  },
};
const weather = tool({
  description: 'The weather.',
  inputSchema: z.object({ city: z.string(), days: z.number().optional() }),
  execute: async ({ city }) => `rain in ${city}`,
});

for (const upstream of upstreams)
  for (const [protocol, { of, options }] of Object.entries(protocols)) {
    const where = `${protocol} over ${upstream}`;

    test(`an answer: ${where}`, async () => {
      const { text, usage, finishReason } = await generateText({ model: of(`${upstream}-text`), prompt: 'Hi', maxRetries: 0 });
      assert.deepEqual([text, finishReason], [TEXT, 'stop']);
      assert.equal(usage.outputTokens, 30);
    });

    test(`a stream: ${where}`, async () => {
      const stream = streamText({ model: of(`${upstream}-text`), prompt: 'Hi', maxRetries: 0 });
      let said = '';
      for await (const piece of stream.textStream) said += piece;
      assert.equal(said, TEXT);
      assert.equal((await stream.usage).outputTokens, 30);
    });

    for (const streamed of [false, true])
      test(`the loop of tools${streamed ? ', streamed' : ''}: ${where}`, async () => {
        const asked = {
          model: of(`${upstream}-tools`), prompt: 'Hi', tools: { weather }, stopWhen: stepCountIs(3), maxRetries: 0,
          maxOutputTokens: 4000, providerOptions: options,
        };
        const result = streamed ? streamText(asked) : await generateText(asked);
        const steps = await result.steps;
        assert.equal(steps.length, 2);
        assert.deepEqual(steps[0].toolCalls.map(({ input }) => input), [ARGUMENTS]);
        assert.equal(await result.text, 'Rain.');
        if (protocol === 'messages') assert.equal(steps[0].reasoningText, THOUGHT);
      });

    test(`a limit: ${where}`, async () => {
      const call = generateText({ model: of(`${upstream}-limited`), prompt: 'Hi', maxRetries: 0 });
      await assert.rejects(call, (error) => APICallError.isInstance(error) && error.statusCode === 429);
    });
  }
