import { validateHeaderValue } from 'node:http';
import { invalidParameter } from '@cleat/protocol/errors';

/** They say where a message ends and what becomes of its connection. */
const framing = new Set([
  'connection',
  'content-length',
  'expect',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
/** They were judged before hooks are asked. */
const judged = new Set(['host', 'origin']);

const maxValue = 16 * 1024;

/** `content-type` → `Content-Type` (Go's CanonicalMIMEHeaderKey). */
export function canonicalHeader(name: string): string {
  return name.toLowerCase().replace(/(^|-)[a-z]/g, (start) => start.toUpperCase());
}

/** @param ofRequest else of an answer @throws InvalidParameter */
export function checkHeader(name: string, value: unknown, ofRequest: boolean): string {
  const lower = name.toLowerCase();
  if (!/^[A-Za-z][\w-]{0,127}$/.test(name)) throw invalidParameter(`${JSON.stringify(name)} is no name of a header`);
  const isFraming = framing.has(lower) || lower.startsWith('sec-websocket-');
  if (isFraming || (ofRequest && judged.has(lower))) throw invalidParameter(`a hook does not set the header ${name}`);
  if (typeof value !== 'string' || value.length > maxValue) {
    throw invalidParameter(`the header ${name} takes a text of at most ${maxValue} characters`);
  }
  try {
    validateHeaderValue(name, value);
  } catch (cause) {
    throw invalidParameter(`the header ${name} has characters that no header may have`, { cause });
  }
  return value;
}

/** @throws InvalidParameter */
export function checkHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [canonicalHeader(name), checkHeader(name, value, false)]),
  );
}
