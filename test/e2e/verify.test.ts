import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { unmountAll } from '@cleat/linux/mount/mount';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Program } from './support/program.js';

/** `cleat verify` of plugins that people run: what it says of each, in a process of its own, kills and starts included. */
let scratch: string;
let socket: string;

beforeEach(async () => {
  scratch = await mkdtemp('/tmp/cleat-e2e-verify-');
  socket = join(scratch, 'p.sock');
});
afterEach(async () => {
  // A killed plugin leaves its mounts, living or dead.
  unmountAll(scratch);
  await rm(scratch, { recursive: true, force: true });
});

const path = (name: string): string => fileURLToPath(new URL(`../../${name}`, import.meta.url));

interface Verdict {
  results: { id: string; outcome: string; message?: string; reason?: string }[];
  /** What did not pass, as `OUTCOME ID`. */
  found: string[];
  status: number;
}

/** @param command of the shell, which starts the plugin on `socket` */
async function verified(command: string, ...args: string[]): Promise<Verdict> {
  const report = join(scratch, 'report.json');
  const words = ['verify', socket, '--start', command, '--format', 'json', '--output', report, ...args];
  const status = await new Promise<number>((resolve, reject) => {
    execFile(path('bin/cleat'), words, { timeout: 100_000 }, (error, _stdout, stderr) => {
      if (error && typeof error.code !== 'number') reject(error);
      else if (stderr) reject(new Error(stderr));
      else resolve(Number(error?.code ?? 0));
    });
  });
  const { results } = JSON.parse(await readFile(report, 'utf8')) as Pick<Verdict, 'results'>;
  const found = results.flatMap(({ id, outcome }) =>
    outcome === 'passed' || outcome === 'skipped' ? [] : [`${outcome} ${id}`],
  );
  return { results, found, status };
}

const messageOf = ({ results }: Verdict, wanted: string): string =>
  results.find(({ id }) => id === wanted)?.message ?? '';

test('rclone 1.60 does what is known of it, and nothing else', async () => {
  const remote = join(scratch, 'remote');
  await mkdir(remote);
  const verdict = await verified(
    `exec rclone serve docker --config= --socket-addr=${socket} --base-dir=${scratch}/mounts --cache-dir=${scratch}/cache`,
    '--opt',
    `remote=:local:${remote}`,
  );
  expect(verdict.found.sort()).toEqual([
    'failed volume/crash-while-mounted',
    'failed volume/mount-repeated',
    'failed volume/names-stay-inside',
    'warned volume/create-again',
    'warned volume/create-same-at-once',
  ]);
  expect(messageOf(verdict, 'volume/mount-repeated')).toContain('already mounted by this id');
  expect(messageOf(verdict, 'volume/create-again')).toContain('volume already exists');
  expect(verdict.status).toBe(1);
});

test.each([
  ['volume-local', 'root'],
  ['volume-tmpfs', 'stateDir'],
])('the battery %s, as a process, is what engines expect', async (battery, option) => {
  const settings = JSON.stringify({ name: battery, options: { [option]: join(scratch, 'state') } });
  const host = `${process.execPath} ${path('sdk/dist/host.js')} ${path(`batteries/dist/${battery}/main.js`)}`;
  const { found, status } = await verified(`CLEAT_EXTENSION='${settings}' exec ${host} ${socket}`, '--strict');
  expect(found).toEqual([]);
  expect(status).toBe(0);
});

test.each([
  ['no-remove', '--root DIR/data'],
  ['shared-mount', '--device DIR/device --root DIR/mounts'],
])('the example %s is what engines expect', async (example, options) => {
  await mkdir(join(scratch, 'device'));
  const main = path(`examples/${example}/dist/main.js`);
  const command = `exec ${process.execPath} ${main} --socket ${socket} ${options.replaceAll('DIR', scratch)}`;
  const { found, status } = await verified(command, '--strict');
  expect(found).toEqual([]);
  expect(status).toBe(0);
});

/** Under Cleat the engine tells them again; only a stock dockerd does not. */
const tellsThemAgain = 'warned log/crash-reads-on';

/** A battery by the name that users say: by it an engine knows who is told which file to write. */
async function logBattery(name: string, ...args: string[]): Promise<Verdict> {
  socket = join(scratch, `${name}.sock`);
  const settings = JSON.stringify({ name, options: {} });
  const host = `${process.execPath} ${path('sdk/dist/host.js')} ${path(`batteries/dist/log-${name}/main.js`)}`;
  return await verified(`CLEAT_EXTENSION='${settings}' exec ${host} ${socket}`, ...args);
}

test.each(['json-file', 'local'])('the log driver %s, as a process, is what engines expect', async (name) => {
  const { found, status } = await logBattery(name);
  expect([found, status]).toEqual([[tellsThemAgain], 0]);
});

test('the log driver syslog, as a process, is what engines expect', async () => {
  const server = createSocket('udp4').on('message', () => {});
  server.bind(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const address = `syslog-address=udp://127.0.0.1:${server.address().port}`;
    const { found, status } = await logBattery('syslog', '--opt', address);
    expect([found, status]).toEqual([[tellsThemAgain], 0]);
  } finally {
    server.close();
  }
});

test.each(['SIGINT', 'SIGTERM'] as const)('%s ends the plugin that was started, too', async (signal) => {
  const main = path('examples/no-remove/dist/main.js');
  const pidFile = join(scratch, 'pid');
  const command = `echo $$ > ${pidFile}; exec ${process.execPath} ${main} --socket ${socket} --root ${scratch}/data`;
  await using program = new Program(path('bin/cleat'), ['verify', socket, '--start', command]);
  await expect.poll(() => program.said).toContain('ok  ');
  const pid = Number(await readFile(pidFile, 'utf8'));
  expect(await program.end(signal)).toBe(2);
  expect(program.said).toContain('cleat verify: it was ended before it was done');
  expect(existsSync(`/proc/${pid}`)).toBe(false);
});
