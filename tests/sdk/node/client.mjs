// Base URL and key come from OPENAI_BASE_URL and OPENAI_API_KEY.
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';

export const client = new OpenAI({ maxRetries: 0 });
export const messages = [{ role: 'user', content: 'Hi' }];

export const apiKey = process.env.OPENAI_API_KEY;
export const origin = process.env.OPENAI_BASE_URL.replace(/\/v1$/, '');
export const anthropic = new Anthropic({ apiKey, baseURL: origin, maxRetries: 0 });

// What the models of these tests say: see conversations.py, which rehearses them.
export const upstreams = ['messages', 'chat', 'responses'];
export const TEXT = 'Grüezi – 東京 🚂 "quoted"';
export const THOUGHT = 'Let me see. 🤔';
export const ARGUMENTS = { city: 'Zürich 😀', days: 2 };
export const schema = { type: 'object', properties: { city: { type: 'string' }, days: { type: 'integer' } }, required: ['city'] };
