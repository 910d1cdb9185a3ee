import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { WithheldBody } from '../hijack/withheld-body.js';

/** A request's head, as the API reads it: Node's, or a plain one's. */
export interface ApiRequest {
  readonly method?: string;
  readonly url?: string;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly socket: Socket;
}

/** The part of a response that a whole answer needs: Node's, or a plain one's. */
export interface ApiResponse {
  statusCode: number;
  readonly headersSent: boolean;
  readonly writableEnded: boolean;
  /** Null when nobody can be answered. */
  readonly socket: Socket | null;
  setHeader(name: string, value: string): unknown;
  removeHeader(name: string): void;
  /** By their names in lower case. */
  getHeaders(): OutgoingHttpHeaders;
  writeHead(status: number, headers: OutgoingHttpHeaders): unknown;
  end(body?: Buffer): unknown;
  destroy(): unknown;
}

/** Where bodies and answers of any length flow. A plain request has neither. */
export interface Streams {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The request's body, where the request itself has none before somebody has it parsed. */
  readonly withheld?: WithheldBody | undefined;
}

/** How the client reached us; browsers can only use the unprotected `tcp`. */
export type Transport = 'unix' | 'tcp' | 'tls';
