import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CompiledFilters, type FilteredSpec } from './compiled-filters.js';

let root: string;
let now: number;
let filters: CompiledFilters;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'cleat-filters-'));
  now = 0;
  filters = new CompiledFilters(root, () => now);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const spec = (name: string, annotations?: Record<string, string>): FilteredSpec => ({
  annotations,
  linux: { seccomp: { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: [name], action: 'SCMP_ACT_ERRNO' }] } },
});
const given = (asked: FilteredSpec): string | undefined => {
  filters.give(asked);
  return asked.annotations?.['run.oci.seccomp_bpf_data'];
};
/** A container that was created with `asked`, for which crun left a filter. */
function created(id: string, asked: FilteredSpec, filter: string): void {
  mkdirSync(join(root, id));
  writeFileSync(join(root, id, 'seccomp.bpf'), filter);
  filters.learn(id, asked);
}

test('a filter is given for the rules that it was compiled from, and for no others', () => {
  expect(given(spec('mount'))).toBe(undefined);
  created('first', spec('mount'), 'program');
  expect(given(spec('mount', { mine: 'stays' }))).toBe(Buffer.from('program').toString('base64'));
  const annotated = spec('mount', { mine: 'stays' });
  filters.give(annotated);
  expect(annotated.annotations?.mine).toBe('stays');
  expect(given(spec('umount2'))).toBe(undefined);
  expect(given({ linux: {} })).toBe(undefined);
});

test('a filter that a user brings is neither replaced nor given to others', () => {
  const brought = spec('mount', { 'run.oci.seccomp_bpf_data': 'AAAA' });
  created('bringer', brought, 'anything goes');
  expect(given(spec('mount'))).toBe(undefined);
  created('first', spec('mount'), 'program');
  expect(given(brought)).toBe('AAAA');
});

test('it is compiled anew now and then, and few are kept', () => {
  created('first', spec('mount'), 'program');
  now += 10 * 60_000;
  expect(given(spec('mount'))).toBe(undefined);
  created('again', spec('mount'), 'a later one');
  expect(given(spec('mount'))).toBe(Buffer.from('a later one').toString('base64'));
  for (let index = 0; index < 16; index++) created(`other-${index}`, spec(`call-${index}`), `${index}`);
  expect(given(spec('mount'))).toBe(undefined);
  expect(given(spec('call-15'))).toBe(Buffer.from('15').toString('base64'));
});

test('a crun that leaves none teaches nothing', () => {
  filters.learn('gone', spec('mount'));
  expect(given(spec('mount'))).toBe(undefined);
});
