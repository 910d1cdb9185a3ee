import { randomBytes } from 'node:crypto';
import { jsonComplaint } from './json-complaint.js';

/** Whole numbers of 16 digits or more may not be exact as a double. */
const maybeUnsafe = /\d{16}/;
/** An int64 has 19 digits; what has many more is no number that anybody means, and takes time to be read exactly. */
const wholeNumber = /^-?[1-9]\d{15,39}$/;
/** Marks a number that travels as a string through `JSON.parse` or `JSON.stringify`; unguessable, so not forgeable. */
const marker = `int:${randomBytes(12).toString('hex')}:`;
const marked = new RegExp(`"${marker}(-?\\d+)"`, 'g');

/**
 * How deep objects and lists may lie in each other. Go reads 10,000 levels; what is read here is also written again,
 * which V8 does recursively.
 */
export const maxDepth = 1_000;

/**
 * Parses JSON; a whole number that a double cannot hold exactly becomes a bigint.
 * @throws SyntaxError in the words of Go, also for what is nested too deep
 */
export function parseJson(text: string): unknown {
  // Each level takes two characters.
  if (text.length > maxDepth * 2) firstValue(text);
  try {
    if (!maybeUnsafe.test(text)) return JSON.parse(text);
    return JSON.parse(shielded(text), (_key, value: unknown) =>
      typeof value === 'string' && value.startsWith(marker) ? BigInt(value.slice(marker.length)) : value,
    );
  } catch (cause) {
    throw new SyntaxError(jsonComplaint(text), { cause });
  }
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

/** The text with whole numbers that are too large for a double as marked strings. No regular expression survives a string of megabytes. */
function shielded(text: string): string {
  let result = '';
  let copied = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === quote) {
      at = endOfString(text, at);
    } else if (code === minus || (code >= zero && code <= nine)) {
      const end = endOfNumber(text, at + 1);
      const token = text.slice(at, end);
      if (wholeNumber.test(token) && !Number.isSafeInteger(Number(token))) {
        result += `${text.slice(copied, at)}"${marker}${token}"`;
        copied = end;
      }
      at = end - 1;
    }
  }
  return result + text.slice(copied);
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
