import { expect, test } from 'vitest';
import { Hang } from './client.js';
import { generate } from './generate.js';
import { complaintAbout, type Outcome } from './judge.js';
import { type Fault, textOfSchedule } from './schedule.js';
import { holes } from './witness.js';
import { plugins } from './world.js';

const fault: Fault = { victims: ['volume'], what: { type: 'kill' }, at: 0, lasts: 1 };
const judge = (result: Outcome['result'], faults: readonly Fault[] = [fault]) =>
  complaintAbout(
    { operation: { op: 'start', container: 'c' }, began: 0, ended: 1, result },
    {
      schedule: { ...generate(1, 1, plugins), faults },
      needs: () => ['volume'],
      nameOf: (kind) => `chaos-${kind}`,
    },
  );
const failure = (text: string) => ({ status: 500, text });
const reset = Object.assign(new Error('gone'), { code: 'ECONNRESET' });

test('a failure is right when what it needs suffers and is named', () => {
  expect(judge({ status: 204, text: '' })).toBeUndefined();
  expect(judge(failure('plugin "chaos-volume" did not answer'))).toBeUndefined();
  expect(judge({ status: 404, text: 'No such container: c' })).toBeUndefined();
});

test.each([
  ['without a name', judge(failure('something went wrong')), /without naming chaos-volume/],
  ['without a reason', judge(failure('plugin "chaos-volume" did not answer'), []), /nothing that it needs suffered/],
  ['by hanging', judge(new Hang('late')), /hung/],
  ['by breaking off', judge(reset), /the engine was not killed/],
])('a failure %s is a complaint', (_how, complaint, expected) => {
  expect(complaint).toMatch(expected);
});

test('a connection may break when the engine is killed', () => {
  expect(judge(reset, [{ ...fault, victims: ['engine'] }])).toBeUndefined();
});

test('a hole in a count is seen, and its end; a repetition does no harm', () => {
  expect(holes([0, 1, 2, 1, 2, 3], 4)).toEqual([]);
  expect(holes([0, 1, 4], 0)).toEqual(['lacks 2 to 3']);
  expect(holes([0, 1], 5)).toEqual(['ends with 1 and lacks what came until 4']);
});

test('a seed and an index determine a schedule, and another one another', () => {
  const text = (seed: number, index: number) => textOfSchedule(generate(seed, index, plugins));
  expect(text(42, 17)).toBe(text(42, 17));
  expect(new Set([text(42, 17), text(42, 18), text(43, 17)]).size).toBe(3);
});
