import { readable } from '@cleat/protocol/untrusted';

/** Lines of cells as a table, the first line being its head. */
export function columns(all: readonly (readonly string[])[]): string {
  const lines = all.map((line) => line.map(plain));
  const widths = lines[0]?.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0))) ?? [];
  const text = lines.map((line) =>
    line
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  return `${text.join('\n')}\n`;
}

/** What extensions say of themselves is no text of ours: nothing in it may obey a terminal, or look like another line. */
export function plain(text: string): string {
  return readable(text).replaceAll(/[\t\n]+/g, ' ');
}
