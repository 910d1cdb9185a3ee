import { fault } from '../language/fault.js';

/** Whether a source has a wildcard, as Go's path.Match knows them. */
export function hasWildcard(path: string): boolean {
  return /(?:^|[^\\])(?:\\\\)*[*?[]/.test(path);
}

/** A whole path against a pattern of path.Match: `*` and `?` do not match a slash. @throws DockerfileFault */
export function wildcard(pattern: string): RegExp {
  return expression(pattern, false);
}

/**
 * Patterns as `.dockerignore` has them, in their order; `!` takes back what those before it match
 * (moby `patternmatcher`). What is below a path that matches, matches too.
 */
export class Patterns {
  readonly #patterns: readonly { readonly match: RegExp; readonly takesBack: boolean }[];
  /** Whether any takes back: only then can something in a directory that matches not match. */
  readonly takesBack: boolean;

  /** @throws DockerfileFault */
  constructor(texts: readonly string[]) {
    this.#patterns = texts.flatMap((text) => {
      const takesBack = text.startsWith('!');
      const pattern = cleaned(takesBack ? text.slice(1) : text);
      return pattern === '' ? [] : [{ match: expression(pattern, true), takesBack }];
    });
    this.takesBack = this.#patterns.some((one) => one.takesBack);
  }

  get isEmpty(): boolean {
    return this.#patterns.length === 0;
  }

  /** @param path without a slash at its beginning */
  matches(path: string): boolean {
    let isMatched = false;
    for (const { match, takesBack } of this.#patterns) {
      if (isMatched === takesBack && withParents(path).some((one) => match.test(one))) isMatched = !takesBack;
    }
    return isMatched;
  }
}

function withParents(path: string): string[] {
  const found = [path];
  for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) found.push(path.slice(0, at));
  return found;
}

function cleaned(pattern: string): string {
  const parts: string[] = [];
  for (const part of pattern.trim().split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts.join('/');
}

/** @param deep `**` stands for any number of directories */
function expression(pattern: string, deep: boolean): RegExp {
  let source = '^';
  for (let at = 0; at < pattern.length; at++) {
    const letter = pattern.charAt(at);
    if (letter === '*' && deep && pattern.charAt(at + 1) === '*') {
      at++;
      if (pattern.charAt(at + 1) === '/') at++;
      source += at + 1 >= pattern.length ? '.*' : '(?:.*/)?';
    } else if (letter === '*') source += '[^/]*';
    else if (letter === '?') source += '[^/]';
    else if (letter === '[') {
      const [whole, not = '', set = ''] = /^\[(\^?)((?:\\.|[^\]\\])+)\]/.exec(pattern.slice(at)) ?? [];
      if (whole === undefined) throw fault(`syntax error in pattern: ${pattern}`);
      source += `[${not}${set.replaceAll(/[[\]^]/g, '\\$&')}]`;
      at += whole.length - 1;
    } else if (letter === '\\') source += escaped(pattern.charAt(++at));
    else source += escaped(letter);
  }
  return new RegExp(`${source}$`, 's');
}

function escaped(letter: string): string {
  return letter.replace(/[\\^$.*+?()[\]{}|/]/, '\\$&');
}
