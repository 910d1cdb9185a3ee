import { fault } from './fault.js';

/**
 * A shell pattern as a regular expression: `*`, `?`, and `\` before one of these. Brackets are plain characters, as
 * in BuildKit.
 * @throws DockerfileFault
 */
export function patternOf(
  pattern: string,
  { greedy, anchored = false, flags = 'u' }: { greedy: boolean; anchored?: boolean; flags?: string },
): RegExp {
  const letters = [...pattern];
  let source = anchored ? '^' : '';
  for (let at = 0; at < letters.length; at++) {
    const letter = letters[at] ?? '';
    if (letter === '*') source += greedy ? '.*' : '.*?';
    else if (letter === '?') source += '.';
    else if (letter !== '\\') source += escaped(letter);
    else {
      const next = letters[++at];
      if (next === '}' || next === '/') source += escaped(next);
      else if (next === '*' || next === '?' || next === '\\') source += `\\${next}`;
      else {
        throw fault(`invalid pattern (${pattern}) in substitution: invalid escape '\\${next ?? ''}'`);
      }
    }
  }
  return new RegExp(source, flags);
}

/** The value without what the pattern matches at its beginning: the longest if `greedy`, else the shortest. */
export function trimmedStart(value: string, pattern: string, greedy: boolean): string {
  const match = patternOf(pattern, { greedy, anchored: true }).exec(value);
  return match ? value.slice(match[0].length) : value;
}

/** The same at its end: both are turned round, since expressions search from the left. */
export function trimmedEnd(value: string, pattern: string, greedy: boolean): string {
  const turned = trimmedStart(reversed(value), reversedPattern(pattern), greedy);
  return reversed(turned);
}

function reversed(text: string): string {
  return [...text].reverse().join('');
}

/** An escape stays before what it escapes. */
function reversedPattern(pattern: string): string {
  return (pattern.match(/\\[\s\S]|[\s\S]/gu) ?? []).reverse().join('');
}

function escaped(letter: string): string {
  return /[\\^$.*+?()[\]{}|/]/.test(letter) ? `\\${letter}` : letter;
}
