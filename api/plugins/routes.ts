import { invalidParameter, notFound, notImplemented } from '@cleat/protocol/errors';
import { decodeFilters } from '../decode/filters.js';
import type { Route } from '../http/router.js';

/** Managed plugins are a later step; until then there are none, and a client that wants one is told so. */
export function pluginRoutes(): Route[] {
  const refuse = (): never => {
    throw notImplemented('managed plugins are not supported by this engine yet; use extensions found by socket');
  };
  const unknown: Route['handler'] = (x) => {
    throw notFound(`plugin "${x.param('name')}" not found`);
  };
  const list: Route['handler'] = (x) => {
    for (const name of Object.keys(decodeFilters(x.query.text('filters')))) {
      if (!['enabled', 'capability'].includes(name)) throw invalidParameter(`invalid filter '${name}'`);
    }
    x.send(200, []);
  };
  return [
    { method: 'GET', path: '/plugins', handler: list },
    { method: 'GET', path: '/plugins/privileges', handler: refuse },
    { method: 'POST', path: '/plugins/pull', handler: refuse },
    { method: 'POST', path: '/plugins/create', handler: refuse },
    { method: 'GET', path: '/plugins/:name/json', handler: unknown },
    { method: 'POST', path: '/plugins/:name/:verb', handler: unknown },
    { method: 'DELETE', path: '/plugins/:name', handler: unknown },
  ];
}
