import { stringify } from '@cleat/protocol/json';
import type { Verdict } from '../verify/verify.js';
import { countsOf, type Report } from './report.js';

/** Everything, with every call of the cases that did not pass. */
export function jsonReport(): Report {
  return { verdict: (verdict) => `${stringify(plain(verdict))}\n` };
}

function plain({ results, ...verdict }: Verdict): object {
  return {
    ...verdict,
    counts: countsOf(results),
    results: results.map(
      ({ case: { id, title, why, weight = 'must' }, kind, outcome, finding, reason, calls, ms, leftBehind }) => ({
        id,
        kind,
        title,
        why,
        weight,
        outcome,
        ...(finding
          ? { message: finding.message, expected: finding.expected, found: finding.found, failedCall: finding.said }
          : {}),
        ...(reason ? { reason } : {}),
        ...(leftBehind.length > 0 ? { leftBehind } : {}),
        ...(outcome === 'passed' || outcome === 'skipped' ? {} : { calls }),
        ms,
      }),
    ),
  };
}
