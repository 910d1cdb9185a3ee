import { ExecCreateRequest } from '@cleat/protocol/api/container';
import { conflict, invalidParameter, notFound } from '@cleat/protocol/errors';
import { jsonBody } from '../http/body.js';
import type { Route } from '../http/router.js';
import type { ApiServices } from '../services.js';

const execBody = jsonBody(ExecCreateRequest);

/** Our own, beside Docker's API: what `cleat extensions` shows. Answered from memory, no extension is asked. */
export function extensionRoutes({ extensions, execs, plugins }: ApiServices): Route[] {
  return [
    { method: 'GET', path: '/cleat/extensions', handler: (x) => x.send(200, extensions?.list() ?? []) },
    {
      method: 'GET',
      path: '/cleat/extensions/:name/logs',
      handler(x) {
        const one = select(extensions?.list() ?? [], x.param('name'), x.query.text('kind'));
        const after = x.query.text('after') || '0';
        if (!/^\d{1,15}$/.test(after)) throw invalidParameter(`after is the number of a line, not ${after}`);
        x.send(200, extensions?.lines(one.entry ?? one.name, Number(after)) ?? []);
      },
    },
    {
      // The exec that it answers with is started, resized and inspected as any exec of Docker's API.
      method: 'POST',
      path: '/cleat/extensions/:name/exec',
      body: execBody,
      async handler(x) {
        const request = (await x.json(execBody)) ?? {};
        if (!request.Cmd || request.Cmd.length === 0) throw invalidParameter('No exec command specified');
        const { Id, Enabled } = plugins.inspect(x.param('name'));
        if (!Enabled) throw conflict(`plugin ${x.param('name')} is disabled: nothing of it runs`);
        x.send(200, await execs.create(Id, request));
      },
    },
    {
      method: 'GET',
      path: '/cleat/extensions/:name',
      handler: (x) => x.send(200, select(extensions?.list() ?? [], x.param('name'), x.query.text('kind'))),
    },
  ];
}

type Status = ReturnType<NonNullable<ApiServices['extensions']>['list']>[number];

/**
 * By its entry in a manifest, else by a name of the driver, which several kinds may use.
 * @throws NotFound; InvalidParameter when several have that name
 */
function select(all: readonly Status[], name: string, kind: string): Status {
  const byEntry = all.find((one) => one.entry === name);
  if (byEntry) return byEntry;
  const found = all.filter(
    (one) => (one.name === name || one.aliases?.includes(name)) && (!kind || one.kinds.includes(kind)),
  );
  const [first, ...others] = found;
  if (!first) {
    const known = all.map((one) => one.entry ?? one.name).join(', ');
    throw notFound(`no extension called ${name}${kind ? ` for ${kind}` : ''} (known: ${known || 'none'})`);
  }
  if (others.length === 0) return first;
  const choices = found.map((one) => `${one.entry ?? one.name} (${one.kinds.join(', ') || 'not activated'})`);
  throw invalidParameter(`several extensions are called ${name}: ${choices.join(', ')}; name the entry, or its kind`);
}
