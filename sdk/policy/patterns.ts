/** A text of a policy in which `*` stands for anything, also for nothing, and `{user}` for the caller's own name. */
export interface Pattern {
  readonly text: string;
  matches(value: string, user: string): boolean;
}

export function pattern(text: string): Pattern {
  const fixed = text.includes('{user}') ? undefined : expression(text);
  return {
    text,
    // A caller without a name has nothing of their own.
    matches: (value, user) => (fixed ?? expression(text, user === '' ? undefined : user))?.test(value) ?? false,
  };
}

export const matchesAny = (patterns: readonly Pattern[], value: string, user: string): boolean =>
  patterns.some((one) => one.matches(value, user));

function expression(text: string, user?: string): RegExp | undefined {
  if (text.includes('{user}') && user === undefined) return undefined;
  const source = text
    .split(/(\*|\{user\})/)
    .map((part) => {
      if (part === '*') return '.*';
      return (part === '{user}' ? (user ?? '') : part).replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
    })
    .join('');
  return new RegExp(`^${source}$`, 's');
}
