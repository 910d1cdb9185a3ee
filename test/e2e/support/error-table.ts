import type { Side } from './drawing.js';
import type { WireAnswer } from './recording-plugin.js';

/** A row of a page's table of errors: a plugin that answers so, and what a user then sees. */
export interface ErrorRow {
  /** For example `VolumeDriver.Create`. */
  call: string;
  answer: WireAnswer;
  command: string;
  /** By engine; an engine that is missing does not take such a plugin at all. */
  seen: Partial<Record<Side, string>>;
}

const same = 'the same';

/** The rows of the table below `## Errors` of a page; none where it has no such section. @throws Error for one without rows */
export function errorRows(page: string): ErrorRow[] {
  const section = page.split(/^## /m).find((each) => each.startsWith('Errors\n'));
  if (section === undefined) return [];
  const [head, , ...rows] = section
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map(cellsOf);
  if (head === undefined || rows.length === 0)
    throw new Error('the page says what users see of errors, and has no table');
  return rows.map((cells) => {
    const cell = (name: string) => cells[head.indexOf(name)];
    const [, status = '', text = ''] = /^(\d+) ?(.*)$/.exec(cell('is answered') ?? '') ?? [];
    const dockerd = cell('dockerd');
    const cleat = cell('Cleat');
    return {
      call: cell('Call') ?? '',
      answer: { status: Number(status), text },
      command: (cell('after') ?? '').replace(/^\$ /, ''),
      seen: { ...(dockerd && { dockerd }), ...(cleat && { Cleat: cleat === same ? (dockerd ?? '') : cleat }) },
    };
  });
}

const cellsOf = (line: string): string[] =>
  line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim().replace(/^`(.*)`$/, '$1'));
