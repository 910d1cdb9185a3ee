import type { Containers } from '@cleat/engine/containers/service';
import { ContainerStartRequest, ContainerUpdateRequest } from '@cleat/protocol/api/container';
import { CleatError, invalidParameter } from '@cleat/protocol/errors';
import { decodeSize } from '../decode/size.js';
import { isExpected, jsonBody } from '../http/body.js';
import type { Exchange } from '../http/exchange.js';
import type { Route } from '../http/router.js';

/** Until API 1.23 the host configuration could come with start instead of with create. */
const startBody = jsonBody(ContainerStartRequest, { before: '1.24' });
const updateBody = jsonBody(ContainerUpdateRequest);
/** Until API 1.54 clients may send these with an update, and they mean nothing. */
const perDevice = [
  'BlkioWeightDevice',
  'BlkioDeviceReadBps',
  'BlkioDeviceWriteBps',
  'BlkioDeviceReadIOps',
  'BlkioDeviceWriteIOps',
] as const;

/** Routes that change a container's state. */
export function lifecycleRoutes(containers: Containers): Route[] {
  const done =
    (work: (x: Exchange, name: string) => Promise<void>, status = 204): Route['handler'] =>
    async (x) => {
      await work(x, x.param('name'));
      x.sendEmpty(status);
    };
  return [
    {
      method: 'POST',
      path: '/containers/:name/start',
      body: startBody,
      handler: done((x, name) => start(x, name, containers)),
    },
    {
      method: 'POST',
      path: '/containers/:name/stop',
      handler: done((x, name) => containers.stop(name, stopOptions(x))),
    },
    {
      method: 'POST',
      path: '/containers/:name/restart',
      handler: done((x, name) => containers.restart(name, stopOptions(x))),
    },
    { method: 'POST', path: '/containers/:name/kill', handler: done((x, name) => kill(x, name, containers)) },
    { method: 'POST', path: '/containers/:name/pause', handler: done((_x, name) => containers.pause(name)) },
    { method: 'POST', path: '/containers/:name/unpause', handler: done((_x, name) => containers.unpause(name)) },
    {
      method: 'POST',
      path: '/containers/:name/rename',
      handler: done((x, name) => containers.rename(name, x.query.text('name'))),
    },
    {
      method: 'POST',
      path: '/containers/:name/resize',
      handler: done((x, name) => containers.resize(name, decodeSize(x.query)), 200),
    },
    {
      method: 'POST',
      path: '/containers/:name/update',
      body: updateBody,
      async handler(x) {
        const request = (await x.json(updateBody)) ?? {};
        if (x.before('1.40')) delete request.PidsLimit;
        if (x.before('1.55')) for (const name of perDevice) delete request[name];
        // 0 and every negative number mean unlimited.
        if (typeof request.PidsLimit === 'number' && request.PidsLimit <= 0) request.PidsLimit = 0;
        x.send(200, await containers.update(x.param('name'), request));
      },
    },
    {
      method: 'DELETE',
      path: '/containers/:name',
      handler: done((x, name) =>
        containers.remove(name, {
          force: x.query.flag('force'),
          volumes: x.query.flag('v'),
          link: x.query.flag('link'),
        }),
      ),
    },
  ];
}

async function start(x: Exchange, name: string, containers: Containers): Promise<void> {
  const detachKeys = x.query.text('detachKeys') || undefined;
  const checkpoint = x.query.text('checkpoint') || undefined;
  if (isExpected(startBody, x.version)) {
    const given = await x.json(startBody);
    // Docker, too, takes an empty object for none.
    const hostConfig = given && Object.keys(given).length > 0 ? given : undefined;
    return containers.start(name, { detachKeys, checkpoint, hostConfig });
  }
  // Docker lets an empty object or `null` pass.
  if (Number(x.headers['content-length'] ?? 0) > 7 || x.headers['transfer-encoding'] !== undefined) {
    throw invalidParameter(
      'starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24',
    );
  }
  return containers.start(name, { detachKeys, checkpoint });
}

function stopOptions(x: Exchange): { timeout?: number; signal?: string } {
  return {
    timeout: x.query.integer('t'),
    signal: x.before('1.42') ? undefined : x.query.text('signal') || undefined,
  };
}

async function kill(x: Exchange, name: string, containers: Containers): Promise<void> {
  try {
    await containers.kill(name, x.query.text('signal'));
  } catch (error) {
    if (!(error instanceof CleatError) || /^cannot kill container/i.test(error.message)) throw error;
    throw new CleatError(error.class, `cannot kill container: ${name}: ${error.message}`, { cause: error });
  }
}
