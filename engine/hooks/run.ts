import { type CleatError, systemError } from '@cleat/protocol/errors';
import { decode } from '@cleat/protocol/json';
import type { HookAnswer, HookRequest, HookResponse, Sight } from '@cleat/protocol/kinds/hook';
import { type Concerned, concerned } from './concerned.js';
import { type FlowDeps, flowThrough } from './flow.js';
import { checkHeaders } from './headers.js';
import type { Link } from './link.js';
import { routeText } from './match.js';
import { Owners } from './owners.js';
import type {
  Flow,
  HookChange,
  HookDecision,
  HookedAnswer,
  HookedRequest,
  HookRun,
  HookSubject,
  HookWishes,
  TracedStep,
} from './service.js';
import { Refusal, Step } from './step.js';
import { type NewTrace, type Outcome, outcomeOf, traced } from './traces.js';
import { isStatus } from './wishes.js';

export interface RunDeps {
  readonly links: readonly Link[];
  /** Names the file of hooks in messages. */
  readonly file: string;
  /** Kept as it is: what comes later is added to it. */
  trace(trace: NewTrace): void;
  warn(message: string, facts: Record<string, unknown>): void;
}

type RequestPart = Pick<HookRequest, 'Query' | 'Headers' | 'Body'>;
type AnswerPart = Pick<HookResponse, 'Status' | 'Headers' | 'Body'>;

const requestRoots = ['Query', 'Headers', 'Body'];

/** One request on its way along the chain, and its answer back. */
export class Run implements HookRun {
  readonly #subject: HookSubject;
  readonly #deps: RunDeps;
  readonly #time = new Date().toISOString();
  readonly #steps: TracedStep[] = [];
  readonly #changes: HookChange[] = [];
  #concerned: readonly Concerned[] = [];
  #decision: HookDecision = { result: 'passed' };
  #trace: NewTrace | undefined;

  constructor(subject: HookSubject, deps: RunDeps) {
    this.#subject = subject;
    this.#deps = deps;
  }

  get changes(): readonly HookChange[] {
    return this.#changes;
  }

  get decision(): HookDecision {
    return this.#decision;
  }

  get response(): Sight {
    const all = this.#concerned.map(({ response }) => response);
    return (['stream', 'body', 'head'] as const).find((sight) => all.includes(sight)) ?? 'none';
  }

  async request(): Promise<HookedRequest> {
    const subject = this.#subject;
    const owners = this.#owners();
    this.#concerned = await concerned(this.#deps.links, subject, (link) => this.#wishes(link, owners));
    const asked = this.#concerned.filter(({ request }) => request !== 'none');
    // It is read for those who do not look at it, too: they may change it.
    const Body = asked.length > 0 ? await subject.body() : undefined;
    const before: RequestPart = { Query: { ...subject.query }, Headers: { ...subject.headers }, Body };
    const body = subject.takesBody ? subject.route.body?.schema : undefined;
    let message = before;
    let answer: HookAnswer | undefined;
    for (const { link, request: sight } of asked) {
      const step = this.#step(link, 'request', owners);
      message = await this.#turn(step, message, async () => {
        const shown = { ...this.#common(), ...seen(message, sight) };
        const reply = await step.ask(subject.signal, (call) => link.hook.request(shown, call));
        step.refuseDenied(reply);
        const given = reply.Answer && checkedAnswer(reply.Answer);
        const changed = step.apply(reply, { message, roots: requestRoots, body }) as RequestPart;
        answer = given;
        // A hook's body is brought into the schema's shape, as a client's is.
        return body && changed.Body !== message.Body ? { ...changed, Body: decode(body, changed.Body) } : changed;
      });
      if (answer) {
        this.#decision = { result: 'answered', by: link.name, reason: `with status ${answer.Status}` };
        break;
      }
    }
    return { ...differences(before, message), answer };
  }

  get requestFlow(): Flow | undefined {
    const links = this.#concerned.filter(({ request }) => request === 'stream').map(({ link }) => link);
    return flowThrough(links, 'requestStream', this.#flowDeps());
  }

  get responseFlow(): Flow | undefined {
    const links = this.#concerned.filter(({ response }) => response === 'stream').map(({ link }) => link);
    return flowThrough(links.toReversed(), 'responseStream', this.#flowDeps());
  }

  #flowDeps(): FlowDeps {
    const { ID, Method, Route } = this.#common();
    return { message: { ID, Method, Route }, signal: this.#subject.signal, warn: this.#deps.warn };
  }

  async answer({ status, headers, body }: HookedAnswer): Promise<HookedAnswer> {
    const owners = this.#owners();
    const roots = ['Status', 'Headers', ...(body === undefined ? [] : ['Body'])];
    let message: AnswerPart = { Status: status, Headers: { ...headers }, Body: body };
    // The first of the file is the outermost: it is asked last, about what the client would get.
    for (const { link, response: sight } of this.#concerned.toReversed()) {
      if (sight === 'none') continue;
      const step = this.#step(link, 'response', owners);
      message = await this.#turn(step, message, async () => {
        const shown = { ...this.#common(), ...seen(message, sight) };
        const reply = await step.ask(this.#subject.signal, (call) => link.hook.response(shown, call));
        return step.apply(reply, { message, roots }) as AnswerPart;
      });
    }
    return { status: message.Status, headers: message.Headers, body: message.Body };
  }

  end(status: number): void {
    const outcome = { ...this.outcome(), Status: status };
    if (outcome.Steps.length === 0) return;
    if (this.#trace) {
      Object.assign(this.#trace, outcome);
      return;
    }
    this.#trace = { ...traced(this.#subject, this.#time), ...outcome };
    this.#deps.trace(this.#trace);
  }

  outcome(): Outcome {
    const { steps = [], decision } = this.#subject.adapters ?? {};
    const own = this.#steps;
    if (!decision || steps.length === 0) return outcomeOf(this.#decision, own);
    // Adapters see requests before hooks, and answers after them.
    const before = steps.filter(({ Stage }) => Stage === 'request');
    const after = steps.filter(({ Stage }) => Stage === 'response');
    const final = decision.result === 'passed' ? this.#decision : decision;
    return outcomeOf(final, [...before, ...own, ...after]);
  }

  #owners(): Owners {
    const wins = new Map(this.#deps.links.map(({ name, entry }) => [name, entry.wins]));
    return new Owners((hook) => wins.get(hook) ?? []);
  }

  #step(link: Link, stage: TracedStep['Stage'], owners: Owners): Step {
    return new Step(link, stage, owners, this.#deps.file);
  }

  async #wishes(link: Link, owners: Owners): Promise<HookWishes | undefined> {
    const step = this.#step(link, 'request', owners);
    const { signal } = this.#subject;
    let wishes: HookWishes | undefined;
    const isSilent = await this.#attempt(step, async () => {
      wishes = await link.ask(signal, (call) => link.hook.wishes(call));
    });
    // A turn of its own comes only if it is concerned.
    if (isSilent) this.#note(step);
    return wishes;
  }

  /** One hook's turn: what it makes of the message; the message as it was where it fails and may. @throws the refusal */
  async #turn<T>(step: Step, message: T, work: () => Promise<T>): Promise<T> {
    let made = message;
    await this.#attempt(step, async () => {
      made = await work();
    });
    this.#note(step);
    return made;
  }

  /** @returns whether it failed, and may. @throws the refusal */
  async #attempt(step: Step, work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      return false;
    } catch (error) {
      if (this.#subject.signal?.aborted) throw error;
      if (error instanceof Refusal) throw this.#refused(step, error.result, error.reason, error.error);
      return this.#failed(step, error);
    }
  }

  #failed(step: Step, error: unknown): true {
    const { link } = step;
    const why = step.failed(error);
    link.failed(error);
    const isOpen = link.entry.onFailure === 'open';
    const { route, id } = this.#subject;
    const facts = { hook: link.name, request: id, method: route.method, route: routeText(route), error: why };
    this.#deps.warn(`a request hook failed: the request ${isOpen ? 'passes without it' : 'is refused'}`, facts);
    if (!isOpen) {
      const told = systemError(`request hook ${link.name} failed: ${why}`, { cause: error });
      throw this.#refused(step, 'failed', why, told);
    }
    step.result = 'ignored';
    return true;
  }

  #refused(step: Step, result: 'denied' | 'conflict' | 'failed', reason: string, error: CleatError): CleatError {
    step.result = result;
    step.reason = reason;
    step.changed.length = 0;
    step.link.count('refused');
    this.#decision = { result, by: step.link.name, reason };
    this.#note(step);
    return error;
  }

  #note(step: Step): void {
    if (step.changed.length > 0) step.link.count('changed');
    this.#steps.push(step.traced());
    for (const Path of step.changed) this.#changes.push({ Hook: step.link.name, Path });
  }

  #common() {
    const { id, route, params, version, caller, dryRun } = this.#subject;
    return {
      ID: id,
      Method: route.method,
      Route: routeText(route),
      Params: { ...params },
      Version: version,
      Caller: caller,
      ...(dryRun && { DryRun: true }),
    };
  }
}

function seen<T extends { Body?: unknown }>(message: T, sight: Sight): T {
  const { Body, ...head } = message;
  return sight === 'head' || Body === undefined ? (head as T) : message;
}

/** @throws InvalidParameter */
function checkedAnswer({ Status, Headers = {}, Body }: HookAnswer): HookAnswer {
  if (!isStatus(Status)) throw systemError(`it answered with status ${Status}: 200 to 599 are answers`);
  if ((Status === 204 || Status === 304) && Body !== undefined) throw systemError(`an answer ${Status} has no body`);
  return { Status, Headers: checkHeaders(Headers), Body };
}

function differences(before: RequestPart, after: RequestPart): Omit<HookedRequest, 'answer'> {
  const names = new Set([...Object.keys(before.Headers), ...Object.keys(after.Headers)]);
  const changed = [...names].filter((name) => before.Headers[name] !== after.Headers[name]);
  return {
    query: after.Query,
    isQueryChanged: before.Query !== after.Query,
    headers: new Map(changed.map((name) => [name, after.Headers[name]])),
    body: after.Body,
    isBodyChanged: before.Body !== after.Body,
  };
}
