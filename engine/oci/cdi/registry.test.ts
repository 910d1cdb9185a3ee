import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findCdiDevices } from './registry.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cleat-cdi-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const put = (name: string, text: string) => writeFileSync(join(directory, name), text);
const look = () => findCdiDevices([directory]);
const yaml = (kind: string, name: string) =>
  `cdiVersion: 0.6.0\nkind: ${kind}\ndevices:\n- name: ${name}\n  containerEdits: {env: [A=b]}\n`;

test('a file is read once, and again when it has changed', () => {
  put('a.yaml', yaml('a.test/x', 'one'));
  const first = look().devices.get('a.test/x=one');
  expect(first?.edits.env).toEqual(['A=b']);
  expect(look().devices.get('a.test/x=one')?.spec).toBe(first?.spec);
  put('a.yaml', yaml('a.test/x', 'two'));
  expect([...look().devices.keys()]).toEqual(['a.test/x=two']);
  rmSync(join(directory, 'a.yaml'));
  expect([...look().devices.keys()]).toEqual([]);
});

test('the fault of a file is told each time, until the file is right', () => {
  put('a.yaml', 'kind: [');
  put('b.json', '{}');
  const { problems } = look();
  expect(problems).toEqual([expect.stringContaining('a.yaml: '), expect.stringContaining('b.json: ')]);
  expect(look().problems).toEqual(problems);
  put('a.yaml', yaml('a.test/x', 'one'));
  expect(look().problems).toEqual(problems.slice(1));
});

test('files of YAML that would take seconds to read are passed over, each time', () => {
  const comment = `#${'x'.repeat(300_000)}\n`;
  for (const name of ['a', 'b']) put(`${name}.yaml`, yaml('a.test/x', name) + comment);
  put(
    'c.json',
    JSON.stringify({ cdiVersion: '0.6.0', kind: 'a.test/x', devices: [{ name: 'c', containerEdits: {} }] }),
  );
  for (const { devices, problems } of [look(), look()]) {
    expect([...devices.keys()]).toEqual(['a.test/x=a', 'a.test/x=c']);
    expect(problems).toEqual([expect.stringMatching(/b\.yaml: it is too large: .* 524288 bytes are read$/)]);
  }
});
