import { decide } from './decide.js';
import type { Policy } from './policy.js';

export interface TestResult {
  readonly name: string;
  /** undefined: as expected. */
  readonly failure: string | undefined;
}

/** Runs the tests in a policy file. */
export async function runTests(policy: Policy): Promise<TestResult[]> {
  return await Promise.all(
    policy.tests.map(async ({ name, message, objects, expect, rule }) => {
      const decision = await decide(policy, message, { objects });
      const said = decision.allow ? 'allow' : 'deny';
      const who = decision.rule ?? 'no rule';
      const isFine = said === expect && (rule === undefined || rule === decision.rule);
      const wanted = `${expect}${rule === undefined ? '' : ` by ${rule}`}`;
      return { name, failure: isFine ? undefined : `expected ${wanted}, got ${said} by ${who}: ${decision.reason}` };
    }),
  );
}
