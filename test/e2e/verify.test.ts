import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkout } from './support/documents.js';

/** `cleat verify` of our own batteries, served as anybody's plugin is. */
let directory: string;
beforeAll(() => {
  directory = mkdtempSync('/tmp/cleat-verify-');
});
afterAll(() => rmSync(directory, { recursive: true }));

interface Verified {
  code: number;
  /** What did not pass, and was no skip. */
  wanting: string[];
}

async function verified(socket: string, start: string, ...flags: string[]): Promise<Verified> {
  const args = ['verify', socket, '--start', start, '--format', 'json', ...flags];
  const { code, stdout, stderr } = await new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    const options = { timeout: 110_000, maxBuffer: 64 * 1024 * 1024 };
    const child = execFile(join(checkout, 'bin/cleat'), args, options, (_error, stdout, stderr) =>
      resolve({ code: child.exitCode ?? -1, stdout, stderr }),
    );
  });
  if (stdout === '') throw new Error(stderr);
  const { results } = JSON.parse(stdout) as {
    results: { id: string; outcome: string; message?: string; reason?: string; leftBehind?: string[] }[];
  };
  const wanting = results
    .filter(({ outcome, leftBehind }) => !['passed', 'skipped'].includes(outcome) || leftBehind)
    .map(({ id, outcome }) => `${outcome} ${id}`);
  return { code, wanting };
}

/** A battery as a process of its own, as the engine's supervisor starts it. */
function battery(name: string, module: string, ...flags: string[]): Promise<Verified> {
  const socket = join(directory, `${name}.sock`);
  const host = join(checkout, 'sdk/dist/host.js');
  const main = join(checkout, 'batteries/dist', module, 'main.js');
  const settings = JSON.stringify({ name, options: {} });
  return verified(socket, `CLEAT_EXTENSION='${settings}' exec node ${host} ${main} ${socket}`, ...flags);
}

/** It is the engine that tells them again: on a stock dockerd, which does not, none of them is needed. */
const tellsThemAgain = 'warned log/crash-reads-on';

test.each([
  ['json-file', 'log-json-file'],
  ['local', 'log-local'],
])('the log driver %s is what engines expect', async (name, module) => {
  expect(await battery(name, module)).toEqual({ code: 0, wanting: [tellsThemAgain] });
});

test('the log driver syslog is what engines expect', async () => {
  const server = createSocket('udp4').on('message', () => {});
  server.bind(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const address = `syslog-address=udp://127.0.0.1:${server.address().port}`;
    expect(await battery('syslog', 'log-syslog', '--opt', address)).toEqual({ code: 0, wanting: [tellsThemAgain] });
  } finally {
    server.close();
  }
});
