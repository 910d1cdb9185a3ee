/**
 * A pattern of the shell's as one expression, by the rules of Python's `fnmatch`: `*` stands for any text, slashes
 * included, `?` for one character, `[abc]` and `[!abc]` for one of a set or not.
 */
export function globOf(pattern: string): RegExp {
  let source = '';
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at] ?? '';
    const end = character === '[' ? endOfSet(pattern, at) : -1;
    if (character === '*') source += '.*';
    else if (character === '?') source += '.';
    else if (end > at) {
      const set = pattern
        .slice(at + 1, end)
        .replace(/\\/g, '\\\\')
        .replace(/[\]^]/g, '\\$&');
      source += set.startsWith('!') ? `[^${set.slice(1)}]` : `[${set}]`;
      at = end;
    } else source += character.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
  }
  return new RegExp(`^${source}$`, 's');
}

/** Where a set ends; -1: it does not. A bracket at its beginning is one of the set. */
function endOfSet(pattern: string, at: number): number {
  const [opening = ''] = /^\[!?\]?/.exec(pattern.slice(at)) ?? [];
  return pattern.indexOf(']', at + opening.length);
}
