import type { OutgoingHttpHeaders } from 'node:http';
import { unavailable } from '@cleat/protocol/errors';
import { ChunkReader } from '../hijack/chunk-reader.js';
import { type BodyFrame, bodyFrame } from '../hijack/framing.js';
import { parseHead } from '../hijack/head.js';

/** The head of an upstream's answer. */
export interface AnswerHead {
  readonly status: number;
  /** As they came, in order. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Where its body ends; undefined: with the connection. */
  readonly frame: BodyFrame | undefined;
  readonly isChunked: boolean;
  /** The connection takes another request afterwards. */
  readonly isKept: boolean;
}

/** @param bytes up to the empty line that ends it @throws Unavailable for what is not HTTP */
export function readAnswerHead(bytes: Buffer, method: string): AnswerHead {
  const head = parseHead(bytes);
  const [, minor, status] = /^HTTP\/1\.([01]) (\d{3})(?: |$)/.exec(head.requestLine) ?? [];
  if (status === undefined) throw unavailable('the engine behind the proxy answers something that is not HTTP');
  const headers = head.lines.map((line): [string, string] => {
    const colon = line.indexOf(':');
    if (colon < 1) throw unavailable('the engine behind the proxy answers with a malformed header');
    return [line.slice(0, colon), line.slice(colon + 1).trim()];
  });
  const isChunked = head.values('transfer-encoding').length > 0;
  const code = Number(status);
  const isEmpty = method === 'HEAD' || code === 204 || code === 304;
  const isEndless = !isEmpty && !isChunked && head.values('content-length').length === 0;
  return {
    status: code,
    headers,
    frame: isEmpty ? nothing : isEndless ? undefined : bodyFrame(head),
    isChunked: isChunked && !isEmpty,
    isKept: minor === '1' && !isEndless && !/\bclose\b/i.test(head.values('connection').join()),
  };
}

const nothing: BodyFrame = { take: () => 0, complete: true };

/** Headers that are between two neighbours (RFC 9110, 7.6.1), and what says how a body is framed on its way. */
const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Those that are for the other end, each once where `single` says so: the last, as judges see them. */
export function endToEnd(
  pairs: readonly (readonly [name: string, value: string])[],
): (readonly [name: string, value: string])[] {
  const named = new Set(
    pairs
      .filter(([name]) => name.toLowerCase() === 'connection')
      .flatMap(([, value]) => value.split(',').map((one) => one.trim().toLowerCase())),
  );
  return pairs.filter(([name]) => !hopByHop.has(name.toLowerCase()) && !named.has(name.toLowerCase()));
}

/** For Node's writeHead: several of one name are a list. */
export function outgoing(pairs: readonly (readonly [name: string, value: string])[]): OutgoingHttpHeaders {
  const all: Record<string, string | string[]> = {};
  const names = new Map<string, string>();
  for (const [name, value] of pairs) {
    const key = names.get(name.toLowerCase()) ?? name;
    names.set(name.toLowerCase(), key);
    const before = all[key];
    all[key] = before === undefined ? value : [...(Array.isArray(before) ? before : [before]), value];
  }
  return all;
}

/** The data of an answer whose body comes in chunks; trailers are left out. @throws Unavailable when it is malformed */
export async function* dechunked(body: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const reader = new ChunkReader();
  for await (const bytes of body) {
    const pieces: Buffer[] = [];
    reader.take(bytes, { data: (piece) => void pieces.push(piece) });
    if (reader.isBroken) throw unavailable('the engine behind the proxy answers in malformed chunks');
    yield* pieces;
  }
}
