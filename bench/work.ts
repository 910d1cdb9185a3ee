import { call } from '@cleat/cli/tour/client';
import type { BenchEngine } from './engines.js';

/** Parts of the rows: requests to an engine, and how long something takes. */

export async function milliseconds(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** One request that must succeed. @returns its body */
export async function ask(engine: BenchEngine, method: string, path: string, body?: object): Promise<Buffer> {
  return (await call(engine.socket, method, path, body)).body;
}

/** @returns the container's ID */
export async function create(engine: BenchEngine, config: object, name?: string): Promise<string> {
  const path = name === undefined ? '/containers/create' : `/containers/create?name=${name}`;
  const body = await ask(engine, 'POST', path, { Image: 'busybox', ...config });
  return (JSON.parse(body.toString()) as { Id: string }).Id;
}

export const post = (engine: BenchEngine, path: string): Promise<Buffer> => ask(engine, 'POST', path);

export const remove = (engine: BenchEngine, id: string): Promise<Buffer> =>
  ask(engine, 'DELETE', `/containers/${id}?force=1&v=1`);

/** The beginning of a command that is to run in a container's network namespace, and its address on a network. */
export async function whereabouts(
  engine: BenchEngine,
  container: string,
  network: string,
): Promise<{ entering: readonly string[]; address: string }> {
  const { State, NetworkSettings } = JSON.parse(
    (await ask(engine, 'GET', `/containers/${container}/json`)).toString(),
  ) as { State: { Pid: number }; NetworkSettings: { Networks: Record<string, { IPAddress: string }> } };
  const address = NetworkSettings.Networks[network]?.IPAddress ?? '';
  return { entering: ['nsenter', `--target=${State.Pid}`, '--net'], address };
}

/** `work` for each of `items`, at most `width` at once. */
export async function inParallel<T>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<unknown>,
): Promise<void> {
  const queue = [...items];
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: width }, worker));
}

/** `work` again and again, one after the other. */
export async function times(count: number, work: (index: number) => Promise<unknown>): Promise<void> {
  for (const index of numbers(count)) await work(index);
}

export const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

/** Until the engine does next to nothing for a second, or ten have passed. */
export async function settled(engine: BenchEngine): Promise<void> {
  for (let second = 0; second < 10; second++) {
    const before = engine.group.cpu();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    if (engine.group.cpu() - before < 20) return;
  }
}
