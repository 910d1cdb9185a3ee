import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BuildLine, builderKind } from '@cleat/protocol/kinds/builder';
import { startForTest } from '@cleat/sdk/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import module from './main.js';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync('/tmp/cleat-bd-');
  mkdirSync(join(directory, 'context'));
});

afterEach(() => rmSync(directory, { recursive: true }));

const options = () => ({ stateDir: join(directory, 'state') });

describe.each(['in-process', 'socket'] as const)('builder-dockerfile, %s', (carrier) => {
  async function build(text: string, more: object = {}): Promise<BuildLine[]> {
    await using extension = await startForTest(module, { name: 'dockerfile', carrier, options: options() });
    const dockerfile = join(directory, 'Dockerfile');
    writeFileSync(dockerfile, text);
    const stream = await extension.client(builderKind).Build({
      ID: 'one',
      Engine: join(directory, 'no.sock'),
      Context: join(directory, 'context'),
      Dockerfile: dockerfile,
      ...more,
    });
    let said = '';
    for await (const chunk of stream) said += Buffer.from(chunk).toString();
    return said
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as BuildLine);
  }

  test('says which platforms it builds for, and has nothing at first', async () => {
    await using extension = await startForTest(module, { name: 'dockerfile', carrier, options: options() });
    const driver = extension.client(builderKind);
    expect((await driver.Capabilities({}))?.Platforms?.[0]).toMatch(/^linux\//);
    expect(await driver.DiskUsage({})).toEqual({ Records: [] });
    expect(await driver.Prune({})).toEqual({ Removed: [], SpaceReclaimed: 0 });
    await expect(driver.Prune({ Filters: { colour: ['red'] } })).rejects.toMatchObject({
      class: 'InvalidParameter',
      message: "invalid filter 'colour'",
    });
  });

  test.each([
    ['FROM x\nRUNN y', {}, 'dockerfile parse error on line 2: unknown instruction: RUNN (did you mean RUN?)', 2],
    [
      'FROM x AS build',
      { Target: 'biuld' },
      'target stage "biuld" could not be found (did you mean build?)',
      undefined,
    ],
    ['FROM $NONE', {}, 'base name ($NONE) should not be blank', 1],
    ['FROM x', { BuildArgs: { SOURCE_DATE_EPOCH: 'now' } }, 'invalid SOURCE_DATE_EPOCH', undefined],
    ['FROM x', { Platform: 'a/b/c/d' }, 'unknown operating system or architecture', undefined],
    ['FROM x AS a\nCOPY --from=b y z\nFROM x AS b', { Target: 'a' }, 'cannot copy from stage "b"', 2],
  ])('%j is refused before anybody is asked', async (text, more, message, line) => {
    const [first, ...others] = await build(text, more);
    expect(others).toEqual([]);
    expect(first?.Error?.Message).toContain(message);
    expect(first?.Error?.Line).toBe(line);
  });

  test('an engine that is away is told as the failure of a step', async () => {
    const lines = await build('FROM busybox');
    expect(lines.at(-1)?.Error?.Message).toContain('the engine does not answer its builder');
  });
});

test.each([
  [{ stateDir: 'relative' }, /stateDir must be an absolute path/],
  [{ parallel: '0' }, /parallel must be a number/],
  [{ cacheSize: 'much' }, /cacheSize must be a size/],
  [{ cacheDays: '-1' }, /cacheDays must be a number of days/],
])('the options %j are refused', async (given, message) => {
  await expect(
    startForTest(module, { name: 'dockerfile', carrier: 'in-process', options: { ...options(), ...given } }),
  ).rejects.toThrow(message);
});
