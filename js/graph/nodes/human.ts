/**
 * Nodes that ask a person, and wait for the answer: over reloads, without a slot, in any tab.
 *
 * A request is a wait token (js/waiting) of the node's run. Who may answer finds it among the tokens by its tags, with
 * the run's id and the node's; what is asked stands in the run's metadata. An answer that its schema refuses is
 * refused where it is given; a refusal fails the node, so that it leaves by `[error]`.
 */
import type { Orchestrator } from '../../orchestrator.ts';
import type { Duration, TokenState } from '../../types.ts';
import { ConfigurationError } from '../../errors.ts';
import type { Entitlement } from '../entitlements.ts';
import { TaskConfigurationError, TaskFailedError, TaskInvalidInputError } from '../errors.ts';
import type { JsonSchema } from '../schema.ts';
import { type ExecuteContext, Task } from '../task.ts';
import type { TaskConfig, TaskInput } from '../types.ts';
import { configWith } from './flow.ts';

/** What a person did: gave what was asked for, said no, or left. */
export type HumanAction = 'accept' | 'decline' | 'cancel';

/** A person is asked for something. */
export interface HumanRequest {
  /** Of its token; answers are given to it. */
  readonly id: string;
  /** Of the node's run, the node and its graph's run. */
  readonly runId: string;
  readonly taskId: string;
  readonly graphRunId: string;
  /** Of the run that people began: the same, unless the node stands in a graph within a node. */
  readonly rootGraphRunId: string;
  readonly kind: 'approval' | 'input';
  /** Whom it is for. */
  readonly targetHumanId: string;
  readonly message: string;
  /** What `content` of an answer has to be. */
  readonly contentSchema: JsonSchema;
  /** To show beside the message. */
  readonly context: Readonly<Record<string, any>>;
  /** When it was asked, and until when it can be answered: milliseconds since 1970. */
  readonly createdAt: number;
  readonly timeoutAt: number;
}

export interface HumanAnswer {
  readonly action: HumanAction;
  /** As `contentSchema` says; of an approval `{ approved, reason }`. Only of `accept`. */
  readonly content?: Readonly<Record<string, any>>;
  /** Why not. */
  readonly reason?: string;
}

export interface HumanTaskConfig extends TaskConfig {
  /** Whom to ask. Default 'default'. */
  targetHumanId?: string;
  message?: string;
  /** To show beside the message. */
  metadata?: Record<string, any>;
  /** How long an answer is waited for; then the node fails. Default '30d'. */
  answerWithin?: Duration;
  /** What a no does. 'fail' (default): the node fails and leaves by `[error]`; 'output': it gives `{ action, approved: false, reason }`. */
  onDecline?: 'fail' | 'output';
}

export interface HumanInputTaskConfig extends HumanTaskConfig {
  /** What is asked for: an object schema; its properties are the ports that come out. */
  contentSchema: JsonSchema;
}

const tag = 'holdfast:human';
/** Of the run of a node that asks. */
const metadataKey = 'humanRequest';
const humanConfig = {
  targetHumanId: { type: 'string', title: 'Person', default: 'default' },
  message: { type: 'string', title: 'Message' },
  metadata: { type: 'object', additionalProperties: true },
  answerWithin: { type: ['string', 'number'], 'x-duration': true, title: 'Answer within', default: '30d' },
  onDecline: { type: 'string', enum: ['fail', 'output'], title: 'When it is declined', default: 'fail' },
} as const satisfies Record<string, JsonSchema>;

const askInput = {
  type: 'object',
  properties: { prompt: { type: 'string', title: 'Prompt', description: 'Below the message' }, context: { type: 'object', additionalProperties: true, title: 'Context', description: 'To show beside it' } },
  additionalProperties: false,
} as const satisfies JsonSchema;

type Asking = Pick<HumanRequest, 'kind' | 'contentSchema'>;

/** Asks, and waits. Code that runs again asks the same once more: there is one request. */
async function ask(task: Task<any, any, HumanTaskConfig>, input: TaskInput, context: ExecuteContext, { kind, contentSchema }: Asking): Promise<HumanAnswer> {
  const { durable } = context;
  const { targetHumanId = 'default', message = '', metadata, answerWithin = '30d' } = task.config;
  const { id } = await durable.createToken({ timeout: answerWithin, tags: [tag, `run:${durable.run.id}`] });
  const asked = { id, taskId: task.id, graphRunId: context.graphRunId, rootGraphRunId: context.rootGraphRunId, kind, targetHumanId, message: [message, input.prompt].filter(Boolean).join('\n\n'), contentSchema, context: { ...metadata, ...input.context } };
  durable.metadata.set(metadataKey, asked);
  await context.updateProgress(undefined, asked.message || 'Waits for an answer');
  return answered(task, await durable.waitForToken<HumanAnswer>(id).unwrap());
}

/** @throws TaskFailedError for a no, where that fails */
function answered(task: Task<any, any, HumanTaskConfig>, answer: HumanAnswer): HumanAnswer {
  if (answer.action === 'accept' || task.config.onDecline === 'output') return answer;
  throw new TaskFailedError(`${task.title} was ${answer.action === 'decline' ? 'declined' : 'cancelled'}${answer.reason ? `: ${answer.reason}` : '.'}`, { data: { action: answer.action, ...(answer.reason !== undefined && { reason: answer.reason }) } });
}

const approvalContent = {
  type: 'object',
  properties: { approved: { type: 'boolean', title: 'Approved' }, reason: { type: 'string', title: 'Reason' } },
  required: ['approved'],
  additionalProperties: false,
} as const satisfies JsonSchema;
const approvalOutput = {
  type: 'object',
  properties: { action: { type: 'string', enum: ['accept', 'decline', 'cancel'], title: 'Action' }, approved: { type: 'boolean', title: 'Approved' }, reason: { type: 'string', title: 'Reason' } },
  required: ['action', 'approved'],
  additionalProperties: false,
} as const satisfies JsonSchema;

/** Asks a person for a yes. A no fails it (`onDecline`), so that it goes on by its `[error]` edges. */
export class HumanApprovalTask extends Task<TaskInput, { action: HumanAction; approved: boolean; reason?: string; [more: string]: any }, HumanTaskConfig> {
  static override readonly type = 'HumanApprovalTask';
  static override readonly category = 'Flow Control';
  static override readonly title = 'Approval';
  static override readonly description = 'Asks a person, and waits for a yes';
  static override readonly cacheable = false;
  static entitlements(): readonly Entitlement[] {
    return [{ id: 'human' }];
  }
  static override configSchema(): JsonSchema {
    return configWith(humanConfig);
  }
  static override inputSchema(): JsonSchema {
    return askInput;
  }
  static override outputSchema(): JsonSchema {
    return approvalOutput;
  }
  override async execute(input: TaskInput, context: ExecuteContext): Promise<{ action: HumanAction; approved: boolean; reason?: string }> {
    const { action, content, reason: why } = await ask(this, input, context, { kind: 'approval', contentSchema: approvalContent });
    const approved = action === 'accept' && content?.approved === true;
    const reason = content?.reason ?? why;
    if (action === 'accept' && !approved) answered(this, { action: 'decline', reason });
    return { action: approved || action !== 'accept' ? action : 'decline', approved, ...(reason !== undefined && { reason }) };
  }
}

/** Asks a person for values: those of `config.contentSchema`, which are its ports. */
export class HumanInputTask extends Task<TaskInput, Record<string, any>, HumanInputTaskConfig> {
  static override readonly type = 'HumanInputTask';
  static override readonly category = 'Flow Control';
  static override readonly title = 'Human Input';
  static override readonly description = 'Asks a person for values, and waits for them';
  static override readonly cacheable = false;
  static override readonly hasDynamicSchemas = true;
  static entitlements(): readonly Entitlement[] {
    return [{ id: 'human' }];
  }
  static override configSchema(): JsonSchema {
    return configWith({ ...humanConfig, contentSchema: { type: 'object', title: 'What is asked for' } }, ['contentSchema']);
  }
  static override inputSchema(): JsonSchema {
    return askInput;
  }

  /** @throws TaskConfigurationError without an object schema */
  constructor(config: Partial<HumanInputTaskConfig> = {}) {
    super(config);
    const schema = config.contentSchema;
    if (typeof schema !== 'object' || schema === null || typeof schema.properties !== 'object') throw new TaskConfigurationError(`HumanInputTask needs config.contentSchema, an object schema with the properties it asks for, not ${JSON.stringify(schema)}.`);
  }
  override outputSchema(): JsonSchema {
    const schema = this.config.contentSchema as Exclude<JsonSchema, boolean>;
    return this.config.outputSchema ?? { ...schema, properties: { ...schema.properties, action: approvalOutput.properties.action }, required: [...(this.config.onDecline === 'output' ? [] : (schema.required ?? [])), 'action'] };
  }
  override async execute(input: TaskInput, context: ExecuteContext): Promise<Record<string, any>> {
    const { action, content, reason } = await ask(this, input, context, { kind: 'input', contentSchema: this.config.contentSchema });
    return { ...content, action, ...(action !== 'accept' && reason !== undefined && { reason }) };
  }
}

/** As much of an orchestrator as answering needs. */
export type Answering = Pick<Orchestrator, 'wait' | 'getTaskState'>;

/** What people are asked for now, in all tabs, the oldest first. */
export async function listHumanRequests(orchestrator: Answering, { targetHumanId }: { targetHumanId?: string } = {}): Promise<HumanRequest[]> {
  const tokens = await orchestrator.wait.listTokens({ status: 'waiting', tags: [tag] });
  const requests = tokens.reverse().map((token) => requestOf(orchestrator, token));
  return requests.filter((request): request is HumanRequest => request !== undefined && (targetHumanId === undefined || request.targetHumanId === targetHumanId));
}

/** undefined: its run has ended, or has not said yet what it asks for. */
function requestOf(orchestrator: Answering, { id, tags, createdAt, timeoutAt }: TokenState): HumanRequest | undefined {
  const runId = tags.find((one) => one.startsWith('run:'))?.slice('run:'.length);
  const state = runId === undefined ? undefined : orchestrator.getTaskState(runId);
  if (state?.endedAt !== undefined) return undefined;
  const asked = state?.metadata[metadataKey] as HumanRequest | undefined;
  return asked?.id === id ? { ...asked, runId: runId!, createdAt, timeoutAt } : undefined;
}

/**
 * Answers a request, for whichever page runs its graph. Resolves when that is stored; false: somebody has answered, or
 * its time was over.
 * @throws TaskInvalidInputError for an answer that its schema refuses: the request stays open; ConfigurationError for a
 * request that is none
 */
export async function respondToHumanRequest(orchestrator: Answering, request: HumanRequest | string, answer: HumanAnswer): Promise<boolean> {
  const id = typeof request === 'string' ? request : request.id;
  if (!['accept', 'decline', 'cancel'].includes(answer?.action)) throw new ConfigurationError(`An answer is { action: 'accept', content }, { action: 'decline', reason } or { action: 'cancel' }, not ${JSON.stringify(answer)}.`);
  const token = await orchestrator.wait.retrieveToken(id);
  if (!token?.tags.includes(tag)) throw new ConfigurationError(`${JSON.stringify(id)} is no request to a person. listHumanRequests(orchestrator) gives those that are open.`);
  const asked = requestOf(orchestrator, token);
  if (token.status !== 'waiting' || !asked) return false;
  if (answer.action === 'accept') await checkContent(asked, answer.content ?? {});
  return orchestrator.wait.completeToken(id, answer);
}

async function checkContent({ id, contentSchema }: HumanRequest, content: Readonly<Record<string, any>>): Promise<void> {
  const { Validator } = await import('@cfworker/json-schema');
  const { valid, errors } = new Validator(contentSchema as never, '2020-12', false).validate(content);
  if (valid) return;
  const issues = errors.map(({ instanceLocation, error }) => ({ path: instanceLocation.replace(/^#/, ''), message: error }));
  throw new TaskInvalidInputError(`The answer to request ${id} is not what was asked for: ${issues.map(({ path, message }) => `${path || 'the answer'}: ${message}`).join(' ')}`, { data: { issues } });
}
