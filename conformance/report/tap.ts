import { readable } from '@cleat/protocol/untrusted';
import type { Result } from '../verify/perform.js';
import type { Report } from './report.js';

/** TAP 14 (testanything.org). A warning is a TODO, which harnesses show and do not count. */
export function tapReport(): Report {
  let number = 0;
  return {
    result(result) {
      number++;
      const head = number === 1 ? 'TAP version 14\n' : '';
      return head + point(number, result);
    },
    verdict: () => `1..${number}\n`,
  };
}

function point(number: number, { case: one, outcome, finding, reason }: Result): string {
  const ok = outcome === 'passed' || outcome === 'skipped';
  const directive =
    outcome === 'skipped' ? ` # SKIP ${line(reason ?? '')}` : outcome === 'warned' ? ' # TODO advice' : '';
  const text = `${ok ? 'ok' : 'not ok'} ${number} - ${line(`${one.id} ${one.title}`)}${directive}\n`;
  const message = finding?.message ?? (ok ? undefined : reason);
  if (message === undefined) return text;
  return `${text}  ---\n  message: ${JSON.stringify(readable(message))}\n  why: ${JSON.stringify(one.why)}\n  ...\n`;
}

/** On one line, and without what TAP takes for a directive. */
const line = (text: string): string => readable(text).replaceAll('\n', ' ').replaceAll('#', '\\#');
