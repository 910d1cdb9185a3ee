import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BothEngines } from './support/both-engines.js';

/** The default builder behind the classic door prints what a stock dockerd prints, but for IDs. */
let both: BothEngines;
let context: string;
beforeAll(async () => {
  both = await BothEngines.start();
  context = await mkdtemp('/tmp/cleat-e2e-beside-');
  writeFileSync(join(context, 'a'), 'a');
});
afterAll(async () => {
  await both?.[Symbol.asyncDispose]();
  await rm(context, { recursive: true, force: true });
});

/** The lines of the steps: without IDs, containers, and the cache of what is only written down here (ENV, CMD). */
const words = (printed: string): string[] =>
  printed
    .replaceAll(/sha256:[0-9a-f]{64}|\b[0-9a-f]{12}\b/g, 'ID')
    .split('\n')
    .filter((line) => /^(Step | --->|Success|\[Warning\]|said|sha256|The command)/.test(line))
    .filter((line) => !/Running in|Removed intermediate/.test(line))
    .filter((line, at, all) => !(line.includes('Using cache') && / : (ENV|CMD) /.test(all[at - 1] ?? '')));

test.each<[string, string[], string]>([
  [
    'steps and output',
    [],
    'FROM busybox AS a\nRUN echo said\nCOPY a /a\nFROM busybox\nCOPY --from=a /a /b\nCMD ["cat", "/b"]\n',
  ],
  [
    'the same, from the cache',
    [],
    'FROM busybox AS a\nRUN echo said\nCOPY a /a\nFROM busybox\nCOPY --from=a /a /b\nCMD ["cat", "/b"]\n',
  ],
  ['a stage alone', ['--target=a'], 'FROM busybox AS a\nRUN echo said\nFROM a\nRUN echo no\n'],
  ['an argument that nobody takes', ['--build-arg=UNUSED=1'], 'FROM busybox\nENV A=1\n'],
])('%s', async (_, options, dockerfile) => {
  writeFileSync(join(context, 'Dockerfile'), dockerfile);
  const printed = [];
  for (const { ok } of both.sides) printed.push(words(await ok('build', ...options, '-t', 'beside', context)));
  expect(printed[0]?.length).toBeGreaterThan(3);
  for (const other of printed.slice(1)) expect(printed[0]).toEqual(other);
});

test.each<[string, string]>([
  ['a command that fails', 'FROM busybox\nRUN exit 7\n'],
  ['a word that is no instruction', 'FROM busybox\nFOO bar\n'],
  ['a file that is missing', 'FROM busybox\nCOPY missing /\n'],
  ['a stage that is missing', 'FROM busybox\nCOPY --from=none /a /a\n'],
])('%s fails with the same exit status', async (_, dockerfile) => {
  writeFileSync(join(context, 'Dockerfile'), dockerfile);
  const codes = [];
  for (const { docker } of both.sides) codes.push((await docker('build', context)).code);
  expect(codes[0]).toBeGreaterThan(0);
  for (const other of codes.slice(1)) expect(codes[0]).toBe(other);
});
