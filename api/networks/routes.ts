import type { NetworkResource } from '@cleat/protocol/api/network';
import { NetworkConnectRequest, NetworkCreateRequest, NetworkDisconnectRequest } from '@cleat/protocol/api/network';
import { invalidParameter } from '@cleat/protocol/errors';
import { goBool, goBoolError } from '@cleat/protocol/go-bool';
import { decodeFilters } from '../decode/filters.js';
import { jsonBody } from '../http/body.js';
import type { Exchange } from '../http/exchange.js';
import type { Route } from '../http/router.js';
import type { ApiServices } from '../services.js';

const createBody = jsonBody(NetworkCreateRequest);
const connectBody = jsonBody(NetworkConnectRequest);
const disconnectBody = jsonBody(NetworkDisconnectRequest);

export function networkRoutes({ networks, containers }: ApiServices): Route[] {
  return [
    {
      method: 'GET',
      path: '/networks',
      selectors: { filters: 'one' },
      async handler(x) {
        const listed = await networks.list(decodeFilters(x.query.text('filters')));
        // Rows had their containers until 1.27.
        const all = x.before('1.28') ? await Promise.all(listed.map(({ Id }) => networks.inspect(Id))) : listed;
        x.send(
          200,
          all.map((network) => row(x, network)),
        );
      },
    },
    {
      method: 'GET',
      path: '/networks/:id',
      async handler(x) {
        const text = x.query.text('verbose');
        const verbose = text === '' ? false : goBool(text);
        if (verbose === undefined) {
          throw invalidParameter(`invalid value for verbose: ${text}: ${goBoolError(text)}`);
        }
        const options = { verbose, scope: x.query.text('scope') || undefined };
        x.send(200, shape(x, await networks.inspect(x.param('id'), options)));
      },
    },
    {
      method: 'POST',
      path: '/networks/create',
      body: createBody,
      async handler(x) {
        const request = (await x.json(createBody)) ?? {};
        if (x.before('1.48')) delete request.EnableIPv4;
        // Since 1.44 names are always checked; before, a client could have two networks of one name.
        request.CheckDuplicate = true;
        x.send(201, await networks.create(request));
      },
    },
    {
      method: 'POST',
      path: '/networks/:id/connect',
      body: connectBody,
      async handler(x) {
        const request = (await x.json(connectBody)) ?? {};
        const endpoint = request.EndpointConfig ?? {};
        if (x.before('1.48')) delete endpoint.GwPriority;
        // Docker heeds it here from 1.54 on, but has said so since 1.44.
        if (x.before('1.44')) delete endpoint.MacAddress;
        await containers.connectNetwork(x.param('id'), request.Container ?? '', endpoint);
        x.sendEmpty(200);
      },
    },
    {
      method: 'POST',
      path: '/networks/:id/disconnect',
      body: disconnectBody,
      async handler(x) {
        const request = (await x.json(disconnectBody)) ?? {};
        await containers.disconnectNetwork(x.param('id'), request.Container ?? '', request.Force ?? false);
        x.sendEmpty(200);
      },
    },
    {
      method: 'POST',
      path: '/networks/prune',
      selectors: { filters: 'one' },
      async handler(x) {
        const { NetworksDeleted } = await networks.prune(decodeFilters(x.query.text('filters')));
        x.send(200, { NetworksDeleted: NetworksDeleted.length > 0 ? NetworksDeleted : null });
      },
    },
    {
      method: 'DELETE',
      path: '/networks/:id',
      async handler(x) {
        await networks.remove(x.param('id'));
        x.sendEmpty(204);
      },
    },
  ];
}

/** `EnableIPv4` appeared with API 1.48, `Status` with 1.52. */
function shape(x: Exchange, network: NetworkResource): object {
  if (!x.before('1.52')) return network;
  return { ...network, Status: undefined, ...(x.before('1.48') && { EnableIPv4: undefined }) };
}

/** Rows have no `Containers` from 1.52 on; before, an empty one. */
const row = (x: Exchange, network: NetworkResource): object =>
  x.before('1.52') ? shape(x, network) : { ...network, Containers: undefined };
