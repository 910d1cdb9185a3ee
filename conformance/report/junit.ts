import { readable } from '@cleat/protocol/untrusted';
import type { Result } from '../verify/perform.js';
import type { Verdict } from '../verify/verify.js';
import { countsOf, type Report } from './report.js';

/** JUnit's XML, as CI servers read it: a suite per kind. A warning is a passed test with a word in its output. */
export function junitReport(): Report {
  return { verdict: document };
}

function document({ plugin, results, ms }: Verdict): string {
  const kinds = [...new Set(results.map(({ kind }) => kind))];
  const { failed, broken, skipped } = countsOf(results);
  const totals = `tests="${results.length}" failures="${failed}" errors="${broken}" skipped="${skipped}" time="${seconds(ms)}"`;
  const suites = kinds.map((kind) =>
    suite(
      kind,
      results.filter((result) => result.kind === kind),
    ),
  );
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="${xml(plugin)}" ${totals}>\n${suites.join('')}</testsuites>\n`;
}

function suite(kind: string, results: readonly Result[]): string {
  const { failed, broken, skipped } = countsOf(results);
  const counts = `tests="${results.length}" failures="${failed}" errors="${broken}" skipped="${skipped}"`;
  return `  <testsuite name="${xml(kind)}" ${counts}>\n${results.map(testCase).join('')}  </testsuite>\n`;
}

function testCase({ case: one, kind, outcome, finding, reason = '', ms }: Result): string {
  const head = `    <testcase classname="${xml(kind)}" name="${xml(`${one.id}: ${one.title}`)}" time="${seconds(ms)}"`;
  const message = xml(finding?.message ?? reason);
  const why = xml(one.why);
  switch (outcome) {
    case 'passed':
      return `${head}/>\n`;
    case 'skipped':
      return `${head}><skipped message="${message}"/></testcase>\n`;
    case 'warned':
      return `${head}><system-out>advice: ${message}\n${why}</system-out></testcase>\n`;
    case 'failed':
      return `${head}><failure message="${message}">${why}</failure></testcase>\n`;
    case 'broken':
      return `${head}><error message="${message}"/></testcase>\n`;
  }
}

const seconds = (ms: number): string => (ms / 1000).toFixed(3);

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\n': '&#10;',
};

/** Characters that XML cannot hold were made visible before. */
function xml(text: string): string {
  return readable(text).replace(/[&<>"\n]/g, (character) => entities[character] ?? '');
}
