import { existsSync } from 'node:fs';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, test as always, beforeAll, expect } from 'vitest';
import { clientOf } from '../support/client.js';
import { Compose, composeVersions } from '../support/compose.js';
import { checkout, shown, substitute } from '../support/documents.js';
import { type Engine, startEngine } from '../support/engine.js';
import { freePort } from '../support/ports.js';
import { runShell } from '../support/shell.js';

/** examples/compose-app: run by each Compose that is installed, at the same time on one engine. */
const programs = ['/usr/sbin/nginx', '/usr/bin/redis-server', '/usr/bin/redis-cli'];
const canRun = composeVersions.length > 0 && programs.every((path) => existsSync(path));
const test = always.skipIf(!canRun);
/** Each command of the old Compose takes a second of a processor. */
const slowMs = 600_000;

interface App {
  compose: Compose;
  port: number;
  url: string;
  subnet: string;
}

let engine: Engine;
let scratch: string;
let apps: App[];
const { ok } = clientOf(() => engine);

beforeAll(async () => {
  if (!canRun) return;
  engine = await startEngine();
  scratch = await mkdtemp('/tmp/cleat-compose-app-');
  apps = await Promise.all(composeVersions.map(appOf));
  // The images are the same for both, the password is in each directory.
  const making = substitute(makeImages(), { 'cd examples/compose-app\n': '' });
  await Promise.all(apps.map((app, at) => shell(app, at === 0 ? making : substitute(making, { './images\n': '' }))));
});
afterAll(async () => {
  await engine?.[Symbol.asyncDispose]();
  if (scratch !== undefined) await rm(scratch, { recursive: true, force: true });
}, slowMs);

async function appOf(version: (typeof composeVersions)[number], at: number): Promise<App> {
  const directory = join(scratch, version);
  await cp(join(checkout, 'examples/compose-app'), directory, { recursive: true });
  const port = await freePort();
  const subnet = `${engine.prefix}.${16 + at}`;
  const env = { PORT: String(port), SUBNET: subnet };
  const compose = new Compose(version, `guests${version}`, directory, engine.socket, env);
  return { compose, port, url: `http://127.0.0.1:${port}/`, subnet };
}

const makeImages = (): string => shown('examples/compose-app/README.md', 'cd examples/compose-app');
const signAndScale = (): string => shown('examples/compose-app/README.md', 'docker compose up');
const takeDown = (): string => shown('examples/compose-app/README.md', 'docker compose down');

/** Runs a block of the README as a person types it who has this Compose. */
async function shell({ compose, port }: App, block: string): Promise<string> {
  const own = { 'docker compose': compose.command, '127.0.0.1:8080': `127.0.0.1:${port}` };
  const used = Object.fromEntries(Object.entries(own).filter(([theirs]) => block.includes(theirs)));
  return await runShell(`cd ${compose.directory}\n${substitute(block, used)}`, compose.directory, compose.env, slowMs);
}

const onEach = async (work: (app: App) => Promise<unknown>): Promise<void> => {
  await Promise.all(apps.map(work));
};

interface Answer {
  worker: string;
  guests: string[];
}

async function answer({ url }: App, signing?: string): Promise<Answer> {
  const signed = signing === undefined ? {} : { method: 'POST', body: signing };
  const response = await fetch(url, { ...signed, signal: AbortSignal.timeout(60_000) });
  const text = await response.text();
  expect({ status: response.status, text }).toMatchObject({ status: 200 });
  return JSON.parse(text) as Answer;
}

/** All workers are asked, in the end: the name that they share has all their addresses. */
async function everyWorker(app: App, count: number): Promise<void> {
  const seen = new Set<string>();
  await expect.poll(async () => seen.add((await answer(app)).worker).size).toBe(count);
}

const facts = (app: App, service: string, format: string): Promise<string> =>
  ok('inspect', '--format', format, app.compose.container(service));

test(
  'a request travels from the host to nginx, a worker and Redis; three workers share a name',
  async () => {
    await onEach(async (app) => {
      const printed = await shell(app, signAndScale());
      expect(printed).toMatch(/"guests": \["Ada"\]/);
      expect(printed).toMatch(/"POST \/ HTTP\/1.1" 200/);
      expect((await app.compose.ok('port', 'web', '80')).stdout.trim()).toBe(`127.0.0.1:${app.port}`);
      expect(await facts(app, 'db', '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}')).toBe(
        `${app.subnet}.10`,
      );
      await everyWorker(app, 3);
    });
  },
  slowMs,
);

test(
  'they serve while the engine is killed and starts again, and Compose goes on with them',
  async () => {
    const stop = new AbortController();
    const asking = Promise.all(
      apps.map(async (app) => {
        let answers = 0;
        for (; !stop.signal.aborted; answers++) await answer(app).then(() => sleep(200));
        return answers;
      }),
    );
    // It may fail before it is awaited.
    asking.catch(() => {});
    await engine.kill('SIGKILL');
    await onEach(async (app) => expect((await answer(app, 'Grace')).guests).toEqual(['Ada', 'Grace']));
    await engine.restart();
    await onEach(async (app) => {
      await app.compose.ok('up', '-d', '--scale', 'worker=2');
      await everyWorker(app, 2);
    });
    stop.abort();
    for (const answers of await asking) expect(answers).toBeGreaterThan(0);
  },
  slowMs,
);

test(
  'a change makes only what has changed anew; what was written stays',
  async () => {
    await onEach(async (app) => {
      const file = join(app.compose.directory, 'compose.yaml');
      const text = await readFile(file, 'utf8');
      await writeFile(file, text.replace('image: guests-worker', 'image: guests-worker\n    environment: {NEW: "1"}'));
      const before = await Promise.all(['db', 'worker'].map((service) => facts(app, service, '{{.Id}}')));
      await app.compose.ok('up', '-d');
      const after = await Promise.all(['db', 'worker'].map((service) => facts(app, service, '{{.Id}}')));
      expect(after.map((id, at) => id === before[at])).toEqual([true, false]);
      expect((await app.compose.ok('exec', '-T', 'worker', 'sh', '-c', 'echo $NEW')).stdout).toBe('1\n');
      await app.compose.ok('restart', 'db');
      await everyWorker(app, 1);
      expect((await answer(app)).guests).toEqual(['Ada', 'Grace']);
      expect(await facts(app, 'db', '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}')).toBe(
        `${app.subnet}.10`,
      );
    });
  },
  slowMs,
);

test(
  'down -v leaves nothing',
  async () => {
    await onEach((app) => shell(app, takeDown()));
    const left = ['ps -aq', 'volume ls -q', 'network ls -q --filter type=custom'].map((words) =>
      ok(...words.split(' ')),
    );
    expect(await Promise.all(left)).toEqual(['', '', '']);
  },
  slowMs,
);
