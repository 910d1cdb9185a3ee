import { readable } from '@cleat/protocol/untrusted';

const gap = 2;
/** A column is not made narrower than this. */
const narrowest = 8;

/**
 * Lines of cells as a table, the first line being its head.
 * @param width what a line may take: the widest columns are cut for it, and `…` says so. Default: as wide as they are
 */
export function columns(all: readonly (readonly string[])[], width = Number.POSITIVE_INFINITY): string {
  const lines = all.map((line) => line.map(plain));
  const natural = lines[0]?.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0))) ?? [];
  const widths = fitted(natural, width);
  const text = lines.map((line) =>
    line
      .map((cell, column) => cut(cell, widths[column] ?? 0).padEnd(widths[column] ?? 0))
      .join(' '.repeat(gap))
      .trimEnd(),
  );
  return `${text.join('\n')}\n`;
}

/** The terminal's width, where somebody looks at one. A program that reads gets everything. */
export function terminalWidth(): number {
  return process.stdout.isTTY ? process.stdout.columns : Number.POSITIVE_INFINITY;
}

/** The widest gives way first, so that short columns stay whole. */
function fitted(natural: readonly number[], width: number): number[] {
  const widths = [...natural];
  let excess = widths.reduce((sum, one) => sum + one + gap, -gap) - width;
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

/** What extensions say of themselves is no text of ours: nothing in it may obey a terminal, or look like another line. */
export function plain(text: string): string {
  return readable(text).replaceAll(/[\t\n]+/g, ' ');
}
