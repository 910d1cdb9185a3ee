import { CleatError, invalidParameter, messageOf } from '@cleat/protocol/errors';
import { globEnds, maxSteps, tooLong } from './shell-pattern.js';

/** The value of a variable; undefined: it is not set. */
export type Variables = (name: string) => string | undefined;

/** `A=1` entries; the last of a name wins, one without `=` is empty. */
export function variablesOf(env: readonly string[]): Variables {
  const values = new Map(
    env.map((entry) => [entry.split('=', 1)[0] ?? '', entry.slice(entry.indexOf('=') + 1 || entry.length)]),
  );
  return (name) => values.get(name);
}

/**
 * Quotes removed, `$A` and `${A…}` replaced, `\` taken for what it escapes: a word of a Dockerfile (buildkit
 * `frontend/dockerfile/shell/lex.go`).
 * @throws InvalidParameter in its words
 */
export function expandWord(word: string, variables: Variables): string {
  return process(word, variables).result;
}

/** The same, split at spaces that are not quoted, after replacing. */
export function expandWords(word: string, variables: Variables): string[] {
  return process(word, variables).words;
}

interface Processed {
  result: string;
  words: string[];
}

function process(word: string, variables: Variables): Processed {
  try {
    return new Lexer(word, variables).until(undefined, false);
  } catch (error) {
    if (!(error instanceof CleatError)) throw error;
    throw invalidParameter(`failed to process ${JSON.stringify(word)}: ${messageOf(error)}`, { cause: error });
  }
}

const isSpace = (char: string): boolean => /^[\s\u0085]$/u.test(char);
const unfinished = (wanted: string) =>
  invalidParameter(`unexpected end of statement while looking for matching ${wanted}`);

/** How deep `${A:-${B:-…}}` may go. */
const maxDepth = 100;

class Lexer {
  readonly #chars: string[];
  readonly #variables: Variables;
  #at = 0;
  #depth = 0;

  constructor(text: string, variables: Variables) {
    this.#chars = [...text];
    this.#variables = variables;
  }

  get #peek(): string | undefined {
    return this.#chars[this.#at];
  }

  #next(): string | undefined {
    return this.#chars[this.#at++];
  }

  /** Up to `stop`, which is passed over, or the end. @param rawEscapes keep backslashes: a pattern needs them */
  until(stop: string | undefined, rawEscapes: boolean): Processed {
    let result = '';
    const words = new WordSplitter();
    for (let char = this.#peek; char !== undefined; char = this.#peek) {
      if (char === stop) {
        this.#at++;
        return { result, words: words.end() };
      }
      if (char === '$' || char === "'" || char === '"') {
        const piece = char === '$' ? this.#dollar() : char === "'" ? this.#single() : this.#double(rawEscapes);
        result += piece;
        if (char === '$') words.add(piece);
        else words.addQuoted(piece);
        continue;
      }
      this.#at++;
      if (char !== '\\') {
        result += char;
        words.add(char);
        continue;
      }
      const escaped = this.#next();
      const kept = (rawEscapes ? char : '') + (escaped ?? '');
      result += kept;
      if (kept !== '') words.addQuoted(kept);
    }
    if (stop !== undefined) throw unfinished(stop);
    return { result, words: words.end() };
  }

  #single(): string {
    this.#at++;
    const end = this.#chars.indexOf("'", this.#at);
    if (end < 0) throw unfinished('single-quote');
    const text = this.#chars.slice(this.#at, end).join('');
    this.#at = end + 1;
    return text;
  }

  #double(rawEscapes: boolean): string {
    this.#at++;
    let result = '';
    for (;;) {
      const char = this.#peek;
      if (char === undefined) throw unfinished('double-quote');
      if (char === '$') {
        result += this.#dollar();
        continue;
      }
      this.#at++;
      if (char === '"') return result;
      if (char !== '\\') {
        result += char;
        continue;
      }
      if (rawEscapes) result += char;
      const escaped = this.#peek;
      if (escaped === undefined) continue;
      if (escaped === '"' || escaped === '$' || escaped === '\\') {
        this.#at++;
        result += escaped;
      } else result += char;
    }
  }

  #dollar(): string {
    this.#at++;
    if (this.#peek !== '{') {
      const name = this.#name();
      return name === '' ? '$' : (this.#variables(name) ?? '');
    }
    this.#at++;
    const first = this.#peek;
    if (first === undefined) throw invalidParameter("syntax error: missing '}'");
    if ('{}:'.includes(first)) throw invalidParameter('syntax error: bad substitution');
    if (++this.#depth > maxDepth) throw invalidParameter('syntax error: substitutions are nested too deeply');
    const value = this.#substitution(this.#name());
    this.#depth--;
    return value;
  }

  #substitution(name: string): string {
    const value = this.#variables(name);
    const operator = this.#next();
    if (operator === '}') return value ?? '';
    if (operator === '/') return this.#replaced(value ?? '');
    const emptyIsUnset = operator === ':';
    const modifier = emptyIsUnset ? this.#next() : operator;
    const shown = (emptyIsUnset ? ':' : '') + (modifier ?? '\ufffd');
    const unsupported = () => invalidParameter(`unsupported modifier (${shown}) in substitution`);
    const isPattern = modifier === '#' || modifier === '%';
    if (modifier === undefined) throw unsupported();
    if (emptyIsUnset && isPattern) throw unsupported();
    if (!emptyIsUnset && !'+-?#%'.includes(modifier)) throw unsupported();
    const word = this.#part('}', isPattern, "syntax error: missing '}'");
    const isUnset = value === undefined || (emptyIsUnset && value === '');
    switch (modifier) {
      case '-':
        return isUnset ? word : value;
      case '+':
        return isUnset ? '' : word;
      case '?':
        if (!isUnset) return value;
        throw invalidParameter(`${name}: ${word || `is not allowed to be ${value === undefined ? 'unset' : 'empty'}`}`);
      case '#':
      case '%':
        return trimmed(value ?? '', word, modifier);
      default:
        throw unsupported();
    }
  }

  #part(stop: string, rawEscapes: boolean, otherwise: string): string {
    try {
      return this.until(stop, rawEscapes).result;
    } catch (error) {
      if (this.#peek === undefined) throw invalidParameter(otherwise, { cause: error });
      throw error;
    }
  }

  #replaced(value: string): string {
    const isAll = this.#peek === '/';
    if (isAll) this.#at++;
    const pattern = this.#part('/', true, "syntax error: missing '/' in ${}");
    const replacement = this.#part('}', true, "syntax error: missing '}'");
    const chars = [...value];
    if (chars.length ** 2 * pattern.length > maxSteps) throw tooLong();
    let result = '';
    for (let at = 0; at < chars.length; ) {
      const length = globEnds(pattern, chars, at).at(-1) ?? 0;
      if (length === 0) {
        result += chars[at++];
        continue;
      }
      result += replacement;
      at += length;
      if (!isAll) return result + chars.slice(at).join('');
    }
    return result;
  }

  /** Letters, digits and `_`; only digits after a digit; or one of the shell's special parameters. */
  #name(): string {
    let name = '';
    for (let char = this.#peek; char !== undefined; char = this.#peek) {
      if (name === '' && '@*#?-$!0'.includes(char) && !/\d/.test(char)) {
        this.#at++;
        return char;
      }
      const isNumber = /^\d/.test(name);
      if (!(isNumber ? /\p{Nd}/u : /[\p{L}\p{Nd}_]/u).test(char)) break;
      name += char;
      this.#at++;
    }
    return name;
  }
}

/** `${A#pattern}`, `##`, `%`, `%%`: without the shortest or longest beginning or end that fits. */
function trimmed(value: string, word: string, side: '#' | '%'): string {
  const isLongest = word.startsWith(side);
  const pattern = isLongest ? word.slice(1) : word;
  const chars = side === '#' ? [...value] : [...value].reverse();
  const ends = globEnds(pattern, chars, 0, side === '%');
  const cut = (isLongest ? ends.at(-1) : ends[0]) ?? 0;
  const left = chars.slice(cut);
  return (side === '#' ? left : left.reverse()).join('');
}

/** Splits at spaces that are not quoted. */
class WordSplitter {
  readonly #words: string[] = [];
  #current = '';

  add(text: string): void {
    for (const char of text) {
      if (!isSpace(char)) this.#current += char;
      else this.#finish();
    }
  }

  addQuoted(text: string): void {
    this.#current += text;
  }

  #finish(): void {
    if (this.#current !== '') this.#words.push(this.#current);
    this.#current = '';
  }

  end(): string[] {
    this.#finish();
    return this.#words;
  }
}
