import { parseJson } from '@cleat/protocol/json';
import { encodeLogEntry } from '@cleat/protocol/log-entry';
import { readable } from '@cleat/protocol/untrusted';
import type { Body } from './recording.js';

/** Bytes in the most readable form that gives them back; of JSON, what means the same. @returns undefined for none */
export function bodyOf(bytes: Buffer): Body | undefined {
  if (bytes.length === 0) return undefined;
  const text = bytes.toString('utf8');
  if (!Buffer.from(text).equals(bytes)) return { form: 'base64', bytes };
  return jsonBody(text) ?? (isReadable(text) ? { form: 'text', text } : { form: 'base64', bytes });
}

/** The bytes that a body stands for. */
export function bytesOf(body: Body | undefined): Buffer {
  if (body === undefined) return Buffer.alloc(0);
  switch (body.form) {
    case 'base64':
      return Buffer.from(body.bytes);
    case 'entries':
      return Buffer.concat(body.entries.map(encodeLogEntry));
    default:
      return Buffer.from(body.text);
  }
}

/** Reads a body: the value of JSON, else its text; an empty one stands for `{}`. Undefined for what is neither. */
export function meaningOf(body: Body | undefined): unknown {
  if (body === undefined) return {};
  if (body.form === 'json') return parseJson(body.text);
  return body.form === 'text' ? body.text : undefined;
}

function jsonBody(text: string): Body | undefined {
  // Outside of strings, where a carriage return may stand, it says nothing.
  const plain = text.replaceAll('\r', '').trim();
  const shown = isReadable(plain) ? plain : readable(plain, plain.length);
  try {
    parseJson(shown);
    return { form: 'json', text: shown };
  } catch {
    // Text, then.
    return undefined;
  }
}

/** It can be shown as it is, and edited. */
function isReadable(text: string): boolean {
  return readable(text, text.length) === text;
}
