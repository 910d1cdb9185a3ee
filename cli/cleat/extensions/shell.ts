import { once } from 'node:events';
import { type Duplex, Readable } from 'node:stream';
import { invalidParameter, unavailable } from '@cleat/protocol/errors';
import { ask, open } from '../engine/ask.js';
import type { Endpoint } from '../engine/endpoint.js';

const json = (value: unknown) => ({
  method: 'POST' as const,
  body: { stream: Readable.from([JSON.stringify(value)]), type: 'application/json' },
});

/**
 * `cleat extensions shell`: a process in the sandbox of a managed plugin, with this terminal, if it is one.
 * @returns its exit code
 */
export async function shell(endpoint: Endpoint, name: string, command: readonly string[]): Promise<number> {
  const { stdin, stdout } = process;
  const tty = stdin.isTTY === true && stdout.isTTY === true;
  const streams = { AttachStdin: true, AttachStdout: true, AttachStderr: true, Tty: tty };
  const path = `/cleat/extensions/${encodeURIComponent(name)}/exec`;
  const { Id } = (await ask(endpoint, path, json({ Cmd: command, ...streams }))) as { Id: string };
  const size = () => ({ h: String(stdout.rows), w: String(stdout.columns) });
  const resize = () => {
    ask(endpoint, `/exec/${Id}/resize?${new URLSearchParams(size())}`, { method: 'POST' }).catch(() => {
      // It has ended, or shows the former size.
    });
  };
  const connection = await start(endpoint, Id, { Tty: tty, ConsoleSize: tty ? [stdout.rows, stdout.columns] : null });
  if (tty) stdin.setRawMode(true);
  try {
    if (tty) stdout.on('resize', resize);
    stdin.pipe(connection);
    for await (const chunk of connection) show(chunk as Buffer, tty);
  } finally {
    stdout.off('resize', resize);
    stdin.unpipe(connection);
    if (tty) stdin.setRawMode(false);
    stdin.pause();
    connection.destroy();
  }
  const { ExitCode } = (await ask(endpoint, `/exec/${Id}/json`)) as { ExitCode: number | null };
  return ExitCode ?? 1;
}

async function start(endpoint: Endpoint, id: string, request: object): Promise<Duplex> {
  const text = JSON.stringify(request);
  const { sent } = open(
    endpoint,
    `/exec/${id}/start`,
    { method: 'POST' },
    {
      Connection: 'Upgrade',
      Upgrade: 'tcp',
      'Content-Type': 'application/json',
      'Content-Length': String(Buffer.byteLength(text)),
    },
  );
  sent.end(text);
  const answered = once(sent, 'response').then(([response]) => {
    throw unavailable(`the engine answered ${response.statusCode} instead of a stream`);
  });
  const upgraded = once(sent, 'upgrade') as Promise<[unknown, Duplex, Buffer]>;
  const [, connection, head] = await Promise.race([upgraded, answered]);
  answered.catch(() => {
    // There will be none.
  });
  if (head.length > 0) connection.unshift(head);
  return connection;
}

let rest = Buffer.alloc(0);

/** Without a terminal, output comes in frames: which stream, three zeros, the length, and so many bytes. */
function show(chunk: Buffer, tty: boolean): void {
  if (tty) {
    process.stdout.write(chunk);
    return;
  }
  rest = Buffer.concat([rest, chunk]);
  while (rest.length >= 8) {
    const end = 8 + rest.readUInt32BE(4);
    if (end > 8 + 1024 * 1024) throw invalidParameter('the engine sent what is no stream of an exec');
    if (rest.length < end) return;
    (rest[0] === 2 ? process.stderr : process.stdout).write(rest.subarray(8, end));
    rest = rest.subarray(end);
  }
}
