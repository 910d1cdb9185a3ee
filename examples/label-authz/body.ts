import { forbidden } from '@cleat/sdk';

/** A JSON object whose keys are found in any case, as Go does. */
export type Body = Readonly<Record<string, unknown>>;

/**
 * A request's body. A stock dockerd shows it as it came, so that what could be read in two ways is refused: a body that
 * is not shown (too large, or in pieces), more than one value, and keys that occur twice, of which Go takes both.
 * @param base64 as the engine shows it
 * @throws Forbidden
 */
export function bodyOf(base64: string | undefined): Body {
  const text = Buffer.from(base64 ?? '', 'base64').toString('utf8');
  if (text === '') throw forbidden('the engine did not show the body of the request: send it whole, and below 1 MiB');
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw forbidden('the body of the request is not JSON');
  }
  if (!isBody(body)) throw forbidden('the body of the request is no JSON object');
  const written = text.replace(/"(?:[^"\\]|\\.)*"/gs, '').split(':').length - 1;
  if (members(body) !== written) throw forbidden('a key occurs twice in the body of the request');
  return body;
}

/** A member, whatever the case of its key. */
export function member(body: unknown, name: string): unknown {
  if (!isBody(body)) return undefined;
  return Object.entries(body).find(([key]) => key.toLowerCase() === name.toLowerCase())?.[1];
}

export function isBody(value: unknown): value is Body {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** How many members there are at all levels. @throws Forbidden for keys that Go may take for each other */
function members(value: unknown): number {
  if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + members(item), 0);
  if (!isBody(value)) return 0;
  const keys = Object.keys(value);
  if (keys.some((key) => !/^[ -~]*$/.test(key))) throw forbidden('a key in the body of the request is not ASCII');
  if (new Set(keys.map((key) => key.toLowerCase())).size < keys.length) {
    throw forbidden('two keys in the body of the request differ in case alone');
  }
  return Object.values(value).reduce<number>((sum, item) => sum + members(item), keys.length);
}
