import { silentLogger } from '@cleat/protocol/log';
import { expect, test } from 'vitest';
import { apiRoutes } from '../../api/routes.js';
import type { ApiServices } from '../../api/services.js';
import { actionOf } from '../../sdk/authz/actions.js';

/** A service that is asked for nothing but its routes. */
const nothing: unknown = new Proxy(() => nothing, { get: () => nothing, apply: () => nothing });
const everyRoute = () => apiRoutes(nothing as ApiServices, { forBuilders: true, log: silentLogger, version: '' });

test('every route of the API is an action of policies', () => {
  const routes = everyRoute();
  expect(routes.length).toBeGreaterThan(100);
  const unknown = routes.filter(({ method, path }) => {
    // A parameter is anything, also what looks like the end of another route.
    const found = ['x', 'a/b', 'json'].map((value) => actionOf(method, path.replace(/:\w+/g, value)));
    return found.some((one) => one === undefined);
  });
  expect(unknown.map(({ method, path }) => `${method} ${path}`)).toEqual([]);
});

test('no action of one route is found for another one', () => {
  const routes = everyRoute();
  for (const { method, path } of routes) {
    const { action } = actionOf(method, path.replace(/:\w+/g, 'x')) ?? {};
    const [room, theirs] = [path, action?.path ?? ''].map((one) => one.split('/')[1]);
    if (theirs?.startsWith(':')) continue;
    expect(theirs, `${method} ${path}`).toBe(room);
    const last = path.split('/').at(-1) ?? '';
    if (!last.startsWith(':'))
      expect(action?.path.endsWith(last) || action?.path.endsWith(':rest'), `${method} ${path}`).toBe(true);
  }
});
