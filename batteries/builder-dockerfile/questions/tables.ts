/** Rows in columns, each as wide as its widest cell and `gap` blanks, as Go's tabwriter writes them; the last is as it is. */
export function table(rows: readonly (readonly string[])[], gap: number): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [at, cell] of row.slice(0, -1).entries()) widths[at] = Math.max(widths[at] ?? 0, [...cell].length + gap);
  }
  const lines = rows.map((row) =>
    row.map((cell, at) => (at === row.length - 1 ? cell : cell + ' '.repeat((widths[at] ?? 0) - [...cell].length))),
  );
  return lines.map((cells) => `${cells.join('')}\n`).join('');
}
