import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { CleatError, type ErrorClass } from '@cleat/protocol/errors';
import { kinds } from '@cleat/protocol/kinds/index';
import { type CallOptions, type Kind, type Method, methodPath } from '@cleat/protocol/kinds/kind';
import { silentLogger } from '@cleat/protocol/log';
import { membersOf } from '@cleat/protocol/reference/members';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Extensions, openExtensions } from './index.js';

/**
 * A plugin may answer anything, byte by byte, to any method of any kind: its caller gets an error that names it and the
 * call and that a terminal can show, and the next call works.
 */

type Send = (socket: Socket) => void;

interface Hostility {
  send: Send;
  class: ErrorClass;
  message: RegExp;
  /** The plugin's own words: they are shown in Docker's form, without its name. */
  own?: true;
  /** Also where the answer is a stream of bytes: what is wrong comes before those. */
  beforeBody?: true;
  hangs?: true;
}

const raw =
  (bytes: string | Buffer): Send =>
  (socket) =>
    socket.end(bytes);
const answer = (body: string | Buffer, status = '200 OK'): Send => {
  const bytes = Buffer.from(body);
  return raw(Buffer.concat([Buffer.from(`HTTP/1.1 ${status}\r\nContent-Length: ${bytes.length}\r\n\r\n`), bytes]));
};
/** Made when it is sent: there are many of them. */
const large =
  (make: () => string, status?: string): Send =>
  (socket) =>
    answer(make(), status)(socket);
/** Goes on until the other side has enough. */
const endless =
  (head: string, piece: string): Send =>
  (socket) => {
    socket.write(head);
    const more = () => {
      while (!socket.destroyed && socket.write(piece));
    };
    socket.on('drain', more);
    more();
  };
const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
const piece = `10000\r\n${' '.repeat(0x10000)}\r\n`;

const notHttp = {
  class: 'Unavailable',
  message: / answered \S+ with something that is not HTTP/,
  beforeBody: true,
} as const;
const broke = { class: 'Unavailable', message: / did not answer \S+: the connection to \S+ broke/ } as const;
const noObject = { class: 'Unavailable', message: / answered \S+ with something that is not a JSON object$/ } as const;
const noText = { class: 'Unavailable', message: / answered \S+ in a shape .*: (Err|Error) is no text$/ } as const;
const status = {
  class: 'Unavailable',
  message: / answered \S+ with status \d+, where the protocol has 200$/,
  beforeBody: true,
} as const;
const hang = { class: 'DeadlineExceeded', message: / did not answer \S+ within 0\.03 s$/, hangs: true } as const;
const said = { class: 'System', own: true } as const;

function hostilities({ errorKey: key }: Kind): Record<string, Hostility> {
  return {
    'the end': { send: raw(''), ...broke, beforeBody: true },
    'half a head': { send: raw('HTTP/1.1 200 OK\r\nContent-'), ...broke, beforeBody: true },
    'a word': { send: raw('hello\r\n\r\n'), ...notHttp },
    bytes: { send: raw(Buffer.from([0, 255, 27, 91, 50, 74, 13, 10, 13, 10])), ...notHttp },
    'another protocol': { send: raw('SSH-2.0-OpenSSH_9\r\n'), ...notHttp },
    'a status that is no number': { send: raw('HTTP/1.1 \x1b[2J OK\r\n\r\n'), ...notHttp },
    'headers that are none': { send: raw('HTTP/1.1 200 OK\r\n\x00\x1b: x\r\n\r\n'), ...notHttp },
    'a negative length': { send: raw('HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{}'), ...notHttp },
    'two lengths': { send: raw('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}'), ...notHttp },
    'a huge header': {
      send: endless('HTTP/1.1 200 OK\r\nX: ', 'x'.repeat(1 << 10)),
      class: 'Unavailable',
      message: / answered \S+ with headers that are too large$/,
      beforeBody: true,
    },
    'endless headers': {
      send: endless('HTTP/1.1 200 OK\r\n', 'X: y\r\n'),
      class: 'Unavailable',
      message: / answered \S+ with headers that are too large$/,
      beforeBody: true,
    },
    'no content': { send: raw('HTTP/1.1 204 No Content\r\n\r\n'), ...status },
    made: { send: answer('{}', '201 Created'), ...status },
    elsewhere: {
      send: raw('HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n'),
      ...status,
    },
    'another protocol, switched to': {
      send: (socket) => socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n'),
      class: 'Unavailable',
      message: / answered \S+ with a change to another protocol$/,
      beforeBody: true,
    },
    silence: { send: () => {}, ...hang, beforeBody: true },
    'patience, for ever': { send: endless('', 'HTTP/1.1 100 Continue\r\n\r\n'), ...hang, beforeBody: true },
    'a head and silence': { send: (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n'), ...hang },
    'half an object and silence': { send: (socket) => socket.write(`${chunked}4\r\n{"a"\r\n`), ...hang },
    'half an object': { send: raw('HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"Mountpoint":'), ...broke },
    'half an object, said to be whole': { send: answer('{"Mountpoint":"/m"'), ...noObject },
    'chunks that are none': { send: raw(`${chunked}zz\r\n{}\r\n`), ...broke },
    'too much': {
      send: endless('HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n', ' '.repeat(1 << 16)),
      class: 'Unavailable',
      message: / answered \S+ with more than 16777216 bytes$/,
    },
    'no end': {
      send: endless(chunked, piece),
      class: 'Unavailable',
      message: / answered \S+ with more than 16777216 bytes$/,
    },
    'a web page': { send: answer('<!DOCTYPE html><html><body>Welcome</body></html>'), ...noObject },
    'a list': { send: answer('[{"Mountpoint":"/m"}]'), ...noObject },
    'a text': { send: answer('"ok"'), ...noObject },
    'a number': { send: answer('1e999'), ...noObject },
    true: { send: answer('true'), ...noObject },
    'a byte order mark': { send: answer('\ufeff{}'), ...noObject },
    'broken UTF-8': { send: answer(Buffer.from([0x7b, 0xff, 0xfe, 0x7d])), ...noObject },
    'deep lists': { send: large(() => '['.repeat(100_000)), ...noObject },
    'deep objects': { send: large(() => `${'{"Status":'.repeat(100_000)}1${'}'.repeat(100_000)}`), ...noObject },
    'a long number in deep lists': {
      send: large(() => `{"Status":${'['.repeat(50_000)}12345678901234567890${']'.repeat(50_000)}}`),
      ...noObject,
    },
    'an error': { send: answer(`{"${key}":"no space"}`), message: /^no space$/, ...said },
    'an error with a status': {
      send: answer(`{"${key}":"no space"}`, '500 Oops'),
      message: /^\S+: no space$/,
      ...said,
      beforeBody: true,
    },
    'an error in another case, twice, with an unknown class': {
      send: answer(`{"${key.toUpperCase()}":"first","${key.toLowerCase()}":"second","Class":"Boss"}`),
      message: /^second$/,
      ...said,
    },
    'an error in plain text': {
      send: answer('out of order\n', '500 Oops'),
      message: /^\S+: out of order$/,
      ...said,
      beforeBody: true,
    },
    'an error with a web page': {
      send: large(() => `<html>${'x'.repeat(300_000)}`, '502 Bad Gateway'),
      message: /^\S+: <html>x{1000,2000}… \(\d+ more characters\)$/,
      ...said,
      beforeBody: true,
    },
    'an error without a word': {
      send: answer('', '500 Oops'),
      class: 'System',
      message: /^\S+: plugin "\S+" answered status 500 without a message$/,
      beforeBody: true,
    },
    'an error that is an object': { send: answer(`{"${key}":{"code":5}}`), ...noText },
    'an error that is a number': { send: answer(`{"${key}":5}`), ...noText },
    'an error that is true': { send: answer(`{"${key}":true}`), ...noText },
    'an enormous error': {
      send: large(() => `{"${key}":"${'y'.repeat(300_000)}"}`),
      message: /^y{2000}… \(\d+ more characters\)$/,
      ...said,
    },
    'an error that attacks the terminal': {
      send: answer(JSON.stringify({ [key]: '\x1b]0;owned\x07\x1b[2J\r\u009b31m\u202e' })),
      message: /^\\u001b\]0;owned\\u0007\\u001b\[2J\\u000d\\u009b31m\\u202e$/,
      ...said,
    },
    'plain text that attacks the terminal': {
      send: answer('\x1b[2J\x07', '500 Oops'),
      message: /^\S+: \\u001b\[2J\\u0007$/,
      ...said,
      beforeBody: true,
    },
  };
}

/** Each member of the answer in turn with a value of another type. */
function wrongTypes(method: Method): Record<string, Hostility> {
  const members = membersOf(method.response).filter(({ path, type }) => !path.includes('.') && type !== 'any');
  return Object.fromEntries(
    members.map(({ path, type }) => {
      const wrong = type.startsWith('list') ? { '\u001b': 1 } : ['\u001b[2J'];
      const hostility: Hostility = {
        send: answer(JSON.stringify({ [path]: wrong })),
        class: 'Unavailable',
        message: new RegExp(` in a shape that the protocol does not have: json: .*${path}`),
      };
      return [`${path} of another type`, hostility];
    }),
  );
}

let directory: string;
let server: Server;
let extensions: Extensions;
let behave: Send;
const good: Send = answer('{}');

beforeAll(async () => {
  directory = mkdtempSync('/tmp/cleat-hostile-');
  server = createServer((socket) => {
    let head = '';
    socket.on('error', () => {}); // They hang up on us, which is the point.
    socket.on('data', function read(chunk: Buffer) {
      head += chunk.toString('latin1');
      const end = head.indexOf('\r\n\r\n');
      const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
      if (end < 0 || head.length < end + 4 + length) return;
      socket.off('data', read).resume();
      if (head.startsWith('POST /Plugin.Activate ')) {
        answer(JSON.stringify({ Implements: kinds.map(({ name }) => name) }))(socket);
      } else behave(socket);
    });
  });
  await new Promise<void>((resolve) => server.listen(join(directory, 'rogue.sock'), resolve));
  extensions = openExtensions({
    manifestPaths: [],
    overrides: {},
    variables: {},
    pluginDirectories: [directory],
    dataRoot: directory,
    execRoot: directory,
    hostPath: '',
    log: silentLogger,
  });
});

afterAll(async () => {
  await extensions.close();
  await new Promise((resolve) => server.close(resolve));
  rmSync(directory, { recursive: true });
});

type Call = (request: unknown, options?: CallOptions) => Promise<unknown>;

/** Calls it, and reads what it answers with to its end. */
async function call(kind: Kind, method: string, options: CallOptions = {}): Promise<unknown> {
  const client = (await extensions.get(kind, 'rogue')) as Readonly<Record<string, Call>>;
  const result = await client[method]?.({}, options);
  if (!kind.methods[method]?.streams) return result;
  const chunks: Uint8Array[] = [];
  for await (const chunk of result as AsyncIterable<Uint8Array>) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

const contracts = kinds.flatMap((kind: Kind) =>
  Object.entries(kind.methods).map(([name, method]) => ({ kind, name, method, path: methodPath(kind, name).slice(1) })),
);

describe.each(contracts)('$path', ({ kind, name, method, path }) => {
  const streams = method.streams !== undefined;
  const cases = Object.entries({ ...hostilities(kind), ...(streams ? {} : wrongTypes(method)) });
  test.each(cases.filter(([, { beforeBody }]) => beforeBody || !streams))('%s', async (_what, hostility) => {
    behave = hostility.send;
    const error: unknown = await call(kind, name, hostility.hangs ? { deadlineMs: 30 } : {}).catch((thrown) => thrown);
    if (!(error instanceof CleatError)) throw new Error(`no error of ours: ${String(error)}`, { cause: error });
    expect(error.message).toMatch(hostility.message);
    expect(error.class).toBe(hostility.class);
    if (hostility.own) expect(error.details).toEqual({ extension: 'rogue', call: path });
    else expect(error.message).toContain('plugin "rogue" ');
    if (!hostility.own || !/^[a-zé ]+$/.test(error.message)) expect(error.message.length).toBeLessThan(2_200);
    expect(error.message).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e]/);
    behave = good;
    expect(await call(kind, name)).toBeDefined();
    expect(extensions.list()).toMatchObject([{ name: 'rogue', state: 'active', health: 'healthy' }]);
  });
});

const streamed = contracts.filter(({ method }) => method.streams !== undefined);
test.each(streamed)('$path: a stream that breaks off', async ({ kind, name, path }) => {
  behave = raw('HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf');
  await expect(call(kind, name)).rejects.toMatchObject({
    class: 'Unavailable',
    message: expect.stringMatching(new RegExp(`^plugin "rogue" broke off its answer to ${path}: `)),
  });
});
