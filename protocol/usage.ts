/**
 * Tells what is wrong with a command line: an error of node:util's `parseArgs` without its advice for programmers.
 * @returns undefined for any other error
 */
export function usageComplaint(error: unknown): string | undefined {
  if (!(error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS'))) return undefined;
  return error.message.replace(/\. To specify .*/s, '').replaceAll(/\n+/g, ' ');
}

/** The narrowest column that a person can read line by line. */
const leastColumn = 12;

/**
 * A help text whose lines are too long for a terminal, wrapped anew: the second column stays one where there is room.
 * @param width characters in a line; undefined or 0: nobody looks at a terminal
 */
export function fitted(text: string, width: number | undefined): string {
  const lines = text.split('\n');
  if (!width || lines.every((line) => line.length <= width)) return text;
  const entries: { head: string; indent: number; words: string[] }[] = [];
  for (const line of lines) {
    const [, head = '', rest = ''] = /^(\s*\S.*?\s{2,}|\s*)(.*)$/.exec(line) ?? [];
    const before = entries.at(-1);
    const words = rest.split(' ').filter(Boolean);
    // Text below the second column of the line before continues it.
    const goesOn = before !== undefined && head.trim() === '' && head.length === before.indent && head !== '';
    if (goesOn && words.length > 0) before.words.push(...words);
    else entries.push({ head, indent: head.length, words });
  }
  return entries.flatMap((entry) => wrappedEntry(entry, width)).join('\n');
}

function wrappedEntry(
  { head, indent, words }: { head: string; indent: number; words: string[] },
  width: number,
): string[] {
  const fits = indent + leastColumn <= width && indent <= width / 2;
  const margin = ' '.repeat(fits ? indent : Math.min(8, Math.floor(width / 4)));
  const lines = fits || head.trim() === '' ? [fits ? head : margin] : [head.trimEnd(), margin];
  let isEmpty = true;
  for (const word of words) {
    const last = lines.at(-1) ?? '';
    if (isEmpty) lines[lines.length - 1] = last + word;
    else if (last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(margin + word);
    isEmpty = false;
  }
  return lines.map((line) => line.trimEnd());
}
