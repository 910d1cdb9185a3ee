import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { silentLogger } from '@cleat/protocol/log';
import { metricComplaint } from '@cleat/protocol/metric-name';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { defineExtension, implement, jsonLogger, notFound, type ServeOptions, serve, volumeKind } from './index.js';

let directory: string;
let socket: string;
/** The extension's own words about its health. */
let state: () => Promise<string | undefined> | string | undefined;

beforeEach(() => {
  directory = mkdtempSync('/tmp/cleat-pages-');
  socket = join(directory, 'x.sock');
  state = () => undefined;
});
afterEach(() => rmSync(directory, { recursive: true }));

const extension = defineExtension({
  start: () => ({
    implementations: [
      implement(volumeKind, {
        Create: ({ Name }) => {
          if (Name === 'bad') throw new Error('the shelf is full');
        },
        Remove: ({ Name }) => {
          throw notFound(`no such volume: ${Name}`);
        },
        Mount: () => {},
        Unmount: () => {},
        Path: () => {},
        Get: () => {},
        List: () => {},
      }),
    ],
    health: () => state(),
    metrics: () => [
      { name: 'shelf_volumes', help: 'Volumes\non shelves.', type: 'gauge', value: 3, labels: { shelf: 'a"b\\c\nd' } },
      { name: 'shelf_errors_total', help: 'Errors.', type: 'counter', value: 0 },
      { name: 'shelf_volumes', help: 'Volumes.', type: 'gauge', value: 1, labels: { shelf: 'e' } },
    ],
  }),
});
const start = (more: Partial<ServeOptions> = {}) => serve(extension, { name: 'x', socket, log: silentLogger, ...more });

function ask(method: string, path: string, body?: string): Promise<{ status: number; type: string; body: string }> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath: socket, path, method, agent: false }, async (response) => {
      const { statusCode: status = 0, headers } = response;
      resolve({ status, type: headers['content-type'] ?? '', body: await text(response) });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
const health = async () => {
  const { status, type, body } = await ask('GET', '/health');
  expect(type).toBe('application/json');
  return { code: status, ...JSON.parse(body) };
};

test('health: well, not well, and why', async () => {
  await using _ = await start();
  expect(await health()).toMatchObject({ code: 200, status: 'ok', name: 'x', kinds: ['VolumeDriver'], underWay: 0 });
  state = () => 'the server is away';
  expect(await health()).toMatchObject({ code: 503, status: 'failing', reason: 'the server is away' });
  state = async () => {
    throw new Error('the server says no');
  };
  expect(await health()).toMatchObject({ code: 503, reason: 'the server says no' });
  state = () => new Promise(() => {});
  expect(await health()).toMatchObject({ code: 503, reason: 'its health check did not end within 5000 ms' });
  expect(await ask('GET', '/')).toMatchObject({ status: 405, body: expect.stringContaining('/health') });
});

test('metrics: calls by method and result, and what the extension adds', async () => {
  await using _ = await start();
  await ask('POST', '/VolumeDriver.Create', '{"Name":"a"}');
  await ask('POST', '/VolumeDriver.Create', '{"Name":"bad"}');
  await ask('POST', '/VolumeDriver.Create', '{"Name":5}');
  await ask('POST', '/VolumeDriver.Capabilities', '');
  await ask('POST', '/one', '');
  await ask('POST', '/two', '');
  const { type, body } = await ask('GET', '/metrics');
  expect(type).toBe('text/plain; version=0.0.4; charset=utf-8');
  for (const [result, count] of [
    ['ok', 1],
    ['error', 1],
    ['bad_request', 1],
    ['unknown_method', 0],
  ]) {
    expect(body).toContain(`plugin_calls_total{method="VolumeDriver.Create",result="${result}"} ${count}\n`);
  }
  expect(body).toContain('plugin_calls_total{method="other",result="unknown_method"} 3\n');
  expect(body).toContain('plugin_call_duration_seconds_bucket{method="VolumeDriver.Create",le="+Inf"} 3\n');
  expect(body).toContain('plugin_call_duration_seconds_count{method="VolumeDriver.Create"} 3\n');
  expect(body).not.toContain('VolumeDriver.List');
  expect(body).toContain('plugin_calls_under_way 0\n');
  expect(body).toMatch(/^process_resident_memory_bytes \d{7,}$/m);
  expect(body).toMatch(/^process_start_time_seconds \d{10}$/m);
  expect(body).toContain(
    '# HELP shelf_volumes Volumes\\non shelves.\n# TYPE shelf_volumes gauge\n' +
      'shelf_volumes{shelf="a\\"b\\\\c\\nd"} 3\nshelf_volumes{shelf="e"} 1\n',
  );
  expect(body).toContain('shelf_errors_total 0\n');
  expect(body.match(/^# TYPE shelf_volumes /gm)).toHaveLength(1);
  const own = [...body.matchAll(/^# TYPE (plugin_\S+) (\S+)$/gm)];
  expect(own).toHaveLength(3);
  expect(own.map(([, name = '', type = '']) => metricComplaint({ name, type, help: name }, 'plugin'))).toEqual(
    own.map(() => undefined),
  );
  for (const line of body.trimEnd().split('\n')) {
    expect(line).toMatch(/^(# (HELP|TYPE) \w+ .+|\w+(\{(\w+="(?:[^"\\\n]|\\.)*",?)+\})? [\d.e+-]+)$/);
  }
});

test('calls are logged once: failures as warnings, what engines ask to be told no is none', async () => {
  const lines: string[] = [];
  await using _ = await start({ log: jsonLogger({ write: (line) => lines.push(line) }) });
  await ask('POST', '/VolumeDriver.Create', '{"Name":"a"}');
  await ask('POST', '/VolumeDriver.Create', '{"Name":"bad"}');
  await ask('POST', '/VolumeDriver.Remove', '{"Name":"a"}');
  await ask('POST', '/VolumeDriver.Capabilities', '');
  const said = lines.map((line) => JSON.parse(line)).filter(({ call }) => call);
  expect(said).toEqual([
    { level: 'debug', message: 'answered', call: 'VolumeDriver.Create', ms: expect.any(Number) },
    expect.objectContaining({ level: 'warn', call: 'VolumeDriver.Create', error: 'the shelf is full' }),
    expect.objectContaining({ level: 'debug', call: 'VolumeDriver.Remove', error: 'no such volume: a' }),
    expect.objectContaining({ level: 'debug', call: 'VolumeDriver.Capabilities' }),
  ]);
});

test('a connection that is kept ends with the answer that was under way when it is stopped', async () => {
  let answer: (() => void) | undefined;
  state = () =>
    new Promise((resolve) => {
      answer = () => resolve(undefined);
    });
  const served = await start();
  const connection = connect(socket);
  const received = text(connection);
  connection.write('GET /health HTTP/1.1\r\nHost: x\r\n\r\n');
  await expect.poll(() => answer).toBeDefined();
  const closing = served.close();
  answer?.();
  expect(await received).toMatch(/^HTTP\/1\.1 200 OK\r\n(.+\r\n)*Connection: close\r\n/);
  connection.destroy();
  await closing;
});
