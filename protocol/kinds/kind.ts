import { CleatError } from '../errors.js';
import type { Static, TSchema } from '../schema.js';

/** Messages that two sides exchange: their names on the wire, and their methods. It knows nothing of carriers. */
export interface Contract<M extends Record<string, Method> = Record<string, Method>> {
  /** The capability that an extension lists in `Implements`, for example `VolumeDriver`. */
  readonly name: string;
  /** The prefix of its methods on the wire, where that is not the name (`AuthZPlugin.AuthZReq` of `authz`). */
  readonly prefix?: string;
  /** The JSON key under which an answer carries an error: `Err`, or `Error` for IPAM. */
  readonly errorKey: 'Err' | 'Error';
  /** Its purpose and who defined it, for the reference: Markdown. */
  readonly about?: string;
  /**
   * Additions to Docker's protocol, seen only by an extension that asks for them, for the reference: Markdown, one
   * each.
   */
  readonly negotiated?: readonly string[];
  readonly methods: M;
}

/**
 * A kind is an extension point written once. The client proxy (`extensions/proxy.ts`), the server stub
 * (`protocol/dispatch.ts`), JSON Schema, the reference page, the tables of kinds in the guide, the choices of
 * `cleat create`, the lists in `docker info` and the tables of tests derive from this value.
 */
export interface Kind<M extends Record<string, Method> = Record<string, Method>> extends Contract<M> {
  /** One word, the same in every layer: names of files and folders, `cleat create --kind`, beginnings of case IDs. */
  readonly label: string;
  /**
   * Version of the contract. It grows when an old extension would no longer be understood; then both versions are
   * served.
   */
  readonly version: number;
  /** Its subject, as a heading: `Volumes`. */
  readonly title: string;
  /** The words of people for an extension of it: `volume driver`. */
  readonly called: string;
  /** Ends the sentence "a plugin of this kind …". */
  readonly does: string;
  /** A container cannot start without the extensions of this kind that it uses: its start waits for them. */
  readonly neededToStart: boolean;
  /** How a stock dockerd takes plugins of it: found by their socket, or only installed by `docker plugin install`. */
  readonly stockDocker: 'found or installed' | 'installed only' | 'installed only, in a swarm' | 'not at all';
  /** The list of `Plugins` in `docker info` that has them. Absent: none. */
  readonly infoList?: string;
}

export interface Method<Req extends TSchema = TSchema, Res extends TSchema = TSchema> {
  readonly request: Req;
  readonly response: Res;
  /** How long the engine waits for the answer, in ms, unless configured otherwise. */
  readonly deadlineMs: number;
  /** A repeated call has the effect of one, so it may be retried after a broken connection. */
  readonly idempotent: boolean;
  /** A driver need not implement it: HTTP 404 (or a missing handler) is answered with `undefined`. */
  readonly optional?: true;
  /**
   * `response`: the answer is not JSON but a raw stream of bytes (LogDriver.ReadLogs). `both`: the request's body is one,
   * too, and its message is in the header `Cleat-Message`.
   */
  readonly streams?: 'response' | 'both';
  /** Says for the reference what it does: Markdown. Members have that in their schema's `description`. */
  readonly about?: string;
  /** The Docker API or Cleat version in which it appeared, for the reference page. */
  readonly since?: string;
}

/** The wire path of a method: `/VolumeDriver.Create`. */
export function methodPath(kind: Contract, method: string): string {
  return `/${kind.prefix ?? kind.name}.${method}`;
}

/** Settings of a caller for one call. */
export interface CallOptions {
  signal?: AbortSignal;
  /** Overrides the contract's deadline, in ms. It covers the whole call, also waiting for one that is restarting. */
  deadlineMs?: number;
  /** Fails at once when nobody is there, instead of waiting for it to come back: for questions that can do without. */
  impatient?: boolean;
  /** The request's body, of a method that streams both ways. */
  body?: AsyncIterable<Uint8Array>;
}

/**
 * Whether an extension may have done what it was asked, although nobody heard that it did: its caller then has to take
 * it back. False when it refused, or certainly never got the message.
 */
export function outcomeUnknown(error: unknown): boolean {
  return error instanceof CleatError && error.details?.arrived === true;
}

type Answer<T extends Method> = T['streams'] extends 'response' | 'both'
  ? AsyncIterable<Uint8Array>
  : T['optional'] extends true
    ? Static<T['response']> | undefined
    : Static<T['response']>;

/** A kind as its caller sees it: one async function per method. Same shape over every carrier. */
export type Client<K extends Contract> = {
  readonly [N in keyof K['methods']]: (
    request: Static<K['methods'][N]['request']>,
    options?: CallOptions,
  ) => Promise<Answer<K['methods'][N]>>;
};

/** A handler gets this beside the request. */
export interface CallContext {
  /** Aborted when the caller went away or its deadline passed. */
  readonly signal: AbortSignal;
  /** The request's body, of a method that streams both ways. */
  readonly body?: AsyncIterable<Uint8Array>;
}

type HandlerAnswer<T extends Method> = T['streams'] extends 'response' | 'both'
  ? AsyncIterable<Uint8Array>
  : // biome-ignore lint/suspicious/noConfusingVoidType: a handler that answers nothing returns nothing
    Static<T['response']> | void;

type RequiredMethods<M extends Record<string, Method>> = {
  [N in keyof M]: M[N]['optional'] extends true ? never : N;
}[keyof M];

/** A kind as its implementation writes it: one function per method; optional methods may be left out. */
export type Handlers<K extends Contract> = {
  readonly [N in RequiredMethods<K['methods']>]: (
    request: Static<K['methods'][N]['request']>,
    context: CallContext,
  ) => Promise<HandlerAnswer<K['methods'][N]>> | HandlerAnswer<K['methods'][N]>;
} & {
  readonly [N in Exclude<keyof K['methods'], RequiredMethods<K['methods']>>]?: (
    request: Static<K['methods'][N]['request']>,
    context: CallContext,
  ) => Promise<HandlerAnswer<K['methods'][N]>> | HandlerAnswer<K['methods'][N]>;
};

export const seconds = (n: number): number => n * 1000;

/** Marks a member that Docker's protocol does not have: JSON Schema lets a schema carry more. */
export const negotiated = { 'x-negotiated': true } as const;
