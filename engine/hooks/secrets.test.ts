import { expect, test } from 'vitest';
import { shown } from './secrets.js';

test.each([
  [['Body', 'Env'], ['PASSWORD=x', 'A=b'], '["PASSWORD=(not shown)","A=b"]'],
  [['Headers', 'X-Registry-Auth'], 'x', '(not shown)'],
  [['Query', 'buildargs'], '{"NPM_TOKEN":"x","A":"b"}', '{\\"NPM_TOKEN\\":\\"(not shown)\\",\\"A\\":\\"b\\"}'],
  [['Query', 'cachefrom'], '["a", {"password": "x"}]', '[\\"a\\",{\\"password\\":\\"(not shown)\\"}]'],
  [['Query', 't'], '[no JSON', '[no JSON'],
  [['Query', 'remote'], 'https://me:x@host/r', 'https://me:(not shown)@host/r'],
])('%j: %j is shown as %s', (path, value, text) => {
  expect(shown(path, value)).toBe(typeof value === 'string' && text !== '(not shown)' ? `"${text}"` : text);
});
