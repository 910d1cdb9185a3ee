import { type CleatError, invalidParameter } from '@cleat/protocol/errors';

/** Steps that one pattern may take: patterns and values come from clients and images. */
export const maxSteps = 4_000_000;

export const tooLong = (): CleatError => invalidParameter('the pattern in a substitution is too long');

type Token = { kind: 'any' } | { kind: 'one' } | { kind: 'char'; char: string };

/** `*`, `?`, and backslashes before these (buildkit `convertShellPatternToRegex`). @throws InvalidParameter */
function tokensOf(pattern: string): Token[] {
  const chars = [...pattern];
  const tokens: Token[] = [];
  for (let at = 0; at < chars.length; at++) {
    const char = chars[at] ?? '';
    if (char === '*') tokens.push({ kind: 'any' });
    else if (char === '?') tokens.push({ kind: 'one' });
    else if (char !== '\\') tokens.push({ kind: 'char', char });
    else {
      const escaped = chars[++at] ?? '';
      if (!['}', '/', '*', '?', '\\'].includes(escaped)) {
        throw invalidParameter(`invalid pattern (${pattern}) in substitution: invalid escape '\\${escaped}'`);
      }
      tokens.push({ kind: 'char', char: escaped });
    }
  }
  return tokens;
}

/**
 * The lengths, ascending, of what fits the pattern in `chars` from `start` on. Without a regular expression, whose time
 * a pattern could make endless.
 * @param reversed read the pattern from its end
 * @throws InvalidParameter for a malformed pattern, or one that is too much work
 */
export function globEnds(pattern: string, chars: readonly string[], start: number, reversed = false): number[] {
  const tokens = tokensOf(pattern);
  if (reversed) tokens.reverse();
  const length = chars.length - start;
  if (tokens.length * length > maxSteps) throw tooLong();
  let reached = new Set([0]);
  for (const token of tokens) {
    const next = new Set<number>();
    if (token.kind === 'any') {
      const from = Math.min(...reached);
      if (reached.size > 0) for (let at = from; at <= length; at++) next.add(at);
    } else {
      for (const at of reached) {
        if (at < length && (token.kind === 'one' || chars[start + at] === token.char)) next.add(at + 1);
      }
    }
    reached = next;
  }
  return [...reached].sort((a, b) => a - b);
}
