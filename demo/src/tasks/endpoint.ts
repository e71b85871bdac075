/**
 * One question to an OpenAI-compatible endpoint (`POST …/chat/completions`), and its answer, streamed where the endpoint
 * streams. What may get better is a RetryableError, with the time the endpoint asks for; what can't is a FatalError.
 *
 * Invariant: the key is sent to the origin it was given for and to nobody else, and stands in no task.
 */
import { createParser } from 'eventsource-parser';
import { FatalError, RetryableError, type TaskContext } from 'holdfast';
import { apiKeyOf } from './api-key.ts';

export interface Question {
  /** Up to and with the version: `https://api.example.com/v1`. */
  endpoint: string;
  model: string;
  instruction: string;
  text: string;
}

export interface Answer {
  text: string;
  /** Why it ends; `length`: the endpoint has cut it. */
  finishReason: string;
}

/** A piece of an answer while it comes; only those of the last attempt are of it. */
export interface AnswerPiece {
  attempt: number;
  text: string;
}

interface Completion {
  choices?: { message?: { content?: unknown }; delta?: { content?: unknown }; finish_reason?: unknown }[];
  error?: { message?: unknown };
}

const kWorthAnotherTry = new Set([408, 409, 425, 429]);
const kMaxFaultBytes = 2000;

export async function ask(question: Question, ctx: TaskContext): Promise<Answer> {
  const response = await send(question, ctx);
  if (!response.ok) throw await faultOf(response, question);
  const isStream = response.headers.get('content-type')?.includes('text/event-stream') && response.body;
  return isStream ? readStream(response.body!, ctx) : readWhole(response);
}

async function send({ endpoint, model, instruction, text }: Question, ctx: TaskContext): Promise<Response> {
  const key = apiKeyOf(endpoint);
  const messages = [...(instruction === '' ? [] : [{ role: 'system', content: instruction }]), { role: 'user', content: text }];
  try {
    // Tries are the queue's business, which closes for all when the endpoint says that it has enough.
    return await ctx.fetch(`${endpoint}/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(key && { authorization: `Bearer ${key}` }) },
      body: JSON.stringify({ model, messages, stream: true }),
      retry: false,
      redirect: 'error',
      credentials: 'omit',
    });
  } catch (error) {
    ctx.signal.throwIfAborted();
    throw new RetryableError(`${new URL(endpoint).host} could not be reached, or does not let this page ask it (CORS).`, { cause: error });
  }
}

/** @throws RetryableError where the answer ends before it is complete */
async function readStream(body: ReadableStream<Uint8Array>, ctx: TaskContext): Promise<Answer> {
  const stream = ctx.stream<AnswerPiece>('answer');
  const attempt = ctx.attempt.number;
  const answer: Answer = { text: '', finishReason: '' };
  let [news, pieces, isDone] = ['', 0, false];
  const parser = createParser({
    onEvent: ({ data }) => {
      if (data === '[DONE]') isDone = true;
      else news += take(answer, parsed(data));
    },
  });
  const decoder = new TextDecoder();
  const reader = body.getReader();
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      parser.feed(decoder.decode(value, { stream: true }));
      if (news !== '') await stream.append({ attempt, text: news }, { id: `${attempt}-${pieces++}` });
      news = '';
    }
  } catch (error) {
    ctx.signal.throwIfAborted();
    throw error instanceof FatalError || error instanceof RetryableError ? error : new RetryableError('The answer broke off.', { cause: error });
  } finally {
    await reader.cancel().catch(() => {});
  }
  if (!isDone && answer.finishReason === '') throw new RetryableError('The answer broke off.');
  return answer;
}

async function readWhole(response: Response): Promise<Answer> {
  const answer: Answer = { text: '', finishReason: '' };
  const body = await response.text().catch((cause) => {
    throw new RetryableError('The answer broke off.', { cause });
  });
  take(answer, parsed(body));
  return answer;
}

function parsed(text: string): Completion {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value;
  } catch {
    // Said below.
  }
  throw new FatalError(`The endpoint answers something else than a chat completion: ${text.slice(0, 80)}`);
}

/** Adds what a piece brings, and gives it. */
function take(answer: Answer, { choices, error }: Completion): string {
  if (error) throw new RetryableError(`The endpoint says: ${String(error.message ?? 'error')}`);
  const [choice] = choices ?? [];
  const content = choice?.delta?.content ?? choice?.message?.content;
  if (typeof choice?.finish_reason === 'string') answer.finishReason = choice.finish_reason;
  if (typeof content !== 'string') return '';
  answer.text += content;
  return content;
}

async function faultOf(response: Response, { endpoint, model }: Question): Promise<Error> {
  const { status, headers } = response;
  const said = saidIn((await response.text().catch(() => '')).slice(0, kMaxFaultBytes));
  const { host } = new URL(endpoint);
  const words = `${host} answers ${status}${said && `: ${said}`}`;
  if (status === 401 || status === 403) return new FatalError(`${words}. Check the key, then try again.`, { data: { fault: 'key' } });
  if (status === 404) return new FatalError(`${words}. Check the address and the model "${model}".`, { data: { fault: 'address' } });
  if (!kWorthAnotherTry.has(status) && status < 500) return new FatalError(words);
  const retryAfter = retryAfterMs(headers);
  return new RetryableError(words, retryAfter === undefined ? {} : { retryAfter });
}

function saidIn(body: string): string {
  try {
    const { error } = JSON.parse(body) as { error?: string | { message?: unknown } };
    return typeof error === 'string' ? error : String(error?.message ?? '');
  } catch {
    return '';
  }
}

/** At most ten minutes: a header is a stranger's word. */
function retryAfterMs(headers: Headers): number | undefined {
  const milliseconds = Number(headers.get('retry-after-ms') ?? Number.NaN);
  const text = headers.get('retry-after');
  const seconds = text === null ? Number.NaN : Number(text);
  const untilDate = text === null ? Number.NaN : Date.parse(text) - Date.now();
  const found = [milliseconds, seconds * 1000, untilDate].find((value) => Number.isFinite(value) && value >= 0);
  return found === undefined ? undefined : Math.min(found, 600_000);
}
