import { notFound, notImplemented } from '@cleat/protocol/errors';
import type { Route } from '../http/router.js';

/** Managed plugins are a later step; until then there are none, and whoever wants one is told. */
export function pluginRoutes(): Route[] {
  const refuse = (): never => {
    throw notImplemented('managed plugins are not supported by this engine yet; use extensions found by socket');
  };
  const unknown: Route['handler'] = (x) => {
    throw notFound(`plugin "${x.param('name')}" not found`);
  };
  return [
    { method: 'GET', path: '/plugins', handler: (x) => x.send(200, []) },
    { method: 'GET', path: '/plugins/privileges', handler: refuse },
    { method: 'POST', path: '/plugins/pull', handler: refuse },
    { method: 'POST', path: '/plugins/create', handler: refuse },
    { method: 'GET', path: '/plugins/:name/json', handler: unknown },
    { method: 'POST', path: '/plugins/:name/:verb', handler: unknown },
    { method: 'DELETE', path: '/plugins/:name', handler: unknown },
  ];
}
