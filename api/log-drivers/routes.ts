import type { Route } from '../http/router.js';
import type { ApiServices } from '../services.js';

/** Our own, beside Docker's API: what `cleat log-drivers` shows. Answered from memory, no driver is asked. */
export function logDriverRoutes({ spool }: ApiServices): Route[] {
  return [{ method: 'GET', path: '/cleat/log-drivers', handler: (x) => x.send(200, spool?.deliveries() ?? []) }];
}
