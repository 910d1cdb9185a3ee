import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { run } from '../process/run.js';
import { tableFingerprint } from './netfilter.js';

const table = `cleat_print_${randomBytes(3).toString('hex')}`;
const other = `${table}_other`;

async function nft(script: string): Promise<void> {
  expect(await run('nft', ['-f', '-'], { input: script })).toMatchObject({ code: 0, stderr: '' });
}

const ruleset = `table inet ${table} {
  map ports { type ipv4_addr . inet_service : ipv4_addr . inet_service; elements = { 10.9.8.7 . 80 : 10.9.8.6 . 8080 } }
  chain one { counter accept; ip saddr { 10.9.8.1, 10.9.8.2 } drop; }
  chain two { jump one; }
}\n`;

beforeEach(() => nft(ruleset));
afterEach(async () => {
  for (const name of [table, other]) await nft(`table inet ${name}\ndelete table inet ${name}\n`);
});

test('a table has the same fingerprint while others change theirs', async () => {
  const before = tableFingerprint(table);
  await nft(ruleset.replaceAll(table, other));
  expect(tableFingerprint(table)).toBe(before);
  await nft(`flush table inet ${other}\n`);
  expect(tableFingerprint(table)).toBe(before);
});

test.each([
  ['is flushed', () => `flush table inet ${table}`],
  ['loses the rules of a chain', () => `flush chain inet ${table} two`],
  ['gets a rule', () => `add rule inet ${table} two drop`],
  ['loses an element', () => `delete element inet ${table} ports { 10.9.8.7 . 80 }`],
  ['gets an element', () => `add element inet ${table} ports { 10.9.8.7 . 81 : 10.9.8.6 . 8080 }`],
  ['gets a chain', () => `add chain inet ${table} three`],
  ['gets a set', () => `add set inet ${table} more { type ipv4_addr; }`],
  ['is made anew', () => `delete table inet ${table}\n${ruleset}${ruleset}`],
])('a table that %s has another fingerprint', async (_, script) => {
  const before = tableFingerprint(table);
  await nft(`${script()}\n`);
  expect(tableFingerprint(table)).not.toBe(before);
});

test('a table that is not there has none', async () => {
  await nft(`delete table inet ${table}\n`);
  expect(() => tableFingerprint(table)).toThrow('netfilter did not tell its rules');
});

test('a table of thousands of elements is told whole', async () => {
  const elements = Array.from(
    { length: 4_000 },
    (__, at) => `10.9.${at >> 8}.${at % 256} . 443 : 10.9.8.6 . ${at + 1}`,
  );
  await nft(`add element inet ${table} ports { ${elements.join(', ')} }\n`);
  const before = tableFingerprint(table);
  expect(tableFingerprint(table)).toBe(before);
  await nft(`delete element inet ${table} ports { 10.9.15.159 . 443 }\n`);
  expect(tableFingerprint(table)).not.toBe(before);
});
