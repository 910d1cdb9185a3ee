import { randomBytes } from 'node:crypto';
import type { Logger } from '@cleat/protocol/log';
import type { Peer } from '../callers/peer.js';
import type { Hijacker } from '../hijack/hijacker.js';
import type { ApiRequest, ApiResponse, Streams, Transport } from './messages.js';
import type { Presence } from './presence.js';
import type { Query } from './query.js';
import type { Match, Target } from './target.js';

/** The parts of an exchange. */
export interface ExchangeParts {
  request: ApiRequest;
  response: ApiResponse;
  /** All of it, where it came with the head. */
  body?: Buffer;
  /** Where the body comes later, or the answer may be a stream. */
  streams?: Streams;
  target: Target;
  match: Match;
  /** The target's, or the newest. */
  version: string;
  transport: Transport;
  peer: Peer;
  log: Logger;
  presence: Presence;
  /** Resolves when what was done is on disk. */
  settled?: () => Promise<void>;
  /** For a connection that can be taken over. */
  hijacker?: Hijacker;
}

/** Another route for a request. */
export interface Rerouting {
  readonly method: string;
  readonly target: Target;
  readonly match: Match;
  readonly version: string;
}

/** Changes to a request; absent members stay. */
export interface ExchangeChange {
  readonly query?: Query | undefined;
  /** By name; undefined: removed. */
  readonly headers?: ReadonlyMap<string, string | undefined> | undefined;
  /** The declared body, in its schema's shape. */
  readonly body?: { readonly value: unknown } | undefined;
}

/** Identifies this run of the engine; the rest of a request's name is its number. */
const run = randomBytes(3).toString('hex');
let requests = 0;
export const nextId = (): string => run + (++requests).toString(16).padStart(6, '0');
