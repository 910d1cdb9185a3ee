import { closeSync, constants, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { makeFifo } from '@cleat/linux/syscall/files';
import { type LogInfo, logKind } from '@cleat/protocol/kinds/log';
import { encodeLogEntry, type LogEntry } from '@cleat/protocol/log-entry';
import { startForTest, type Tested } from '@cleat/sdk/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FakeLoki } from './fake-loki.fixture.js';
import lokiLogs from './loki-logs.js';

const nanos = 1763780000123456789n;
let directory: string;
let fifos = 0;
let loki: FakeLoki;
let tested: Tested;
beforeEach(async () => {
  directory = mkdtempSync('/tmp/cleat-loki-logs-');
  loki = new FakeLoki();
  await loki.start();
});
afterEach(async () => {
  await tested.close();
  await loki.stop();
  rmSync(directory, { recursive: true });
});

const entry = (line: string, more: Partial<LogEntry> = {}): LogEntry => ({
  source: 'stdout',
  timeNano: nanos,
  line: Buffer.from(line),
  partial: false,
  ...more,
});

/** One run of a container, as an engine does it. */
async function run(entries: Iterable<LogEntry>, config: Record<string, string> = {}, more: Partial<LogInfo> = {}) {
  const Info: LogInfo = {
    Config: { 'loki-url': loki.url, 'loki-batch-wait': '10ms', ...config },
    ContainerID: '0123456789abcdef',
    ContainerName: '/web',
    ContainerImageName: 'busybox',
    ...more,
  };
  const client = tested.client(logKind);
  const File = join(directory, `fifo-${++fifos}`);
  makeFifo(File, 0o600);
  const end = openSync(File, constants.O_RDWR | constants.O_NONBLOCK);
  try {
    await client.StartLogging({ File, Info });
    for (const one of entries) {
      const bytes = encodeLogEntry(one);
      for (let done = 0; done < bytes.length; ) {
        try {
          done += writeSync(end, bytes, done);
        } catch {
          // The pipe is full.
          await pause(1);
        }
      }
    }
  } finally {
    closeSync(end);
  }
  await client.StopLogging({ File });
}

const numbered = (count: number, from = 0) => Array.from({ length: count }, (_, at) => `line ${from + at}`);

describe.each(['in-process', 'socket'] as const)('loki-logs, %s', (carrier) => {
  beforeEach(async () => {
    tested = await startForTest(lokiLogs, { name: 'loki-logs', carrier });
  });

  test('the wire: labels, a stream for each source, nanoseconds, tenant and password', async () => {
    const config = {
      'loki-url': loki.url.replace('//', '//user:p%40ss@'),
      'loki-tenant': 'team-a',
      'loki-labels': 'host=here,env=test',
      labels: 'com.docker.compose.service,container',
      tag: '{{.Name}}/{{.ImageName}}',
    };
    const ContainerLabels = { 'com.docker.compose.service': 'shop', container: 'somebody else', other: 'x' };
    const entries = [entry('out'), entry('err', { source: 'stderr', timeNano: nanos + 1n }), entry('')];
    await run(entries, config, { ContainerLabels });
    const labels = {
      container: 'web',
      image: 'busybox',
      host: 'here',
      env: 'test',
      com_docker_compose_service: 'shop',
      tag: 'web/busybox',
    };
    await expect
      .poll(() => loki.pushes)
      .toEqual([
        {
          tenant: 'team-a',
          authorization: `Basic ${Buffer.from('user:p@ss').toString('base64')}`,
          streams: [
            {
              stream: { ...labels, source: 'stdout' },
              values: [
                [`${nanos}`, 'out'],
                [`${nanos}`, ''],
              ],
            },
            { stream: { ...labels, source: 'stderr' }, values: [[`${nanos + 1n}`, 'err']] },
          ],
        },
      ]);
  });

  test('parts of a line become one, in both sources at once, also when its end never comes', async () => {
    const part = (line: string, ordinal: number, last = false, source = 'stdout') =>
      entry(line, { source, partial: true, partialLogMetadata: { id: source, ordinal, last } });
    await run([
      part('one ', 1),
      part('other ', 1, false, 'stderr'),
      part('line', 2, true),
      part('half', 1),
      part('line', 2, true, 'stderr'),
    ]);
    await expect.poll(() => loki.lines({ source: 'stderr' })).toEqual(['other line']);
    expect(loki.lines({ source: 'stdout' })).toEqual(['one line', 'half']);

    loki.pushes.length = 0;
    const [long, parts] = ['x'.repeat(10_000), 40];
    await run(Array.from({ length: parts }, (_, at) => part(long, at + 1, at + 1 === parts)));
    // As long as Loki takes them.
    await expect.poll(() => loki.lines({}).map(({ length }) => length)).toEqual([260_000, 140_000]);
  });

  test('a container ends at once while Loki is away; what it printed arrives in order, and then its next run', async () => {
    await loki.stop();
    await run(
      numbered(1000).map((line) => entry(line)),
      { 'loki-batch-size': '4k' },
    );
    await run(
      numbered(1000, 1000).map((line) => entry(line)),
      { 'loki-batch-size': '4k' },
    );
    expect(loki.pushes).toEqual([]);
    await loki.start();
    await expect.poll(() => loki.lines({ container: 'web' }).length).toBe(2000);
    expect(loki.lines({ container: 'web' })).toEqual(numbered(2000));
    expect(loki.pushes.length).toBeGreaterThan(10);
  });

  test('429 and 500 are asked again, 400 is not', async () => {
    loki.refusals.push(429, 500, 503);
    await run([entry('patience')]);
    await expect.poll(() => loki.lines({})).toEqual(['patience']);
    loki.refusals.push(400);
    await run([entry('refused')]);
    await expect.poll(() => loki.refused).toBe(4);
    await run([entry('next')]);
    await expect.poll(() => loki.lines({})).toEqual(['patience', 'next']);
  });

  test('an unknown option, or a wrong value, is refused when the container is made', async () => {
    const validate = (Config: Record<string, string>) => tested.client(logKind).ValidateOptions({ Config });
    const url = { 'loki-url': loki.url };
    await validate({ ...url, mode: 'non-blocking', 'cache-disabled': 'true', 'labels-regex': '^app' });
    await validate({ 'loki-url': 'https://loki/proxy/push' });
    const refusals: [Record<string, string>, string][] = [
      [{}, 'needs the option loki-url'],
      [{ 'loki-url': 'loki:3100' }, 'must be of the form http://HOST:PORT'],
      [{ 'loki-url': 'http://user:50%@loki:3100' }, 'write %25 for %'],
      [{ ...url, 'loki-colour': 'red' }, 'has no option loki-colour; it has loki-url, '],
      [{ ...url, 'loki-tenant': 'a\r\nb' }, 'loki-tenant cannot be'],
      [{ ...url, 'loki-labels': 'a-b=c' }, 'loki-labels takes NAME=VALUE'],
      [{ ...url, 'loki-batch-size': '0' }, 'loki-batch-size must be a size'],
      [{ ...url, 'loki-batch-size': '9m' }, 'loki-backlog must be at least twice'],
      [{ ...url, 'loki-batch-wait': 'soon' }, 'loki-batch-wait must be a time'],
      [{ ...url, 'labels-regex': '(' }, 'error parsing regexp'],
      [{ ...url, tag: '{{.Nonsense}}' }, "can't evaluate field Nonsense"],
    ];
    for (const [config, message] of refusals) await expect(validate(config)).rejects.toThrow(message);
  });
});
