import { unavailable } from '@cleat/protocol/errors';
import type { Method, Route } from '../http/router.js';

/** Docker's text when swarm mode is off. */
export const notManager =
  'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.';

/** Swarm mode does not exist here; its clients understand the answer of an engine that is not in a swarm. */
export function swarmRoutes(): Route[] {
  const methods: Method[] = ['GET', 'POST', 'DELETE'];
  return ['swarm', 'nodes', 'services', 'tasks', 'secrets', 'configs'].flatMap((resource) =>
    methods.flatMap((method) =>
      [`/${resource}`, `/${resource}/:rest`].map((path) => ({
        method,
        path,
        handler: () => {
          throw unavailable(notManager);
        },
      })),
    ),
  );
}
