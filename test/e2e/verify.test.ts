import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, mkdtempSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { unmountAll } from '@cleat/linux/mount/mount';
import { expect, test } from 'vitest';
import { Program } from './support/program.js';

/** `cleat verify` of plugins that people run: what it says of each, in a process of its own, kills and starts included. */
/** Each has a directory of its own, and waits for its plugin most of the time: several at once. */
class Place implements AsyncDisposable {
  readonly scratch = mkdtempSync('/tmp/cleat-e2e-verify-');

  /** @param name of the socket: some plugins take their own from it */
  constructor(readonly name = 'p') {}

  get socket(): string {
    return join(this.scratch, `${this.name}.sock`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A killed plugin leaves its mounts, living or dead.
    unmountAll(this.scratch);
    await rm(this.scratch, { recursive: true, force: true });
  }
}

const path = (name: string): string => fileURLToPath(new URL(`../../${name}`, import.meta.url));

interface Verdict {
  results: { id: string; outcome: string; message?: string; reason?: string }[];
  /** The requirements that did not pass, as `OUTCOME ID`. */
  found: string[];
  status: number;
}

/** @param command of the shell, which starts the plugin on the socket of the place */
async function verified({ scratch, socket }: Place, command: string, ...args: string[]): Promise<Verdict> {
  const report = join(scratch, 'report.json');
  const words = ['verify', socket, '--start', command, '--format', 'json', '--output', report, ...args];
  const status = await new Promise<number>((resolve, reject) => {
    execFile(path('bin/cleat'), words, { timeout: 240_000 }, (error, _stdout, stderr) => {
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

test.concurrent('rclone 1.60 does what is known of it, and nothing else', async () => {
  await using place = new Place();
  const { scratch, socket } = place;
  const remote = join(scratch, 'remote');
  await mkdir(remote);
  const verdict = await verified(
    place,
    `exec rclone serve docker --config= --socket-addr=${socket} --base-dir=${scratch}/mounts --cache-dir=${scratch}/cache`,
    '--opt',
    `remote=:local:${remote}`,
  );
  // On a busy machine it may serve the Unmount before the Mount that was given up, and keep the latter.
  const always = verdict.found.filter((one) => one !== 'failed volume/mount-hang-up');
  expect(always.sort()).toEqual([
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

/** The command that starts a battery as a process of its own, as the engine's supervisor does. */
function served({ socket }: Place, battery: string, options: Record<string, string> = {}): string {
  const settings = JSON.stringify({ name: battery, options });
  const host = `${process.execPath} ${path('sdk/dist/host.js')} ${path(`batteries/dist/${battery}/main.js`)}`;
  return `CLEAT_EXTENSION='${settings}' exec ${host} ${socket}`;
}

/**
 * Advice that is not followed, on purpose: as with Docker's own `local`, who holds a directory is not counted, since the
 * engine removes no volume that a container refers to. A pass would be news, too.
 */
const uncounted = ['warned volume/remove-held'];

test.concurrent.each([
  ['volume-local', 'root'],
  ['volume-tmpfs', 'stateDir'],
])('the battery %s, as a process, is what engines expect', async (battery, option) => {
  await using place = new Place();
  const { found, status } = await verified(place, served(place, battery, { [option]: join(place.scratch, 'state') }));
  expect(found).toEqual(uncounted);
  expect(status).toBe(0);
});

test.concurrent.each([
  ['no-remove', '--root DIR/data', []],
  ['quota-tmpfs', '--root DIR/memory --size 1m', uncounted],
  ['shared-mount', '--device DIR/device --root DIR/mounts', uncounted],
])('the example %s is what engines expect', async (example, options, advice) => {
  await using place = new Place();
  const { scratch, socket } = place;
  await mkdir(join(scratch, 'device'));
  const main = path(`examples/${example}/dist/main.js`);
  const command = `exec ${process.execPath} ${main} --socket ${socket} ${options.replaceAll('DIR', scratch)}`;
  const { found, status } = await verified(place, command, ...(advice.length === 0 ? ['--strict'] : []));
  expect(found).toEqual(advice);
  expect(status).toBe(0);
});

/** It is the engine that tells them again: on a stock dockerd, which does not, none of them is needed. */
const tellsThemAgain = 'warned log/crash-reads-on';

test.concurrent.each(['json-file', 'local'])('the log driver %s is what engines expect', async (name) => {
  // Drivers of these names are told where to write.
  await using place = new Place(name);
  const { found, status } = await verified(place, served(place, `log-${name}`));
  expect({ found, status }).toEqual({ found: [tellsThemAgain], status: 0 });
});

test.concurrent.each(['builder-buildah', 'builder-dockerfile'])('%s is what engines expect', async (battery) => {
  await using place = new Place();
  const { found, status } = await verified(place, served(place, battery, { stateDir: `${place.scratch}/state` }));
  expect({ found, status }).toEqual({ found: [], status: 0 });
});

test.concurrent('the battery authz-policy is what engines expect', async () => {
  await using place = new Place();
  const policy = join(place.scratch, 'policy.yaml');
  await writeFile(policy, 'rules: [ { callers: any, allow: "*", within: unlimited } ]');
  const { found, status } = await verified(place, served(place, 'authz-policy', { policy }));
  expect({ found, status }).toEqual({ found: [], status: 0 });
});

test.concurrent('the battery builder-buildkit is what engines expect, while no BuildKit answers', async () => {
  await using place = new Place();
  const { found, status } = await verified(
    place,
    served(place, 'builder-buildkit', { address: `${place.scratch}/buildkitd.sock` }),
  );
  expect({ found, status }).toEqual({ found: [], status: 0 });
});

test.concurrent('the battery log-syslog is what engines expect', async () => {
  await using place = new Place();
  const server = createSocket('udp4').on('message', () => {});
  server.bind(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const address = `syslog-address=udp://127.0.0.1:${server.address().port}`;
    const { found, status } = await verified(place, served(place, 'log-syslog'), '--opt', address);
    expect({ found, status }).toEqual({ found: [tellsThemAgain], status: 0 });
  } finally {
    server.close();
  }
});

test.concurrent('an interrupted run leaves nothing behind', async () => {
  await using place = new Place();
  const { scratch, socket } = place;
  const words = [
    'verify',
    socket,
    '--start',
    `exec ${process.execPath} ${path('examples/no-remove/dist/main.js')} --socket ${socket} --root ${scratch}/data`,
  ];
  await using verifier = new Program(path('bin/cleat'), words);
  await expect.poll(() => verifier.said).toContain('ok ');
  expect(await verifier.end('SIGINT')).toBe(130);
  expect(verifier.said).toContain('it was interrupted');
  expect(existsSync(socket)).toBe(false);
});
