import type { Result } from '../verify/perform.js';
import type { Verdict } from '../verify/verify.js';

/** A way to tell what was found: each result as it comes, and the whole at the end. */
export interface Report {
  /** @returns text to print now */
  result?(result: Result): string;
  /** @returns text to print at the end */
  verdict(verdict: Verdict): string;
}

export interface Counts {
  passed: number;
  failed: number;
  warned: number;
  skipped: number;
  broken: number;
}

export function countsOf(results: readonly Result[]): Counts {
  const counts = { passed: 0, failed: 0, warned: 0, skipped: 0, broken: 0 };
  for (const { outcome } of results) counts[outcome]++;
  return counts;
}
