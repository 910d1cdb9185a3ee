import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { kindLabels, kindOf } from '@cleat/protocol/kinds/index';
import { readManifest } from '@cleat/protocol/plugins/manifest';
import { kindsOf } from '@cleat/protocol/plugins/types';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { createCommand } from './command.js';
import { scaffold } from './scaffold.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync('/tmp/cleat-create-');
});
afterEach(() => rmSync(directory, { recursive: true }));

describe.each(kindLabels)('%s', (kind) => {
  test.each([true, false])('as JavaScript: %s', (js) => {
    const files = scaffold({ name: 'odd-name', kind, js });
    const ending = js ? 'js' : 'ts';
    for (const name of [`plugin.${ending}`, `main.${ending}`, `plugin.test.${ending}`, 'README.md', 'package.json']) {
      expect(files[name], name).toBeDefined();
    }
    for (const [name, text] of Object.entries(files)) {
      expect(text, name).not.toMatch(/\{\{|my-plugin/);
      expect(text.endsWith('\n'), name).toBe(true);
    }
    const own: unknown = JSON.parse(files['plugin.json'] ?? '');
    const managed = readManifest(JSON.stringify({ Entrypoint: ['node'], ...(own as object) }), 'strict');
    expect([managed.Interface.Socket, kindsOf(managed)]).toEqual(['odd-name.sock', [kindOf(kind).name]]);
    // systemd and Cleat find it under its name.
    expect(files['odd-name.socket']).toContain('ListenStream=/run/docker/plugins/odd-name.sock');
    const manifest = parse(files['odd-name.yaml'] ?? '') as { extensions: Record<string, { module: string }> };
    expect(manifest.extensions['odd-name']?.module).toBe(js ? './plugin.js' : './dist/plugin.js');
    const { scripts } = JSON.parse(files['package.json'] ?? '') as { scripts: Record<string, string> };
    expect(Object.keys(scripts).sort()).toEqual([...(js ? [] : ['build']), 'package', 'start', 'test']);
  });

  test('plain JavaScript is JavaScript', () => {
    for (const [name, text] of Object.entries(scaffold({ name: 'plain', kind, js: true }))) {
      if (!name.endsWith('.js')) continue;
      const file = join(directory, name.replace(/js$/, 'mjs'));
      writeFileSync(file, text);
      execFileSync(process.execPath, ['--check', file]);
    }
  });
});

/** The words of the command, and its exit status. */
async function create(...args: string[]): Promise<{ code: number; said: string }> {
  let said = '';
  const streams = [process.stdout, process.stderr].map((stream) => {
    const write = stream.write;
    stream.write = (text: unknown) => {
      said += String(text);
      return true;
    };
    return () => {
      stream.write = write;
    };
  });
  try {
    return { code: await createCommand(args), said };
  } finally {
    for (const restore of streams) restore();
  }
}

test('a directory is made, and the next steps are told', async () => {
  const path = join(directory, 'new-one');
  const { code, said } = await create(path, '--kind', 'volume');
  expect({ code, said }).toEqual({ code: 0, said: expect.stringContaining('npm test') });
  expect(readdirSync(path).sort()).toEqual(
    [
      ...['.gitignore', 'README.md', 'main.ts', 'new-one.service', 'new-one.socket', 'new-one.yaml', 'package.json'],
      ...['plugin.test.ts', 'plugin.json', 'plugin.ts', 'tsconfig.json'],
    ].sort(),
  );
  expect(readFileSync(join(path, 'plugin.ts'), 'utf8')).toContain('/var/lib/new-one');
  // Nobody may overwrite a file that is there.
  expect(await create(path, '--kind', 'log')).toMatchObject({
    code: 2,
    said: expect.stringContaining('choose another'),
  });
});

test('a wrong request is refused in one sentence', async () => {
  const path = join(directory, 'p');
  mkdirSync(join(directory, 'empty'));
  for (const [args, reason] of [
    [[], 'name one directory'],
    [[path, 'q', '--kind', 'volume'], 'name one directory'],
    [[path], '--kind takes one of volume, network'],
    [[path, '--kind', 'toString'], "not 'toString'"],
    [[path, '--kind', 'volume', '--name', 'No Good'], 'small letters'],
    [[path, '--kind', 'volume', '--name', '../x'], 'small letters'],
    [[path, '--kind', 'volume', '--packages', join(directory, 'empty')], 'npm run pack'],
    [[path, '--kind', 'volume', '--colour', 'red'], '--colour'],
  ] as const) {
    const { code, said } = await create(...args);
    expect({ code, said }).toEqual({ code: 2, said: expect.stringContaining(reason) });
    expect(said.trim().split('\n')).toHaveLength(1);
  }
  expect(readdirSync(directory)).toEqual(['empty']);
});
