import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readManifest } from '@cleat/protocol/plugins/manifest';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkout, shown, substitute } from '../support/documents.js';
import { type Engine, startEngine } from '../support/engine.js';
import { Registry } from '../support/registry.js';
import { runShell } from '../support/shell.js';

/** The guide to packaging, from the first package to the last search: each part goes on with those before it. */
let engine: Engine;
let registry: Registry;
let directory: string;

/**
 * Runs a block with files in a directory of the test, and a registry of its own. The cache of layers is the user's: it
 * takes long to compress Node, and the same tests do it each time.
 */
async function run(text: string, own: Readonly<Record<string, string>> = {}): Promise<string> {
  const env = { DOCKER_HOST: `unix://${engine.socket}` };
  return await runShell(substitute(text, { 'localhost:5000': registry.host, ...own }), directory, env);
}

beforeAll(async () => {
  directory = mkdtempSync('/tmp/cleat-packaging-');
  [engine, registry] = await Promise.all([startEngine(), Registry.start()]);
});
afterAll(async () => {
  await engine?.[Symbol.asyncDispose]();
  await registry?.[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

test('an npm project, installed and used; its manifest is the one that is shown', async () => {
  const printed = await run(shown('docs/guide/packaging.md', 'cleat package examples/no-remove --push'));
  expect(printed).toContain('no-remove.sock: VolumeDriver');
  expect(printed).toContain('Installed plugin');
  const manifest = shown('docs/guide/packaging.md', '"Description"');
  expect(readManifest(manifest, 'lenient')).toEqual(
    readManifest(readFileSync(join(checkout, 'examples/no-remove/plugin.json'), 'utf8'), 'lenient'),
  );
});

test('a package for docker plugin create', async () => {
  const text = shown('docs/guide/packaging.md', 'cleat package examples/no-remove --output');
  const own = { 'no-remove.tar': join(directory, 'made.tar'), 'mkdir no-remove': `mkdir ${directory}/made` };
  const moved = {
    ' -C no-remove': ` -C ${directory}/made`,
    'my/no-remove no-remove': `my/no-remove ${directory}/made`,
  };
  const env = { DOCKER_HOST: `unix://${engine.socket}` };
  await runShell(substitute(text, { ...own, ...moved }), directory, env);
  const listed = await engine.docker('plugin', 'ls', '--format', '{{.Name}}');
  expect(listed.stdout).toContain('my/no-remove:latest\n');
});

test('the archive is verified in its sandbox, and nothing of the sandbox stays', async () => {
  const text = shown('docs/guide/packaging.md', 'cleat verify no-remove.tar');
  const env = { DOCKER_HOST: `unix://${engine.socket}` };
  const own = { 'no-remove.tar': join(directory, 'made.tar') };
  const printed = await runShell(substitute(text, own), directory, env);
  expect(printed).toMatch(/VolumeDriver: [1-9]\d* passed, 0 failed/);
  const listed = await engine.docker('plugin', 'ls', '--format', '{{.Name}}');
  expect(listed.stdout).not.toContain('cleat-verify');
});

test('several architectures, signatures, and an engine that asks for them', async () => {
  for (const name of ['node-amd64', 'node-arm64']) {
    mkdirSync(join(directory, name, 'usr/bin'), { recursive: true });
    writeFileSync(join(directory, name, 'usr/bin/node'), `the node of ${name}`);
  }
  const several = shown('docs/guide/packaging.md', 'cleat package examples/no-remove --platform');
  const runtimes = { '=node-amd64': `=${directory}/node-amd64`, '=node-arm64': `=${directory}/node-arm64` };
  expect(await run(several, runtimes)).toMatch(/no-remove:2-arm64: digest: sha256:/);
  const team = { 'keygen team': `keygen ${directory}/team`, 'team.key': `${directory}/team.key` };
  expect(await run(shown('docs/guide/packaging.md', 'cleat plugins keygen'), team)).toMatch(
    /no-remove:2: signed sha256:/,
  );

  const trust = shown('docs/guide/packaging.md', '"plugin-trust"');
  const own = { 'localhost:5000': registry.host, '/etc/cleat/team.pub': `${directory}/team.pub` };
  const config = JSON.parse(substitute(trust, own)) as object;
  await using strict = await startEngine({ busybox: false, config });
  const install = (tag: string) =>
    strict.docker('plugin', 'install', '--disable', '--grant-all-permissions', `${registry.host}/team/no-remove${tag}`);
  // The package at :latest is byte for byte the one that was signed.
  for (const tag of [':2', ':2-arm64', '']) {
    expect(await install(tag), tag).toMatchObject({ code: 0 });
    await strict.docker('plugin', 'rm', `${registry.host}/team/no-remove${tag}`);
  }
});

test('an index', async () => {
  const keys = { 'team.key': `${directory}/team.key`, 'team.pub': `${directory}/team.pub` };
  const printed = await run(shown('docs/guide/packaging.md', 'cleat plugins index build'), keys);
  expect(printed).toMatch(/team\/no-remove:latest +VolumeDriver +Team/);
  expect(printed).toContain('"publisher": "Team"');
});
