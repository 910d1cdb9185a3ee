import type { JsonBody } from './body.js';
import type { Selectors } from './selectors.js';

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE' | 'OPTIONS';

/** The facts about a route without its handler. */
export interface RouteShape {
  readonly method: Method;
  /** `/containers/:name/start`; a parameter matches slashes too, because names of images have them. */
  readonly path: string;
  /**
   * The handler takes the connection over (`exchange.hijack`), whether the client asks for an upgrade or not; `h2c`: it
   * may where the client asks for that one.
   */
  readonly hijacks?: true | 'h2c';
  /**
   * Which ways data flows without a bound: the body (`exchange.body`), the answer (`exchange.begin`, `pipe`), or both.
   */
  readonly streams?: 'up' | 'down' | 'both';
  /** A body in chunks may be handed on as it came (`exchange.relay`). */
  readonly relays?: true;
  /** Without it there are none; one that is not named here is refused. */
  readonly selectors?: Selectors;
  /** The JSON body that the handler reads (`exchange.json`); an authorizer sees it as the handler does. */
  readonly body?: JsonBody;
}

export interface Match<R extends RouteShape = RouteShape> {
  readonly route: R;
  readonly params: Readonly<Record<string, string>>;
}

/** The path that leads to a match, in its one plain spelling: `/containers/%63reate/` is `/containers/create`. */
export function canonicalPath({ route, params }: Match): string {
  return route.path.replace(/:(\w+)/g, (_all, name: string) =>
    encodeURI(params[name] ?? '').replace(/[?#]/g, encodeURIComponent),
  );
}

export interface Target {
  /** Without the prefix: undefined. */
  readonly version: string | undefined;
  /** Decoded, without version prefix. */
  readonly path: string;
  /** As it was sent. */
  readonly query: string;
}

/** Splits a request target (`/v1.41/containers/json?all=1`); undefined when its percent-encoding is malformed. */
export function parseTarget(url: string): Target | undefined {
  const relative = url.replace(/^https?:\/\/[^/?]*/i, '').replace(/^\/{2,}/, '/');
  const mark = relative.indexOf('?');
  const encoded = mark < 0 ? relative : relative.slice(0, mark);
  let path: string;
  try {
    path = decodeURIComponent(encoded);
  } catch {
    return undefined; // malformed %-sequence: the caller answers 400
  }
  const match = /^\/v(\d[\d.]*)(\/.*)$/s.exec(path);
  return {
    version: match?.[1],
    path: match?.[2] ?? (path === '' ? '/' : path),
    query: mark < 0 ? '' : relative.slice(mark + 1),
  };
}
