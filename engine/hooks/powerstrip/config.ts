import { invalidParameter, messageOf } from '@cleat/protocol/errors';
import { isRecord } from '@cleat/protocol/json-text';
import { globOf } from './glob.js';

/** The adapters that requests of one pattern are put to, by their names. */
export interface Endpoint {
  /** As the file has it, with its method: `POST /v1.*`. */
  readonly pattern: string;
  readonly matches: RegExp;
  readonly pre: readonly string[];
  readonly post: readonly string[];
}

/** An `adapters.yml`, as Powerstrip reads it. */
export interface PowerstripConfig {
  /** In the order of the file. */
  readonly endpoints: readonly Endpoint[];
  readonly adapters: ReadonlyMap<string, URL>;
}

/**
 * @param content the file's, decoded
 * @param path for messages
 * @throws InvalidParameter for what Powerstrip refuses, and for another version
 */
export function readAdapters(content: unknown, path: string): PowerstripConfig {
  const wrong = (why: string) => invalidParameter(`${path}: ${why}`);
  if (!isRecord(content)) throw wrong('expected version, endpoints and adapters');
  const { version, endpoints, adapters, ...others } = content;
  if (version !== 1) throw wrong(`version is ${JSON.stringify(version)}; 1 is known here`);
  const [odd] = Object.keys(others);
  if (odd !== undefined) throw wrong(`there is no setting "${odd}" beside version, endpoints and adapters`);
  if (!isRecord(endpoints)) throw wrong("required key 'endpoints' is missing");
  if (!isRecord(adapters)) throw wrong("required key 'adapters' is missing");
  const urls = new Map(Object.entries(adapters).map(([name, url]) => [name, urlOf(url, name, wrong)]));
  const list = Object.entries(endpoints).map(([pattern, hooks]) => {
    if (!isRecord(hooks) || Object.keys(hooks).length === 0) throw wrong(`no configuration for endpoint '${pattern}'`);
    const { pre, post, ...rest } = hooks;
    const [unknown] = Object.keys(rest);
    if (unknown !== undefined)
      throw wrong(`endpoint '${pattern}' has an unknown key '${unknown}': pre and post are known`);
    if (!/^\S+ \S+$/.test(pattern))
      throw wrong(`endpoint '${pattern}' is no pattern: write it as POST /*/containers/create`);
    const names = { pre: namesOf(pre, pattern, wrong), post: namesOf(post, pattern, wrong) };
    const missing = [...names.pre, ...names.post].find((name) => !urls.has(name));
    if (missing !== undefined)
      throw wrong(`endpoint '${pattern}' names the adapter '${missing}', which is not defined`);
    return { pattern, matches: expressionOf(pattern, wrong), ...names };
  });
  return { endpoints: list, adapters: urls };
}

type Wrong = (why: string) => Error;

function expressionOf(pattern: string, wrong: Wrong): RegExp {
  try {
    return globOf(pattern);
  } catch (error) {
    throw wrong(`endpoint '${pattern}' is no pattern: ${messageOf(error)}`);
  }
}

function namesOf(value: unknown, pattern: string, wrong: Wrong): string[] {
  if (value === undefined) return [];
  if (Array.isArray(value) && value.every((name) => typeof name === 'string')) return value;
  throw wrong(`endpoint '${pattern}': pre and post are lists of adapters`);
}

function urlOf(value: unknown, name: string, wrong: Wrong): URL {
  const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined;
  if (url?.protocol === 'http:') return url;
  throw wrong(`adapter '${name}' is at ${JSON.stringify(value)}: write it as http://HOST:PORT/PATH`);
}
