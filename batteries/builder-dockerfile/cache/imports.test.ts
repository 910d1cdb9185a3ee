import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { notFound } from '@cleat/protocol/errors';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Imports, isPending, Missing } from './imports.js';
import { stepsIn, stepsText } from './steps.js';
import { Cache } from './store.js';

const layer = (digit: string) => `sha256:${digit.repeat(64)}`;
const key = (digit: string) => digit.repeat(64);
const facts = { isEmpty: false, size: 1, created: '2026-01-01T00:00:00.5Z', what: 'RUN x' };
const base = { id: 'sha256:base', layers: [layer('0')] };
const { signal } = new AbortController();
let directory: string;
let cache: Cache;
/** Layers that were fetched. */
let fetched: string[];
/** Those that there are. */
let there: Set<string>;

beforeEach(() => {
  directory = mkdtempSync('/tmp/cleat-imports-');
  cache = new Cache(join(directory, 'steps'), { warn() {} });
  fetched = [];
  there = new Set([layer('1'), layer('2')]);
});
afterEach(() => rmSync(directory, { recursive: true }));

function importsOf(digest: string, layers = ['1', '2']): Imports {
  const images = {
    async addCachedLayer({ layer: one, parent }: { layer: string; parent: string }) {
      if (!there.has(one)) throw notFound('it has no such layer');
      fetched.push(one);
      return { id: `${parent}+${one.slice(7, 8)}`, layers: [...base.layers, one] };
    },
  };
  const imports = new Imports('build', images, cache, () => {});
  const steps = ['1', '2'].map((digit) => ({ ...facts, keys: [key(digit)], layer: layer(digit) }));
  imports.add({ from: 0, digest, layers: new Set(layers.map(layer)), steps });
  return imports;
}

test('a layer comes when it is needed, once, with those below it', async () => {
  const imports = importsOf('d');
  const one = imports.take(key('1'), base);
  const two = imports.take(key('2'), one?.record ?? base);
  expect(two?.record.layers).toEqual([layer('0'), layer('1'), layer('2')]);
  expect(isPending(two?.record.id ?? '')).toBe(true);
  expect(fetched).toEqual([]);
  await Promise.all([imports.real(two?.record ?? base, signal), imports.real(two?.record ?? base, signal)]);
  expect(fetched).toEqual([layer('1'), layer('2')]);
});

test('the word of one cache counts for no build that names another, or none', async () => {
  const imports = importsOf('d');
  await imports.real(imports.take(key('1'), base)?.record ?? base, signal);
  expect(cache.get(key('1'))).toBeUndefined();
  expect(isPending(importsOf('d').take(key('1'), base)?.record.id ?? '')).toBe(false);
  expect(isPending(importsOf('other').take(key('1'), base)?.record.id ?? '')).toBe(true);
});

test('a step whose layer cannot be had is forgotten; of a broken cache all are', async () => {
  there.delete(layer('1'));
  const small = importsOf('d', ['2']);
  const missing = await small.real(small.take(key('1'), base)?.record ?? base, signal).catch((error: unknown) => error);
  expect(missing).toBeInstanceOf(Missing);
  small.giveUp(missing as Missing);
  expect([small.take(key('1'), base), small.take(key('2'), base)?.facts.what]).toEqual([undefined, 'RUN x']);
  const broken = importsOf('d');
  const failure = await broken
    .real(broken.take(key('1'), base)?.record ?? base, signal)
    .catch((error: unknown) => error);
  broken.giveUp(failure as Missing);
  expect(broken.take(key('2'), base)).toBeUndefined();
});

test('steps are read as they were written', () => {
  const trail = [
    { ...facts, keys: [key('1')], image: 'i', layers: [layer('0'), layer('1')], parent: 'p' },
    { ...facts, isEmpty: true, keys: [key('2')], image: 'i', layers: [layer('0')] },
  ];
  expect(stepsIn(stepsText(trail))).toEqual([
    { ...facts, keys: [key('1')], layer: layer('1') },
    { ...facts, isEmpty: true, keys: [key('2')], layer: '' },
  ]);
});

const step = { ...facts, keys: [key('1')], layer: layer('1') };

test.each([
  ['a key that is none', { keys: ['../x'] }],
  ['many keys', { keys: Array.from({ length: 9 }, () => key('1')) }],
  ['a layer that is no digest', { layer: 'sha256:x' }],
  ['a layer of nothing', { isEmpty: true }],
  ['a size that is none', { size: -1 }],
  ['a time that is none', { created: '2026-99-99T00:00:00Z' }],
  ['words without end', { what: 'x'.repeat(5000) }],
])('%s is left out', (_name, change) => {
  expect(stepsIn(JSON.stringify({ v: 2, steps: [{ ...step, ...change }, null, step] }))).toEqual([step]);
});

test.each(['{', '[]', '{"v":1,"steps":[]}', JSON.stringify({ v: 2, steps: Array.from({ length: 10_001 }, () => 1) })])(
  'a text that is no cache is refused',
  (text) => {
    expect(() => stepsIn(text)).toThrow(/the cache/);
  },
);
