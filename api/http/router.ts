import type { Exchange } from './exchange.js';
import type { Match, RouteShape } from './target.js';

export interface Route extends RouteShape {
  readonly handler: (exchange: Exchange) => Promise<void> | void;
}

export interface Router {
  /** `path` is decoded and has no version prefix. The first route that fits wins. */
  match(method: string, path: string): Match<Route> | undefined;
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
