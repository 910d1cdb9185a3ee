import { readable } from '@cleat/protocol/untrusted';
import { answerText, type Finding, requestText } from '../verify/finding.js';
import type { Outcome, Result } from '../verify/perform.js';
import type { Verdict } from '../verify/verify.js';
import { countsOf, type Report } from './report.js';

const marks: Record<Outcome, string> = {
  passed: 'ok  ',
  failed: 'FAIL',
  warned: 'warn',
  skipped: 'skip',
  broken: 'ERR ',
};
const colours: Record<Outcome, string> = { passed: '32', failed: '31', warned: '33', skipped: '90', broken: '31' };

export interface TextOptions {
  colour: boolean;
  /** Every call of a case that failed. */
  verbose: boolean;
}

/** For people: a line for each case, and of those that failed the call, what was expected, and why it matters. */
export function textReport({ colour, verbose }: TextOptions): Report {
  const paint = (outcome: Outcome, text: string) => (colour ? `\u001b[${colours[outcome]}m${text}\u001b[0m` : text);
  return {
    result(result) {
      const { case: one, outcome, finding, reason, leftBehind } = result;
      const lines = [`${paint(outcome, marks[outcome])}  ${one.title}  [${one.id}]`];
      if (finding) lines.push(...explanation(finding, one.why).map((line) => `      ${line}`));
      if (reason) lines.push(`      ${readable(reason)}`);
      for (const what of leftBehind) lines.push(`      left behind: ${readable(what)}`);
      if (verbose && finding) lines.push('      all calls:', ...transcript(result));
      // A plugin's text may have lines of its own; none of them may look like one of these.
      return `${lines.map((line) => line.replaceAll('\n', `\n${' '.repeat(16)}`)).join('\n')}\n`;
    },
    verdict: (verdict) => `\n${summary(verdict)}\n`,
  };
}

/** The call, its answer, the expectation, and why it matters: a line each. */
export function explanation({ said, expected, found }: Finding, why: string): string[] {
  return [
    ...(said ? [`called    ${requestText(said)}`, `answered  ${answerText(said)}`] : []),
    ...(found ? [`found     ${readable(found)}`] : []),
    `expected  ${expected}`,
    `why it matters  ${why}`,
  ];
}

function transcript({ calls }: Result): string[] {
  return calls.map((said) => `        ${requestText(said)}  ->  ${answerText(said)}  (${said.ms} ms)`);
}

function summary({ plugin, origin, kinds, unknownKinds, results, conformant, ms }: Verdict): string {
  const { passed, failed, warned, skipped, broken } = countsOf(results);
  const parts = [`${passed} passed`, `${failed} failed`, `${warned} warned`, `${skipped} skipped`];
  if (broken > 0) parts.push(`${broken} could not be tried`);
  const lines = [
    `${oneLine(`${plugin} (${origin}), ${kinds.join(', ') || 'no kind'}`)}: ${parts.join(', ')} in ${(ms / 1000).toFixed(1)} s`,
  ];
  for (const name of unknownKinds) lines.push(`What ${oneLine(name)} is to do is not known here: it was not verified.`);
  if (skipped === results.length) lines.push('Nothing could be tried: nothing is known of it.');
  else if (conformant) lines.push('It is what engines expect.');
  else if (failed > 0) lines.push('It is not what engines expect: see FAIL above.');
  else lines.push('Whether it is what engines expect is not known: see ERR above.');
  return lines.join('\n');
}

const oneLine = (text: string): string => readable(text).replaceAll('\n', ' ');
