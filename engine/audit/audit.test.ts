import {
  appendFileSync,
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AuditRecord, type NewAuditRecord } from '@cleat/protocol/audit';
import { nobody } from '@cleat/protocol/caller';
import { type Logger, silentLogger } from '@cleat/protocol/log';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type AuditLimits, openAudit } from './index.js';
import { decodeRecord, encodeRecord } from './line.js';
import type { AuditQuery } from './service.js';

let directory: string;
beforeEach(() => {
  directory = join(mkdtempSync(join(tmpdir(), 'cleat-audit-')), 'audit');
});
afterEach(() => rmSync(join(directory, '..'), { recursive: true, force: true }));

const roomy: AuditLimits = { maxBytes: 1024 * 1024, maxFiles: 8, maxAgeMs: 1e9 };
const open = (audit: AuditLimits = roomy, log: Logger = silentLogger) =>
  openAudit({ directory, log, config: { audit } });

const record = (more: Partial<NewAuditRecord> = {}): NewAuditRecord => ({
  Time: new Date().toISOString(),
  Caller: nobody,
  Method: 'GET',
  URI: '/_ping',
  Route: '/_ping',
  Decision: 'allowed',
  Status: 200,
  DurationMs: 1,
  Sent: 100,
  ...more,
});

async function all(audit: ReturnType<typeof openAudit>, query: AuditQuery = {}): Promise<AuditRecord[]> {
  const found: AuditRecord[] = [];
  for await (const one of audit.read(query, new AbortController().signal)) found.push(one);
  return found;
}

test('records are numbered on across restarts; a torn line and a damaged one are passed over', async () => {
  const first = open();
  for (let i = 0; i < 3; i++) first.note(record({ ID: `a${i}` }));
  await first.close();
  const [name = ''] = readdirSync(directory);
  const path = join(directory, name);
  expect([statSync(directory).mode & 0o777, statSync(path).mode & 0o777]).toEqual([0o700, 0o600]);
  appendFileSync(path, 'not JSON\n{"Seq": 9, "torn');
  const second = open();
  second.note(record({ ID: 'b' }));
  expect((await all(second)).map(({ Seq, ID }) => [Seq, ID])).toEqual([
    [1, 'a0'],
    [2, 'a1'],
    [3, 'a2'],
    [4, 'b'],
  ]);
  await second.close();
  expect(readFileSync(path, 'utf8')).not.toContain('torn');
});

test('segments are bounded in size, number and age', async () => {
  const audit = open({ maxBytes: 2000, maxFiles: 3, maxAgeMs: 1e9 });
  for (let i = 0; i < 40; i++) {
    audit.note(record());
    await all(audit, { last: 0 });
  }
  const names = readdirSync(directory);
  expect(names).toHaveLength(3);
  for (const name of names) expect(statSync(join(directory, name)).size).toBeLessThan(2500);
  const kept = await all(audit);
  expect(kept.at(-1)?.Seq).toBe(40);
  expect(kept.length).toBeLessThan(40);
  await audit.close();
  const aged = new Date(Date.now() - 2e9);
  for (const name of names) utimesSync(join(directory, name), aged, aged);
  const later = open({ maxBytes: 1, maxFiles: 3, maxAgeMs: 1e9 });
  later.note(record());
  expect((await all(later)).map(({ Seq }) => Seq)).toEqual([41]);
  await later.close();
});

test('a record that the disk does not take is counted, said once in the log, and in the next record', async () => {
  const said: string[] = [];
  // Where the directory is to be, there is a file: even root cannot write there.
  appendFileSync(directory, '');
  const audit = open(roomy, { ...silentLogger, error: (text) => said.push(text) });
  for (let i = 0; i < 3; i++) {
    audit.note(record());
    await all(audit, { last: 0 }).catch(() => {});
  }
  expect(audit.lost).toBe(3);
  expect(said).toEqual([expect.stringContaining('cannot be recorded')]);
  rmSync(directory);
  audit.note(record({ ID: 'after' }));
  audit.note(record());
  expect((await all(audit)).map(({ ID, Lost }) => [ID, Lost])).toEqual([
    ['after', 3],
    [undefined, undefined],
  ]);
  await audit.close();
});

test('more than may wait is counted, not kept', async () => {
  const audit = open();
  const long = record({ URI: `/${'x'.repeat(1000)}` });
  for (let i = 0; i < 5000; i++) audit.note(long);
  expect(audit.lost).toBeGreaterThan(1000);
  const { lost } = audit;
  expect(await all(audit)).toHaveLength(5000 - lost);
  audit.note(long);
  expect((await all(audit, { last: 1 })).map(({ Seq, Lost }) => [Seq, Lost])).toEqual([[5001, lost]]);
  await audit.close();
});

test('every member comes back', () => {
  const whole: Required<NewAuditRecord> = {
    ...record(),
    ID: 'i',
    Remote: '10.0.0.1:1',
    Asked: 'POST /x',
    Container: { ID: 'c', Name: 'n' },
    By: 'hook "h"',
    Reason: 'why',
    Executed: true,
    Changes: [{ Hook: 'h', Path: 'Body.a["b"]' }],
  };
  const [found] = decodeRecord(encodeRecord(7, whole, 2));
  expect(found).toEqual({ Seq: 7, Lost: 2, ...whole });
  expect(Object.keys(found ?? {}).sort()).toEqual(Object.keys(AuditRecord.properties).sort());
});

test('names that clients choose cannot play with a terminal', async () => {
  const audit = open();
  audit.note(record({ URI: '/\u001b[2J\u009b\u202e\n"' }));
  const [found] = await all(audit);
  expect(found?.URI).toBe('/\u001b[2J\u009b\u202e\n"');
  await audit.close();
  const text = readFileSync(join(directory, readdirSync(directory)[0] ?? ''), 'utf8');
  expect(text.replace(/\n$/, '')).toMatch(/^[ -~]*$/);
});

const web = { ID: 'abc123', Name: 'web' };

test.each<[AuditQuery, string[]]>([
  [{}, ['1', '2', '3']],
  [{ user: 'alice' }, ['1']],
  [{ user: '1000' }, ['2']],
  [{ container: 'web' }, ['1', '3']],
  [{ container: 'abc1' }, ['1', '3']],
  [{ container: 'bc1' }, []],
  [{ method: 'post' }, ['1']],
  [{ route: '/containers/*/start' }, ['1']],
  [{ route: '/containers' }, []],
  [{ status: '4xx' }, ['2']],
  [{ status: '204' }, ['1']],
  [{ decision: 'denied' }, ['2']],
  [{ id: '3' }, ['3']],
  [{ since: 1500 }, ['2', '3']],
  [{ until: 1500 }, ['1']],
  [{ last: 2 }, ['2', '3']],
  [{ last: 0 }, []],
  [{ last: 1, decision: 'denied' }, ['2']],
])('filter %j', async (query, wanted) => {
  const audit = open();
  const at = (ms: number): string => new Date(ms).toISOString();
  const Process = { PID: 1, UID: 1000, GID: 0, Groups: [] };
  audit.note(
    record({
      ID: '1',
      Time: at(1000),
      Caller: { Method: 'TLS', User: 'alice' },
      Method: 'POST',
      Route: '/containers/{name}/start',
      Container: web,
      Status: 204,
    }),
  );
  audit.note(
    record({
      ID: '2',
      Time: at(2000),
      Caller: { Method: 'unix', User: 'u', Process },
      Decision: 'denied',
      Status: 403,
    }),
  );
  audit.note(
    record({ ID: '3', Time: at(3000), Caller: { Method: 'unix', User: '0', Within: 'container', Container: web } }),
  );
  expect((await all(audit, query)).map(({ ID }) => ID)).toEqual(wanted);
  await audit.close();
});

test.each([{ status: '4' }, { status: 'x' }, { decision: 'no' }])('nothing could fit %j', async (query) => {
  const audit = open();
  expect(() => audit.read(query, AbortSignal.abort())).toThrow(/is one of|is a number/);
  await audit.close();
});

test('a reader that follows gets what comes, across segments, until it goes', async () => {
  const audit = open({ maxBytes: 300, maxFiles: 100, maxAgeMs: 1e9 });
  audit.note(record({ ID: 'old' }));
  const gone = new AbortController();
  const seen: (string | undefined)[] = [];
  const reading = (async () => {
    for await (const { ID } of audit.read({ follow: true, last: 1 }, gone.signal)) {
      seen.push(ID);
      if (seen.length < 6) audit.note(record({ ID: `n${seen.length}` }));
      else gone.abort();
    }
  })();
  await reading;
  expect(seen).toEqual(['old', 'n1', 'n2', 'n3', 'n4', 'n5']);
  const other = audit.read({ follow: true, last: 0 }, new AbortController().signal)[Symbol.asyncIterator]().next();
  await audit.close();
  expect(await other).toEqual({ value: undefined, done: true });
});

test('a journal that was taken away goes on in a new file', async () => {
  const audit = open();
  audit.note(record());
  await all(audit);
  rmSync(directory, { recursive: true });
  audit.note(record({ ID: 'new' }));
  expect((await all(audit)).map(({ Seq, ID }) => [Seq, ID])).toEqual([[2, 'new']]);
  await audit.close();
  chmodSync(directory, 0o700);
});
