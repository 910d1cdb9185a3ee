import { parseJson, stringify } from '@cleat/protocol/json';
import { methodPath } from '@cleat/protocol/kinds/kind';
import { secretKind } from '@cleat/protocol/kinds/secret';
import type { Body, RecordedEvent } from './recording.js';
import { mapValues } from './values.js';

/** Stands for a value that is not told. In a replay it stands for any. */
export const redacted = '<redacted>';

export interface RedactOptions {
  /** Keys whose values are not told, at any depth, in any case. */
  readonly keys?: readonly string[];
  /** Also those of {@link secretKeys}, and what secret providers answer; default true. */
  readonly usual?: boolean;
}

/** Options and variables that are usually secret: `password`, `s3-secret-key`, `clientSecret`, `REGISTRY_TOKEN`. */
const secretKeys =
  /(?:passw(?:or)?d|passphrase|secret|token|credentials?|(?:api|access|private|secret|auth)[-_.]?key)$/i;

/** Members in which authorization plugins see others' messages: base64 of a body. In lower case. */
export const wrapped = new Set(['requestbody', 'responsebody']);

/** The JSON value in base64; undefined for what is none. */
export function unwrapped(text: string): unknown {
  try {
    return parseJson(Buffer.from(text, 'base64').toString('utf8'));
  } catch {
    // A body of another kind: it is compared as it is.
    return undefined;
  }
}

/** @returns what takes secrets out of an event before it is written. `path` is that of the event's call. */
export function redactor({
  keys = [],
  usual = true,
}: RedactOptions): (event: RecordedEvent, path: string) => RecordedEvent {
  const named = new Set(keys.map((key) => key.toLowerCase()));
  const isSecret = (key: string) => named.has(key.toLowerCase()) || (usual && secretKeys.test(key));
  const ofSecret = (key: string) => isSecret(key) || key.toLowerCase() === 'value';

  /** @returns the text itself where nothing in it is secret: in its sender's own spelling. */
  const redactJson = (text: string, hides: (key: string) => boolean): string => {
    let hidden = 0;
    const value = mapValues(parseJson(text), (one, key) => {
      if (one === null || one === '') return undefined;
      if (key !== undefined && hides(key)) {
        hidden++;
        return redacted;
      }
      if (typeof one !== 'string') return undefined;
      const inside = key !== undefined && wrapped.has(key.toLowerCase()) ? insideBase64(one) : variable(one);
      if (inside !== undefined) hidden++;
      return inside;
    });
    return hidden === 0 ? text : stringify(value);
  };
  /** `PASSWORD=x` in a list of variables. */
  const variable = (text: string): string | undefined => {
    const [, name = ''] = /^([\w.-]{1,200})=./s.exec(text) ?? [];
    return name !== '' && isSecret(name) ? `${name}=${redacted}` : undefined;
  };
  const insideBase64 = (text: string): string | undefined => {
    if (unwrapped(text) === undefined) return undefined;
    const plain = Buffer.from(text, 'base64').toString('utf8');
    const told = redactJson(plain, isSecret);
    return told === plain ? undefined : Buffer.from(told).toString('base64');
  };
  const secretPath = methodPath(secretKind, 'GetSecret');
  return (event, path) => {
    if (event.body?.form !== 'json') return event;
    const isSecretAnswer = usual && path === secretPath && event.what !== 'request';
    const body: Body = { form: 'json', text: redactJson(event.body.text, isSecretAnswer ? ofSecret : isSecret) };
    return { ...event, body };
  };
}
