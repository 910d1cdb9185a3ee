import { randomBytes } from 'node:crypto';
import { jsonComplaint } from './json-complaint.js';

const maybeFraction = /\d[.eE]/;
/** Whole numbers of 16 digits or more may not be exact as a double. */
const maybeUnsafe = /\d{16}/;
/** An int64 has 19 digits; what has many more is no number that anybody means, and takes time to be read exactly. */
const wholeNumber = /^-?[1-9]\d{15,39}$/;
/** With a fraction or an exponent, as JSON has them. */
const fraction = /^-?(?:0|[1-9]\d*)(?=[.eE])(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
/** Marks a number that travels as a string through `JSON.parse` or `JSON.stringify`; unguessable, so not forgeable. */
const marker = `int:${randomBytes(12).toString('hex')}:`;
/** Marks a number that is to be kept as it was written. */
const writtenMarker = `written:${marker}`;
const marked = new RegExp(`"${marker}(-?\\d+)"`, 'g');

/**
 * How deep objects and lists may lie in each other. Go reads 10,000 levels; what is read here is also written again,
 * which V8 does recursively.
 */
export const maxDepth = 1_000;

/** A number with a fraction or an exponent, as it was written: Go takes none for an integer, not even `1.0`. */
export class WrittenNumber {
  constructor(readonly text: string) {}

  toJSON(): number {
    return Number(this.text);
  }
}

/**
 * Parses JSON; a whole number that a double cannot hold exactly becomes a bigint.
 * @param options.written makes what is written with a fraction or an exponent a {@link WrittenNumber}
 * @throws SyntaxError in the words of Go, also for what is nested too deep
 */
export function parseJson(text: string, { written = false } = {}): unknown {
  // Each level takes two characters.
  if (text.length > maxDepth * 2) firstValue(text);
  try {
    if (!maybeUnsafe.test(text) && !(written && maybeFraction.test(text))) return JSON.parse(text);
    const safe = shielded(text, written);
    return safe === text ? JSON.parse(text) : JSON.parse(safe, (_key, value: unknown) => unshielded(value));
  } catch (cause) {
    throw new SyntaxError(jsonComplaint(text), { cause });
  }
}

function unshielded(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  if (value.startsWith(marker)) return BigInt(value.slice(marker.length));
  return value.startsWith(writtenMarker) ? new WrittenNumber(value.slice(writtenMarker.length)) : value;
}

/**
 * The text up to the end of the first object or list in it: Go's decoder reads one value and leaves what follows.
 * @throws SyntaxError for what is nested too deep
 */
export function firstValue(text: string): string {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === quote) at = endOfString(text, at);
    else if (code === openBrace || code === openBracket) {
      if (++depth > maxDepth) throw new SyntaxError(`exceeded max depth of ${maxDepth}`);
    } else if (code === closeBrace || code === closeBracket) {
      if (--depth === 0) return text.slice(0, at + 1);
    }
  }
  return text;
}

/** A lone surrogate, as V8 writes it; a backslash before it is one of the text's. */
const loneSurrogate = /((?<!\\)(?:\\\\)*)\\ud[89a-f][0-9a-f]{2}/g;

/** Writes JSON; a bigint is written as its digits, and what is no Unicode as U+FFFD. */
export function stringify(value: unknown): string {
  const text = withDigits(value);
  return text?.includes('\\ud') ? text.replace(loneSurrogate, '$1\\ufffd') : text;
}

function withDigits(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch (error) {
    // The only cheap way to learn that a bigint is inside; most values have none.
    if (!(error instanceof TypeError) || !/BigInt/i.test(error.message)) throw error;
  }
  const text = JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'bigint' ? `${marker}${inner}` : inner,
  );
  return text.replace(marked, '$1');
}

const [quote, backslash, minus, zero, nine] = [0x22, 0x5c, 0x2d, 0x30, 0x39];
const inNumber = new Set([...'0123456789.eE+-'].map((character) => character.charCodeAt(0)));
const [openBrace, closeBrace, openBracket, closeBracket] = [0x7b, 0x7d, 0x5b, 0x5d];

/** The text with the numbers that JavaScript would change as marked strings. No regular expression survives a string of megabytes. */
function shielded(text: string, written: boolean): string {
  let result = '';
  let copied = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === quote) {
      at = endOfString(text, at);
    } else if (code === minus || (code >= zero && code <= nine)) {
      const end = endOfNumber(text, at + 1);
      const token = text.slice(at, end);
      const mark = markFor(token, written);
      if (mark !== undefined) {
        result += `${text.slice(copied, at)}"${mark}${token}"`;
        copied = end;
      }
      at = end - 1;
    }
  }
  return result + text.slice(copied);
}

function markFor(token: string, written: boolean): string | undefined {
  if (wholeNumber.test(token)) return Number.isSafeInteger(Number(token)) ? undefined : marker;
  return written && fraction.test(token) ? writtenMarker : undefined;
}

/** @param start of its opening quote. @returns where its closing one is, or the text's end */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === quote) return at;
    if (code === backslash) at++;
  }
  return text.length;
}

/** Fraction and exponent included. */
function endOfNumber(text: string, start: number): number {
  let at = start;
  while (inNumber.has(text.charCodeAt(at))) at++;
  return at;
}

/** A JSON object, as opposed to an array, null, or anything plain. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
