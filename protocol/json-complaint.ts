/**
 * Tells why a text is not JSON, in the words of Go's `encoding/json` (`scanner.go`): clients of engines
 * match on them.
 */
export function jsonComplaint(text: string): string {
  const scanner = new Scanner(text);
  try {
    scanner.value();
    return scanner.atEnd() ? 'malformed JSON' : unexpectedContent;
  } catch (error) {
    if (error instanceof Complaint) return error.message;
    throw error;
  }
}

/** Another value, or anything else, behind the first one. */
export const unexpectedContent = 'unexpected content after JSON';

class Complaint extends Error {}

const literals: Record<string, string> = { t: 'true', f: 'false', n: 'null' };

class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  atEnd(): boolean {
    this.#space();
    return this.#at >= this.#text.length;
  }

  value(): void {
    this.#space();
    const first = this.#peek();
    const literal = literals[first];
    if (first === '{') this.#object();
    else if (first === '[') this.#array();
    else if (first === '"') this.#string();
    else if (literal) this.#literal(literal);
    else if (first === '-' || isDigit(first)) this.#number();
    else this.#refuse('looking for beginning of value');
  }

  #space(): void {
    while (/[ \t\r\n]/.test(this.#text[this.#at] ?? '')) this.#at++;
  }

  #peek(): string {
    const character = this.#text[this.#at];
    if (character === undefined) throw new Complaint('unexpected EOF');
    return character;
  }

  #next(): string {
    const character = this.#peek();
    this.#at++;
    return character;
  }

  /** Refuses the character that comes next. */
  #refuse(where: string): never {
    throw new Complaint(`invalid character ${quoted(this.#peek())} ${where}`);
  }

  #object(): void {
    this.#at++;
    this.#space();
    if (this.#peek() === '}') {
      this.#at++;
      return;
    }
    for (;;) {
      this.#space();
      if (this.#peek() !== '"') this.#refuse('looking for beginning of object key string');
      this.#string();
      this.#space();
      if (this.#peek() !== ':') this.#refuse('after object key');
      this.#at++;
      this.value();
      this.#space();
      if (this.#peek() !== ',' && this.#peek() !== '}') this.#refuse('after object key:value pair');
      if (this.#next() === '}') return;
    }
  }

  #array(): void {
    this.#at++;
    this.#space();
    if (this.#peek() === ']') {
      this.#at++;
      return;
    }
    for (;;) {
      this.value();
      this.#space();
      if (this.#peek() !== ',' && this.#peek() !== ']') this.#refuse('after array element');
      if (this.#next() === ']') return;
    }
  }

  #string(): void {
    this.#at++;
    for (;;) {
      const character = this.#peek();
      if (character < ' ') this.#refuse('in string literal');
      this.#at++;
      if (character === '"') return;
      if (character === '\\') this.#escape();
    }
  }

  #escape(): void {
    if (!'"\\/bfnrtu'.includes(this.#peek())) this.#refuse('in string escape code');
    if (this.#next() !== 'u') return;
    for (let digit = 0; digit < 4; digit++) {
      if (!/[0-9a-f]/i.test(this.#peek())) this.#refuse('in \\u hexadecimal character escape');
      this.#at++;
    }
  }

  #literal(literal: string): void {
    this.#at++;
    for (const expected of literal.slice(1)) {
      if (this.#peek() !== expected) this.#refuse(`in literal ${literal} (expecting '${expected}')`);
      this.#at++;
    }
  }

  #number(): void {
    if (this.#peek() === '-') this.#at++;
    if (this.#peek() === '0') this.#at++;
    else this.#digits('in numeric literal');
    if (this.#text[this.#at] === '.') {
      this.#at++;
      this.#digits('after decimal point in numeric literal');
    }
    if (/[eE]/.test(this.#text[this.#at] ?? '')) {
      this.#at++;
      if (/[+-]/.test(this.#peek())) this.#at++;
      this.#digits('in exponent of numeric literal');
    }
  }

  #digits(where: string): void {
    if (!isDigit(this.#peek())) this.#refuse(where);
    while (isDigit(this.#text[this.#at] ?? '')) this.#at++;
  }
}

const isDigit = (character: string): boolean => /^[0-9]$/.test(character);

/** As Go shows a byte: of a longer character it sees the first one only. */
function quoted(character: string): string {
  if (character === "'") return `'\\''`;
  if (character === '"') return `'"'`;
  const [byte = 0] = Buffer.from(character);
  const short: Record<number, string> = { 7: 'a', 8: 'b', 9: 't', 10: 'n', 11: 'v', 12: 'f', 13: 'r', 92: '\\' };
  if (short[byte] !== undefined) return `'\\${short[byte]}'`;
  if (byte < 32 || byte === 127) return `'\\x${byte.toString(16).padStart(2, '0')}'`;
  if (byte >= 128 && byte < 161) return `'\\u${byte.toString(16).padStart(4, '0')}'`;
  return `'${String.fromCharCode(byte)}'`;
}
