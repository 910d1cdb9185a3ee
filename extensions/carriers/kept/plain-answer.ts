/** The head of an answer whose body follows with a known length, on a connection that stays. */
export interface PlainHead {
  readonly status: number;
  /** Bytes of the head. */
  readonly size: number;
  /** Bytes of the body. */
  readonly length: number;
  /** How long the other side keeps the connection while nobody uses it, in seconds, if it says so. */
  readonly keptSeconds: number | undefined;
}

const statusLine = /HTTP\/1\.1 ([2-5]\d\d) [ -~]*\r\n/y;
const headerLine = /([A-Za-z0-9-]+): ([!-~]|[!-~][ -~]*[!-~])\r\n/y;

/** They say where an answer ends, or what becomes of its connection, in other ways than the plain ones. */
const odd = new Set(['connection', 'content-length', 'keep-alive', 'trailer', 'transfer-encoding', 'upgrade']);

/** Longer heads are rare. */
const maxBytes = 4096;

/**
 * Reads the head of an answer that every parser understands in the same way, as most plugins give it. Whatever else
 * there may be in one is left to Node's parser.
 * @param bytes what has come so far
 * @returns undefined for any other answer, and for a head that is not whole
 */
export function readPlainHead(bytes: Buffer): PlainHead | undefined {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0 || end > maxBytes) return undefined;
  const text = bytes.toString('latin1', 0, end + 2);
  statusLine.lastIndex = 0;
  const status = Number(statusLine.exec(text)?.[1]);
  // These have no body, whatever their headers say.
  if (!status || status === 204 || status === 304) return undefined;
  let length: number | undefined;
  let keptSeconds: number | undefined;
  for (let at = statusLine.lastIndex; at < text.length; at = headerLine.lastIndex) {
    headerLine.lastIndex = at;
    const [, rawName, value] = headerLine.exec(text) ?? [];
    if (rawName === undefined || value === undefined) return undefined;
    const name = rawName.toLowerCase();
    if (!odd.has(name)) continue;
    if (name === 'content-length' && length === undefined && /^(0|[1-9]\d{0,9})$/.test(value)) length = Number(value);
    else if (name === 'keep-alive' && /^timeout=\d{1,5}$/.test(value)) keptSeconds = Number(value.slice(8));
    else if (name !== 'connection' || value.toLowerCase() !== 'keep-alive') return undefined;
  }
  return length === undefined ? undefined : { status, size: end + 4, length, keptSeconds };
}
