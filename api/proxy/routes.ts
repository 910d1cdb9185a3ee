import { forbidden } from '@cleat/protocol/errors';
import { silentLogger } from '@cleat/protocol/log';
import Type from '@cleat/protocol/schema';
import { asDetails } from '@cleat/protocol/verdict';
import { jsonBody } from '../http/body.js';
import type { Route } from '../http/router.js';
import { type SelectorName, type Selectors, selectorNames } from '../http/selectors.js';
import type { RequestCheck } from '../http/server.js';
import type { Method } from '../http/target.js';
import { apiRoutes } from '../routes.js';
import type { ApiServices } from '../services.js';
import { swarmRoutes } from '../swarm/routes.js';
import type { EngineRoute, Forwarder } from './forward.js';

/** Pages of ours that the proxy answers itself: they are about its own hooks and its own journal. */
const own = /^\/cleat\/(hooks|audit)(\/|$)/;

/** Pages that this engine only refuses; another engine's have a body of their own, and may stream. */
const foreign = new Set([
  ...swarmRoutes().map(({ method, path }) => `${method} ${path}`),
  'POST /containers/:name/checkpoints',
  'PUT /volumes/:name',
]);

/** JSON as it comes: there is no schema by which its keys could be folded. */
const anyJson = jsonBody(Type.Unknown(), { orOther: true });

/** Parameters are for the upstream to refuse. */
const allSelectors: Selectors = Object.fromEntries(selectorNames.map((name): [SelectorName, 'many'] => [name, 'many']));

export interface ProxyRoutesOptions {
  readonly services: ApiServices;
  readonly forwarder: Forwarder;
  readonly version: string;
}

/** The engine's table of routes, each of which is answered by the upstream. */
export function proxyRoutes({ services, forwarder, version }: ProxyRoutesOptions): Route[] {
  const engine = apiRoutes(services, { log: silentLogger, version });
  const known = engine.map((route) => (own.test(route.path) ? route : forwarded(route, forwarder)));
  return [...known, ...unknownRoutes(forwarder)];
}

function forwarded(route: Route, forwarder: Forwarder): Route {
  const { method, path, hijacks } = route;
  const isForeign = foreign.has(`${method} ${path}`);
  const body = isForeign ? anyJson : route.body;
  const streams = isForeign ? 'both' : route.streams;
  const before: EngineRoute = { hijacks, body, streams };
  return {
    method,
    path,
    hijacks,
    body,
    // Where anything may stream, an answer streams down: it is an error, or it lasts.
    streams: streams && 'both',
    relays: true,
    selectors: allSelectors,
    handler: (x) => forwarder.forward(x, before),
  };
}

const methods: Method[] = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE'];

const unknownPage = '/:page';

/** Refuses pages that nobody here knows, where that is wanted: what they do could not be judged. */
export function refuseUnknown(passesUnknown: () => boolean): RequestCheck {
  return ({ route, method, path }) => {
    if (route.path !== unknownPage || passesUnknown()) return undefined;
    const reason = `the proxy does not know the page ${method} ${path}`;
    throw forbidden(`${reason}: --unknown-routes=pass hands it on`, {
      details: asDetails({ by: 'proxy', reason, denied: true }),
    });
  };
}

/** A newer engine's pages. */
function unknownRoutes(forwarder: Forwarder): Route[] {
  const before: EngineRoute = { body: anyJson, streams: 'both' };
  return methods.map((method) => ({
    method,
    path: unknownPage,
    body: anyJson,
    streams: 'both',
    relays: true,
    selectors: allSelectors,
    handler: (x) => forwarder.forward(x, before),
  }));
}
