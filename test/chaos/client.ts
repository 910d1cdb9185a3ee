import { request } from 'node:http';

export interface ApiAnswer {
  readonly status: number;
  readonly text: string;
}

export interface ApiOptions {
  readonly body?: unknown;
  /** Sent as it is, for archives. */
  readonly raw?: { readonly type: string; readonly bytes: Buffer };
  /** ms until the answer must be complete. */
  readonly withinMs?: number;
  /** ms after which the client has seen enough of a stream and goes away. */
  readonly leaveAfterMs?: number;
}

/** The longest that any request may take, even on a busy machine: a longer one is a hang. */
export const boundMs = 90_000;

/** The engine did not answer in time. */
export class Hang extends Error {}

/** One request on a connection of its own. @throws Hang; Error with a code when there is no engine */
export function ask(socketPath: string, method: string, path: string, options: ApiOptions = {}): Promise<ApiAnswer> {
  const { body, raw, withinMs = boundMs, leaveAfterMs } = options;
  const bytes = raw?.bytes ?? (body === undefined ? undefined : Buffer.from(JSON.stringify(body)));
  const headers = bytes && {
    'Content-Type': raw?.type ?? 'application/json',
    'Content-Length': bytes.length,
  };
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, method, path, headers, agent: false }, (response) => {
      let text = '';
      const enough = () => finish(() => resolve({ status: response.statusCode ?? 0, text }));
      if (leaveAfterMs !== undefined) setTimeout(enough, leaveAfterMs).unref();
      response.setEncoding('latin1').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', enough);
      response.on('error', (error) => finish(() => reject(error)));
    });
    const late = setTimeout(
      () => finish(() => reject(new Hang(`${method} ${path} was not answered within ${withinMs / 1000} s`))),
      withinMs,
    );
    let finished = false;
    const finish = (settle: () => void) => {
      if (finished) return;
      finished = true;
      clearTimeout(late);
      settle();
      sent.destroy();
    };
    sent.on('error', (error) => finish(() => reject(error)));
    sent.end(bytes);
  });
}

/** The engine was not there, or went away in the middle. */
export function isAbsence(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return ['ECONNREFUSED', 'ECONNRESET', 'ENOENT', 'EPIPE'].includes(code);
}
