import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { tracesOf } from '../../../chaos/invariants/traces.js';
import { ask } from './asking.js';
import { Corner, type Operation, type Stage } from './stage.js';

/** Everything that an engine has on this host, by name; the same as before where nothing is left over. */
export function tracesOn({ engine, volumes, networks }: Stage, cgroupParent: string): string[] {
  const { pid, dataRoot, execRoot } = engine;
  const stored = ['.', 'blobs/sha256', 'blobs/tmp', 'layers', 'store', 'events'].flatMap((name) =>
    readdirSync(join(dataRoot, name)).map((file) => `stored ${join(name, file)}`),
  );
  return [
    ...tracesOf({ pid, dataRoot, execRoot, cgroupParent, linkPrefix: 'none of the engine' }),
    ...stored,
    ...[...volumes.held].map((held) => `mounted by the volume plugin: ${held}`),
    ...[...volumes.volumes.keys()].map((name) => `on the volume plugin: ${name}`),
    ...[...networks.held].map((held) => `on the network plugin: ${held}`),
  ].sort();
}

/** Does these operations at once, kills the engine meanwhile, and starts it again. @throws what is not as it must be */
export async function playRound(stage: Stage, operations: readonly Operation[], delayMs: number): Promise<void> {
  const { engine } = stage;
  const corners = operations.map((operation, at) => new Corner(stage, `k${at}-${operation.name.replace(/\W+/g, '-')}`));
  const each = <T>(work: (operation: Operation, corner: Corner) => Promise<T>): Promise<T[]> =>
    Promise.all(operations.map((operation, at) => work(operation, corners[at] ?? new Corner(stage, ''))));
  await each(async (operation, corner) => void (await operation.prepare?.(corner)));
  const acts = each((operation, corner) => operation.act(corner));
  await Promise.race([acts, sleep(delayMs)]);
  await engine.kill('SIGKILL');
  const answers = await acts;
  await engine.restart();
  const wrong = answers.filter(({ status }) => status >= 400).map(({ status, text }) => `${status} ${text}`);
  expect(wrong, 'refused while nothing was wrong').toEqual([]);
  await everythingAnswers(stage);
  // One after the other: an expectation that polls is to name what it is about.
  for (const [at, operation] of operations.entries()) {
    const corner = corners[at];
    if (!corner) continue;
    const done = (answers[at]?.status ?? 0) > 0;
    try {
      await operation.holds(corner, done);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new Error(`${operation.name} (${done ? 'answered' : 'not answered'} when killed): ${why}`, {
        cause: error,
      });
    }
  }
}

/** Lists, and each thing on them. */
async function everythingAnswers({ engine }: Stage): Promise<void> {
  const get = async <T>(path: string): Promise<T> => {
    const { status, text } = await ask(engine.socket, 'GET', path);
    expect(status, `${path}: ${text}`).toBe(200);
    return JSON.parse(text) as T;
  };
  await get('/info');
  await get('/system/df');
  for (const { Id } of await get<{ Id: string }[]>('/containers/json?all=1')) await get(`/containers/${Id}/json`);
  for (const { Id } of await get<{ Id: string }[]>('/networks')) await get(`/networks/${Id}`);
  for (const { Id } of await get<{ Id: string }[]>('/images/json')) await get(`/images/${Id}/json`);
  const { Volumes } = await get<{ Volumes: { Name: string }[] }>('/volumes');
  for (const { Name } of Volumes) await get(`/volumes/${Name}`);
}

/** Removes all but busybox. @throws where something cannot be removed */
export async function removeEverything({ engine }: Stage): Promise<void> {
  const all = async <T>(path: string): Promise<T> => JSON.parse((await ask(engine.socket, 'GET', path)).text) as T;
  const remove = async (path: string): Promise<void> => {
    const { status, text } = await ask(engine.socket, 'DELETE', path);
    expect(status, `DELETE ${path}: ${text}`).toBeLessThan(300);
  };
  for (const { Id } of await all<{ Id: string }[]>('/containers/json?all=1')) {
    await remove(`/containers/${Id}?force=1&v=1`);
  }
  const { Volumes } = await all<{ Volumes: { Name: string }[] }>('/volumes');
  for (const { Name } of Volumes) await remove(`/volumes/${Name}`);
  const predefined = ['bridge', 'host', 'none'];
  for (const { Name, Id } of await all<{ Name: string; Id: string }[]>('/networks')) {
    if (!predefined.includes(Name)) await remove(`/networks/${Id}`);
  }
  for (const { Id, RepoTags } of await all<{ Id: string; RepoTags: string[] | null }[]>('/images/json?all=1')) {
    if (RepoTags?.includes('busybox:latest')) {
      for (const tag of RepoTags) if (tag !== 'busybox:latest') await remove(`/images/${tag}`);
    } else await remove(`/images/${Id}?force=1`);
  }
}
