import { forbidden } from '@cleat/protocol/errors';
import { readable } from '@cleat/protocol/untrusted';

/** A request's target, however it was spelled: `/v1.41/containers/%77eb/stop?t=1` is `/containers/web/stop`. */
export interface Target {
  /** For example `1.41`; undefined: the engine's newest. */
  readonly version: string | undefined;
  /** Decoded, without the version. */
  readonly path: string;
  readonly query: Query;
}

/** @throws Forbidden for what an engine might understand in another way than we do */
export function targetOf(uri: string): Target {
  const mark = uri.indexOf('?');
  const path = decoded(mark < 0 ? uri : uri.slice(0, mark), uri);
  const [root, ...parts] = path.split('/');
  if (root !== '' || parts.some((part) => part === '' || part === '.' || part === '..')) throw strange(uri);
  const version = /^v(\d[\d.]*)$/.exec(parts[0] ?? '')?.[1];
  return {
    version,
    path: `/${(version === undefined ? parts : parts.slice(1)).join('/')}`,
    query: new Query(mark < 0 ? '' : uri.slice(mark + 1)),
  };
}

/** Whether an API version is older than another; without one it is the newest. */
export function isBefore(version: string | undefined, other: string): boolean {
  if (version === undefined) return false;
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [otherMajor = 0, otherMinor = 0] = other.split('.').map(Number);
  return major < otherMajor || (major === otherMajor && minor < otherMinor);
}

/** The whole path at once, as engines do: an encoded slash separates like any other. */
function decoded(text: string, uri: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw strange(uri);
  }
}

const strange = (uri: string) =>
  forbidden(`the request ${JSON.stringify(readable(uri, 200))} is spelled in a way that is not allowed`);

/** Parameters of a query, read as Go reads them. */
export class Query {
  readonly #pairs: (readonly [name: string, value: string])[];

  /** @throws Forbidden */
  constructor(text: string) {
    // A semicolon separates for some versions of Go and not for others.
    if (text.includes(';')) throw forbidden('the query of the request has a semicolon: encode it');
    this.#pairs = text
      .split('&')
      .filter((pair) => pair !== '')
      .map((pair) => {
        const mark = pair.indexOf('=');
        return [plain(mark < 0 ? pair : pair.slice(0, mark)), mark < 0 ? '' : plain(pair.slice(mark + 1))] as const;
      });
  }

  /** '' when it is missing. @throws Forbidden when there are several that differ: engines do not agree which counts */
  one(name: string): string {
    const values = new Set(this.all(name));
    if (values.size > 1) throw forbidden(`the query of the request has several values of ${name}`);
    return [...values][0] ?? '';
  }

  all(name: string): string[] {
    return this.#pairs.filter(([key]) => key === name).map(([, value]) => value);
  }

  /** As Docker reads a flag: all but these is true. */
  flag(name: string): boolean {
    return this.all(name).some((value) => !['', '0', 'no', 'false', 'none'].includes(value.trim().toLowerCase()));
  }
}

function plain(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw forbidden('the query of the request is not UTF-8, or not encoded as it must be');
  }
}
