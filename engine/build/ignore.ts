import { posix } from 'node:path';
import { invalidParameter } from '@cleat/protocol/errors';

/**
 * `.dockerignore` as moby reads it (github.com/moby/patternmatcher): pure, for everybody who has names to judge. The rules of the
 * language: later lines win, `!` takes back, and all that lies in an ignored directory is ignored.
 */

/** Where the rules for a Dockerfile are looked for, in this order; the first that is there counts alone. */
export function ignoreFilesOf(dockerfile: string): string[] {
  return [`${dockerfile}.dockerignore`, '.dockerignore'];
}

/** The rules of a file: comments and empty lines are gone, each path is clean and relative. */
export function readIgnoreFile(content: Uint8Array | string): string[] {
  const text = typeof content === 'string' ? content : Buffer.from(content).toString('utf8');
  return text
    .replace(/^\uFEFF/, '')
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line) => {
      const isTakenBack = line.startsWith('!');
      const pattern = isTakenBack ? line.slice(1).trim() : line;
      const cleaned = pattern === '' ? '' : clean(pattern).replace(/^\/(?=.)/, '');
      return isTakenBack ? `!${cleaned}` : cleaned;
    });
}

/** Go's `filepath.Clean`. */
function clean(path: string): string {
  const normal = posix.normalize(path);
  return normal.length > 1 && normal.endsWith('/') ? normal.slice(0, -1) : normal;
}

interface Pattern {
  readonly isTakenBack: boolean;
  matches(path: string): boolean;
}

/** Judges names by a list of patterns. */
export class IgnorePatterns {
  readonly #patterns: readonly Pattern[];
  /** Something is taken back: then an ignored directory may hold what is not. */
  readonly takesBack: boolean;

  /** @param lines as {@link readIgnoreFile} gives them @throws InvalidParameter in Go's words */
  constructor(lines: readonly string[]) {
    this.#patterns = lines
      .map((line) => line.trim())
      .filter((line) => line !== '')
      .map(patternOf);
    this.takesBack = this.#patterns.some(({ isTakenBack }) => isTakenBack);
  }

  /** @param path relative, with slashes; of what is in an ignored directory the whole path is asked */
  ignores(path: string): boolean {
    const name = clean(path);
    if (name === '.') return false;
    const parts = name.split('/');
    const above = parts.slice(0, -1).map((_, at) => parts.slice(0, at + 1).join('/'));
    let ignored = false;
    for (const pattern of this.#patterns) {
      if (pattern.isTakenBack !== ignored) continue;
      if (pattern.matches(name) || above.some((directory) => pattern.matches(directory))) {
        ignored = !pattern.isTakenBack;
      }
    }
    return ignored;
  }
}

function patternOf(line: string): Pattern {
  let text = clean(line);
  const isTakenBack = text.startsWith('!');
  if (isTakenBack) {
    if (text.length === 1) throw invalidParameter('illegal exclusion pattern: "!"');
    text = text.slice(1);
  }
  if (!isWellFormed(text)) throw invalidParameter('syntax error in pattern');
  return { isTakenBack, matches: matcherOf(text) };
}

/** Whether Go's `filepath.Match` takes it: classes that are closed and not empty, nothing after a backslash missing. */
function isWellFormed(pattern: string): boolean {
  for (let at = 0; at < pattern.length; at++) {
    if (pattern[at] === '\\') {
      if (++at >= pattern.length) return false;
    } else if (pattern[at] === '[') {
      const end = endOfClass(pattern, at);
      if (end === undefined) return false;
      at = end;
    }
  }
  return true;
}

/** @returns where its `]` is; undefined for a class that is none */
function endOfClass(pattern: string, start: number): number | undefined {
  let at = start + 1;
  if (pattern[at] === '^') at++;
  /** One character of a range. @returns false where there is none */
  const character = (): boolean => {
    if (at >= pattern.length || pattern[at] === '-' || pattern[at] === ']') return false;
    if (pattern[at] === '\\') at++;
    at++;
    return at < pattern.length;
  };
  for (let ranges = 0; ; ranges++) {
    if (pattern[at] === ']' && ranges > 0) return at;
    if (!character()) return undefined;
    if (pattern[at] === '-') {
      at++;
      if (!character()) return undefined;
    }
  }
}

/**
 * The kinds of patterns that moby tells apart. Its `**` at the beginning makes a suffix of a pattern without further
 * wildcards, its `**` at the end a prefix.
 */
function matcherOf(pattern: string): Pattern['matches'] {
  let kind: 'exact' | 'prefix' | 'suffix' | 'expression' = 'exact';
  let expression = '^';
  for (let at = 0; at < pattern.length; ) {
    const isFirst = at === 0;
    const character = pattern[at++] ?? '';
    if (character === '*' && pattern[at] === '*') {
      at++;
      if (pattern[at] === '/') at++;
      if (at < pattern.length) {
        expression += '(?:.*/)?';
        kind = 'expression';
      } else if (kind === 'exact') {
        kind = 'prefix';
      } else {
        expression += '.*';
        kind = 'expression';
      }
      if (isFirst) kind = 'suffix';
      continue;
    }
    if (character === '*') expression += '[^/]*';
    else if (character === '?') expression += '[^/]';
    else if (character === '\\') expression += literal(pattern[at++] ?? '\\');
    else if (character === '[') {
      const end = endOfClass(pattern, at - 1) ?? pattern.length;
      expression += `[${pattern.slice(at, end).replace(/\\(.)|[[.]/gs, (all, escaped) => literal(escaped ?? all))}]`;
      at = end + 1;
    } else expression += literal(character);
    if ('*?\\['.includes(character)) kind = 'expression';
  }
  switch (kind) {
    case 'exact':
      return (path) => path === pattern;
    case 'prefix':
      return (path) => path.startsWith(pattern.slice(0, -2));
    case 'suffix': {
      const suffix = pattern.slice(2);
      return (path) => path.endsWith(suffix) || (suffix.startsWith('/') && path === suffix.slice(1));
    }
    case 'expression':
      return compiled(`${expression}$`);
  }
}

/** As a character of an expression, within brackets and without. */
function literal(character: string): string {
  if (character === '-') return '\\x2d';
  return /[.+()|{}$^*?\\/[\]]/.test(character) ? `\\${character}` : character;
}

function compiled(expression: string): Pattern['matches'] {
  try {
    const regExp = new RegExp(expression, 'su');
    return (path) => regExp.test(path);
  } catch (cause) {
    // A range whose ends are the wrong way round.
    throw invalidParameter('syntax error in pattern', { cause });
  }
}
