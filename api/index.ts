import type { Logger } from '@cleat/protocol/log';
import { authorizationCheck } from './authorization/check.js';
import { hooksCheck } from './hooks/check.js';
import { createRouter, type Route } from './http/router.js';
import { createApiServer, type RequestCheck, refuseBrowsers } from './http/server.js';
import { type Listener, type ListenOptions, listen } from './listeners/listen.js';
import { powerstripCheck } from './powerstrip/check.js';
import { apiRoutes } from './routes.js';
import type { ApiServices } from './services.js';

export { currentCaller, currentRequest, type RequestContext } from './http/request-context.js';
export type { RequestCheck } from './http/server.js';
export { maxApiVersion, minApiVersion } from './http/version.js';
export { isLoopback, parseAddress } from './listeners/address.js';
export type { Listener, ListenOptions, TlsOptions } from './listeners/listen.js';
export type { ApiServices } from './services.js';

export interface ApiOptions {
  services: ApiServices;
  log: Logger;
  /** The engine's version, for the Server header. */
  version: string;
  /** The oldest API version that is accepted. */
  minApiVersion?: string;
  /** Origins of web pages that may use unprotected TCP. */
  allowedOrigins?: readonly string[];
  /** Asked in order before every handler, after the built-in ones. */
  onRequest?: readonly RequestCheck[];
  /** It answers builders: they have routes of their own beside the Engine API. */
  forBuilders?: boolean;
  /** Further routes, tried before the others. */
  routes?: readonly Route[];
}

export interface Api {
  /**
   * Starts to serve an address: `unix:///path`, `tcp://host:port` or `fd://`.
   * @throws InvalidParameter (address, group), Conflict (another daemon answers there), Unavailable
   */
  listen(address: string, options?: ListenOptions): Promise<Listener[]>;
  /** Stops listening, ends idle connections at once and the others after `graceMs`. */
  close(graceMs?: number): Promise<void>;
}

/** The Docker Engine API in front of the engine's services. */
export function openApi(options: ApiOptions): Api {
  return serveApi({ ...options, routes: [...(options.routes ?? []), ...apiRoutes(options.services, options)] });
}

export interface ServeOptions extends Omit<ApiOptions, 'routes' | 'forBuilders'> {
  routes: readonly Route[];
  /** Asked before everybody else but the built-in checks. */
  first?: readonly RequestCheck[];
  identity?: () => Readonly<Record<string, string>>;
}

/** Any routes, with the checks that stand before those of the engine. */
export function serveApi(options: ServeOptions): Api {
  const { services, log } = options;
  const { store } = services;
  services.hooks?.setRoutes(options.routes);
  const router = createRouter(options.routes);
  const server = createApiServer({
    router,
    reroutes: () => services.hooks?.adapters.isEmpty === false,
    log,
    identity: options.identity,
    callers: services.callers,
    audit: services.audit,
    version: options.version,
    minApiVersion: options.minApiVersion,
    checks: [
      refuseBrowsers(options.allowedOrigins),
      ...(options.first ?? []),
      // The request that authorizers judge is the one that is done: hooks, which change it, come before them.
      ...(services.hooks ? [powerstripCheck(services.hooks, router)] : []),
      ...(services.hooks ? [hooksCheck(services.hooks, services)] : []),
      ...(services.authorization ? [authorizationCheck(services.authorization)] : []),
      ...(options.onRequest ?? []),
    ],
    settled: store && (() => store.flush()),
  });
  const listeners: Listener[] = [];
  return {
    async listen(address, listenOptions = {}) {
      const opened = await listen(address, listenOptions, server.accept);
      listeners.push(...opened);
      return opened;
    },
    async close(graceMs) {
      await Promise.all(listeners.splice(0).map((listener) => listener.close()));
      await server.close(graceMs);
    },
  };
}
