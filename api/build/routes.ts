import { notFound, notImplemented } from '@cleat/protocol/errors';
import type { Route } from '../http/router.js';

/**
 * Building is not this engine's work. BuildKit's clients probe `/grpc` and `/session` with an h2c upgrade, which
 * arrives here as an ordinary request; a plain 404 makes them fall back.
 */
export function buildRoutes(): Route[] {
  const none = (): never => {
    throw notFound('page not found');
  };
  return [
    { method: 'POST', path: '/session', handler: none },
    { method: 'POST', path: '/grpc', handler: none },
    {
      method: 'POST',
      path: '/build',
      handler: () => {
        throw notImplemented(
          'this engine does not build images: build elsewhere (buildah, buildkitd) and load or pull',
        );
      },
    },
    { method: 'POST', path: '/build/prune', handler: (x) => x.send(200, { CachesDeleted: null, SpaceReclaimed: 0 }) },
    { method: 'POST', path: '/build/cancel', handler: (x) => x.sendEmpty(204) },
  ];
}
