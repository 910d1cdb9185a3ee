import { invalidParameter, notFound } from '@cleat/protocol/errors';
import { decodeFilters } from '../decode/filters.js';
import type { Exchange } from '../http/exchange.js';
import type { Route } from '../http/router.js';
import type { ApiServices } from '../services.js';
import { buildClassic } from './classic.js';
import { openSession } from './session.js';

/**
 * `/build`, in the words of Docker's classic builder. BuildKit's clients probe `/grpc` with an h2c upgrade, which arrives
 * here as an ordinary request; a plain 404 makes them bring a builder of their own, in a container.
 */
export function buildRoutes({ builds }: ApiServices): Route[] {
  const none = (): never => {
    throw notFound('page not found');
  };
  return [
    { method: 'POST', path: '/session', hijacks: 'h2c', handler: openSession },
    { method: 'POST', path: '/grpc', handler: none },
    { method: 'POST', path: '/build', streams: 'both', handler: (x) => buildClassic(x, builds) },
    {
      method: 'POST',
      path: '/build/prune',
      async handler(x) {
        const { CachesDeleted, SpaceReclaimed } = await builds.prune({
          all: x.query.flag('all'),
          filters: decodeFilters(x.query.text('filters')),
          ...limitsOf(x),
        });
        x.send(200, { CachesDeleted: CachesDeleted.length > 0 ? CachesDeleted : null, SpaceReclaimed });
      },
    },
    {
      method: 'POST',
      path: '/build/cancel',
      handler(x) {
        const id = x.query.text('id');
        if (id === '') throw invalidParameter('build ID not provided');
        // One that has ended meanwhile is cancelled, too.
        builds.cancel(id);
        x.sendEmpty(204);
      },
    },
  ];
}

function limitsOf(x: Exchange) {
  const bytes = (name: string): number | undefined => {
    const text = x.query.text(name);
    if (text === '') return undefined;
    if (/^[+-]?\d{1,15}$/.test(text)) return Number(text) || undefined;
    throw invalidParameter(`${name} is in bytes and expects an integer, got ${text}`);
  };
  const keep = bytes('keep-storage');
  if (x.before('1.48')) return { reservedSpace: keep };
  const [reserved, max, free] = [bytes('reserved-space'), bytes('max-used-space'), bytes('min-free-space')];
  return { reservedSpace: reserved ?? keep, maxUsedSpace: max, minFreeSpace: free };
}
