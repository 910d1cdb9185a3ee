import { request } from 'node:http';
import { unavailable } from '@cleat/protocol/errors';

export interface Answer {
  status: number;
  body: Buffer;
}

/** One request to an engine's UNIX socket. @throws CleatError Unavailable when nobody answers, or answers an error. */
export function call(socketPath: string, method: string, path: string, body?: Buffer | object): Promise<Answer> {
  const json = body !== undefined && !Buffer.isBuffer(body);
  const payload = json ? Buffer.from(JSON.stringify(body)) : body;
  const headers = payload === undefined ? {} : { 'content-type': json ? 'application/json' : 'application/x-tar' };
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, method, path, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const answer = { status: response.statusCode ?? 0, body: Buffer.concat(chunks) };
        if (answer.status < 400) resolve(answer);
        else reject(unavailable(`${method} ${path.replace(/\?.*/, '')}: ${messageIn(answer)}`));
      });
    });
    sent.on('error', reject);
    sent.end(payload);
  });
}

/** A container's output, out of the multiplexed stream (8 bytes of header per frame: stream, 0 0 0, length). */
export function demultiplex(stream: Buffer): string {
  let text = '';
  for (let at = 0; at + 8 <= stream.length; ) {
    const length = stream.readUInt32BE(at + 4);
    text += stream.toString('utf8', at + 8, at + 8 + length);
    at += 8 + length;
  }
  return text;
}

/** The message in an error's body. */
function messageIn({ status, body }: Answer): string {
  const text = body.toString().trim();
  try {
    const { message } = JSON.parse(text) as { message?: unknown };
    if (typeof message === 'string') return message;
  } catch {
    // Not the engine's own words.
  }
  return `${status} ${text}`;
}
