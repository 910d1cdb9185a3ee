import { notFound, notImplemented } from '@cleat/protocol/errors';
import type { Route } from '../http/router.js';
import { openSession } from './session.js';

/** The longest context of a build that is read and dropped. */
const maxContextBytes = 1024 ** 3;

/**
 * Building is not this engine's work. BuildKit's clients probe `/grpc` with an h2c upgrade, which arrives here as an
 * ordinary request; a plain 404 makes them bring a builder of their own, in a container.
 */
export function buildRoutes(): Route[] {
  const none = (): never => {
    throw notFound('page not found');
  };
  return [
    { method: 'POST', path: '/session', hijacks: 'h2c', handler: openSession },
    { method: 'POST', path: '/grpc', handler: none },
    {
      method: 'POST',
      path: '/build',
      streams: 'up',
      async handler(x) {
        // The client shows the answer only once it has sent its context: refused at once, it would tell of a broken
        // pipe.
        let read = 0;
        for await (const chunk of x.body()) {
          read += (chunk as Buffer).length;
          if (read > maxContextBytes) break;
        }
        throw notImplemented(
          'this engine does not build images: build elsewhere (docker buildx create --use, buildah), then load or pull',
        );
      },
    },
    { method: 'POST', path: '/build/prune', handler: (x) => x.send(200, { CachesDeleted: null, SpaceReclaimed: 0 }) },
    { method: 'POST', path: '/build/cancel', handler: (x) => x.sendEmpty(204) },
  ];
}
