import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseHooks, readHooksFile } from '../config.js';
import { globOf } from './glob.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync('/tmp/cleat-powerstrip-');
});
afterEach(() => rmSync(directory, { recursive: true }));

/** The README's. */
const example = `
version: 1
endpoints:
  "POST /*/containers/create":
    pre: [flocker, weave]
  "POST /*/containers/*/start":
    post: [weave]
adapters:
  weave: http://weave/extension
  flocker: http://flocker/flocker-adapter
`;

test('an adapters.yml is read as it is, alone or named by a file of hooks', () => {
  const expected = [
    { pattern: 'POST /*/containers/create', pre: ['flocker', 'weave'], post: [] },
    { pattern: 'POST /*/containers/*/start', pre: [], post: ['weave'] },
  ];
  writeFileSync(join(directory, 'adapters.yml'), example);
  writeFileSync(join(directory, 'hooks.yaml'), 'powerstrip: adapters.yml\nhooks: [{name: mine}]');
  for (const name of ['adapters.yml', 'hooks.yaml']) {
    const { powerstrip, entries } = readHooksFile(join(directory, name));
    expect(powerstrip?.endpoints).toMatchObject(expected);
    expect(String(powerstrip?.adapters.get('flocker'))).toBe('http://flocker/flocker-adapter');
    expect(entries).toHaveLength(name === 'hooks.yaml' ? 1 : 0);
  }
});

test.each([
  ['version: 2\nendpoints: {}\nadapters: {}', 'version is 2; 1 is known here'],
  ['endpoints: {}\nadapters: {}', 'version is undefined'],
  ['version: 1\nendpoints: {}', "required key 'adapters' is missing"],
  ['version: 1\nendpoints: []\nadapters: {}', "required key 'endpoints' is missing"],
  ['version: 1\nendpoints: {}\nadapters: {}\nhooks: []', 'there is no setting "hooks"'],
  ['version: 1\nendpoints: {"POST /a": {}}\nadapters: {}', "no configuration for endpoint 'POST /a'"],
  ['version: 1\nendpoints: {"POST /a": {pre: [x]}}\nadapters: {}', "names the adapter 'x', which is not defined"],
  ['version: 1\nendpoints: {"POST /a": {before: []}}\nadapters: {}', "an unknown key 'before'"],
  ['version: 1\nendpoints: {"/a": {pre: []}}\nadapters: {}', "'/a' is no pattern"],
  ['version: 1\nendpoints: {"POST /[b-a]": {pre: []}}\nadapters: {}', "'POST /[b-a]' is no pattern"],
  ['version: 1\nendpoints: {}\nadapters: {x: unix:///x}', "adapter 'x' is at"],
  ['powerstrip: nowhere.yml', 'cannot read'],
])('%s is refused', (text, why) => {
  expect(() => parseHooks(text, join(directory, 'f'))).toThrow(why);
});

test('a file that names itself is none of adapters', () => {
  const path = join(directory, 'hooks.yaml');
  writeFileSync(path, 'powerstrip: hooks.yaml');
  expect(() => readHooksFile(path)).toThrow('version is undefined');
});

test.each([
  ['POST /*/containers/create', 'POST /v1.16/containers/create', true],
  ['POST /v1*/containers/create', 'POST /v1.16/containers/create', true],
  ['POST /*/*/create', 'POST /v1.16/containers/create', true],
  ['* /*/containers/create', 'POST /v1.16/containers/create', true],
  ['POST /v[12]*/containers/create', 'POST /v1.16/containers/create', true],
  ['POST /v[!12]*/containers/create', 'POST /v1.16/containers/create', false],
  ['POST /v1.1?/containers/create', 'POST /v1.16/containers/create', true],
  ['POST /v1?16/containers/create', 'POST /v1.16/containers/create', true],
  ['POST /v1+16/containers/create', 'POST /v1.16/containers/create', false],
  ['POST /*/containers/*/start', 'POST /v1.16/containers/a/b/start', true],
  ['GET /a[]]b', 'GET /a]b', true],
  ['GET /a[b', 'GET /a[b', true],
  ['GET /[^a]', 'GET /^', true],
  ['POST /x', 'POST /xy', false],
])('%s and %s: %s', (pattern, text, fits) => {
  expect(globOf(pattern).test(text)).toBe(fits);
});
