import type { JsonBody } from './body.js';
import type { Exchange } from './exchange.js';

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE' | 'OPTIONS';

export interface Route {
  readonly method: Method;
  /** `/containers/:name/start`; a parameter matches slashes too, because names of images have them. */
  readonly path: string;
  readonly handler: (exchange: Exchange) => Promise<void> | void;
  /**
   * The handler takes the connection over (`exchange.hijack`), whether the client asks for an upgrade or not; `h2c`: it
   * may where the client asks for that one.
   */
  readonly hijacks?: true | 'h2c';
  /** Which ways data flows without a bound: the body (`exchange.body`), the answer (`exchange.begin`, `pipe`), or both. */
  readonly streams?: 'up' | 'down' | 'both';
  /** The JSON body that the handler reads (`exchange.json`); an authorizer sees it as the handler does. */
  readonly body?: JsonBody;
}

export interface Match {
  readonly route: Route;
  readonly params: Readonly<Record<string, string>>;
}

export interface Router {
  /** `path` is decoded and has no version prefix. The first route that fits wins. */
  match(method: string, path: string): Match | undefined;
}

/** The path that leads to a match, in its one plain spelling: `/containers/%63reate/` is `/containers/create`. */
export function canonicalPath({ route, params }: Match): string {
  return route.path.replace(/:(\w+)/g, (_all, name: string) =>
    encodeURI(params[name] ?? '').replace(/[?#]/g, encodeURIComponent),
  );
}

export function createRouter(routes: readonly Route[]): Router {
  const byMethod = new Map<string, { route: Route; pattern: RegExp; names: string[] }[]>();
  for (const route of routes) {
    const names: string[] = [];
    const source = route.path.replace(/[.]/g, '\\$&').replace(/:(\w+)/g, (_all, name: string) => {
      names.push(name);
      return '(.+)';
    });
    const list = byMethod.get(route.method) ?? [];
    list.push({ route, pattern: new RegExp(`^${source}/?$`, 's'), names });
    byMethod.set(route.method, list);
  }
  return {
    match(method, path) {
      for (const { route, pattern, names } of byMethod.get(method) ?? []) {
        const found = pattern.exec(path);
        if (found) return { route, params: Object.fromEntries(names.map((name, i) => [name, found[i + 1] ?? ''])) };
      }
      return undefined;
    },
  };
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
