import { messageOf } from '@cleat/protocol/errors';
import { type BaseFacts, checkAll, checkText, type Scope } from '../checks/all.js';
import type { Finding } from '../checks/findings.js';
import { readDockerfile } from '../language/dockerfile.js';
import { DockerfileFault } from '../language/fault.js';
import { locationOf } from './location.js';

export interface LintAnswer {
  readonly json: object;
  readonly text: string;
  readonly status: 0 | 1;
}

/** Lines of one instruction that are shown. */
const maxShownLines = 1000;
/** Characters of the text about findings; all of them are in the JSON. */
const maxText = 1024 * 1024;

/** All that checks find in a file, and what keeps it from being built (moby/buildkit `frontend/subrequests/lint`). */
export async function lint(file: string, name: string, scope: Scope, factsOf: BaseFacts): Promise<LintAnswer> {
  let found: readonly Finding[] = [];
  let failure: { message: string; line: number | undefined } | undefined;
  try {
    const dockerfile = readDockerfile(file);
    const findings = checkText(dockerfile, scope);
    found = findings.all;
    await checkAll(dockerfile, scope, findings, factsOf);
    if (findings.failure !== undefined) failure = { message: findings.failure, line: undefined };
  } catch (error) {
    failure = { message: messageOf(error), line: error instanceof DockerfileFault ? error.line : undefined };
  }
  const warnings = found.map(({ rule, description, url, text, start, end }) => ({
    ruleName: rule,
    description,
    url,
    detail: text,
    location: locationOf(start, end),
  }));
  const json = {
    warnings: warnings.length > 0 ? warnings : null,
    sources: [{ filename: name, language: 'Dockerfile', data: Buffer.from(file).toString('base64') }],
    ...(failure && {
      buildError: {
        message: failure.message,
        location: failure.line === undefined ? {} : locationOf(failure.line, failure.line),
      },
    }),
  };
  const sorted = found.toSorted((one, other) => one.start - other.start);
  const lines = file.split('\n');
  let text = '';
  for (const finding of sorted) {
    if (text.length > maxText) break;
    text += told(finding, lines, name);
  }
  return { json, text, status: found.length > 0 || failure ? 1 : 0 };
}

function told({ rule, url, text, start, end }: Finding, lines: readonly string[], name: string): string {
  return `\nWARNING: ${rule} - ${url}\n${text}\n${excerpt(lines, name, start, end)}`;
}

/** The lines, with some around them, as BuildKit shows them. */
function excerpt(lines: readonly string[], name: string, start: number, end: number): string {
  if (start > lines.length || start < 1) return '';
  let [from, to] = [start, Math.min(end, start + maxShownLines, lines.length)];
  const around = to === from ? 4 : 2;
  for (let added = 0; added < around; added++) {
    if (from > 1) {
      from--;
      added++;
    }
    if (to !== lines.length) {
      to++;
      added++;
    }
  }
  const bar = '--------------------\n';
  const shown = lines.slice(from - 1, to).map((line, index) => {
    const number = from + index;
    const mark = number >= start && number <= end ? '>>>' : '   ';
    return ` ${`${number}`.padStart(3)} | ${mark} ${line}\n`;
  });
  return `${name}:${start}\n${bar}${shown.join('')}${bar}`;
}
