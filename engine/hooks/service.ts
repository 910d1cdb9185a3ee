import type { Caller } from '@cleat/protocol/caller';
import type {
  HookAnswer,
  HookMatch,
  HookRequest,
  HookRequestReply,
  HookResponse,
  HookResponseReply,
  HookStream,
  Sight,
} from '@cleat/protocol/kinds/hook';

export type { HookAnswer } from '@cleat/protocol/kinds/hook';

import type { PowerstripAnswer, PowerstripRequest } from '@cleat/protocol/powerstrip';
import type { TSchema } from '@cleat/protocol/schema';

/** The part of a message that a hook wants to see, and of which requests; absent `match`: of all. */
export interface HookWishes {
  readonly match?: readonly HookMatch[] | undefined;
  readonly request: Sight;
  readonly response: Sight;
}

export interface HookCall {
  readonly signal?: AbortSignal | undefined;
  /** For the whole question, in ms. */
  readonly deadlineMs: number;
  /** Fails at once when it is not there. */
  readonly impatient?: boolean;
}

/**
 * One hook, wherever it comes from: an extension of the kind `RequestHook`, or an adapter of another protocol. What its
 * methods throw is a failure of the hook, and so is an answer that cannot be followed.
 */
export interface Hook {
  /** As the file and traces call it. */
  readonly name: string;
  /** For people. */
  readonly origin: string;
  /** Its wishes, once they are known; kept until they may have changed. */
  readonly known: HookWishes | undefined;
  /** Asks it. */
  wishes(call: HookCall): Promise<HookWishes>;
  /** Whether a request is its own: it is not asked about those. */
  isCaller?(caller: Caller): boolean;
  request(message: HookRequest, call: HookCall): Promise<HookRequestReply>;
  response(message: HookResponse, call: HookCall): Promise<HookResponseReply>;
  /** Bytes of a request's body on their way. @returns what goes on instead of them */
  requestStream(
    message: HookStream,
    body: AsyncIterable<Uint8Array>,
    call: HookCall,
  ): Promise<AsyncIterable<Uint8Array>>;
  /** The same for an answer. */
  responseStream(
    message: HookStream,
    body: AsyncIterable<Uint8Array>,
    call: HookCall,
  ): Promise<AsyncIterable<Uint8Array>>;
}

/** The facts about a route of the API. */
export interface HookedRoute {
  readonly method: string;
  /** `/containers/:name/json` */
  readonly path: string;
  readonly body?: { readonly schema: TSchema } | undefined;
}

/** A request, as it stands before any hook has seen it. */
export interface HookSubject {
  readonly id: string;
  readonly route: HookedRoute;
  readonly params: Readonly<Record<string, string>>;
  readonly version: string;
  readonly caller: Caller;
  readonly query: Readonly<Record<string, unknown>>;
  /** Names as Go writes them; without credentials. */
  readonly headers: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  readonly dryRun?: boolean;
  /** The body in its schema's shape; undefined: there is none, or it is not for hooks. @throws InvalidParameter */
  body(): Promise<unknown>;
  /** Whether hooks may give it another body. */
  readonly takesBody: boolean;
  /** Its way through adapters, which have seen it before. */
  readonly adapters?: AdapterRun | undefined;
  /** Labels of the object that the path names. */
  labels(): Promise<Readonly<Record<string, string>>>;
}

/** A request as hooks left it: the same values where they changed nothing. */
export interface HookedRequest {
  readonly query: Readonly<Record<string, unknown>>;
  /** Only what was set (or, undefined, removed). */
  readonly headers: ReadonlyMap<string, string | undefined>;
  readonly body: unknown;
  readonly isBodyChanged: boolean;
  readonly isQueryChanged: boolean;
  /** A hook answers instead of the engine. */
  readonly answer: HookAnswer | undefined;
}

/** The answer that a client would get. */
export interface HookedAnswer {
  readonly status: number;
  /** Names as Go writes them. */
  readonly headers: Readonly<Record<string, string>>;
  /** A whole answer in JSON, decoded; undefined for any other. */
  readonly body: unknown;
}

/** A field that a hook changed. */
export interface HookChange {
  readonly Hook: string;
  readonly Path: string;
}

/** The fate of a request among the hooks. */
export type HookDecision =
  | { readonly result: 'passed' }
  | {
      /** `denied` and `answered` by the hook; `failed`: the hook did, `conflict`: it and another one want different things. */
      readonly result: 'denied' | 'answered' | 'failed' | 'conflict';
      readonly by: string;
      readonly reason: string;
    };

/** Leads bytes through hooks. */
export type Flow = (bytes: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>;

/** One request on its way through the hooks. */
export interface HookRun {
  /** In the order in which they were made. */
  readonly changes: readonly HookChange[];
  readonly decision: HookDecision;
  /** Has every hook that it concerns change it. @throws the refusal: a denial, a failure of a hook, a conflict */
  request(): Promise<HookedRequest>;
  /** The part of the answer that hooks want to see. */
  readonly response: Sight;
  /** The way of a body of any length, and of an answer; undefined: no hook wants to see its bytes. */
  readonly requestFlow: Flow | undefined;
  readonly responseFlow: Flow | undefined;
  /** Has them change the answer. @throws System */
  answer(answer: HookedAnswer): Promise<HookedAnswer>;
  /** The answer is out, or (0) is going to take its time. */
  end(status: number): void;
}

/** A change in a trace; values are JSON, shortened, and secrets are left out. */
export interface TracedChange {
  readonly Path: string;
  /** Absent: there was nothing. */
  readonly From?: string;
  /** Absent: it was removed. */
  readonly To?: string;
  /** Another hook's value stands, as the file says. */
  readonly YieldedTo?: string;
}

export interface TracedStep {
  readonly Hook: string;
  readonly Stage: 'request' | 'response';
  readonly Result: 'passed' | 'changed' | 'denied' | 'answered' | 'failed' | 'ignored' | 'conflict';
  readonly Reason?: string;
  readonly Changes: readonly TracedChange[];
  readonly DurationMs: number;
}

/** One request, and the hooks' part in it. */
export interface HookTrace {
  /** Grows from one to the next. */
  readonly Number: number;
  readonly ID: string;
  readonly Time: string;
  readonly Caller: Caller;
  readonly Method: string;
  readonly Route: string;
  readonly Params: Readonly<Record<string, string>>;
  readonly Decision: HookDecision['result'];
  readonly By?: string;
  readonly Reason?: string;
  /** The answer's; 0: the client got none. */
  readonly Status: number;
  readonly Steps: readonly TracedStep[];
}

export interface TraceQuery {
  /** Only those with a higher number. */
  readonly after?: number | undefined;
  /** At most so many, the latest. */
  readonly tail?: number | undefined;
  readonly id?: string | undefined;
  /** As in a hook's match. */
  readonly route?: string | undefined;
  /** Part of the caller as the log says it. */
  readonly caller?: string | undefined;
}

/** A hook of the file, for people. */
export interface HookStatus {
  readonly Name: string;
  readonly Origin: string;
  readonly OnFailure: 'open' | 'closed';
  readonly DeadlineMs: number;
  readonly Wins: readonly string[];
  /** The one in the file. */
  readonly Match?: readonly HookMatch[];
  /** Absent: it has not said yet. */
  readonly Wishes?: HookWishes;
  readonly Requests: number;
  readonly Changed: number;
  readonly Refused: number;
  readonly Failures: number;
  readonly LastFailure?: string;
}

/** A message as adapters left it, or an HTTP error of one of them, which the client gets. */
export type Passed<T> =
  | { readonly passed: T }
  | {
      readonly by: string;
      readonly refusal: { readonly status: number; readonly contentType: string | undefined; readonly body: Buffer };
    };

/** One request on its way through Powerstrip's adapters. What cannot be asked throws, and refuses the request. */
export interface AdapterRun {
  readonly hasPre: boolean;
  readonly hasPost: boolean;
  /** In the order in which they were made; none of a message that was refused. */
  readonly changes: readonly HookChange[];
  /** Their steps, for the trace of the request. */
  readonly steps: readonly TracedStep[];
  readonly decision: HookDecision;
  request(given: PowerstripRequest, signal: AbortSignal): Promise<Passed<PowerstripRequest>>;
  /** @param client the request as the client made it */
  answer(client: PowerstripRequest, given: PowerstripAnswer, signal: AbortSignal): Promise<Passed<PowerstripAnswer>>;
  /** The answer is out, or (0) there was none; not for a request that hooks have seen, whose trace tells of both. */
  end(status: number): void;
}

/** A request, as adapters are told of it. */
export interface AdapterSubject extends Pick<HookSubject, 'id' | 'route' | 'params' | 'caller'> {
  readonly method: string;
  /** With its version, without query. */
  readonly path: string;
}

/** Adapters of Powerstrip's protocol. They come before the hooks, as if they stood before the engine. */
export interface Adapters {
  /** There is none. */
  readonly isEmpty: boolean;
  /** @returns undefined where no adapter is to see the request */
  begin(subject: AdapterSubject): AdapterRun | undefined;
}

/** A request that was put to the hooks and is not going to be done. */
export interface HookTest {
  readonly Decision: HookDecision['result'];
  readonly By?: string;
  readonly Reason?: string;
  readonly Steps: readonly TracedStep[];
  /** The error that the client would get. */
  readonly error?: unknown;
  /** Absent: it was refused. */
  readonly result?: HookedRequest;
  /** The same for people: secrets are left out. */
  readonly Request?: unknown;
}

/** The chain of hooks that the operator's file names. */
export interface Hooks {
  /** Whether any hook may want to see requests of that route; no I/O. */
  concerns(route: HookedRoute): boolean;
  begin(subject: HookSubject): HookRun;
  /** Puts a request to the hooks without a trace. Does not throw: a refusal is what it tells. */
  test(subject: HookSubject): Promise<HookTest>;
  /** The routes that there are: a hook that wants to see another one is mistaken, and fails. */
  setRoutes(routes: readonly HookedRoute[]): void;
  list(): HookStatus[];
  /** The latest requests that hooks have seen, oldest first. */
  traces(query: TraceQuery): readonly HookTrace[];
  readonly adapters: Adapters;
  close(): void;
}
