import type { LogEntry } from '@cleat/protocol/log-entry';

/** The conversation of an engine and a plugin, in the order in which it happened. */
export interface Recording {
  /** As people call it. */
  readonly plugin: string;
  /** When, RFC 3339. */
  readonly made: string;
  readonly events: readonly RecordedEvent[];
}

/**
 * A body as the file shows it. `json` is a JSON text without space around it, in its sender's own spelling; `entries`
 * are what a log driver answers ReadLogs with; `base64` is whatever is no readable text.
 */
export type Body =
  | { readonly form: 'json'; readonly text: string }
  | { readonly form: 'text'; readonly text: string }
  | { readonly form: 'base64'; readonly bytes: Uint8Array }
  | { readonly form: 'entries'; readonly entries: readonly LogEntry[] };

/** An engine asked. */
export interface RequestEvent {
  readonly what: 'request';
  /** Numbers the call within the recording; its other events have the same. */
  readonly call: number;
  /** Since the recording began, in ms. */
  readonly atMs: number;
  /** `POST`, where the engine knows the protocol. */
  readonly verb: string;
  /** For example `/VolumeDriver.Create`. */
  readonly path: string;
  /** The Accept header; undefined when there was none. */
  readonly accept: string | undefined;
  /** The Content-Type; undefined when there was none, as in Docker's own requests. */
  readonly type: string | undefined;
  /** Undefined when it was empty. */
  readonly body: Body | undefined;
}

/** The plugin answered. */
export interface AnswerEvent {
  readonly what: 'answer';
  readonly call: number;
  /** Since the request, in ms. */
  readonly afterMs: number;
  readonly status: number;
  readonly type: string | undefined;
  readonly body: Body | undefined;
  /** The body follows in `more` events, until an `end`. */
  readonly streams: boolean;
}

/** A piece of an answer that streams. */
export interface MoreEvent {
  readonly what: 'more';
  readonly call: number;
  readonly afterMs: number;
  readonly body: Body | undefined;
}

/** A stream was `whole`; or the caller hung up before the answer was; or the plugin did. */
export interface EndEvent {
  readonly what: 'end';
  readonly call: number;
  readonly afterMs: number;
  readonly how: 'whole' | 'caller' | 'plugin';
  /** For people. */
  readonly why: string | undefined;
  /** Bytes that the plugin sent instead of HTTP. */
  readonly body: Body | undefined;
}

export type RecordedEvent = RequestEvent | AnswerEvent | MoreEvent | EndEvent;

/** One call with all that became of it. */
export interface Exchange {
  readonly request: RequestEvent;
  answer: AnswerEvent | undefined;
  readonly more: MoreEvent[];
  /** Undefined as well where the recorder was ended first. */
  end: EndEvent | undefined;
}

/** The calls of a recording by their number, in the order in which they were asked. */
export function exchangesOf({ events }: Recording): Map<number, Exchange> {
  const exchanges = new Map<number, Exchange>();
  for (const event of events) {
    const exchange = exchanges.get(event.call);
    if (event.what === 'request') {
      exchanges.set(event.call, { request: event, answer: undefined, more: [], end: undefined });
    } else if (event.what === 'more') exchange?.more.push(event);
    else if (exchange && event.what === 'answer') exchange.answer = event;
    else if (exchange && event.what === 'end') exchange.end = event;
  }
  return exchanges;
}

/** `/VolumeDriver.Create` as people say it. */
export function methodOf({ path }: RequestEvent): string {
  return path.slice(1);
}
