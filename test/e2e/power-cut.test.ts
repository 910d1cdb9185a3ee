import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { silentLogger } from '@cleat/protocol/log';
import { DurableMap } from '@cleat/sdk';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Engine, startEngine } from './support/engine.js';
import { PowerDisk } from './support/power-disk.js';

/**
 * After a power cut at any moment the engine starts, has all that it said was made, and nothing that it said was removed.
 * `CLEAT_E2E_CUTS` is how often the power fails; some moments are rare.
 */
const cuts = Number(process.env.CLEAT_E2E_CUTS ?? 5);
const patienceMs = 180_000 + cuts * 45_000;

let disk: PowerDisk;
beforeAll(() => {
  disk = new PowerDisk(256);
});
afterAll(() => disk[Symbol.dispose]());

/** The knowledge of a client about one kind of thing: names are never used twice. */
class Known {
  readonly made = new Set<string>();
  readonly removing = new Set<string>();
  readonly removed = new Set<string>();
}
const kinds = ['volume', 'container', 'tag', 'network'] as const;
type Kind = (typeof kinds)[number];

async function asked(engine: Engine, method: string, path: string, body?: unknown): Promise<void> {
  const { status, body: text } = await engine.api(method, path, body);
  if (status >= 300) throw new Error(`${method} ${path}: ${status} ${text}`);
}

const makes: Record<Kind, (engine: Engine, name: string) => Promise<void>> = {
  volume: (engine, Name) => asked(engine, 'POST', '/volumes/create', { Name }),
  container: (engine, name) => asked(engine, 'POST', `/containers/create?name=${name}`, { Image: 'busybox' }),
  tag: (engine, name) => asked(engine, 'POST', `/images/busybox/tag?repo=${name}&tag=1`),
  network: (engine, Name) => asked(engine, 'POST', '/networks/create', { Name, Internal: true }),
};
const paths: Record<Kind, (name: string) => string> = {
  volume: (name) => `/volumes/${name}`,
  container: (name) => `/containers/${name}`,
  tag: (name) => `/images/${name}:1`,
  network: (name) => `/networks/${name}`,
};

/** Makes and removes things of one kind until it is told to stop. */
async function work(engine: Engine, kind: Kind, known: Known, signal: AbortSignal): Promise<void> {
  for (let at = 0; !signal.aborted; at++) {
    const name = `${kind}-${at}`;
    await makes[kind](engine, name);
    known.made.add(name);
    const oldest = `${kind}-${at - 5}`;
    if (!known.made.has(oldest)) continue;
    known.removing.add(oldest);
    await asked(engine, 'DELETE', paths[kind](oldest));
    known.removed.add(oldest);
  }
}

/** @param dataRoot where volumes must be: a list has places of before the cut while their driver is slow to answer */
async function namesOn(engine: Engine, dataRoot: string): Promise<Record<Kind, string[]>> {
  const read = async (path: string): Promise<unknown> => JSON.parse((await engine.api('GET', path)).body);
  const { Volumes } = (await read('/volumes')) as { Volumes: { Name: string }[] };
  const containers = (await read('/containers/json?all=1')) as { Names: string[] }[];
  const images = (await read('/images/json')) as { RepoTags: string[] }[];
  const networks = (await read('/networks')) as { Name: string }[];
  return {
    volume: Volumes.map(({ Name }) => Name).filter((name) => existsSync(join(dataRoot, 'volumes', name, '_data'))),
    container: containers.flatMap(({ Names }) => Names.map((name) => name.slice(1))),
    tag: images.flatMap(({ RepoTags }) => RepoTags.map((tag) => tag.replace(/:1$/, ''))),
    network: networks.map(({ Name }) => Name),
  };
}

test(`the engine’s answers still hold after each of ${cuts} power cuts`, { timeout: patienceMs }, async () => {
  await using engine = await startEngine({ dataRoot: join(disk.path, 'data') });
  const stop = new AbortController();
  const known = Object.fromEntries(kinds.map((kind) => [kind, new Known()])) as Record<Kind, Known>;
  const working = Promise.all(kinds.map((kind) => work(engine, kind, known[kind], stop.signal)));
  working.catch(() => {}); // It is awaited in the end.
  try {
    for (let count = 0; count < cuts; count++) {
      await sleep(50 + Math.random() * 400);
      const before = kinds.map((kind) => ({ made: new Set(known[kind].made), removed: new Set(known[kind].removed) }));
      let removing: Set<string>[] = [];
      // This process waits meanwhile, so nobody asks for anything.
      using image = disk.cut(() => {
        removing = kinds.map((kind) => new Set(known[kind].removing));
      });
      await using after = await startEngine({ dataRoot: join(image.path, 'data'), busybox: false });
      const found = await namesOn(after, join(image.path, 'data'));
      for (const [at, kind] of kinds.entries()) {
        const { made, removed } = before[at] ?? { made: new Set(), removed: new Set() };
        const names = new Set(found[kind]);
        expect({
          cut: count,
          lost: [...made].filter((name) => !removing[at]?.has(name) && !names.has(name)),
          back: [...removed].filter((name) => names.has(name)),
        }).toEqual({ cut: count, lost: [], back: [] });
      }
      if (count > 0) continue;
      const { stdout, stderr } = await after.docker('run', '--rm', '--net=none', 'busybox', 'echo', 'runs');
      expect(stdout, stderr).toBe('runs\n');
    }
  } finally {
    stop.abort();
    await working;
  }
});

test('power that fails while the engine starts for the first time', { timeout: patienceMs }, async () => {
  for (let count = 0; count < Math.ceil(cuts / 5); count++) {
    const data = `first-${count}`;
    const starting = startEngine({ dataRoot: join(disk.path, data), busybox: false });
    starting.catch(() => {}); // It is awaited in the end.
    await sleep(100 + Math.random() * 1200);
    using image = disk.cut(() => {});
    await using after = await startEngine({ dataRoot: join(image.path, data) });
    expect((await after.docker('version')).code).toBe(0);
    await (await starting)[Symbol.asyncDispose]();
  }
});

test('a durable map of an extension that syncs has all that was set, and nothing that was deleted', () => {
  const open = (root: string) => new DurableMap<number>(join(root, 'map', 'journal'), silentLogger, { sync: true });
  const map = open(disk.path);
  const expected = new Map<string, number>();
  for (let at = 0; at < 30; at++) {
    map.set(`k${at}`, at);
    expected.set(`k${at}`, at);
    if (at % 3 === 2) map.delete(`k${at - 2}`);
    if (at % 3 === 2) expected.delete(`k${at - 2}`);
    if (at % 10 !== 9) continue;
    using image = disk.cut(() => {});
    const after = open(image.path);
    expect(new Map(after.entries())).toEqual(expected);
    after.close();
  }
  map.close();
});
