import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Helper } from '@cleat/linux/helper/helper';
import { deadlineExceeded } from '@cleat/protocol/errors';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { findCdiDevices } from './registry.js';

const helper = new Helper();
afterAll(() => helper.close());

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cleat-cdi-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const put = (name: string, text: string) => writeFileSync(join(directory, name), text);
const look = () => findCdiDevices([directory], helper);
const yaml = (kind: string, name: string) =>
  `cdiVersion: 0.6.0\nkind: ${kind}\ndevices:\n- name: ${name}\n  containerEdits: {env: [A=b]}\n`;

test('a file is read once, and again when it has changed', async () => {
  put('a.yaml', yaml('a.test/x', 'one'));
  const first = (await look()).devices.get('a.test/x=one');
  expect(first?.edits.env).toEqual(['A=b']);
  expect((await look()).devices.get('a.test/x=one')?.spec).toBe(first?.spec);
  put('a.yaml', yaml('a.test/x', 'two'));
  expect([...(await look()).devices.keys()]).toEqual(['a.test/x=two']);
  rmSync(join(directory, 'a.yaml'));
  expect([...(await look()).devices.keys()]).toEqual([]);
});

test('the fault of a file is told each time, until the file is right', async () => {
  put('a.yaml', 'kind: [');
  put('b.json', '{}');
  const { problems } = await look();
  expect(problems).toEqual([expect.stringContaining('a.yaml: '), expect.stringContaining('b.json: ')]);
  expect((await look()).problems).toEqual(problems);
  put('a.yaml', yaml('a.test/x', 'one'));
  expect((await look()).problems).toEqual(problems.slice(1));
});

test('files of YAML that would take seconds to read are passed over, each time', async () => {
  const comment = `#${'x'.repeat(300_000)}\n`;
  for (const name of ['a', 'b']) put(`${name}.yaml`, yaml('a.test/x', name) + comment);
  put(
    'c.json',
    JSON.stringify({ cdiVersion: '0.6.0', kind: 'a.test/x', devices: [{ name: 'c', containerEdits: {} }] }),
  );
  for (const { devices, problems } of [await look(), await look()]) {
    expect([...devices.keys()]).toEqual(['a.test/x=a', 'a.test/x=c']);
    expect(problems).toEqual([expect.stringMatching(/b\.yaml: it is too large: .* 524288 bytes are read$/)]);
  }
});

test('a directory that is no file, a pipe, or hangs is a problem and nothing else', async () => {
  const pipe = join(directory, 'pipe.json');
  execFileSync('mkfifo', [pipe]);
  put('b.yaml', yaml('a.test/x', 'one'));
  const hanging = { call: () => Promise.reject(deadlineExceeded('smallFiles is late')) };
  const { devices, problems } = await look();
  expect([...devices.keys()]).toEqual(['a.test/x=one']);
  expect(problems).toEqual([expect.stringMatching(/pipe\.json: it is not a regular file$/)]);
  expect(await findCdiDevices([directory], hanging)).toMatchObject({
    problems: [`CDI: ${directory} cannot be read: smallFiles is late`],
  });
  expect((await findCdiDevices([pipe], helper)).problems).toEqual([
    expect.stringContaining(`CDI: ${pipe} cannot be read: `),
  ]);
});
