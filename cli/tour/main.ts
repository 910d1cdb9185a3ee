import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { findCommand } from '@cleat/linux/host';
import { messageOf, unavailable } from '@cleat/protocol/errors';
import { sweep } from '../sweep/sweep.js';
import { busyboxTar } from './busybox.js';
import { call, demultiplex } from './client.js';
import { refuseWhileServed, startEngine, type TourEngine, type TourPlace } from './engine.js';

const { values: options } = parseArgs({
  options: {
    once: { type: 'boolean' },
    'without-cli': { type: 'boolean' },
    name: { type: 'string', default: 'cleat-tour' },
  },
});
/** An engine of its own: nothing here touches a dockerd, or another cleatd, on the same host. */
const kept = placeOf(options.name);
/** The roots of this tour: what is removed at its end is not what an earlier tour kept, or left running. */
const tour = options.once ? placeOf(`${options.name.slice(0, 10)}-once`) : kept;
/** The docker CLI, unless there is none or it is not wanted. */
const cli = options['without-cli'] ? undefined : findCommand('docker');
const root = fileURLToPath(new URL('../../../', import.meta.url));
const removal = `${root}bin/cleat sweep --data-root ${tour.dataRoot} --exec-root ${tour.execRoot}`;
/** An engine that ends sooner than this after its first answer may be in a crash loop. */
const settledMs = 5_000;
/** So often in a row such an engine is started again. */
const quickEnds = 2;
/** Signals of the terminal, or of the program that started this. */
const interruption = new AbortController();
const interrupted = new Promise<undefined>((resolve) => {
  // SIGHUP: the terminal was closed. The engine has a group of its own and would run on, with nobody to stop it.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      interruption.abort(new Error(`interrupted by ${signal}`));
      resolve(undefined);
    });
  }
});
// Nor does it end with the reader of what is said here (`| head`, the terminal).
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);

const say = (text: string): boolean => process.stdout.write(`${text}\n`);

function placeOf(name: string): TourPlace {
  return {
    socket: `/run/${name}.sock`,
    dataRoot: `/var/lib/${name}`,
    execRoot: `/run/${name}`,
    pidfile: `/run/${name}.pid`,
    bridge: name,
    log: `/run/${name}.log`,
  };
}

async function main(): Promise<number> {
  for (const place of new Set([kept, tour])) await refuseWhileServed(place);
  say(`==> Starting an engine (its log: ${tour.log})`);
  let engine = await startEngine(tour, interruption.signal);
  try {
    say(`    it answers after ${engine.ms} ms`);
    await firstImage();
    await heeded();
    await firstContainer();
    await heeded();
    if (!options.once) {
      instructions();
      let quick = 0;
      for (let end = await interruptedOr(engine.ended); end !== undefined; end = await interruptedOr(engine.ended)) {
        quick = engine.lived() < settledMs ? quick + 1 : 0;
        engine = await again(end, quick <= quickEnds);
      }
      say('==> Stopping');
    }
  } finally {
    await engine.stop();
    if (options.once) await removeAll();
  }
  if (options.once) {
    say('==> Stopped, and removed what the engine had made');
    return process.exitCode === undefined ? 0 : 1;
  }
  say(`Images and containers are kept in ${tour.dataRoot}. To remove all of it:`);
  say(`    ${removal}`);
  return 0;
}

/** @throws when the user has interrupted meanwhile */
async function heeded(): Promise<void> {
  // A command in the foreground kept the signal waiting.
  await sleep(0);
  interruption.signal.throwIfAborted();
}

/** Removes everything that the tour's own engine made. */
async function removeAll(): Promise<void> {
  const failures = await sweep(tour);
  for (const failure of failures) process.stderr.write(`left behind: ${failure}\n`);
  if (failures.length > 0) process.exitCode = 1;
  rmSync(tour.log, { force: true });
}

/** @returns how the engine ended; undefined when the user interrupts first. */
function interruptedOr(ended: Promise<string>): Promise<string | undefined> {
  return Promise.race([interrupted, ended]);
}

/** The engine ended, and nobody asked it to. Containers run on, and the next engine finds them. */
async function again(how: string, hopeful: boolean): Promise<TourEngine> {
  say(`==> The engine ended (${how}), and nobody told it to: its log: ${tour.log}`);
  say('    Its containers run on.');
  if (!hopeful) {
    throw unavailable(
      `the engine ends again and again. Start it with ./try once the cause is gone, or remove all with\n    ${removal}`,
    );
  }
  say('==> Starting it again');
  const next = await startEngine(tour, interruption.signal);
  say(`    it answers after ${next.ms} ms, and has found its containers`);
  return next;
}

async function firstImage(): Promise<void> {
  const { body } = await call(tour.socket, 'GET', '/images/json');
  const images = JSON.parse(body.toString()) as { RepoTags?: string[] | null }[];
  if (images.some(({ RepoTags }) => RepoTags?.includes('busybox:latest'))) return;
  say("==> Importing a first image, busybox, made from this host's static busybox (no network needed)");
  const changes = encodeURIComponent('CMD ["sh"]');
  const tar = await busyboxTar();
  await call(tour.socket, 'POST', `/images/create?fromSrc=-&repo=busybox&tag=latest&changes=${changes}`, tar);
}

async function firstContainer(): Promise<void> {
  const words = ['echo', 'Hello from a container!'];
  // Events carry nanoseconds, the query takes them too: nothing of an earlier run is shown.
  const since = (Date.now() / 1000).toFixed(3);
  if (cli === undefined) await runThroughApi(words);
  else await runThroughCli(cli, words);
  await sleep(300);
  say('==> What the engine told about it (docker events):');
  const until = (Date.now() / 1000).toFixed(3);
  const { body } = await call(tour.socket, 'GET', `/events?since=${since}&until=${until}`);
  for (const line of body.toString().split('\n').filter(Boolean)) {
    const event = JSON.parse(line) as { Type: string; Action: string; Actor: { Attributes: Record<string, string> } };
    const { name, exitCode } = event.Actor.Attributes;
    say(`    ${event.Type} ${event.Action} (${name}${exitCode === undefined ? '' : `, exit code ${exitCode}`})`);
  }
}

async function runThroughCli(cli: string, words: readonly string[]): Promise<void> {
  say(`==> docker -H unix://${tour.socket} run --rm --name first busybox ${words.join(' ')}`);
  const { DOCKER_CONTEXT: _context, ...env } = process.env;
  const args = ['-H', `unix://${tour.socket}`, 'run', '--rm', '--name', 'first', 'busybox', ...words];
  const { status, error } = spawnSync(cli, args, { stdio: 'inherit', env });
  await heeded();
  if (status !== 0)
    throw unavailable(`docker run failed (${error?.message ?? `exit code ${status}`}): see ${tour.log}`);
}

async function runThroughApi(words: readonly string[]): Promise<void> {
  say('==> Without a docker CLI: running the first container through the API');
  const config = { Image: 'busybox', Cmd: words };
  const created = await call(tour.socket, 'POST', '/containers/create?name=first', config);
  const { Id: id } = JSON.parse(created.body.toString()) as { Id: string };
  await call(tour.socket, 'POST', `/containers/${id}/start`);
  const waited = await call(tour.socket, 'POST', `/containers/${id}/wait`);
  const { StatusCode: code } = JSON.parse(waited.body.toString()) as { StatusCode: number };
  const logs = await call(tour.socket, 'GET', `/containers/${id}/logs?stdout=1&stderr=1`);
  process.stdout.write(demultiplex(logs.body));
  await call(tour.socket, 'DELETE', `/containers/${id}?v=1`);
  if (code !== 0) throw unavailable(`the first container ended with ${code}: see ${tour.log}`);
}

function instructions(): void {
  say('==> The engine goes on serving. In another terminal:');
  say(`    export DOCKER_HOST=unix://${tour.socket}`);
  say('    docker run --rm -it busybox');
  if (cli === undefined) {
    say('There is no docker CLI on this host. Get the client alone (no daemon) from');
    say('    https://download.docker.com/linux/static/stable/ (the file docker/docker in the archive),');
    say('or as a package: docker-cli (Debian 13 and later, or from download.docker.com).');
  }
  say('Press Ctrl-C to stop.');
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    const { aborted } = interruption.signal;
    process.stderr.write(aborted ? '==> Stopped before its end\n' : `The tour failed: ${messageOf(error)}\n`);
    process.exit(aborted ? 130 : 1);
  },
);
