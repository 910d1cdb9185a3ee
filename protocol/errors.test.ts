import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import * as ours from './errors.js';

/** An extension with a `node_modules` of its own has a second copy of this file, and of what it imports. */
const directory = mkdtempSync(join(tmpdir(), 'cleat-errors-'));
afterAll(() => rmSync(directory, { recursive: true }));
const copy = join(directory, 'errors.ts');
for (const name of ['errors.ts', 'go-words.ts']) {
  cpSync(fileURLToPath(new URL(name, import.meta.url)), join(directory, name));
}
const theirs: typeof ours = await import(copy);

test('there are two classes', () => expect(theirs.CleatError).not.toBe(ours.CleatError));

test.each([
  ['of another copy', theirs.notFound('no such thing', { details: { a: 1 } })],
  ['of our own', ours.notFound('no such thing', { details: { a: 1 } })],
])('an error %s is known by class, both ways', (_whose, error) => {
  for (const { CleatError, isClass, asCleatError } of [ours, theirs]) {
    expect(error instanceof CleatError).toBe(true);
    expect(isClass(error, 'NotFound')).toBe(true);
    expect(isClass(error, 'Conflict')).toBe(false);
    expect(asCleatError(error)).toBe(error);
  }
  expect(JSON.stringify(error)).not.toContain('cleat');
});

test('another object is no such error', () => {
  for (const other of [new Error('x'), null, undefined, 'x', { class: 'NotFound', message: 'x' }]) {
    expect(other instanceof ours.CleatError).toBe(false);
  }
  expect(ours.asCleatError(new Error('x')).class).toBe('System');
});

test('a class that extends it is its own', () => {
  class Refused extends ours.CleatError {}
  expect(ours.conflict('x') instanceof Refused).toBe(false);
  expect(new Refused('Conflict', 'x') instanceof Refused).toBe(true);
  expect(new Refused('Conflict', 'x') instanceof theirs.CleatError).toBe(true);
});
