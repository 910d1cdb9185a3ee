import type { Decision } from '@cleat/sdk/policy';
import { plain } from '../columns.js';

interface Facts extends Decision {
  readonly isDryRun: boolean;
  readonly unanswered: readonly string[];
}

const words = { decides: 'decides', passes: 'lets pass', elsewhere: '-', refuses: 'does not grant it' } as const;

/** A decision for people: the verdict first, then what each rule says. */
export function explained({ allow, rule, reason, steps, isDryRun, unanswered }: Facts): string {
  const verdict = allow ? 'allowed' : unanswered.length > 0 ? 'it depends' : 'denied';
  const by = rule === undefined ? '' : ` by ${JSON.stringify(rule)}`;
  const lines = [`${verdict}${by}: ${reason}`];
  if (isDryRun && !allow) lines.push('(a dry run: it is only reported)');
  const width = Math.max(0, ...steps.map((step) => step.rule.length));
  for (const step of steps) {
    lines.push(`  ${step.rule.padEnd(width)}  ${step.effect.padEnd(5)}  ${words[step.outcome]}: ${step.reason}`);
  }
  return `${lines.map(plain).join('\n')}\n`;
}
