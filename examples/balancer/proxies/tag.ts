import { createHash } from 'node:crypto';

/** A short name for a content. */
export const tagOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 12);

/** Lines, indented by four spaces; `undefined` and `false` are left out. */
export function block(head: string, lines: readonly Line[]): string[] {
  return [`${head} {`, ...indented(lines), '}'];
}

export type Line = string | readonly Line[] | undefined | false;

export function indented(lines: readonly Line[]): string[] {
  return flat(lines).map((line) => (line === '' ? '' : `    ${line}`));
}

export function flat(lines: readonly Line[]): string[] {
  return lines.flatMap((line) =>
    line === undefined || line === false ? [] : typeof line === 'string' ? [line] : flat(line),
  );
}
