import { nobody } from '@cleat/protocol/caller';
import { expect, test } from 'vitest';
import { fromFiles } from './source.js';
import { recordText } from './text.js';

const record = {
  Seq: 1,
  Time: '2026-11-30T00:00:00.000Z',
  Caller: nobody,
  Method: 'POST',
  URI: '/containers/create?name=a\u001b[2J',
  Route: '/containers/create',
  Decision: 'denied',
  Status: 403,
  DurationMs: 1.25,
  Sent: 10,
};

test('a line for a request, and why below it', () => {
  const text = recordText({
    ...record,
    By: 'authorizer p',
    Reason: 'not\nhere',
    Executed: true,
    Lost: 2,
    Asked: 'POST /volumes/create?***',
    Changes: [{ Hook: 'owner', Path: 'Body.Labels' }],
  });
  expect(text.split('\n')).toEqual([
    '(2 requests before this one could not be recorded)',
    '2026-11-30T00:00:00.000Z  denied   nobody known  POST /containers/create?name=a\\u001b[2J  403 1.3 ms',
    '    by authorizer p: not here (it had been carried out already)',
    '    the client asked for POST /volumes/create?***',
    '    owner changed Body.Labels',
    '',
  ]);
});

test('a request that is open, and bytes that were no request', () => {
  const URI = `/exec/${'ab'.repeat(32)}/start`;
  expect(recordText({ ...record, URI })).toContain('POST /exec/abababababab/start ');
  expect(recordText({ ...record, Decision: 'open', Status: 0 })).toMatch(/ {2}begun\n$/);
  expect(recordText({ ...record, Method: '', URI: '', Decision: 'refused', Status: 400 })).toContain('(no HTTP)');
});

test('a data root that has no journal is a mistake, not an empty journal', () => {
  expect(() => fromFiles('/nowhere/audit', {})).toThrow('there is no audit journal: /nowhere/audit does not exist');
});
