import type { Route } from '../http/router.js';
import type { ApiServices } from '../services.js';

/** Our own, beside Docker's API: what `cleat extensions` shows. */
export function extensionRoutes({ extensions }: ApiServices): Route[] {
  return [{ method: 'GET', path: '/cleat/extensions', handler: (x) => x.send(200, extensions?.list() ?? []) }];
}
