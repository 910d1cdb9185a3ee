import type { IncomingHttpHeaders } from 'node:http';

/** A request that is nothing but its head, in the simplest form that clients send, or a short body with it. */
export interface PlainRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'DELETE';
  readonly url: string;
  /** By their names in lower case. */
  readonly headers: IncomingHttpHeaders;
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
  /** Bytes of its body, which follow the head. */
  readonly length: number;
}

const requestLine = /(GET|HEAD|POST|DELETE) (\/[\w/.:%?&=,+~-]*) HTTP\/1\.1\r\n/y;
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
  if (url === undefined || !isMethod(method)) return undefined;
  const headers: Record<string, string> = {};
  const rawHeaders: string[] = [];
  let at = requestLine.lastIndex;
  while (!text.startsWith('\r\n', at)) {
    headerLine.lastIndex = at;
    const [, rawName, value] = headerLine.exec(text) ?? [];
    if (rawName === undefined || value === undefined) return undefined;
    const name = rawName.toLowerCase();
    if (!(harmless.has(name) || isPlain(method, name, value)) || name in headers) return undefined;
    headers[name] = value;
    rawHeaders.push(rawName, value);
    at = headerLine.lastIndex;
  }
  if (at + 2 !== text.length) return undefined;
  return { method, url, headers, rawHeaders, length: Number(headers['content-length'] ?? 0) };
}

const isMethod = (text: string | undefined): text is PlainRequest['method'] =>
  text !== undefined && ['GET', 'HEAD', 'POST', 'DELETE'].includes(text);

/** Two headers that do say such things, where they say what every parser understands. */
function isPlain(method: PlainRequest['method'], name: string, value: string): boolean {
  if (name === 'connection') return value === 'keep-alive';
  return name === 'content-length' && method === 'POST' && /^(0|[1-9]\d{0,4})$/.test(value);
}
