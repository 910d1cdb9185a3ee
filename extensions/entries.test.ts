import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { volumeKind } from '@cleat/protocol/kinds/volume';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { emptyRegistry } from './fakes.fixture.js';
import type { Extensions } from './index.js';

/** Entries of the manifest follow what the operator wants while the engine runs. */

let directory: string;
let extensions: Extensions;
let changes: string[];
const ended: string[] = [];

/** A module that tells its option, and when it ends. */
const module = () => `
import { volumeKind } from ${JSON.stringify(new URL('../protocol/kinds/volume.ts', import.meta.url).href)};
export default {
  start: ({ name, options }) => ({
    implementations: [{ kind: volumeKind, handlers: { Path: () => ({ Mountpoint: String(options.mark) }) } }],
    close: () => globalThis.cleatEnded.push(name + ' ' + options.mark),
  }),
};`;

beforeEach(() => {
  directory = mkdtempSync('/tmp/cleat-entries-');
  writeFileSync(join(directory, 'vol.mjs'), module());
  writeFileSync(
    join(directory, 'manifest.yaml'),
    `extensions:
  one: { driver: one, module: vol.mjs, kinds: [VolumeDriver], options: { mark: 1 } }
  two: { driver: two, module: vol.mjs, kinds: [VolumeDriver], options: { mark: 2 }, needs: [one] }
`,
  );
  ended.length = 0;
  Object.assign(globalThis, { cleatEnded: ended });
  extensions = emptyRegistry({ manifestPaths: [join(directory, 'manifest.yaml')] });
  changes = [];
  extensions.onChange(({ name, state }) => changes.push(`${name} ${state}`));
});
afterEach(async () => {
  await extensions.close();
  rmSync(directory, { recursive: true });
});
const mark = async (name: string) => (await (await extensions.get(volumeKind, name)).Path({ Name: 'v' })).Mountpoint;
const states = () => Object.fromEntries(extensions.list().map(({ name, state }) => [name, state]));

test('one is left out, and is there again', async () => {
  const client = await extensions.get(volumeKind, 'two');
  expect(await mark('two')).toBe('2');
  expect(await extensions.reconfigure({ two: { enabled: false } })).toEqual(['two was stopped']);
  expect(ended).toEqual(['two 2']);
  expect(states()).toEqual({ one: 'active', two: 'disabled' });
  expect(extensions.names(volumeKind)).toEqual(['one']);
  await expect(client.Path({ Name: 'v' })).rejects.toThrow('plugin "two" is not there: left out by the configuration');
  await expect(mark('two')).rejects.toThrow('extension two is left out by the configuration');
  expect(await extensions.reconfigure({})).toEqual(['two was started']);
  expect((await client.Path({ Name: 'v' })).Mountpoint).toBe('2');
  expect(changes).toContain('two disabled');
});

test('all are left out in order, those that need others first', async () => {
  await mark('two');
  const done = await extensions.reconfigure({ one: { enabled: false }, two: { enabled: false } });
  expect(done).toEqual(['one was stopped', 'two was stopped']);
  expect(ended).toEqual(['two 2', 'one 1']);
});

test('one is replaced when its options change, and nothing else is touched', async () => {
  const client = await extensions.get(volumeKind, 'one');
  await mark('two');
  expect(await extensions.reconfigure({ one: { options: { mark: 'new' } } })).toEqual(['one was replaced']);
  expect((await client.Path({ Name: 'v' })).Mountpoint).toBe('new');
  expect(ended).toEqual(['one 1']);
  expect(await extensions.reconfigure({ one: { options: { mark: 'new' } } })).toEqual([]);
});

test('deadlines change without a restart', async () => {
  await mark('one');
  expect(await extensions.reconfigure({ one: { deadlines: { Path: 7 } } })).toEqual([]);
  expect(extensions.list().find(({ name }) => name === 'one')).toMatchObject({
    state: 'active',
    deadlines: { Path: 7 },
  });
  expect(ended).toEqual([]);
});

test('settings that cannot be change nothing', async () => {
  await mark('two');
  await expect(extensions.reconfigure({ one: { enabled: false } })).rejects.toThrow("two: needs names 'one'");
  await expect(extensions.reconfigure({ three: { enabled: false } })).rejects.toThrow(
    "extension 'three' is configured",
  );
  expect(states()).toEqual({ one: 'active', two: 'active' });
  expect(await mark('two')).toBe('2');
});
