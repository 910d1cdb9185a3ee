import type { Containers, PathStat } from '@cleat/engine/containers/service';
import { invalidParameter } from '@cleat/protocol/errors';
import { stringify } from '@cleat/protocol/json';
import type { Exchange } from '../http/exchange.js';
import type { Route } from '../http/router.js';

/** `docker cp`, both ways. */
export function archiveRoutes(containers: Containers): Route[] {
  return [
    {
      method: 'HEAD',
      path: '/containers/:name/archive',
      async handler(x) {
        setStat(x, await containers.statPath(x.param('name'), pathOf(x)));
        x.sendEmpty(200);
      },
    },
    {
      method: 'GET',
      path: '/containers/:name/archive',
      streams: 'down',
      async handler(x) {
        const { stat, tar } = await containers.getArchive(x.param('name'), pathOf(x));
        setStat(x, stat);
        await x.pipe('application/x-tar', tar);
      },
    },
    {
      method: 'PUT',
      path: '/containers/:name/archive',
      streams: 'up',
      async handler(x) {
        await containers.putArchive(x.param('name'), pathOf(x), x.body(), {
          noOverwriteDirNonDir: x.query.flag('noOverwriteDirNonDir'),
          copyUidGid: x.query.flag('copyUIDGID'),
        });
        x.sendEmpty(200);
      },
    },
  ];
}

function pathOf(x: Exchange): string {
  const path = x.query.text('path');
  if (path === '') throw invalidParameter('bad parameter: path cannot be empty');
  if (path.includes('\0')) throw invalidParameter(`lstat ${path}: invalid argument`);
  return path;
}

function setStat(x: Exchange, stat: PathStat): void {
  x.response.setHeader('X-Docker-Container-Path-Stat', Buffer.from(stringify(stat)).toString('base64'));
}
