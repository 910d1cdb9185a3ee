import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';

export interface Answer {
  /** 0 when the engine was gone before it had answered in full. */
  readonly status: number;
  readonly text: string;
}

/** One request to an engine that may die at any moment. A stream that tells of an error counts as refused. */
export async function ask(socketPath: string, method: string, path: string, body?: unknown): Promise<Answer> {
  const raw = Buffer.isBuffer(body) ? body : undefined;
  const bytes = raw ?? (body === undefined ? undefined : Buffer.from(JSON.stringify(body)));
  const headers = bytes ? { 'content-type': raw ? 'application/x-tar' : 'application/json' } : {};
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const asked = request({ socketPath, method, path, headers, timeout: 150_000 }, resolve);
      asked.on('error', reject).on('timeout', () => asked.destroy(new Error('no answer')));
      asked.end(bytes);
    });
    const said = await text(response);
    const status = response.statusCode ?? 0;
    return { status: said.includes('"errorDetail"') ? 500 : status, text: said };
  } catch {
    // It was killed.
    return { status: 0, text: '' };
  }
}
