import type { IncomingHttpHeaders } from 'node:http';

/** A request that is nothing but its head, in the simplest form that clients send. */
export interface PlainRequest {
  readonly method: 'GET' | 'HEAD';
  readonly url: string;
  /** By their names in lower case. */
  readonly headers: IncomingHttpHeaders;
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
}

const requestLine = /(GET|HEAD) (\/[\w/.:%?&=,+~-]*) HTTP\/1\.1\r\n/y;
const headerLine = /([A-Za-z-]+): ([!-~]|[!-~][ -~]*[!-~])\r\n/y;

/** Headers that say nothing about where a request ends, or what becomes of its connection. */
const harmless = new Set([
  'accept',
  'accept-encoding',
  'accept-language',
  'content-type',
  'host',
  'traceparent',
  'tracestate',
  'user-agent',
]);

/** Longer heads are rare. */
const maxBytes = 4096;

/**
 * Reads the head of a request that every parser understands in the same way. Whatever else there may be in one is left
 * to Node's parser: it is stricter than that, never more lenient, so nothing can be smuggled past either.
 * @param head up to the empty line that ends it, and no further
 * @returns undefined for any other request
 */
export function readPlainRequest(head: Buffer): PlainRequest | undefined {
  if (head.length > maxBytes) return undefined;
  const text = head.toString('latin1');
  requestLine.lastIndex = 0;
  const [, method, url] = requestLine.exec(text) ?? [];
  if (url === undefined || (method !== 'GET' && method !== 'HEAD')) return undefined;
  const headers: Record<string, string> = {};
  const rawHeaders: string[] = [];
  let at = requestLine.lastIndex;
  while (!text.startsWith('\r\n', at)) {
    headerLine.lastIndex = at;
    const [, rawName, value] = headerLine.exec(text) ?? [];
    if (rawName === undefined || value === undefined) return undefined;
    const name = rawName.toLowerCase();
    const isPlain = harmless.has(name) || (name === 'connection' && value === 'keep-alive');
    if (!isPlain || name in headers) return undefined;
    headers[name] = value;
    rawHeaders.push(rawName, value);
    at = headerLine.lastIndex;
  }
  return at + 2 === text.length ? { method, url, headers, rawHeaders } : undefined;
}
