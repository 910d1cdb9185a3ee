import { invalidParameter, messageOf } from '@cleat/protocol/errors';
import { decode, parseJson, type Static, type TSchema, unexpectedContent } from '@cleat/protocol/json';
import { isBefore } from './version.js';

/** Bytes of a JSON body; what is kept of one is bounded below that. */
export const maxBodyBytes = 4 * 1024 * 1024;

/** A JSON body as a route declares it. */
export interface JsonBody<S extends TSchema = TSchema> {
  readonly schema: S;
  /** Only clients older than this send it; what newer ones send is not looked at. */
  readonly before?: string;
  /** The route takes other bodies, too: only what the client calls JSON is read as such. */
  readonly orOther?: boolean;
}

export function jsonBody<S extends TSchema>(schema: S, rest: Omit<JsonBody, 'schema'> = {}): JsonBody<S> {
  return { schema, ...rest };
}

export function isExpected(body: JsonBody, version: string, type?: string): boolean {
  if (body.orOther && !isJson(type)) return false;
  return body.before === undefined || isBefore(version, body.before);
}

const isJson = (type = ''): boolean => /^application\/json\s*(;|$)/i.test(type);

/** @throws InvalidParameter when it is larger than {@link maxBodyBytes} */
export async function readText(source: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of source) {
    size += chunk.length;
    if (size > maxBodyBytes) throw invalidParameter(`request body is larger than ${maxBodyBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/**
 * A body in its schema's shape; undefined when there is none. One of another content type is refused, as Docker does:
 * it is what keeps a web page's form from being a request.
 * @throws InvalidParameter
 */
export function decodeBody<S extends TSchema>(
  { schema }: JsonBody<S>,
  text: string,
  contentType = '',
): Static<S> | undefined {
  if (text === '') return undefined;
  if (!isJson(contentType)) {
    throw invalidParameter(
      contentType === ''
        ? 'malformed Content-Type header (): mime: no media type'
        : `unsupported Content-Type header (${contentType}): must be 'application/json'`,
    );
  }
  if (text.trim() === '') throw invalidParameter('invalid JSON: got EOF while reading request body');
  try {
    return decode(schema, parseJson(text, { written: true }));
  } catch (cause) {
    const message = messageOf(cause);
    throw invalidParameter(message === unexpectedContent ? message : `invalid JSON: ${message}`, { cause });
  }
}
