/**
 * Where a text stops being JSON, and in which words Go's decoder says so: clients and people know these words, and
 * JavaScript's own neither name a place nor stay the same from version to version.
 */
export interface JsonFault {
  /**
   * Position of the first character that does not belong there, in UTF-16 units; the text's length when it ends too
   * early.
   */
  readonly offset: number;
  /** As Go's `encoding/json` words it. */
  readonly message: string;
}

/** @returns undefined for one whole JSON value */
export function findJsonFault(text: string): JsonFault | undefined {
  const scanner = new Scanner(text);
  try {
    scanner.document();
    return undefined;
  } catch (error) {
    if (error instanceof Fault) return { offset: error.offset, message: error.message };
    throw error;
  }
}

/** Counted from 1, as editors do. */
export function lineAndColumn(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset);
  const start = before.lastIndexOf('\n') + 1;
  return { line: before.split('\n').length, column: [...before.slice(start)].length + 1 };
}

class Fault extends Error {
  readonly offset: number;
  constructor(offset: number, message: string) {
    super(message);
    this.offset = offset;
  }
}

const space = /[ \t\r\n]*/y;
const digit = /[0-9]/;

/** Reads once from the left. Nesting is on a stack of its own, so that depth costs no recursion. */
class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): void {
    /** The closing bracket of each object and list that is open. */
    const open: ('}' | ']')[] = [];
    for (;;) {
      this.#space();
      const opener = this.#text[this.#at];
      if (opener === '{' || opener === '[') {
        this.#at++;
        this.#space();
        const closer = opener === '{' ? '}' : ']';
        if (this.#text[this.#at] !== closer) {
          open.push(closer);
          if (closer === '}') this.#key();
          continue;
        }
        this.#at++;
      } else {
        this.#scalar();
      }
      if (!this.#afterValue(open)) return;
    }
  }

  /** Closes what ends here. @returns whether another value follows */
  #afterValue(open: ('}' | ']')[]): boolean {
    for (;;) {
      this.#space();
      const closer = open.at(-1);
      const found = this.#text[this.#at];
      if (closer === undefined) {
        if (found !== undefined) throw this.#unexpected('after top-level value');
        return false;
      }
      if (found === ',') {
        this.#at++;
        if (closer === '}') {
          this.#space();
          this.#key();
        }
        return true;
      }
      if (found !== closer)
        throw this.#unexpected(closer === '}' ? 'after object key:value pair' : 'after array element');
      this.#at++;
      open.pop();
    }
  }

  #key(): void {
    if (this.#text[this.#at] !== '"') throw this.#unexpected('looking for beginning of object key string');
    this.#string();
    this.#space();
    if (this.#text[this.#at] !== ':') throw this.#unexpected('after object key');
    this.#at++;
  }

  #scalar(): void {
    const first = this.#text[this.#at];
    if (first === '"') this.#string();
    else if (first === '-' || (first !== undefined && digit.test(first))) this.#number();
    else if (first === 't') this.#literal('true');
    else if (first === 'f') this.#literal('false');
    else if (first === 'n') this.#literal('null');
    else throw this.#unexpected('looking for beginning of value');
  }

  #string(): void {
    for (this.#at++; ; this.#at++) {
      const character = this.#text[this.#at];
      if (character === '"') break;
      if (character === undefined || character < ' ') throw this.#unexpected('in string literal');
      if (character !== '\\') continue;
      this.#at++;
      const escaped = this.#text[this.#at];
      if (escaped === 'u') this.#hexadecimal();
      else if (escaped === undefined || !'"\\/bfnrt'.includes(escaped)) throw this.#unexpected('in string escape code');
    }
    this.#at++;
  }

  #hexadecimal(): void {
    for (let count = 0; count < 4; count++) {
      this.#at++;
      if (!/[0-9a-fA-F]/.test(this.#text[this.#at] ?? '')) {
        throw this.#unexpected('in \\u hexadecimal character escape');
      }
    }
  }

  #number(): void {
    if (this.#text[this.#at] === '-') this.#at++;
    if (this.#text[this.#at] === '0') this.#at++;
    else this.#digits('in numeric literal');
    if (this.#text[this.#at] === '.') {
      this.#at++;
      this.#digits('after decimal point in numeric literal');
    }
    if (this.#text[this.#at] === 'e' || this.#text[this.#at] === 'E') {
      this.#at++;
      if (this.#text[this.#at] === '+' || this.#text[this.#at] === '-') this.#at++;
      this.#digits('in exponent of numeric literal');
    }
  }

  #digits(where: string): void {
    if (!digit.test(this.#text[this.#at] ?? '')) throw this.#unexpected(where);
    while (digit.test(this.#text[this.#at] ?? '')) this.#at++;
  }

  #literal(word: string): void {
    for (const expected of word) {
      if (this.#text[this.#at] !== expected) throw this.#unexpected(`in literal ${word} (expecting '${expected}')`);
      this.#at++;
    }
  }

  #space(): void {
    space.lastIndex = this.#at;
    space.exec(this.#text);
    this.#at = space.lastIndex;
  }

  #unexpected(where: string): Fault {
    const code = this.#text.codePointAt(this.#at);
    if (code === undefined) return new Fault(this.#at, 'unexpected end of JSON input');
    return new Fault(this.#at, `invalid character ${quoted(String.fromCodePoint(code))} ${where}`);
  }
}

/** As Go quotes a character: `'x'`, `'\''`, `'\n'`, `'\x00'`. */
function quoted(character: string): string {
  if (character === "'") return "'\\''";
  if (character === '"') return `'"'`;
  const short: Record<string, string> = {
    '\n': '\\n',
    '\r': '\\r',
    '\t': '\\t',
    '\b': '\\b',
    '\f': '\\f',
    '\\': '\\\\',
  };
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x20 || code === 0x7f) return `'${short[character] ?? `\\x${code.toString(16).padStart(2, '0')}`}'`;
  return `'${short[character] ?? character}'`;
}
