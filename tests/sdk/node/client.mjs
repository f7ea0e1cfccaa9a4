// Base URL and key come from OPENAI_BASE_URL and OPENAI_API_KEY.
import OpenAI from 'openai';

export const client = new OpenAI({ maxRetries: 0 });
export const messages = [{ role: 'user', content: 'Hi' }];
