import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { kinds } from '@cleat/protocol/kinds/index';
import { volumeKind } from '@cleat/protocol/kinds/volume';
import { silentLogger } from '@cleat/protocol/log';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ExtensionOverride, openExtensions } from './index.js';
import { readManifests } from './manifest.js';
import { prerequisites } from './order.js';
import { anyVariables } from './variables.fixture.js';

let directory: string;
let manifest: string;

beforeEach(() => {
  directory = mkdtempSync('/tmp/cleat-man-');
  manifest = join(directory, 'manifest.yaml');
  writeFileSync(
    join(directory, 'module.mjs'),
    `export default {
       start({ name, options }) {
         const handlers = {
           Get: ({ Name }) => ({ Volume: { Name, Status: { name, options } } }),
           Mount: (request, { signal }) => new Promise(() => {}),
           Create: () => { throw new Error('full'); },
           List: () => ({ Volumes: null }),
         };
         return { implementations: [{ kind: globalThis.testVolumeKind, handlers }] };
       },
     };`,
  );
  Object.assign(globalThis, { testVolumeKind: volumeKind });
});
afterEach(() => rmSync(directory, { recursive: true }));

const write = (text: string) => writeFileSync(manifest, text);
const entry = 'extensions: { one: { driver: vol, module: ./module.mjs, kinds: [VolumeDriver], options: ';

const read = (overrides: Record<string, ExtensionOverride> = {}, variables = {}) =>
  readManifests({ paths: [manifest], overrides, variables, stateDirectory: '/state' });

const open = (overrides: Record<string, ExtensionOverride> = {}) =>
  openExtensions({
    manifestPaths: [manifest],
    overrides,
    variables: {},
    pluginDirectories: [],
    dataRoot: '/data',
    execRoot: join(directory, 'exec'),
    hostPath: '/nonexistent',
    log: silentLogger,
  });

test('options: variables keep their type, the operator wins, what is unknown is an error', () => {
  write(`${entry} { root: "\${dataRoot}/v", pools: "\${pools}", dir: "\${stateDir}", keep: 1 } } }`);
  const [one] = read({ one: { carrier: 'process', options: { keep: 2 } } }, { dataRoot: '/d', pools: [{ size: 24 }] });
  expect(one).toMatchObject({
    carrier: 'process',
    options: { root: '/d/v', pools: [{ size: 24 }], dir: '/state/one', keep: 2 },
  });
  expect(() => read()).toThrow(/manifest\.yaml: one: nothing is known as \$\{dataRoot\}/);
  expect(() => read({ two: {} }, { dataRoot: '', pools: [] })).toThrow(
    /'two' is configured, but no manifest has it.*one/,
  );
  write('extensions: [');
  expect(() => read()).toThrow(/cannot read the manifest of extensions/);
  write(`${entry} {}, carrier: remote } }`);
  expect(() => read()).toThrow(/manifest\.yaml: json: .*carrier/);
});

test('a module runs in process with the same messages, errors and deadlines', async () => {
  write(`${entry} { a: 1 } } }`);
  const extensions = open();
  expect(extensions.names(volumeKind)).toEqual(['vol']);
  expect(extensions.list()).toMatchObject([{ name: 'vol', entry: 'one', state: 'discovered', carrier: 'in-process' }]);
  const driver = await extensions.get(volumeKind, 'vol');
  expect((await driver.Get({ Name: 'v' })).Volume?.Status).toEqual({ name: 'vol', options: { a: 1 } });
  await expect(driver.Create({ Name: 'v' })).rejects.toMatchObject({ message: 'VolumeDriver.Create: full' });
  await expect(driver.Remove({ Name: 'v' })).rejects.toMatchObject({ class: 'NotImplemented' });
  const hang = driver.Mount({ Name: 'v', ID: 'i' }, { deadlineMs: 20 });
  await expect(hang).rejects.toMatchObject({ class: 'DeadlineExceeded' });
  expect(await driver.Capabilities({})).toBeUndefined();
  await extensions.close();
});

test('an extension that is left out, and one whose module is missing, say so', async () => {
  write(`${entry} {} } }`);
  const off = open({ one: { enabled: false } });
  await expect(off.get(volumeKind, 'vol')).rejects.toMatchObject({
    class: 'NotFound',
    message:
      'plugin "vol" not found: extension one is left out by the configuration; cleatd --extension one=in-process brings it back',
  });
  expect(off.list()).toMatchObject([{ name: 'vol', state: 'disabled' }]);
  write(`${entry.replace('module.mjs', 'missing.mjs')} {} } }`);
  const broken = open();
  await expect(broken.get(volumeKind, 'vol')).rejects.toMatchObject({
    class: 'Unavailable',
    message: expect.stringMatching(/cannot load .*missing\.mjs/),
  });
  expect(broken.list()).toMatchObject([{ state: 'unreachable', reason: expect.stringMatching(/cannot load/) }]);
});

test('the manifest of the batteries promises kinds that exist, for modules that exist', () => {
  manifest = fileURLToPath(new URL('../batteries/manifest.yaml', import.meta.url));
  const variables = anyVariables(manifest, 'x');
  const entries = readManifests({ paths: [manifest], overrides: {}, variables, stateDirectory: '/s' });
  // test/unit/batteries.test.ts holds that these are all.
  expect(entries.length).toBeGreaterThan(8);
  const known: string[] = kinds.map((kind) => kind.name);
  for (const { id, module, kinds: promised } of entries) {
    expect(known, id).toEqual(expect.arrayContaining([...promised]));
    expect(module, id).toMatch(/\/batteries\/.*main\.ts$/);
  }
});

describe('the order of entries', () => {
  const listed = (entries: Record<string, string>) =>
    write(
      `extensions:\n${Object.entries(entries)
        .map(([id, more]) => `  ${id}: { driver: ${id}, module: ./module.mjs, kinds: [VolumeDriver]${more} }\n`)
        .join('')}`,
    );
  const order = (overrides: Record<string, ExtensionOverride> = {}) => prerequisites(read(overrides)).get('one');

  test('names entries, or a kind, which stands for the other entries of it; what is left out is not waited for', () => {
    listed({ one: ', needs: [two], after: [VolumeDriver]', two: '', three: '', four: ', enabled: false' });
    expect(order()).toEqual({ needs: ['two'], after: ['two', 'three'] });
    expect(order({ three: { enabled: false } })).toEqual({ needs: ['two'], after: ['two'] });
  });

  test.each([
    [
      { one: ', needs: [nobody]' },
      /manifest\.yaml: one: needs names 'nobody', which is neither an entry .* nor a kind/,
    ],
    [{ one: ', after: [Volume]' }, /one: after names 'Volume', which is neither .*\(known: one, VolumeDriver, /],
    [{ one: ', needs: [two]', two: ', enabled: false' }, /needs names 'two', which is left out by the configuration/],
    [{ one: ', needs: [LogDriver]' }, /needs names 'LogDriver', and no other entry of that kind is enabled/],
    [{ one: ', needs: [one]' }, /wait for each other: 'one' waits for 'one'/],
    [
      { one: ', needs: [two]', two: ', after: [three]', three: ', needs: [one]' },
      /wait for each other: 'one' waits for 'two' waits for 'three' waits for 'one'/,
    ],
  ])('%j is an error at the start', (entries, message) => {
    listed(entries as Record<string, string>);
    expect(() => open()).toThrow(message);
  });

  test('one is loaded after what it needs, and closed before it', async () => {
    const trace: string[] = [];
    Object.assign(globalThis, { testTrace: trace });
    writeFileSync(
      join(directory, 'traced.mjs'),
      `export default {
         start({ name }) {
           globalThis.testTrace.push('start ' + name);
           return { implementations: [], close: () => globalThis.testTrace.push('close ' + name) };
         },
       };`,
    );
    const entry = (id: string, more: string) =>
      `  ${id}: { driver: ${id}, module: ./traced.mjs, kinds: [VolumeDriver]${more} }\n`;
    write(
      `extensions:\n${entry('last', ', needs: [middle]')}${entry('middle', ', after: [first]')}${entry('first', '')}`,
    );
    const extensions = open();
    await extensions.get(volumeKind, 'last').catch(() => {
      // It implements nothing.
    });
    expect(trace).toEqual(['start first', 'start middle', 'start last']);
    await extensions.close();
    expect(trace.slice(3)).toEqual(['close last', 'close middle', 'close first']);
  });

  test('while what it needs cannot be loaded, it says so; what it merely follows does not matter', async () => {
    listed({ one: ', needs: [two]', two: '', three: ', after: [two]' });
    write(
      readFileSync(manifest, 'utf8').replace(
        'two: { driver: two, module: ./module',
        'two: { driver: two, module: ./none',
      ),
    );
    const extensions = open();
    await expect(extensions.get(volumeKind, 'one')).rejects.toThrow(
      /it needs the extension 'two': plugin "two" cannot be used: cannot load/,
    );
    await extensions.get(volumeKind, 'three');
    await extensions.close();
  });
});
