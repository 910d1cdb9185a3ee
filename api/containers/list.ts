import type { Containers } from '@cleat/engine/containers/service';
import type { ContainerSummary } from '@cleat/protocol/api/container';
import { decodeFilters } from '../decode/filters.js';
import type { Exchange } from '../http/exchange.js';
import type { Route } from '../http/router.js';

export function listRoutes(containers: Containers): Route[] {
  return [
    {
      method: 'GET',
      path: '/containers/json',
      async handler(x) {
        const limit = x.query.integer('limit');
        const filters = { ...decodeFilters(x.query.text('filters')) };
        // As parameters of their own until filters came.
        for (const name of ['since', 'before']) {
          const value = x.query.text(name);
          if (value !== '' && !filters[name]) filters[name] = [value];
        }
        const rows = await containers.list({
          all: x.query.flag('all'),
          // Docker takes -1, and anything else below 1, for no limit.
          limit: limit !== undefined && limit > 0 ? limit : undefined,
          size: x.query.flag('size'),
          filters,
        });
        x.send(
          200,
          rows.map((row) => shape(x, row)),
        );
      },
    },
    {
      method: 'POST',
      path: '/containers/prune',
      handler: async (x) => x.send(200, await containers.prune(decodeFilters(x.query.text('filters')))),
    },
  ];
}

function shape(x: Exchange, row: ContainerSummary): object {
  if (!x.before('1.46')) return row;
  const shaped = { ...row, HostConfig: { NetworkMode: row.HostConfig.NetworkMode } };
  // State came with 1.23, Mounts too.
  return x.before('1.23') ? { ...shaped, State: undefined, Mounts: undefined } : shaped;
}
