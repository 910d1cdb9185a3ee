import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { answer } from './answer.js';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync('/tmp/cleat-questions-');
});
afterAll(() => rmSync(directory, { recursive: true }));

async function ask(name: string, text: string, more: { Target?: string; BuildArgs?: Record<string, string> } = {}) {
  const Dockerfile = join(directory, 'Dockerfile');
  writeFileSync(Dockerfile, text);
  const { Metadata } = await answer({ Question: `frontend.${name}`, Dockerfile, ...more });
  return { json: JSON.parse(Metadata['result.json'] ?? ''), text: Metadata['result.txt'], Metadata };
}
const at = (start: number, end = start) => ({ ranges: [{ start: { line: start }, end: { line: end } }] });

test('targets, with what is said of them', async () => {
  const { json, text } = await ask('targets', '# base has it all\nFROM a AS Base\nFROM --platform=x/y b\n');
  expect(json.targets).toEqual([
    { name: 'base', description: 'has it all', base: 'a', location: at(2) },
    { base: 'b', default: true, platform: 'x/y', location: at(3) },
  ]);
  expect(Buffer.from(json.sources[0], 'base64').toString()).toContain('FROM a AS Base');
  expect(text).toBe('TARGET    DESCRIPTION\nbase      has it all\n(default) \n');
});

test('an outline has what a target takes, of its bases and of the stages that it copies from', async () => {
  const file = [
    '# TAG of the base',
    'ARG BASE=busybox TAG=${BASE}-1',
    'ARG OTHER=unused',
    'FROM $TAG AS one',
    'ARG A=$BASE',
    'RUN --mount=type=secret,id=s,required=true --mount=type=ssh \\',
    '  true',
    'FROM scratch AS two',
    'ARG NOT=here',
    '# last is the result',
    'FROM scratch AS last',
    'ARG OWN BASE',
    'COPY --from=one / /',
  ].join('\n');
  const { json, text } = await ask('outline', file, { BuildArgs: { OWN: 'given' } });
  expect(json).toMatchObject({
    name: 'last',
    description: 'is the result',
    args: [
      { name: 'BASE', value: 'busybox', location: at(2) },
      { name: 'TAG', value: 'busybox-1', description: 'of the base', location: at(2) },
      { name: 'A', value: '', location: at(5) },
      { name: 'OWN', value: 'given', location: at(12) },
    ].map(({ value, ...rest }) => ({ ...rest, ...(value && { value }) })),
    secrets: [{ name: 's', required: true, location: at(6, 7) }],
    ssh: [{ name: 'default', location: at(6, 7) }],
  });
  expect(text).toContain('TARGET:      last\nDESCRIPTION: is the result\n\nBUILD ARG   VALUE       DESCRIPTION\n');
  expect(text).toContain('SECRET   REQUIRED\ns        true\n');
  expect((await ask('outline', file, { Target: 'two' })).json.args).toEqual([
    { name: 'NOT', value: 'here', location: at(9) },
  ]);
});

test('a check has its findings, its sources and a status', async () => {
  const clean = await ask('lint', 'FROM scratch\nCOPY a /\n');
  expect(clean.json.warnings).toBeNull();
  expect(clean.Metadata).toMatchObject({ 'result.statuscode': '0', 'result.txt': '', version: '1.0.0' });
  const found = await ask('lint', '# check=error=true\nFROM scratch\nCMD x\n');
  expect(found.json).toMatchObject({
    warnings: [{ ruleName: 'JSONArgsRecommended', location: at(3) }],
    sources: [{ filename: 'Dockerfile', language: 'Dockerfile' }],
    buildError: { message: 'lint violation found for rules: JSONArgsRecommended', location: {} },
  });
  expect(found.Metadata['result.statuscode']).toBe('1');
  expect(found.text).toMatch(
    /^\nWARNING: JSONArgsRecommended - https:[^\n]+\n[^\n]+\nDockerfile:3\n-{20}\n[\s\S]* {3}3 \| >>> CMD x\n/,
  );
  const broken = await ask('lint', 'FROM scratch\nWHAT x\n');
  expect(broken.json.buildError).toEqual({
    message: 'dockerfile parse error on line 2: unknown instruction: WHAT',
    location: at(2),
  });
});

test('questions are listed; others have no answer', async () => {
  const { json, text } = await ask('subrequests.describe', 'FROM x');
  expect(json.map(({ name }: { name: string }) => name)).toEqual(
    ['outline', 'targets', 'lint', 'subrequests.describe'].map((name) => `frontend.${name}`),
  );
  expect(text).toMatch(/^NAME {17}VERSION DESCRIPTION\noutline {14}1\.0\.0/);
  await expect(ask('what', 'FROM x')).rejects.toMatchObject({ class: 'NotImplemented' });
});
