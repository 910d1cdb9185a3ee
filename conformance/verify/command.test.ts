import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { implement } from '@cleat/protocol/extension';
import { secretKind } from '@cleat/protocol/kinds/secret';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { HealthySecrets } from '../kinds/secret/healthy.fixture.js';
import { type Flaw, TestPlugin } from '../testing/test-plugin.fixture.js';
import { verifyCommand } from './command.js';

let directory: string;
let printed: string;
let complained: string;
beforeEach(() => {
  directory = mkdtempSync('/tmp/cleat-command-');
  printed = '';
  complained = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += text;
    return true;
  });
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    complained += text;
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(directory, { recursive: true });
});

async function running(flaw?: Flaw<HealthySecrets>): Promise<TestPlugin<HealthySecrets>> {
  const plugin = new TestPlugin(
    join(directory, 'p.sock'),
    () => new HealthySecrets(),
    (handlers) => implement(secretKind, handlers),
    flaw,
  );
  await plugin.start();
  return plugin;
}

test.each([
  [[], 'name one plugin, or see cleat verify --help'],
  [['a', 'b'], 'name one plugin, or see cleat verify --help'],
  [['p', '--nonsense'], "Unknown option '--nonsense'"],
  [['p', '--timeout', 'soon'], "--timeout takes seconds, not 'soon'"],
  [['p', '--format', 'pdf'], "--format knows text, tap, junit, json, not 'pdf'"],
  [['p', '--opt', 'size'], "--opt takes KEY=VALUE, not 'size'"],
  [['p', '--ipam-opt', 'size'], "--ipam-opt takes KEY=VALUE, not 'size'"],
  [['p', '--only', 'vollume/'], '--only vollume/: no case begins so; --list shows them'],
  [['p', '--only', 'volume/,nonsense'], '--only nonsense: no case begins so'],
  [['p', '--skip', 'nonsense'], '--skip nonsense: no case begins so'],
  [['p', '--only', 'volume/*nonsense'], '--only volume/*nonsense: no case begins so'],
  [['p', '--only', ''], '--only names no case; --list shows them'],
  [['p', '--only', ' , '], '--only names no case; --list shows them'],
  [['p', '--skip', ''], '--skip names no case; --list shows them'],
  [['--list', '--only', 'vollume/'], '--only vollume/: no case begins so'],
  [['--list', '--only', 'volume/', '--skip', 'volume/'], '--only and --skip leave no case'],
  [['p', '--output', '/no/where/report'], 'cannot write /no/where/report: '],
  [['p', '--output', '/'], 'cannot write /: it is a directory'],
  [['p', '--read-only', '--start', 'true'], '--start kills the plugin: not with --read-only'],
])('%j is a mistake of the caller: status 2, and one sentence', async (args, sentence) => {
  expect(await verifyCommand(args)).toBe(2);
  expect(printed).toBe('');
  expect(complained).toContain(sentence);
  expect(complained.trimEnd().split('\n')).toHaveLength(1);
  expect(complained).not.toContain('To specify');
});

test('a plugin that is not there is status 2, and one line', async () => {
  expect(await verifyCommand([join(directory, 'none.sock')])).toBe(2);
  expect(complained).toMatch(/^cleat verify: none \(.*none\.sock\) does not say what it implements: .*ENOENT[^\n]*\n$/);
  expect(await verifyCommand(['no-such-plugin', '--plugin-dir', directory])).toBe(2);
  expect(complained).toContain(`there is no plugin 'no-such-plugin' in ${directory}`);
});

test('a plugin that ends at once is status 2, with what it printed', async () => {
  const args = [join(directory, 'p.sock'), '--start', 'echo no licence; exit 1', '--timeout', '0.3'];
  expect(await verifyCommand(args)).toBe(2);
  expect(complained).toContain('It printed: no licence');
});

test('several cases are chosen with commas; those of another kind are nothing to verify', async () => {
  await using plugin = await running();
  const chosen = ['--opt', 'secret=password', '--only', 'secret/val*, secret/unknown'];
  expect(await verifyCommand([plugin.socket, ...chosen])).toBe(0);
  expect(printed.match(/\[secret\/\w+\]/g)?.sort()).toEqual(['[secret/unknown]', '[secret/value]']);
  expect(await verifyCommand([plugin.socket, '--only', 'network/'])).toBe(2);
  expect(complained).toContain('--only network/ chooses no case for a plugin of secretprovider');
});

test('where nothing could be tried, nothing is said of the plugin: status 2', async () => {
  await using plugin = await running();
  expect(await verifyCommand([plugin.socket, '--only', 'secret/crash'])).toBe(2);
  expect(printed).toContain('Nothing could be tried');
  expect(printed).not.toContain('what engines expect');
  await using strange = new TestPlugin(
    join(directory, 's.sock'),
    () => new HealthySecrets(),
    (handlers) => implement(secretKind, handlers),
    {
      finds: 'secret/value',
      about: 'is of a kind that nobody knows',
      http: (_, response) => void response.end('{"Implements":["TeaPot"]}'),
    },
  );
  await strange.start();
  expect(await verifyCommand([strange.socket])).toBe(2);
  expect(complained).toContain('what a plugin of TeaPot is to do is not known here');
});

test('a plugin that ends during a case fails that case, and no other', async () => {
  const program = fileURLToPath(new URL('../testing/ends.fixture.mjs', import.meta.url));
  const socket = join(directory, 'e.sock');
  const args = [
    socket,
    '--start',
    `exec node ${program} ${socket}`,
    '--only',
    'volume/list-and,volume/get-unknown,volume/scope',
  ];
  expect(await verifyCommand([...args, '--format', 'json'])).toBe(1);
  const { results } = JSON.parse(printed) as { results: { id: string; outcome: string }[] };
  expect(results.map(({ id, outcome }) => [id, outcome])).toEqual([
    ['volume/list-and-get-agree', 'passed'],
    ['volume/get-unknown', 'failed'],
    ['volume/scope', 'passed'],
  ]);
  expect(printed).toContain('the plugin ended (exit 1): out of luck');
});

test('a good plugin is status 0', async () => {
  await using plugin = await running();
  expect(await verifyCommand([plugin.socket, '--opt', 'secret=password', '--read-only'])).toBe(0);
  expect(printed).toMatch(/^ok {4}The value of a secret comes in base64 {2}\[secret\/value\]$/m);
  expect(printed).toContain('It is what engines expect.');
});

test('a failure is status 1; so is a warning with --strict', async () => {
  {
    await using plugin = await running({
      finds: 'secret/unknown',
      about: 'finds nothing, with success',
      handlers: () => ({ GetSecret: () => ({}) }),
    });
    expect(await verifyCommand([plugin.socket, '--only', 'secret/unknown'])).toBe(1);
    expect(printed).toContain('FAIL  A secret that is not there is an error');
  }
  await using plugin = await running({
    finds: 'secret/size',
    about: 'has a long one',
    handlers: () => ({ secrets: { password: 'x'.repeat(600_000) } }),
  });
  const args = [plugin.socket, '--only', 'secret/size', '--opt', 'secret=password'];
  expect(await verifyCommand(args)).toBe(0);
  expect(printed).toContain('warn  A secret has at most 500 KiB');
  expect(await verifyCommand([...args, '--strict'])).toBe(1);
});

test('--output takes the report, and nothing is printed', async () => {
  await using plugin = await running();
  const output = join(directory, 'report.xml');
  expect(await verifyCommand([plugin.socket, '--read-only', '--format', 'junit', '-o', output])).toBe(0);
  expect(printed).toBe('');
  expect(readFileSync(output, 'utf8')).toContain('<testsuite name="secretprovider"');
});

test('the secrets of a provider are in no report', async () => {
  const value = Buffer.from('open sesame').toString('base64');
  await using plugin = await running({
    finds: 'secret/value',
    about: 'says it beside an error',
    http: (request, response) =>
      void response.end(
        request.url === '/Plugin.Activate' ? '{"Implements":["secretprovider"]}' : `{"Err":"no","Value":"${value}"}`,
      ),
  });
  for (const format of ['text', 'tap', 'junit', 'json'])
    await verifyCommand([
      plugin.socket,
      '--only',
      'secret/',
      '--format',
      format,
      '--verbose',
      '--opt',
      'secret=password',
    ]);
  expect(printed).toContain('not shown');
  expect(printed).not.toContain(value);
});

test('--list shows the cases of every kind, and --help the options', async () => {
  expect(await verifyCommand(['--list'])).toBe(0);
  expect(printed).toMatch(/^protocol\/activate-again +Plugin\.Activate answers the same each time \(read-only\)$/m);
  expect(printed).toMatch(/^log\/stream +The stream of a container is read from StartLogging on$/m);
  expect(printed).toMatch(/^authz\/body-spellings .*\(advice, read-only\)$/m);
  printed = '';
  expect(await verifyCommand(['--list', '--only', 'log/*, secret/', '--skip', 'secret/value'])).toBe(0);
  expect(printed).toMatch(/^log\/stream/m);
  expect(printed).toMatch(/^secret\/size/m);
  expect(printed).not.toMatch(/^(volume|protocol)\/|^secret\/value/m);
  expect(await verifyCommand(['--help'])).toBe(0);
  expect(printed).toContain('Usage: cleat verify PLUGIN');
});
