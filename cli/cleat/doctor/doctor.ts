import { messageOf } from '@cleat/protocol/errors';
import { wrapped } from '../columns.js';
import { type Check, type Finding, fail } from './check.js';
import { kernelChecks } from './kernel.js';
import { programChecks } from './programs.js';
import { surroundingChecks } from './surroundings.js';

/** Looks at everything. Never throws: a check that breaks is a finding. */
export async function examine(
  checks: readonly Check[] = [...kernelChecks, ...programChecks, ...surroundingChecks],
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const check of checks) {
    try {
      findings.push(await check.look());
    } catch (error) {
      const meaning = 'this could not be found out';
      findings.push(fail(check.name, messageOf(error), meaning, 'please report it with this output'));
    }
  }
  return findings;
}

/** For people. @param color use terminal colours. */
export function report(findings: readonly Finding[], color: boolean, width?: number): string {
  const indent = 24;
  const room = Math.max(16, (width || Number.POSITIVE_INFINITY) - indent);
  const paint = { ok: '32', warn: '33', fail: '31' };
  const lines = findings.flatMap(({ name, status, found, meaning, fix }) => {
    const label = status.padEnd(4);
    const head = `${color ? `\u001b[${paint[status]}m${label}\u001b[0m` : label}  ${name.padEnd(indent - 6)}`;
    const texts = [found, meaning && `meaning: ${meaning}`, fix && `fix: ${fix}`].filter((text) => text !== undefined);
    const below = texts.flatMap((text) => wrapped(text, room)).map((line) => ' '.repeat(indent) + line);
    return [head + (below[0] ?? '').trimStart(), ...below.slice(1)];
  });
  const failed = findings.filter(({ status }) => status === 'fail').length;
  const summary = failed === 0 ? 'Containers can run here.' : `Containers cannot run here: ${failed} to fix.`;
  return `${lines.join('\n')}\n\n${summary}\n`;
}
