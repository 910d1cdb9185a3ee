import { expect, test } from 'vitest';
import { EncodedCopies, shapeFor } from './encoded-copies.js';

const at = (version: number) => ({ before: (other: string) => version < Number(other.slice(2)) });

test('the shape is that of the newest version that changed it', () => {
  const shapes = ['1.48', '1.46', '1.20'] as const;
  expect([48, 50, 47, 46, 45, 20, 12].map((version) => shapeFor(at(version), shapes))).toEqual([
    '1.48',
    '1.48',
    '1.46',
    '1.46',
    '1.20',
    '1.20',
    '1.20',
  ]);
});

test('an object is encoded once in each shape, and another one anew', () => {
  const copies = new EncodedCopies<{ name: string }, 'new' | 'old', string>();
  const encoded: string[] = [];
  const copy = (value: { name: string }, shape: 'new' | 'old') =>
    copies.of(value, shape, () => {
      encoded.push(`${value.name} ${shape}`);
      return JSON.stringify(value);
    });
  const [one, other] = [{ name: 'one' }, { name: 'one' }];
  for (const shape of ['new', 'old', 'new'] as const) expect(copy(one, shape)).toBe('{"name":"one"}');
  copy(other, 'new');
  expect(encoded).toEqual(['one new', 'one old', 'one new']);
});
