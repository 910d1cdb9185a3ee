import type { Containers } from '@cleat/engine/containers/service';
import { invalidParameter, messageOf } from '@cleat/protocol/errors';
import { decodeTime } from '../decode/time.js';
import type { Exchange } from '../http/exchange.js';
import type { Route } from '../http/router.js';
import { frame, multiplexedStream, rawStream } from '../streams/frame.js';

export function logRoutes(containers: Containers): Route[] {
  return [{ method: 'GET', path: '/containers/:name/logs', streams: 'down', handler: (x) => logs(x, containers) }];
}

async function logs(x: Exchange, containers: Containers): Promise<void> {
  const stdout = x.query.flag('stdout');
  const stderr = x.query.flag('stderr');
  if (!stdout && !stderr) throw invalidParameter('Bad parameters: you must choose at least one stream');
  const { tty, chunks, note } = await containers.logs(x.param('name'), {
    stdout,
    stderr,
    follow: x.query.flag('follow'),
    since: decodeTime('since', x.query.text('since')),
    until: decodeTime('until', x.query.text('until')),
    tail: decodeTail(x.query.text('tail')),
    timestamps: x.query.flag('timestamps'),
    details: x.query.flag('details'),
    signal: x.signal,
  });
  await x.begin(200, tty || x.before('1.42') ? rawStream : multiplexedStream, note === undefined ? {} : warning(note));
  try {
    for await (const chunk of chunks) if (!(await x.write(chunk))) break;
  } catch (error) {
    if (x.signal.aborted) return x.end();
    x.log.warn('reading a log failed', { container: x.param('name'), error: messageOf(error) });
    // The head is out; the error goes in band, on the stream that is for it.
    const text = Buffer.from(`Error grabbing logs: ${messageOf(error)}\n`);
    await x.write(tty ? text : frame(3, text));
  }
  x.end();
}

/** RFC 7234: in a header, because the output is the container's alone. */
function warning(text: string): Record<string, string> {
  return { Warning: `199 cleat "${text.replaceAll(/[^\x20-\x7e]/g, '?').replaceAll(/["\\]/g, "'")}"` };
}

/** The last n lines; all for `all`, for a negative number and for what is no number, as Docker has it. */
export function decodeTail(text: string): number | undefined {
  return /^\+?\d{1,15}$/.test(text) ? Number(text) : undefined;
}
