import { expect, test } from 'vitest';
import { fail, ok, warn } from './check.js';
import { examine, report } from './doctor.js';
import { atLeast } from './programs.js';

test('every check answers, and says what a shortcoming means and how to fix it', async () => {
  const findings = await examine();
  expect(findings.length).toBeGreaterThan(15);
  for (const finding of findings) {
    expect(finding.found, finding.name).not.toBe('');
    if (finding.status === 'ok') continue;
    expect(finding.meaning, finding.name).toBeTruthy();
    expect(finding.fix, finding.name).toBeTruthy();
  }
});

test('a check that breaks is a finding', async () => {
  const [finding] = await examine([
    {
      name: 'odd',
      look() {
        throw new Error('boom');
      },
    },
  ]);
  expect(finding).toMatchObject({ name: 'odd', status: 'fail', found: 'boom' });
});

test('the report ends with what matters', () => {
  expect(report([ok('a', 'fine'), warn('b', 'old', 'slow', 'upgrade')], false)).toContain('Containers can run here.');
  const long = 'words '.repeat(30).trim();
  const narrow = report([warn('a', long, long, long)], false, 60);
  expect(Math.max(...narrow.split('\n').map((line) => line.length))).toBeLessThanOrEqual(60);
  expect(narrow).toMatch(/^warn {2}a {17}words .*\n {24}words/);
  expect(report([fail('a', 'gone', 'nothing works', 'get it')], false)).toContain('cannot run here: 1 to fix');
});

test('versions are compared by number', () => {
  expect(atLeast([2, 1, 10], [2, 1, 6])).toBe(true);
  expect(atLeast([1, 1, 5], [1, 1, 12])).toBe(false);
  expect(atLeast([2], [1, 9, 9])).toBe(true);
  expect(atLeast([1, 1], [1, 1, 0])).toBe(true);
});
