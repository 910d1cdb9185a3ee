import { silentLogger } from '@cleat/protocol/log';
import { auditRoutes } from './audit/routes.js';
import { composeRoutes } from './build/compose.js';
import { type BuildRoutesOptions, buildRoutes } from './build/routes.js';
import { containerRoutes } from './containers/routes.js';
import { withCursors } from './events/cursor.js';
import { eventRoutes } from './events/routes.js';
import { execRoutes } from './exec/routes.js';
import { extensionRoutes } from './extensions/routes.js';
import { hookRoutes } from './hooks/routes.js';
import type { Route } from './http/router.js';
import type { RouteShape } from './http/target.js';
import { imageRoutes } from './images/routes.js';
import { logDriverRoutes } from './log-drivers/routes.js';
import { networkRoutes } from './networks/routes.js';
import { pluginRoutes } from './plugins/routes.js';
import type { ApiServices } from './services.js';
import { swarmRoutes } from './swarm/routes.js';
import { systemRoutes } from './system/routes.js';
import { volumeRoutes } from './volumes/routes.js';

/** The routes without what serves them: for who only needs to know which there are. */
export function routeShapes(): RouteShape[] {
  return apiRoutes({} as ApiServices, { log: silentLogger, version: '' });
}

/** Every route of the API; the first that fits wins. */
export function apiRoutes(
  services: ApiServices,
  options: { minApiVersion?: string; forBuilders?: boolean } & BuildRoutesOptions,
): Route[] {
  const routes: Route[] = [
    ...hookRoutes(services, () => routes),
    ...systemRoutes(services, options),
    ...eventRoutes(services),
    ...containerRoutes(services),
    ...execRoutes(services),
    ...imageRoutes(services),
    ...networkRoutes(services),
    ...volumeRoutes(services),
    ...extensionRoutes(services),
    ...logDriverRoutes(services),
    ...auditRoutes(services),
    ...pluginRoutes(services),
    ...buildRoutes(services, options),
    ...(options.forBuilders ? composeRoutes(services) : []),
    ...swarmRoutes(),
  ];
  return withCursors(routes, services.events);
}
