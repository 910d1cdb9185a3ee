import { spawnSync } from 'node:child_process';
import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { jsonReport } from './json.js';
import { junitReport } from './junit.js';
import type { Report } from './report.js';
import { results, verdict } from './results.fixture.js';
import { tapReport } from './tap.js';
import { textReport } from './text.js';

const written = (report: Report): string =>
  results.map((result) => report.result?.(result) ?? '').join('') + report.verdict(verdict);

/** Characters that a terminal obeys, or that change the order of what it shows. */
const unfit = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e]|[\ud800-\udfff]/;

test('text: a line for each case, and of what failed the call, the answer, what was expected, and why', () => {
  const text = written(textReport({ colour: false, verbose: false }));
  expect(text).not.toMatch(unfit);
  expect(text).toMatch(/^ok {4}A title of passed {2}\[volume\/passed\]$/m);
  expect(text).toMatch(
    /^FAIL {2}A title of failed {2}\[volume\/failed\]\n {6}called {4}VolumeDriver\.Create \{"Name"/m,
  );
  expect(text).toMatch(/^ {6}answered {2}500 \\u001b\[2Jgone/m);
  expect(text).toMatch(/^ {6}found {5}\\u001b\[2Jgone/m);
  expect(text).toMatch(/^ {6}expected {2}something better\n {6}why it matters {2}Somebody would be hurt\.$/m);
  expect(text).toMatch(/^skip .*\n {6}nobody said how # to start it$/m);
  expect(text).toContain('left behind: \\u001b[2Jgone');
  expect(text).not.toMatch(/^not ok 99/m);
  expect(text).toContain('1 passed, 2 failed, 1 warned, 1 skipped, 1 could not be tried in 12.3 s');
  expect(text).toContain('What Strange\\u001b[31m is to do is not known here');
  expect(text).toContain('It is not what engines expect');
});

test('text: where nothing failed and something could not be tried, the verdict sends nobody to a FAIL', () => {
  const results = verdict.results.filter(({ outcome }) => outcome !== 'failed');
  const report = textReport({ colour: false, verbose: false });
  expect(report.verdict({ ...verdict, results })).toContain('is not known: see ERR above');
});

test('text: colours are for terminals, calls for who wants them all', () => {
  const plain = written(textReport({ colour: false, verbose: false }));
  const coloured = written(textReport({ colour: true, verbose: false }));
  expect(coloured).toContain('\u001b[31mFAIL\u001b[0m');
  expect(stripVTControlCharacters(coloured)).toBe(plain);
  expect(written(textReport({ colour: false, verbose: true }))).toContain('all calls:');
});

test('TAP: a plan, a point for each case in order, directives where they belong, and YAML that reads', () => {
  const text = written(tapReport());
  expect(text).not.toMatch(unfit);
  const lines = text.trimEnd().split('\n');
  expect(lines[0]).toBe('TAP version 14');
  expect(lines.at(-1)).toBe('1..6');
  const points = lines.filter((line) => /^(not )?ok /.test(line));
  expect(points.map((line) => /^(not ok|ok) \d+/.exec(line)?.[0])).toEqual([
    'ok 1',
    'not ok 2',
    'not ok 3',
    'not ok 4',
    'ok 5',
    'not ok 6',
  ]);
  const directives = points.map((line) => /(?<!\\) # (\w+)/.exec(line)?.[1]);
  expect(directives).toEqual([undefined, undefined, undefined, 'TODO', 'SKIP', undefined]);
  const blocks = [...text.matchAll(/^ {2}---\n(.*?)^ {2}\.\.\.$/gms)].map(([, block = '']) => parse(block));
  expect(blocks).toHaveLength(4);
  expect(blocks[0]).toEqual({
    message: expect.stringContaining('expected something better'),
    why: 'Somebody would be hurt.',
  });
  // Nothing that a plugin says begins a line of its own.
  expect(
    lines.filter((line) => !/^(TAP version 14|(not )?ok \d+ - |1\.\.6| {2}(---|\.\.\.|message: |why: ))/.test(line)),
  ).toEqual([]);
});

test('JUnit: well-formed, with the counts that CI servers read', () => {
  const xml = written(junitReport());
  const script = `
import sys, json, xml.dom.minidom
document = xml.dom.minidom.parse(sys.stdin.buffer)
root = document.documentElement
cases = document.getElementsByTagName('testcase')
inside = lambda name: [node.getAttribute('message') for node in document.getElementsByTagName(name)]
print(json.dumps({
  'root': [root.tagName, root.getAttribute('tests'), root.getAttribute('failures'), root.getAttribute('errors'), root.getAttribute('skipped')],
  'suites': [[s.getAttribute('name'), s.getAttribute('tests')] for s in document.getElementsByTagName('testsuite')],
  'cases': [c.getAttribute('name') for c in cases],
  'failures': inside('failure'), 'errors': inside('error'), 'skipped': inside('skipped'),
}))`;
  const { stdout, stderr } = spawnSync('python3', ['-c', script], { input: xml, encoding: 'utf8', timeout: 20_000 });
  expect(stderr).toBe('');
  const read = JSON.parse(stdout);
  expect(read.root).toEqual(['testsuites', '6', '2', '1', '1']);
  expect(read.suites).toEqual([
    ['VolumeDriver', '5'],
    ['authz', '1'],
  ]);
  expect(read.cases[0]).toBe('volume/passed: A title of passed');
  expect(read.failures[0]).toContain('500 \\u001b[2Jgone ]]> "quoted" <b>&amp; # TODO not this');
  expect(read.failures[0]).toContain('\nnot ok 99 - forged');
  expect(read.errors).toHaveLength(1);
  expect(read.skipped).toEqual(['nobody said how # to start it']);
});

test('JSON: everything, as the plugin said it', () => {
  const read = JSON.parse(written(jsonReport()));
  expect(read).toMatchObject({ conformant: false, ms: 12_345 });
  expect(read.counts).toEqual({ passed: 1, failed: 2, warned: 1, skipped: 1, broken: 1 });
  expect(read.results.map(({ id, outcome }: { id: string; outcome: string }) => `${id} ${outcome}`)).toEqual(
    results.map((result) => `${result.case.id} ${result.outcome}`),
  );
  const [passed, failed] = read.results;
  expect(passed).not.toHaveProperty('calls');
  expect(failed).toMatchObject({ weight: 'must', expected: 'something better', failedCall: { status: 500 } });
  expect(failed.calls).toHaveLength(1);
});
