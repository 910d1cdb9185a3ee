import { request as httpRequest, type IncomingMessage } from 'node:http';
import { addAbortSignal } from 'node:stream';
import { Deadline } from '@cleat/protocol/async/deadline';
import { deadlineExceeded, messageOf, systemError, unavailable } from '@cleat/protocol/errors';
import { owned } from '@cleat/protocol/guard';

/** As long as Docker waits for a plugin: an adapter may be there to delay a request. */
const deadlineMs = 120_000;
/** Bytes of an adapter's answer. */
const maxAnswerBytes = 32 * 1024 * 1024;

export interface AdapterReply {
  readonly status: number;
  readonly contentType: string | undefined;
  readonly body: Buffer;
}

/**
 * Posts a message to an adapter.
 * @param address where the host of the URL is, if it is not to be looked up
 * @throws Unavailable, DeadlineExceeded, System for an answer that is too long
 */
export async function callAdapter(
  url: URL,
  message: string,
  { address, signal }: { address: string | undefined; signal: AbortSignal | undefined },
): Promise<AdapterReply> {
  const late = () => deadlineExceeded(`it did not answer within ${deadlineMs / 1000} s`);
  using deadline = new Deadline({ ms: deadlineMs, signal, late });
  const body = Buffer.from(message);
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const sent = httpRequest({
        method: 'POST',
        host: address ?? url.hostname.replace(/^\[|\]$/g, ''),
        port: url.port || 80,
        path: `${url.pathname}${url.search}`,
        headers: { Host: url.host, 'Content-Type': 'application/json', 'Content-Length': body.length },
        agent: false,
        signal: deadline.signal,
      });
      sent.once('response', resolve);
      // For all of its life: an adapter may break the connection after its answer.
      sent.on('error', reject);
      // No adapter changes to another protocol.
      sent.once('upgrade', (_response, socket) => {
        socket.destroy();
        reject(systemError('it answered with a change to another protocol'));
      });
      sent.end(body);
    });
    addAbortSignal(deadline.signal, owned(response));
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > maxAnswerBytes) throw systemError(`it answered with more than ${maxAnswerBytes} bytes`);
      chunks.push(chunk);
    }
    const { statusCode: status = 0, headers } = response;
    return { status, contentType: headers['content-type'], body: Buffer.concat(chunks) };
  } catch (error) {
    if (deadline.signal.aborted) throw deadline.signal.reason;
    if (error instanceof Error && 'class' in error) throw error;
    throw unavailable(`it cannot be reached: ${messageOf(error)}`, { cause: error });
  }
}
