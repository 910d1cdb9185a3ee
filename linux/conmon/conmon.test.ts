import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CleatError } from '@cleat/protocol/errors';
import { expect, test, vi } from 'vitest';
import { isAlive, processIdentity } from '../process/identity.js';
import { readPidFile } from '../process/pid-file.js';
import { run } from '../process/run.js';
import { Attach, type AttachFrame } from './attach.js';
import { ociProcess, TestContainer } from './container.fixture.js';
import { reopenLog, resizeTerminal } from './control.js';
import { execInContainer } from './exec.js';
import { readExit, wasOomKilled } from './exits.js';

/** Collects what an attach socket brings. */
function collector() {
  const frames: AttachFrame[] = [];
  let onEnd = () => {};
  const ended = new Promise<void>((resolve) => {
    onEnd = resolve;
  });
  return {
    handlers: { onData: (frame: AttachFrame) => void frames.push(frame), onEnd },
    ended,
    text: (stream: 1 | 2) =>
      Buffer.concat(frames.filter((frame) => frame.stream === stream).map((frame) => frame.data)).toString(),
  };
}

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

test('output of both streams, exit code, log and exit file', async () => {
  await using container = new TestContainer({ args: ['sh', '-c', 'echo out; echo err >&2; exit 7'] });
  const monitored = await container.create();
  expect(readPidFile(join(container.directory, 'pid'))).toBe(monitored.pid);
  expect(readPidFile(join(container.directory, 'conmon.pid'))).toBe(monitored.conmonPid);
  const output = collector();
  await Attach.connect(container.bundle, output.handlers);
  await container.runtime.start(container.id);
  await monitored.ended;
  await output.ended;
  expect(output.text(1)).toBe('out\n');
  expect(output.text(2)).toBe('err\n');
  expect(readExit(container.exitDir, container.id)?.code).toBe(7);
  expect(readFileSync(container.logPath, 'utf8')).toMatch(/ stdout F out\n/);
  expect((await container.runtime.state(container.id)).status).toBe('stopped');
});

test('stdin arrives whole, and its end with it', async () => {
  await using container = new TestContainer({ args: ['wc', '-c'] });
  const monitored = await container.create({ stdin: true });
  const output = collector();
  const attach = await Attach.connect(container.bundle, output.handlers);
  await container.runtime.start(container.id);
  const block = Buffer.alloc(1_000_000, 'x');
  await Promise.all([attach.write(block), attach.write(block)]);
  await attach.closeInput();
  await monitored.ended;
  await output.ended;
  expect(output.text(1).trim()).toBe('2000000');
  expect(await failure(attach.write(block))).toMatchObject({ class: 'Unavailable' });
});

test('a terminal has the size that was set last', async () => {
  await using container = new TestContainer({ args: ['sh', '-c', 'read x; stty size'], terminal: true });
  const monitored = await container.create({ terminal: true, stdin: true, leaveStdinOpen: true });
  const output = collector();
  const attach = await Attach.connect(container.bundle, output.handlers);
  await container.runtime.start(container.id);
  resizeTerminal(container.bundle, 10, 20);
  resizeTerminal(container.bundle, 33, 44);
  await sleep(200);
  await attach.write(Buffer.from('go\n'));
  await monitored.ended;
  expect(output.text(1)).toContain('33 44');
  expect(() => resizeTerminal(container.directory, 1, 1)).toThrow(CleatError);
});

test('a log that is renamed and reopened loses nothing', async () => {
  await using container = new TestContainer({ args: ['sh', '-c', 'seq 1 20000; sleep 0.2; seq 20001 20010'] });
  const monitored = await container.create();
  await container.runtime.start(container.id);
  renameSync(container.logPath, `${container.logPath}.1`);
  reopenLog(container.bundle);
  await monitored.ended;
  const text = [`${container.logPath}.1`, container.logPath].map((path) => readFileSync(path, 'utf8')).join('');
  expect(readFileSync(container.logPath, 'utf8')).toMatch(/ F 20010\n$/);
  // `P` marks a piece of a line that goes on in the next record.
  const printed = text.replace(/^\S+ stdout ([PF]) (.*)\n/gm, (_, tag, rest) => (tag === 'F' ? `${rest}\n` : rest));
  const lines = printed.split('\n').filter(Boolean).map(Number);
  expect(lines).toEqual(Array.from({ length: 20010 }, (_, at) => at + 1));
});

test('a command that is not there, or cannot be executed, is told by its exit code', async () => {
  await using missing = new TestContainer({ args: ['no-such-command'] });
  expect(await failure(missing.create())).toMatchObject({
    class: 'InvalidParameter',
    message: expect.stringContaining('exec: "no-such-command": executable file not found in $PATH'),
    details: { exitCode: 127 },
  });
  await using directory = new TestContainer({ args: ['/tmp'] });
  expect(await failure(directory.create())).toMatchObject({ class: 'InvalidParameter', details: { exitCode: 126 } });
});

test('no conmon, and a runtime that hangs', async () => {
  await using container = new TestContainer({ args: ['true'] });
  expect(await failure(container.create({ conmonPath: '/no/conmon' }))).toMatchObject({ class: 'Unavailable' });
  const script = join(container.directory, 'hangs');
  writeFileSync(script, '#!/bin/sh\necho $$ > "$0.pid"\nexec sleep 60\n', { mode: 0o755 });
  const late = await failure(container.create({ runtimePath: script, runtimeArgs: [], deadlineMs: 500 }));
  expect(late).toMatchObject({ class: 'DeadlineExceeded' });
  const pid = readPidFile(`${script}.pid`);
  await vi.waitFor(() => expect(pid && processIdentity(pid)).toBe(undefined));
});

test('exec: streams, input, exit code, failure, and without streams', async () => {
  await using container = new TestContainer({ args: ['sleep', '60'] });
  await container.create();
  await container.runtime.start(container.id);
  let sessions = 0;
  const exec = (args: string[], attached?: ReturnType<typeof collector>) => {
    const sessionDir = container.make(`exec-${sessions++}-${'y'.repeat(100)}`);
    const processSpec = join(sessionDir, 'process.json');
    writeFileSync(processSpec, JSON.stringify(ociProcess({ args })));
    return execInContainer({
      ...container.request({ stdin: attached !== undefined }),
      logPath: undefined,
      sessionDir,
      exitDir: sessionDir,
      pidFile: join(sessionDir, 'pid'),
      processSpec,
      attach: attached?.handlers,
    });
  };
  const output = collector();
  const session = await exec(['sh', '-c', 'cat; echo err >&2; exit 5'], output);
  await session.attach?.write(Buffer.from('hello'));
  await session.attach?.closeInput();
  expect(await session.exited).toBe(5);
  await output.ended;
  expect([output.text(1), output.text(2)]).toEqual(['hello', 'err\n']);

  expect(await (await exec(['sh', '-c', 'exit 3'])).exited).toBe(3);
  for (const attached of [collector(), undefined]) {
    expect(await failure(exec(['no-such-command'], attached))).toMatchObject({
      class: 'InvalidParameter',
      details: { exitCode: 127 },
    });
  }
});

test('a container that eats too much memory is told from one that was killed', async () => {
  await using container = new TestContainer({ args: ['tail', '/dev/zero'], memory: 16 * 1024 * 1024 });
  const monitored = await container.create();
  await container.runtime.start(container.id);
  await monitored.ended;
  expect(readExit(container.exitDir, container.id)?.code).toBe(137);
  expect(wasOomKilled(container.persistDir)).toBe(true);
});

test('kill, pause and state through the runtime', async () => {
  await using container = new TestContainer({ args: ['sleep', '60'] });
  const monitored = await container.create();
  const { runtime, id } = container;
  await runtime.start(id);
  expect(await runtime.ps(id)).toEqual([monitored.pid]);
  await runtime.pause(id);
  expect((await runtime.state(id)).status).toBe('paused');
  await runtime.resume(id);
  await runtime.update(id, { memory: { limit: 64 * 1024 * 1024 } }, container.cgroupsPath);
  await runtime.kill(id, 'KILL');
  await monitored.ended;
  expect(readExit(container.exitDir, id)?.code).toBe(137);
  expect(wasOomKilled(container.persistDir)).toBe(false);
  expect(await failure(runtime.kill(id, 'KILL'))).toMatchObject({
    class: 'Conflict',
    details: { reason: 'not-running' },
  });
  await runtime.delete(id);
  await runtime.delete(id);
  expect(await failure(runtime.state(id))).toMatchObject({ class: 'NotFound' });
});

test('container, output and exit code outlive the process that made them', async () => {
  await using container = new TestContainer({ args: ['sh', '-c', 'echo early; read go; echo late; exit 9'] });
  const request = container.request({ stdin: true, leaveStdinOpen: true });
  // The built program, as Node runs no TypeScript: what an engine does, and then is killed.
  const made = new URL('../dist/conmon/create.js', import.meta.url).href;
  const script = `
    const { createContainer } = await import(${JSON.stringify(made)});
    await createContainer(${JSON.stringify(request)});
    process.kill(process.pid, 'SIGKILL');`;
  expect((await run(process.execPath, ['--input-type=module', '-e', script])).code).toBe(137);
  const conmon = processIdentity(readPidFile(request.conmonPidFile) ?? 0);
  expect(conmon && isAlive(conmon)).toBe(true);
  await container.runtime.start(container.id);
  const output = collector();
  const attach = await Attach.connect(container.bundle, output.handlers);
  await attach.write(Buffer.from('go\n'));
  await output.ended;
  await vi.waitFor(() => expect(readExit(container.exitDir, container.id)?.code).toBe(9));
  expect(readFileSync(container.logPath, 'utf8')).toMatch(/ F early\n.* F late\n/);
});
