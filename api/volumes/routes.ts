import { notManager } from '@cleat/protocol/api/swarm';
import { VolumeCreateRequest } from '@cleat/protocol/api/volume';
import { unavailable } from '@cleat/protocol/errors';
import { decodeFilters } from '../decode/filters.js';
import { jsonBody } from '../http/body.js';
import type { Route } from '../http/router.js';
import type { ApiServices } from '../services.js';

const createBody = jsonBody(VolumeCreateRequest);

export function volumeRoutes({ volumes }: ApiServices): Route[] {
  return [
    {
      method: 'GET',
      path: '/volumes',
      selectors: { filters: 'one' },
      handler: async (x) => x.send(200, await volumes.list(decodeFilters(x.query.text('filters')))),
    },
    {
      method: 'GET',
      path: '/volumes/:name',
      handler: async (x) => x.send(200, await volumes.inspect(x.param('name'))),
    },
    {
      method: 'POST',
      path: '/volumes/create',
      body: createBody,
      async handler(x) {
        // A body, and a name in it, are optional.
        const request = (await x.json(createBody)) ?? {};
        if (request.ClusterVolumeSpec !== undefined && request.ClusterVolumeSpec !== null && !x.before('1.42')) {
          throw unavailable(notManager);
        }
        delete request.ClusterVolumeSpec;
        x.send(201, await volumes.create(request));
      },
    },
    {
      method: 'POST',
      path: '/volumes/prune',
      selectors: { filters: 'one' },
      async handler(x) {
        const filters = decodeFilters(x.query.text('filters'));
        // Before 1.42 a prune took named volumes too, unless filtered.
        const report = await volumes.prune(x.before('1.42') && !filters.all ? { ...filters, all: ['true'] } : filters);
        x.send(200, report);
      },
    },
    {
      method: 'PUT',
      path: '/volumes/:name',
      handler: () => {
        throw unavailable('volume update only valid for cluster volumes, but swarm is unavailable');
      },
    },
    {
      method: 'DELETE',
      path: '/volumes/:name',
      async handler(x) {
        await volumes.remove(x.param('name'), { force: x.query.flag('force') });
        x.sendEmpty(204);
      },
    },
  ];
}
