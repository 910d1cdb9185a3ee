import { notManager } from '@cleat/protocol/api/swarm';
import { notImplemented, unavailable } from '@cleat/protocol/errors';
import type { Route } from '../http/router.js';
import type { Method } from '../http/target.js';

const notPart = 'This node is not part of a swarm. This engine has no swarm mode.';

/** Swarm mode does not exist here; its clients understand the answer of an engine that is not in a swarm. */
export function swarmRoutes(): Route[] {
  const methods: Method[] = ['GET', 'POST', 'DELETE'];
  const refuse =
    (error: () => Error): Route['handler'] =>
    () => {
      throw error();
    };
  const none = refuse(() => notImplemented('this engine has no swarm mode: it runs containers on this host only'));
  return [
    { method: 'POST', path: '/swarm/init', handler: none },
    { method: 'POST', path: '/swarm/join', handler: none },
    { method: 'POST', path: '/swarm/leave', handler: refuse(() => unavailable(notPart)) },
    ...['swarm', 'nodes', 'services', 'tasks', 'secrets', 'configs'].flatMap((resource) =>
      methods.flatMap((method) =>
        [`/${resource}`, `/${resource}/:rest`].map((path) => ({
          method,
          path,
          // Refused as a whole: clients know that answer.
          selectors: { filters: 'many' as const },
          handler: refuse(() => unavailable(notManager)),
        })),
      ),
    ),
  ];
}
