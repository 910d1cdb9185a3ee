/**
 * The lines that somebody asks for: `1,3,60-79`.
 * @param last number of the last line that there is
 * @throws Error for what is no line, so that nothing is measured less than was asked for
 */
export function wantedRows(text: string, last: number): ReadonlySet<number> {
  const wanted = new Set<number>();
  for (const part of text.split(',')) {
    const [, first, to = first] = /^\s*(\d{1,4})(?:-(\d{1,4}))?\s*$/.exec(part) ?? [];
    const [from, until] = [Number(first), Number(to)];
    if (!(from >= 1 && from <= until && until <= last)) {
      throw new Error(`--rows ${text}: ${JSON.stringify(part)} is not a line from 1 to ${last}, or some like 1-3`);
    }
    for (let row = from; row <= until; row++) wanted.add(row);
  }
  return wanted;
}
