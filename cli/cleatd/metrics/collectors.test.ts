import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Extensions, openExtensions } from '@cleat/extensions/index';
import { silentLogger } from '@cleat/protocol/log';
import { defineExtension, implement, metricsKind, type Served, serve, volumeKind } from '@cleat/sdk';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Collectors } from './collectors.js';

let directory: string;
let extensions: Extensions;
let collectors: Collectors | undefined;
let calls: string[];
const served = vi.fn(async () => '/page');
const cleanups: (() => unknown)[] = [];

beforeEach(() => {
  directory = mkdtempSync('/tmp/cleat-collect-');
  calls = [];
  served.mockClear();
  extensions = openExtensions({
    manifestPaths: [],
    overrides: {},
    variables: {},
    pluginDirectories: [directory],
    dataRoot: directory,
    execRoot: directory,
    hostPath: '',
    log: silentLogger,
  });
});

afterEach(async () => {
  await collectors?.close();
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  await extensions.close();
  rmSync(directory, { recursive: true });
});

/** `fails`: how often it refuses before it starts. `silent`: it starts, and does not answer. */
async function collector(name: string, { fails = 0, silent = false } = {}): Promise<Served> {
  let refusals = fails;
  const module = defineExtension({
    start: () => ({
      implementations: [
        implement(metricsKind, {
          async StartMetrics(_, { signal }) {
            calls.push(`start ${name}`);
            if (refusals-- > 0) throw new Error('not today');
            if (silent) await once(signal, 'abort');
          },
          StopMetrics: () => void calls.push(`stop ${name}`),
        }),
        implement(volumeKind, {
          Create: () => {},
          Remove: () => {},
          Mount: () => {},
          Unmount: () => {},
          Path: () => {},
          Get: () => {},
          List: () => {},
        }),
      ],
    }),
  });
  const one = await serve(module, { name, socket: join(directory, `${name}.sock`), log: silentLogger });
  cleanups.push(() => one.close());
  return one;
}

function collect(...names: string[]): Collectors {
  collectors = new Collectors({ extensions, names, serve: served, log: silentLogger });
  return collectors;
}

const eventually = { timeout: 60_000 };

test('a collector that was named is started whenever it comes, again when it comes back, and told of the end', async () => {
  const all = collect('late');
  expect(served).not.toHaveBeenCalled();
  const first = await collector('late');
  await expect.poll(() => calls, eventually).toEqual(['start late']);
  expect(served).toHaveBeenCalledOnce();
  await first.close();
  await collector('late');
  await expect.poll(() => calls, eventually).toEqual(['start late', 'start late']);
  expect(served).toHaveBeenCalledOnce();
  await all.close();
  expect(calls).toEqual(['start late', 'start late', 'stop late']);
});

test('a collector that is used for something else is started then, and not before', async () => {
  collect();
  await collector('both');
  await extensions.get(volumeKind, 'both');
  await expect.poll(() => calls, eventually).toEqual(['start both']);
});

test('a collector that refuses is asked again', async () => {
  collect('moody');
  await collector('moody', { fails: 1 });
  await expect.poll(() => calls, eventually).toEqual(['start moody', 'start moody']);
});

test('a collector that nobody named is asked again, too, until it is gone', async () => {
  const all = collect();
  const one = await collector('unnamed', { fails: 1 });
  await extensions.get(volumeKind, 'unnamed');
  await expect.poll(() => calls, eventually).toEqual(['start unnamed', 'start unnamed']);
  await one.close();
  await all.close();
  expect(calls).toEqual(['start unnamed', 'start unnamed']);
});

test('a collector that started unheard is told of the end', async () => {
  const all = collect('silent');
  await collector('silent', { silent: true });
  await expect.poll(() => calls, eventually).toEqual(['start silent']);
  await all.close();
  expect(calls).toEqual(['start silent', 'stop silent']);
});

test('a collector that is gone does not hold up the end', async () => {
  const all = collect('gone', 'nobody');
  const one = await collector('gone');
  await expect.poll(() => calls, eventually).toEqual(['start gone']);
  await one.close();
  await all.close();
  expect(calls).toEqual(['start gone']);
});
