import type { ServerResponse } from 'node:http';
import { asCleatError, errorStatus } from '@cleat/protocol/errors';
import { isBefore } from './version.js';

/**
 * Answers with an error: `{"message": …}`, or plain text for clients before 1.24, which print the body as it is. When
 * the answer has begun already, nothing can be said any more and the connection is cut, so that the client notices.
 */
export function sendError(response: ServerResponse, error: unknown, version: string): void {
  const known = asCleatError(error);
  const status = errorStatus[known.class];
  if (response.headersSent) {
    response.destroy();
    return;
  }
  for (const name of ['Content-Type', 'Content-Length', 'Transfer-Encoding']) response.removeHeader(name);
  if (status === 304) {
    response.writeHead(status).end();
    return;
  }
  const plain = isBefore(version, '1.24');
  const body = plain ? `${known.message}\n` : `${JSON.stringify({ message: known.message })}\n`;
  response.writeHead(status, {
    'Content-Type': plain ? 'text/plain; charset=utf-8' : 'application/json',
    'Content-Length': Buffer.byteLength(body),
  });
  response.end(response.req.method === 'HEAD' ? undefined : body);
}
