import { invalidParameter } from '@cleat/protocol/errors';

/**
 * Go's `path.Match` as a regular expression: `*` and `?` do not cross a slash, `[a-z]` and `[^a-z]` are sets, a
 * backslash takes the next character as it is.
 * @throws InvalidParameter for a malformed pattern
 */
export function globToRegExp(pattern: string): RegExp {
  let source = '';
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern.charAt(at);
    if (character === '*') source += '[^/]*';
    else if (character === '?') source += '[^/]';
    else if (character === '\\') source += literal(pattern.charAt(++at));
    else if (character === '[') {
      const end = pattern.indexOf(']', at + 2);
      if (end < 0) throw invalidParameter('syntax error in pattern');
      const body = pattern.slice(at + 1, end).replace(/[\\\]]/g, '\\$&');
      source += `(?!/)[${body}]`;
      at = end;
    } else source += literal(character);
  }
  try {
    return new RegExp(`^${source}$`, 's');
  } catch (cause) {
    throw invalidParameter('syntax error in pattern', { cause });
  }
}

function literal(character: string): string {
  return character.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}
