import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Said {
  /** 0: nothing came. */
  readonly status: number;
  readonly type: string;
  readonly body: string;
  /** The answer came to its end. */
  readonly whole: boolean;
}

/**
 * One request as bytes, and its answer. The connection is not closed by the request, so a plain one is answered without
 * Node's parser.
 */
export async function talk(path: string, request: string, ms: number): Promise<Said> {
  const socket = connect(path);
  let text = '';
  let closed = false;
  const over = new Promise<void>((resolve) => {
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      if (isWhole(text, request)) resolve();
    });
    socket.on('error', () => {});
    socket.once('close', () => {
      closed = true;
      resolve();
    });
  });
  socket.write(request, 'latin1');
  const timer = new AbortController();
  await Promise.race([over, sleep(ms, undefined, { signal: timer.signal }).catch(() => {})]);
  timer.abort();
  socket.destroy();
  const [, status = '0'] = /^HTTP\/1\.1 (\d{3})/.exec(text) ?? [];
  const { head, body } = parts(text);
  return {
    status: Number(status),
    type: /^content-type: *(.*)$/im.exec(head)?.[1]?.trim() ?? '',
    body: Buffer.from(body, 'latin1').toString(),
    whole: closed || isWhole(text, request),
  };
}

function parts(text: string): { head: string; body: string } {
  const end = text.indexOf('\r\n\r\n');
  return end < 0 ? { head: text, body: '' } : { head: text.slice(0, end), body: text.slice(end + 4) };
}

function isWhole(text: string, request: string): boolean {
  if (!text.includes('\r\n\r\n')) return false;
  const { head, body } = parts(text);
  if (request.startsWith('HEAD ') || /^HTTP\/1\.1 (204|304)/.test(head)) return true;
  const [, length] = /^content-length: *(\d+)/im.exec(head) ?? [];
  if (length !== undefined) return body.length >= Number(length);
  return body.endsWith('0\r\n\r\n');
}
