import { PluginPrivileges, PluginSetRequest } from '@cleat/protocol/api/plugin';
import { invalidParameter } from '@cleat/protocol/errors';
import { decodeFilters } from '../decode/filters.js';
import { jsonBody } from '../http/body.js';
import type { Route } from '../http/router.js';
import { decodeAuth } from '../images/auth.js';
import type { ApiServices } from '../services.js';
import { sendProgress } from '../streams/progress.js';
import { rememberLook, upgradeOf } from './upgrade-of.js';

const privilegesBody = jsonBody(PluginPrivileges);
const setBody = jsonBody(PluginSetRequest);

/** Managed plugins (moby `daemon/server/router/plugin`). */
export function pluginRoutes({ plugins }: ApiServices): Route[] {
  return [
    {
      method: 'GET',
      path: '/plugins',
      selectors: { filters: 'one' },
      handler: (x) => x.send(200, plugins.list(decodeFilters(x.query.text('filters')))),
    },
    {
      method: 'GET',
      path: '/plugins/privileges',
      async handler(x) {
        const auth = decodeAuth(x.headers['x-registry-auth']);
        // Ours: of a plugin that is here, only what its upgrade would ask for beyond what it has.
        const name = x.query.text('name') || upgradeOf(x);
        x.send(200, await plugins.privileges(x.query.text('remote'), { auth, name, signal: x.signal }));
      },
    },
    {
      method: 'GET',
      path: '/plugins/:name/json',
      handler(x) {
        const plugin = plugins.inspect(x.param('name'));
        rememberLook(x, plugin.Name);
        x.send(200, plugin);
      },
    },
    {
      method: 'POST',
      path: '/plugins/pull',
      body: privilegesBody,
      streams: 'down',
      async handler(x) {
        const privileges = (await x.json(privilegesBody)) ?? [];
        const remote = x.query.text('remote');
        const name = x.query.text('name');
        const auth = decodeAuth(x.headers['x-registry-auth']);
        const head = { 'Docker-Plugin-Name': plugins.nameFor(remote, name) };
        await sendProgress(x, plugins.pull({ remote, name, auth, privileges, signal: x.signal }), head);
      },
    },
    {
      method: 'POST',
      path: '/plugins/create',
      streams: 'up',
      async handler(x) {
        await plugins.create(x.query.text('name'), x.body(), x.signal);
        x.sendEmpty(204);
      },
    },
    {
      method: 'POST',
      path: '/plugins/:name/enable',
      async handler(x) {
        const timeout = x.query.integer('timeout');
        if (timeout === undefined) throw invalidParameter('strconv.Atoi: parsing "": invalid syntax');
        if (timeout < 0) throw invalidParameter(`timeout must not be negative: ${timeout}`);
        await plugins.enable(x.param('name'), timeout);
        x.sendEmpty(200);
      },
    },
    {
      method: 'POST',
      path: '/plugins/:name/disable',
      async handler(x) {
        await plugins.disable(x.param('name'), { force: x.query.flag('force') });
        x.sendEmpty(200);
      },
    },
    {
      method: 'POST',
      path: '/plugins/:name/set',
      body: setBody,
      async handler(x) {
        await plugins.set(x.param('name'), (await x.json(setBody)) ?? []);
        x.sendEmpty(204);
      },
    },
    {
      method: 'POST',
      path: '/plugins/:name/upgrade',
      body: privilegesBody,
      streams: 'down',
      async handler(x) {
        const privileges = (await x.json(privilegesBody)) ?? [];
        const remote = x.query.text('remote');
        const name = x.param('name');
        const auth = decodeAuth(x.headers['x-registry-auth']);
        const head = { 'Docker-Plugin-Name': plugins.inspect(name).Name };
        await sendProgress(x, plugins.upgrade({ remote, name, auth, privileges, signal: x.signal }), head);
      },
    },
    {
      method: 'POST',
      path: '/plugins/:name/push',
      streams: 'down',
      async handler(x) {
        const auth = decodeAuth(x.headers['x-registry-auth']);
        await sendProgress(x, plugins.push(x.param('name'), { auth, signal: x.signal }));
      },
    },
    {
      method: 'DELETE',
      path: '/plugins/:name',
      async handler(x) {
        await plugins.remove(x.param('name'), { force: x.query.flag('force') });
        x.sendEmpty(200);
      },
    },
    {
      // Ours: a plugin as a tarball, in either form that create takes.
      method: 'GET',
      path: '/cleat/plugins/:name/archive',
      streams: 'down',
      async handler(x) {
        const format = x.query.text('format') || 'docker';
        if (format !== 'docker' && format !== 'oci')
          throw invalidParameter(`format must be docker or oci, not ${format}`);
        await x.pipe('application/x-tar', await plugins.save(x.param('name'), format));
      },
    },
  ];
}
