import { expect, test } from 'vitest';
import { judge } from './unexpected.js';

const request = { method: 'GET', url: '/events', caller: undefined, isOver: false, abandon() {} };
const withCode = (code: string) => Object.assign(new Error(code), { code });

test.each([
  ['a bug while a request is served', new TypeError('x is undefined'), request, 'go on'],
  ['a system call that nobody waited for', withCode('EMFILE'), undefined, 'go on'],
  ['a stream that ended early', withCode('ERR_STREAM_PREMATURE_CLOSE'), undefined, 'go on'],
  ['a bug in the engine’s own work', new TypeError('x is undefined'), undefined, 'stop'],
  ['something of Node’s used wrongly', withCode('ERR_INVALID_ARG_TYPE'), undefined, 'stop'],
  ['no error at all', 'x', undefined, 'stop'],
] as const)('%s', (_name, error, context, verdict) => {
  expect(judge(error, context)).toBe(verdict);
});
