import { invalidParameter } from '@cleat/protocol/errors';
import type { Logger } from '@cleat/protocol/log';
import { decodeFilters } from '../decode/filters.js';
import type { Exchange } from '../http/exchange.js';
import type { Route } from '../http/router.js';
import type { ApiServices } from '../services.js';
import type { BuildKitDoors } from './buildkit/door.js';
import { buildClassic } from './classic.js';
import { versionOf } from './order.js';

export interface BuildRoutesOptions {
  readonly log: Logger;
  /** The engine's version. */
  readonly version: string;
}

/**
 * `/build`, in the words of Docker's classic builder, and BuildKit's doors: `/grpc` and `/session`. Clients choose those
 * where `/_ping` says so, and where they are upgraded to HTTP/2.
 */
export function buildRoutes({ builds, images }: ApiServices, { log, version }: BuildRoutesOptions): Route[] {
  let opened: Promise<BuildKitDoors> | undefined;
  // Loaded by the first client that speaks so: most speak otherwise, and an engine at rest does not need it.
  const buildkit = () => {
    opened ??= import('./buildkit/door.js').then(({ openBuildKit }) => openBuildKit({ builds, images, log, version }));
    return opened;
  };
  return [
    {
      method: 'POST',
      path: '/grpc',
      hijacks: 'h2c',
      handler: async (x) => (await buildkit()).grpc(x),
    },
    {
      method: 'POST',
      path: '/session',
      hijacks: 'h2c',
      handler: async (x) => (await buildkit()).session(x),
    },
    {
      method: 'POST',
      path: '/build',
      selectors: { platform: 'one' },
      streams: 'both',
      handler: async (x) => (versionOf(x) === '2' ? (await buildkit()).build(x) : buildClassic(x, builds)),
    },
    {
      method: 'POST',
      path: '/build/prune',
      selectors: { filters: 'one' },
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
      async handler(x) {
        const id = x.query.text('id');
        if (id === '') throw invalidParameter('build ID not provided');
        // A build that has ended meanwhile is cancelled, too.
        builds.cancel(id);
        (await opened)?.cancel(id);
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
