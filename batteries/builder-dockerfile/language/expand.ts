import { messageOf } from '@cleat/protocol/errors';
import { fault } from './fault.js';
import { patternOf, trimmedEnd, trimmedStart } from './pattern.js';

/** The value of a variable; undefined where it is unset. */
export type Lookup = (name: string) => string | undefined;

export interface ExpandOptions {
  readonly escape?: string;
  /** Quotes stay. */
  readonly rawQuotes?: boolean;
  /** Escape characters stay. */
  readonly rawEscapes?: boolean;
  /** Quotes mean nothing, as in a document. */
  readonly noQuotes?: boolean;
  /** A variable that is unset stays as it was written. */
  readonly keepUnset?: boolean;
}

/**
 * One word with its variables replaced and its quotes taken away, as the language's shell words
 * (BuildKit `frontend/dockerfile/shell`).
 * @throws DockerfileFault
 */
export function expandWord(text: string, lookup: Lookup, options: ExpandOptions = {}): string {
  return new Expansion(text, lookup, options).all().text;
}

/** The same, split at blanks that stand outside of quotes. @throws DockerfileFault */
export function expandWords(text: string, lookup: Lookup, options: ExpandOptions = {}): string[] {
  return new Expansion(text, lookup, options).all().words;
}

/** Collects words: what variables bring is split, what quotes bring is not. */
class Words {
  readonly done: string[] = [];
  #word = '';
  #inWord = false;

  split(text: string): void {
    for (const letter of text) {
      if (!/\s/u.test(letter)) this.whole(letter);
      else if (this.#inWord && this.#word !== '') this.#end();
    }
  }

  whole(text: string): void {
    this.#word += text;
    this.#inWord = true;
  }

  all(): string[] {
    if (this.#word !== '') this.#end();
    return this.done;
  }

  #end(): void {
    this.done.push(this.#word);
    this.#word = '';
    this.#inWord = false;
  }
}

const special = new Set(['@', '*', '#', '?', '-', '$', '!', '0']);

class Expansion {
  readonly #source: string;
  readonly #letters: readonly string[];
  readonly #lookup: Lookup;
  readonly #options: ExpandOptions;
  readonly #escape: string;
  #at = 0;

  constructor(text: string, lookup: Lookup, options: ExpandOptions) {
    this.#source = text;
    this.#letters = [...text];
    this.#lookup = lookup;
    this.#options = options;
    this.#escape = options.escape ?? '\\';
  }

  all(): { text: string; words: string[] } {
    try {
      return this.#until(undefined, this.#options.rawEscapes ?? false);
    } catch (error) {
      throw fault(`failed to process ${JSON.stringify(this.#source)}: ${messageOf(error)}`);
    }
  }

  get #peek(): string | undefined {
    return this.#letters[this.#at];
  }

  #next(): string | undefined {
    return this.#letters[this.#at++];
  }

  /** Up to `stop`, which is taken; without it, to the end. */
  #until(stop: string | undefined, rawEscapes: boolean): { text: string; words: string[] } {
    const words = new Words();
    let text = '';
    const add = (piece: string, splits: boolean) => {
      text += piece;
      if (splits) words.split(piece);
      else words.whole(piece);
    };
    const { noQuotes } = this.#options;
    for (let letter = this.#peek; letter !== undefined; letter = this.#peek) {
      if (letter === stop) {
        this.#at++;
        return { text, words: words.all() };
      }
      if (letter === '$') add(this.#dollar(), true);
      else if (letter === '<') add(this.#angle(), false);
      else if (letter === "'" && !noQuotes) add(this.#single(), false);
      else if (letter === '"' && !noQuotes) add(this.#double(rawEscapes), false);
      else if (letter !== this.#escape) {
        this.#at++;
        add(letter, true);
      } else {
        this.#at++;
        const escaped = this.#next();
        if (rawEscapes) add(letter, false);
        if (escaped !== undefined) add(escaped, false);
      }
    }
    if (stop !== undefined) throw fault(`unexpected end of statement while looking for matching ${stop}`);
    return { text, words: words.all() };
  }

  /** `<<` and the blanks after it belong to the word of a document. */
  #angle(): string {
    this.#at++;
    if (this.#peek !== '<') return '<';
    this.#at++;
    let text = '<<';
    while (this.#peek !== undefined && /[\t\r ]/.test(this.#peek)) text += this.#next();
    return text;
  }

  #single(): string {
    const start = ++this.#at;
    const end = this.#letters.indexOf("'", start);
    if (end < 0) {
      this.#at = this.#letters.length;
      throw fault('unexpected end of statement while looking for matching single-quote');
    }
    this.#at = end + 1;
    const text = this.#letters.slice(start, end).join('');
    return this.#options.rawQuotes ? `'${text}'` : text;
  }

  #double(rawEscapes: boolean): string {
    this.#at++;
    let text = '';
    for (let letter = this.#peek; letter !== '"'; letter = this.#peek) {
      if (letter === undefined) {
        throw fault('unexpected end of statement while looking for matching double-quote');
      }
      if (letter === '$') {
        text += this.#dollar();
        continue;
      }
      this.#at++;
      if (letter !== this.#escape) {
        text += letter;
        continue;
      }
      if (rawEscapes) text += letter;
      const escaped = this.#peek;
      if (escaped === undefined) continue;
      // Only these can be escaped; before all others the character stands for itself.
      if (escaped === '"' || escaped === '$' || escaped === this.#escape) text += this.#next();
      else text += letter;
    }
    this.#at++;
    return this.#options.rawQuotes ? `"${text}"` : text;
  }

  #dollar(): string {
    this.#at++;
    if (this.#peek !== '{') {
      const name = this.#name();
      if (name === '') return '$';
      return this.#lookup(name) ?? (this.#options.keepUnset ? `$${name}` : '');
    }
    this.#at++;
    if (this.#peek === undefined) throw fault("syntax error: missing '}'");
    if ('{}:'.includes(this.#peek)) throw fault('syntax error: bad substitution');
    const name = this.#name();
    const value = this.#lookup(name);
    const sign = this.#next();
    if (sign === '}') return value ?? (this.#options.keepUnset ? `\${${name}}` : '');
    if (sign === '/') return this.#replaced(name, value);
    if (sign === ':') return this.#modified(name, value, this.#next(), true);
    return this.#modified(name, value, sign, false);
  }

  /** `${name-word}` and its like. @param emptyIsUnset there was a colon */
  #modified(name: string, value: string | undefined, sign: string | undefined, emptyIsUnset: boolean): string {
    const shown = `${emptyIsUnset ? ':' : ''}${sign ?? ''}`;
    const unsupported = () => fault(`unsupported modifier (${shown}) in substitution`);
    if (sign === undefined || !'+-?#%'.includes(sign)) throw unsupported();
    const trims = sign === '#' || sign === '%';
    if (trims && emptyIsUnset) throw unsupported();
    const word = this.#part('}', trims, "missing '}'");
    if (value === undefined && this.#options.keepUnset) return `\${${name}${shown}${word}}`;
    const isSet = value !== undefined && !(emptyIsUnset && value === '');
    if (sign === '-') return isSet ? value : word;
    if (sign === '+') return isSet ? word : '';
    if (sign === '?') {
      if (isSet) return value;
      throw fault(`${name}: ${word || `is not allowed to be ${value === undefined ? 'unset' : 'empty'}`}`);
    }
    const greedy = word.startsWith(sign);
    const pattern = greedy ? word.slice(1) : word;
    return (sign === '#' ? trimmedStart : trimmedEnd)(value ?? '', pattern, greedy);
  }

  /** `${name/pattern/replacement}`, `${name//pattern/replacement}`. */
  #replaced(name: string, value: string | undefined): string {
    const all = this.#peek === '/';
    if (all) this.#at++;
    const pattern = this.#part('/', true, "missing '/' in ${}");
    const replacement = this.#part('}', true, "missing '}'");
    if (value === undefined && this.#options.keepUnset) return `\${${name}/${pattern}/${replacement}}`;
    // A dollar sign in the replacement is nothing special.
    return (value ?? '').replace(patternOf(pattern, { greedy: true, flags: all ? 'gu' : 'u' }), () => replacement);
  }

  #part(stop: string, rawEscapes: boolean, missing: string): string {
    try {
      return this.#until(stop, rawEscapes).text;
    } catch (error) {
      if (this.#peek === undefined) throw fault(`syntax error: ${missing}`);
      throw error;
    }
  }

  #name(): string {
    const first = this.#peek ?? '';
    const digit = /\d/;
    if (special.has(first) && !digit.test(first)) return this.#next() ?? '';
    const letters = digit.test(first) ? digit : /[\p{L}\p{Nd}_]/u;
    let name = '';
    for (let letter = this.#peek; letter !== undefined && letters.test(letter); letter = this.#peek) {
      name += letter;
      this.#at++;
    }
    return name;
  }
}
