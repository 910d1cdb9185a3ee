import { once } from 'node:events';
import { connect } from 'node:net';

/** One engine, as a story is told to it. */
export type Teller = (
  method: string,
  path: string,
  body?: unknown,
) => Promise<{ status: number; headers: Readonly<Record<string, unknown>>; body: string }>;

interface Event {
  readonly Action: string;
  readonly Actor: { readonly Attributes: Readonly<Record<string, string>> };
}

/** A process that needs more than its container has: the events, and what is left. */
export async function hungry(ask: Teller, name: string): Promise<object> {
  const HostConfig = { NetworkMode: 'none', Memory: 12 << 20, MemorySwap: 12 << 20 };
  const Cmd = ['sh', '-c', 'x=a; while true; do x=$x$x; done'];
  const since = Math.floor(Date.now() / 1000);
  await ask('POST', `/containers/create?name=${name}`, { Image: 'busybox', Cmd, HostConfig });
  await ask('POST', `/containers/${name}/start`);
  const waited = JSON.parse((await ask('POST', `/containers/${name}/wait`)).body) as { StatusCode: number };
  const { State } = JSON.parse((await ask('GET', `/containers/${name}/json`)).body) as {
    State: Record<string, unknown>;
  };
  const filters = encodeURIComponent(JSON.stringify({ container: [name], type: ['container'] }));
  const until = Math.floor(Date.now() / 1000) + 1;
  const { body } = await ask('GET', `/events?since=${since}&until=${until}&filters=${filters}`);
  const events = body
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Event);
  await ask('DELETE', `/containers/${name}`);
  return {
    code: waited.StatusCode,
    state: [State.Status, State.OOMKilled, State.ExitCode, State.Error],
    events: events.map(({ Action, Actor }) => [Action, Actor.Attributes.exitCode ?? '']),
  };
}

/** A container's attachment by WebSocket: what comes back, in which sort of frames. */
export async function overWebSocket(ask: Teller, socketPath: string, version: string): Promise<object> {
  const Cmd = ['sh', '-c', 'read line; echo "got $line"; echo end >&2'];
  const create = { Image: 'busybox', Cmd, OpenStdin: true, StdinOnce: true, HostConfig: { NetworkMode: 'none' } };
  await ask('POST', '/containers/create?name=web', create);
  const socket = connect(socketPath);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  const ended = once(socket, 'close');
  const path = `/v${version}/containers/web/attach/ws?stream=1&stdin=1&stdout=1&stderr=1`;
  const headers = [
    'Host: d',
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Origin: http://d',
    'Sec-WebSocket-Version: 13',
  ];
  socket.write(
    `GET ${path} HTTP/1.1\r\n${headers.join('\r\n')}\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
  );
  await once(socket, 'data');
  await ask('POST', '/containers/web/start');
  const word = Buffer.from('word\n');
  // A text frame with a mask of zeros.
  socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | word.length, 0, 0, 0, 0]), word]));
  await ended;
  await ask('DELETE', '/containers/web?force=1');
  const [head = '', ...rest] = Buffer.concat(chunks).toString('latin1').split('\r\n\r\n');
  const lines = head.split('\r\n');
  const named = lines.filter((line) => /^(upgrade|connection|sec-websocket-accept):/i.test(line));
  return {
    status: lines[0]?.split(' ')[1],
    headers: named.map((line) => line.toLowerCase()).sort(),
    ...framesOf(Buffer.from(rest.join('\r\n\r\n'), 'latin1')),
  };
}

/** Frames of less than 126 bytes. */
function framesOf(bytes: Buffer): { kinds: number[]; text: string[] } {
  const kinds = new Set<number>();
  let text = '';
  for (let at = 0; at + 2 <= bytes.length; ) {
    const [kind, length] = [bytes.readUInt8(at) & 0xf, bytes.readUInt8(at + 1)];
    // The end of the conversation is told with or without a reason.
    if (kind !== 8) {
      kinds.add(kind);
      text += bytes.toString('utf8', at + 2, at + 2 + length);
    }
    at += 2 + length;
  }
  // Which of two streams comes first is not said.
  return { kinds: [...kinds], text: text.trim().split('\n').sort() };
}
