import { mkdirSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { verify } from '@cleat/conformance';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { engineVersion } from '../../../engine/system/engine-version.js';
import { makeCertificates } from '../support/certificates.js';
import { commandsOf, shown, substitute } from '../support/documents.js';
import { type Engine, startEngine } from '../support/engine.js';
import { ShownDaemon } from '../support/shown-daemon.js';
import { compileShown, programsBeside } from '../support/shown-programs.js';

/** The plugin of each guide in docs/guide/kinds: in use, and found to be what engines expect. */
let engine: Engine;
const { ok, refused, run, startPlugin } = programsBeside(() => engine);
/** Where the TypeScript that is shown was compiled to. */
let compiled: string;

/** The code that each guide shows; the tests serve it as they serve the volume plugin. */
const shownCode = {
  policy: shown('docs/guide/kinds/authz.md', 'import { authzKind'),
  ledger: shown('docs/guide/kinds/metrics.md', 'import { get }'),
  shelf: shown('docs/guide/kinds/log.md', 'import { appendFile'),
  keep: shown('docs/guide/kinds/secret.md', 'import { readFile }'),
  mason: shown('docs/guide/kinds/builder.md', 'import { execFile }'),
  tagger: shown('docs/guide/kinds/hook.md', 'import { defineExtension, hookKind'),
};

beforeAll(async () => {
  engine = await startEngine({ flags: ['--builder-driver=mason'] });
  const main = shown('docs/guide/kinds/volume.md', '#!/usr/bin/env node');
  const files: Record<string, string> = {
    'main.ts': main,
    'plain.ts': shown('docs/guide/kinds/volume.md', 'import { mkdir'),
  };
  for (const [name, text] of Object.entries(shownCode)) {
    files[`${name}.ts`] = text;
    files[`${name}-main.ts`] = substitute(main, { plain: name });
  }
  compiled = await compileShown(join(engine.directory, 'package'), files);
});
afterAll(() => engine[Symbol.asyncDispose]());

test('Volume plugins: the plugin of the page keeps volumes', async () => {
  const root = join(engine.directory, 'plain');
  mkdirSync(root);
  await using _ = await startPlugin(join(compiled, 'main.js'), 'plain', '--root', root);
  const mounted = ['run', '--rm', '-v', 'notes:/d', '--volume-driver', 'plain', 'busybox'];
  await ok(...mounted, 'sh', '-c', 'echo kept > /d/file');
  expect(await ok(...mounted, 'cat', '/d/file')).toBe('kept');
  expect(await ok('volume', 'ls', '-q', '-f', 'driver=plain')).toBe('notes');
  await ok('volume', 'rm', 'notes');
  expect(await refused('volume', 'inspect', 'notes')).toContain('notes');
});

test('Logs: the driver of the guide, and what it has not got', async () => {
  const directory = join(engine.directory, 'shelf');
  mkdirSync(directory);
  await using _ = await startPlugin(join(compiled, 'shelf-main.js'), 'shelf', '--directory', directory);
  const logged = ['run', '--name=reader', '--network=none', '--log-driver=shelf'];
  await ok(...logged, '--log-opt=shelf=upper', 'busybox', 'sh', '-c', 'echo one; echo two');
  await expect
    .poll(() => readFile(join(directory, 'upper'), 'utf8').catch(() => ''))
    .toBe('reader: one\nreader: two\n');
  expect(await ok('logs', 'reader')).toBe('one\ntwo');
  expect(await refused(...logged, '--log-opt=colour=red', 'busybox', 'true')).toContain('shelf has no option colour');
  expect(await run(shown('docs/guide/logs.md', 'cleat log-drivers'))).toMatch(
    /^DRIVER +CONTAINERS +BEHIND +DROPPED +LINES +WHY/,
  );
  await ok('rm', 'reader');
});

test('The audit journal: it is read as the guide says', async () => {
  await refused('inspect', 'nobody');
  const text = await run(shown('docs/guide/audit.md', 'cleat audit -n 20'));
  expect(text).toMatch(
    /^\S+Z {2}failed {3}root, process \d+ {2}GET \/v[\d.]+\/\w+\/nobody.* {2}404 [\d.]+ ms\r?\n.*NotFound/m,
  );
});

test('Deciding who may do what: the policy of the guide, asked by the engine of the guide', async () => {
  const certificates = await makeCertificates(engine.directory, ['alice', 'bob']);
  await using _plugin = await startPlugin(join(compiled, 'policy-main.js'), 'policy');
  const [start = '', ...more] = commandsOf(shown('docs/guide/authorization.md', 'cleatd -H tcp'));
  expect(more).toEqual([]);
  const own = {
    'tcp://0.0.0.0:2376': certificates.host,
    ' ca.pem': ` ${certificates.file('server', 'cacert')}`,
    ' cert.pem': ` ${certificates.file('server', 'cert')}`,
    ' key.pem': ` ${certificates.file('server', 'key')}`,
  };
  await using daemon = await ShownDaemon.start(substitute(start, own), engine);
  const as = (user: string, ...args: string[]) =>
    engine.dockerAt(daemon.host, '--tlsverify', ...certificates.clientFlags(user), ...args);
  expect(await as('alice', 'volume', 'create', 'hers')).toMatchObject({ code: 0 });
  expect((await as('bob', 'volume', 'create', 'his')).stderr).toContain('bob may only look');
  expect((await as('bob', 'volume', 'ls', '-q')).stdout).toBe('hers\n');
  expect((await as('alice', 'create', '--privileged', 'busybox')).stderr).toContain('nobody may be privileged');
  expect((await as('alice', 'info', '-f', '{{.Plugins.Authorization}}')).stdout).toBe('[policy]\n');
});

test('Watching extensions: a collector reads what the engine counts', async () => {
  const [start = '', ...more] = commandsOf(shown('docs/guide/watching-extensions.md', 'cleatd --metrics-collector'));
  expect(more).toEqual([]);
  await using daemon = await ShownDaemon.start(start, engine);
  const page = join(daemon.directory, 'run/metrics.sock');
  await using ledger = await startPlugin(join(compiled, 'ledger-main.js'), 'ledger', '--page', page);
  await expect.poll(() => ledger.said).toContain(`engine_daemon_engine_info{version="${engineVersion}`);
});

test('Giving secrets to containers: the provider of the guide', async () => {
  const root = join(engine.directory, 'keep');
  mkdirSync(join(root, 'test'), { recursive: true });
  writeFileSync(join(root, 'test/password'), 'open sesame');
  await using _ = await startPlugin(join(compiled, 'keep-main.js'), 'keep', '--root', root);
  expect(await run(shown('docs/guide/secrets.md', 'docker run -d'))).toMatch(/^[0-9a-f]{64}\s+open sesame$/);
  await ok('rm', '-f', 'db');
});

test('Builder plugins: the builder of the page makes an image of the context', async () => {
  await using _ = await startPlugin(join(compiled, 'mason-main.js'), 'mason');
  const context = join(engine.directory, 'site');
  mkdirSync(context);
  writeFileSync(join(context, 'Dockerfile'), 'FROM nothing');
  writeFileSync(join(context, 'index'), 'hello');
  await ok('build', '-t', 'site', context);
  const id = await ok('create', 'site', 'none');
  expect(await ok('cp', `${id}:/index`, '-')).toContain('hello');
  await ok('rm', id);
});

/** On a stock dockerd, which shows what was sent, and leaves it to a log driver to find its streams again. */
const onlyForDockerd = /^(authz\/(target-escapes|body-spellings)|log\/crash-reads-on)$/;

const shownPlugins: { name: string; args: string; options: Record<string, string> }[] = [
  { name: 'policy', args: '', options: {} },
  { name: 'ledger', args: '', options: {} },
  { name: 'shelf', args: '--directory', options: {} },
  { name: 'mason', args: '', options: {} },
  { name: 'tagger', args: '', options: {} },
  { name: 'keep', args: '--root', options: { secret: 'password', env: 'verified' } },
];

// Each waits for its plugin most of the time: all at once.
test.concurrent.each(shownPlugins)(
  'the plugin $name of its guide is what engines expect',
  async ({ name, args, options }) => {
    const root = join(engine.directory, `verified-${name}`);
    mkdirSync(join(root, 'verified'), { recursive: true });
    writeFileSync(join(root, 'verified/password'), 'open sesame');
    const socket = join(engine.directory, `verified-${name}.sock`);
    const command = [
      process.execPath,
      join(compiled, `${name}-main.js`),
      '--socket',
      socket,
      ...(args ? [args, root] : []),
    ];
    const { results } = await verify(socket, { start: `exec ${command.join(' ')}`, options });
    const wanting = results.filter(({ outcome }) => outcome !== 'passed' && outcome !== 'skipped');
    expect(wanting.map(({ case: { id } }) => id).filter((id) => !onlyForDockerd.test(id))).toEqual([]);
    expect(results.flatMap(({ leftBehind }) => leftBehind)).toEqual([]);
  },
);

test('Request hooks: the hook of the page, in the file of the guide', async () => {
  await using _plugin = await startPlugin(join(compiled, 'tagger-main.js'), 'tagger');
  const file = join(engine.directory, 'hooks.yaml');
  writeFileSync(file, shown('docs/guide/request-hooks.md', 'hooks:'));
  const [start = '', ...more] = commandsOf(shown('docs/guide/request-hooks.md', 'cleatd --hooks'));
  expect(more).toEqual([]);
  await using daemon = await ShownDaemon.start(substitute(start, { '/etc/cleat/hooks.yaml': file }), engine);
  const at = { DOCKER_HOST: daemon.host };
  const seen = await run(shown('docs/guide/request-hooks.md', 'docker volume create'), at);
  expect(seen).toMatch(/tagger +request body +POST \/containers\/create/);
  expect(seen).toContain('Body.Labels.owner: "somebody" → "root"');
  const tried = await run(shown('docs/guide/request-hooks.md', 'cleat hooks test'), at);
  expect(tried).toContain('POST /volumes/create');
  expect(tried).toMatch(/"Labels": \{\s+"owner": "root"/);
});
