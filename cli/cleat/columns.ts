import { readable } from '@cleat/protocol/untrusted';

const gap = 2;

export interface TableOptions {
  /** The width of a line, for a terminal. Default: as wide as the cells are. */
  readonly width?: number | undefined;
  /** Columns, by their heads, that are left out where there is no room, the first ones first. */
  readonly dispensable?: readonly string[];
}
/** A column is not made narrower than this. */
const narrowest = 8;

/**
 * Lines of cells as a table, the first line being its head. Where it is too wide, dispensable columns go, then the
 * widest ones are cut, and `…` says so.
 */
export function columns(all: readonly (readonly string[])[], options: TableOptions = {}): string {
  const { width = Number.POSITIVE_INFINITY, dispensable = [] } = options;
  let lines = all.map((line) => line.map(plain));
  for (const head of dispensable) {
    if (total(natural(lines)) <= width) break;
    const column = all[0]?.indexOf(head) ?? -1;
    if (column >= 0) lines = lines.map((line) => line.with(column, ''));
  }
  const widths = fitted(natural(lines), width);
  const text = lines.map((line) =>
    line
      .flatMap((cell, column) => {
        const room = widths[column] ?? 0;
        return room === 0 ? [] : [cut(cell, room).padEnd(room)];
      })
      .join(' '.repeat(gap))
      .trimEnd(),
  );
  return `${text.join('\n')}\n`;
}

/** Width of each column; 0 for one that is left out. */
function natural(lines: readonly (readonly string[])[]): number[] {
  return lines[0]?.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0))) ?? [];
}

const total = (widths: readonly number[]): number =>
  widths.filter((one) => one > 0).reduce((sum, one) => sum + one + gap, -gap);

/** The terminal's width, where somebody looks at one. A program that reads gets everything. */
export function terminalWidth(): number {
  // A pseudo-terminal that nobody gave a size says 0.
  return (process.stdout.isTTY && process.stdout.columns) || Number.POSITIVE_INFINITY;
}

/** The widest gives way first, so that short columns stay whole. */
function fitted(wanted: readonly number[], width: number): number[] {
  const widths = [...wanted];
  let excess = total(widths) - width;
  while (excess > 0) {
    const widest = Math.max(...widths);
    if (widest <= narrowest) break;
    const column = widths.lastIndexOf(widest);
    const next = Math.max(narrowest, ...widths.filter((one) => one < widest));
    const less = Math.max(1, Math.min(excess, widest - next));
    widths[column] = widest - less;
    excess -= less;
  }
  return widths;
}

function cut(cell: string, width: number): string {
  return cell.length <= width ? cell : `${cell.slice(0, Math.max(0, width - 1))}…`;
}

/** Words in lines of at most `width` characters. */
export function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}

/** Texts of extensions are not ours: they must not control a terminal, or look like another line. */
export function plain(text: string): string {
  return readable(text).replaceAll(/[\t\n]+/g, ' ');
}
