import type { Containers } from '@cleat/engine/containers/service';
import { CommitRequest } from '@cleat/protocol/api/container';
import { jsonBody } from '../http/body.js';
import type { Exchange } from '../http/exchange.js';
import type { Route } from '../http/router.js';

const commitBody = jsonBody(CommitRequest);

/** `top`, `stats`, `changes`, `export`, `commit`. */
export function observeRoutes(containers: Containers): Route[] {
  return [
    {
      method: 'GET',
      path: '/containers/:name/top',
      handler: async (x) => x.send(200, await containers.top(x.param('name'), x.query.text('ps_args') || '-ef')),
    },
    { method: 'GET', path: '/containers/:name/stats', streams: 'down', handler: (x) => stats(x, containers) },
    {
      method: 'GET',
      path: '/containers/:name/changes',
      async handler(x) {
        const changes = await containers.changes(x.param('name'));
        x.send(200, changes.length === 0 ? null : changes);
      },
    },
    {
      method: 'GET',
      path: '/containers/:name/export',
      streams: 'down',
      handler: async (x) => x.pipe('application/octet-stream', await containers.export(x.param('name'))),
    },
    {
      method: 'POST',
      path: '/commit',
      body: commitBody,
      async handler(x) {
        const config = await x.json(commitBody);
        const { query } = x;
        const created = await containers.commit(query.text('container'), {
          repository: query.text('repo'),
          tag: query.text('tag'),
          comment: query.text('comment'),
          author: query.text('author'),
          pause: query.flag('pause', true),
          changes: query.all('changes'),
          config,
          // Said by builders, on their own socket.
          createdBy: query.text('createdby'),
          created: query.text('created'),
        });
        x.send(201, created);
      },
    },
  ];
}

async function stats(x: Exchange, containers: Containers): Promise<void> {
  const stream = x.query.flag('stream', true);
  const oneShot = !x.before('1.41') && x.query.flag('one-shot');
  const samples = await containers.stats(x.param('name'), { stream, oneShot, signal: x.signal });
  await x.begin(200, 'application/json');
  for await (const sample of samples) if (!(await x.writeLine(x.before('1.21') ? oldStats(sample) : sample))) break;
  x.end();
}

/** Before 1.21 a container had one network: `network` is the sum. */
function oldStats(sample: object): object {
  const networks: unknown = 'networks' in sample ? sample.networks : undefined;
  const network: Record<string, number> = {};
  for (const counters of Object.values(networks ?? {})) {
    for (const [name, value] of Object.entries(counters ?? {})) network[name] = (network[name] ?? 0) + Number(value);
  }
  return { ...sample, networks: undefined, network };
}
