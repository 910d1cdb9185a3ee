import { asCleatError, errorStatus } from '@cleat/protocol/errors';
import { stringify } from '@cleat/protocol/json';
import type { Answer } from './answer.js';
import type { ApiResponse } from './messages.js';
import { isBefore } from './version.js';

/** The body of an error for a client: `{"message": …}`, or plain text before 1.24, when clients print what they get. */
export function errorAnswer(error: unknown, version: string): Answer {
  const known = asCleatError(error);
  const status = errorStatus[known.class];
  if (status === 304) return { status, headers: {}, body: undefined };
  const plain = isBefore(version, '1.24');
  const body = Buffer.from(plain ? `${known.message}\n` : `${stringify({ message: known.message })}\n`);
  const type = plain ? 'text/plain; charset=utf-8' : 'application/json';
  return { status, headers: { 'Content-Type': type, 'Content-Length': body.length }, body };
}

/**
 * Answers with an error. When the answer has begun already, nothing more can be said and the connection is cut, so
 * that the client notices.
 */
export function sendError(response: ApiResponse, method: string | undefined, error: unknown, version: string): void {
  // The client was told already, or has gone.
  if (response.writableEnded || !response.socket) return;
  if (response.headersSent) {
    response.destroy();
    return;
  }
  sendAnswer(response, method, errorAnswer(error, version));
}

/** Sends a whole answer in the place of one that has not begun; does nothing for a client that has gone. */
export function sendAnswer(response: ApiResponse, method: string | undefined, answer: Answer): void {
  if (response.headersSent || response.writableEnded || !response.socket) return;
  for (const name of ['Content-Type', 'Content-Length', 'Transfer-Encoding']) response.removeHeader(name);
  const { status, headers, body } = answer;
  response.writeHead(status, headers);
  response.end(method === 'HEAD' ? undefined : body);
}
