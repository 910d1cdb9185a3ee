import { expect, test } from 'vitest';
import { parsePs } from './top.js';

const output = `UID          PID    PPID  C STIME TTY          TIME CMD
root           1       0  0 10:00 ?        00:00:01 /sbin/init splash
root        4711       1  0 10:01 ?        00:00:00 sh -c sleep  1000
-              -       -  0 10:01 -        00:00:00 -
nobody      4712    4711  0 10:01 ?        00:00:00 sleep 1000
`;

test('only the rows of the container, with their threads; the command keeps its words together', () => {
  expect(parsePs(output, new Set([4711])).Processes).toEqual([
    ['root', '4711', '1', '0', '10:01', '?', '00:00:00', 'sh -c sleep 1000'],
    ['-', '-', '-', '0', '10:01', '-', '00:00:00', '-'],
  ]);
});

test('without a PID column nothing can be selected', () => {
  expect(() => parsePs('COMMAND\nsh\n', new Set([1]))).toThrow("Couldn't find PID field in ps output");
});
