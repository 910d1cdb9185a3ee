import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Presence } from '../http/presence.js';
import type { PlainRequest } from '../plain/request.js';
import type { Head } from './head.js';

/** The front's facts about a hijacked request. */
export interface Upgrade {
  /** The client itself asked for an upgrade, so 101 is its answer; otherwise 200. */
  readonly asked: boolean;
  /** The client speaks the other protocol already: there is no answer to begin with. */
  readonly implied?: boolean;
}

/** A request that Node's parser does not see. */
export interface PlainTurn {
  readonly request: PlainRequest;
  readonly body: Buffer;
  readonly socket: Socket;
  readonly presence: Presence;
  /** The answer is out: the next request may come. */
  readonly answered: () => void;
}

export interface FrontOptions {
  readonly server: Server;
  /** Answers a plain request, if it has a whole answer. @returns whether it does; otherwise Node's parser gets it */
  onPlain(turn: PlainTurn): boolean;
  /** The request wants the connection itself, in whatever way it asks. */
  hijacks(head: Head): 'raw' | 'websocket' | undefined;
  /** Somebody may want a body in chunks to go past the parser ({@link WithheldBody}). */
  withholds?(head: Head): boolean;
  onUpgrade(request: IncomingMessage, socket: Socket, rest: Buffer, upgrade: Upgrade): void;
  /** Bytes that the parser cannot take; `response` is what it was answering meanwhile. Nothing more is read. */
  onMalformed(error: Error, socket: Socket, response: ServerResponse | undefined): void;
  /** Something threw within a listener of this socket; the socket is destroyed after it. */
  onFailure(error: unknown, socket: Socket): void;
}
