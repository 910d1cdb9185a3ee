import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ContainerCreateRequest } from '@cleat/protocol/api/container';
import type { AuthorizationRequest } from '@cleat/protocol/kinds/authz';
import { silentLogger } from '@cleat/protocol/log';
import { authzKind, defineExtension, implement, serve } from '@cleat/sdk';
import { expect, test } from 'vitest';
import { busyboxTar } from './support/busybox.js';
import { startEngine } from './support/engine.js';
import { StockDockerd, stockDockerdInstalled } from './support/stock-dockerd.js';

/** Lets nobody make a privileged container; says what it was asked. */
function policy(seen: [method: string, message: AuthorizationRequest][]) {
  const body = ({ RequestBody = '' }: AuthorizationRequest): ContainerCreateRequest =>
    JSON.parse(Buffer.from(RequestBody, 'base64').toString() || '{}');
  return defineExtension({
    start: () => ({
      implementations: [
        implement(authzKind, {
          AuthZReq(message) {
            seen.push(['AuthZReq', message]);
            const creates = message.RequestUri?.includes('/containers/create');
            return { Allow: !(creates && body(message).HostConfig?.Privileged), Msg: 'not here' };
          },
          AuthZRes(message) {
            seen.push(['AuthZRes', message]);
            return { Allow: true };
          },
        }),
      ],
    }),
  });
}

/**
 * The part that must be equal: all but bodies, which are normalised here, each engine's words about itself, and the caller,
 * whom a stock engine does not tell.
 */
function comparable([method, message]: [string, AuthorizationRequest]): object {
  const { RequestBody, ResponseBody, ResponseHeaders, ResponseStatusCode, Caller, ...rest } = message;
  return { method, ...rest, hasBody: RequestBody !== undefined };
}

test.skipIf(!stockDockerdInstalled)('an authorization plugin is asked as a stock dockerd asks', async () => {
  const plugins = await mkdtemp('/tmp/cleat-authz-');
  const name = 'policy';
  const socket = join(plugins, `${name}.sock`);
  const seen: Parameters<typeof comparable>[0][] = [];
  try {
    await using _plugin = await serve(policy(seen), { name, socket, log: silentLogger });
    const flag = `--authorization-plugin=${name}`;
    await using engine = await startEngine({ flags: [flag, `--plugin-dir=${plugins}`] });
    await using stock = await StockDockerd.start([flag], plugins);
    const input = await busyboxTar();
    expect(await engine.dockerAt(stock.host, 'import', '-', 'busybox', { input })).toMatchObject({ code: 0 });
    const outcomes = [];
    for (const host of [stock.host, `unix://${engine.socket}`]) {
      seen.length = 0;
      // A version that both speak.
      const docker = (...args: string[]) => engine.dockerAt(host, ...args, { env: { DOCKER_API_VERSION: '1.41' } });
      const said = await docker('create', '--privileged', '--name=judged', 'busybox', 'true');
      const made = await docker('create', '--name=judged', 'busybox', 'true');
      expect(made).toMatchObject({ code: 0, stderr: '' });
      const listed = await docker('ps', '-a', '--filter', 'name=judged', '--format', '{{.Names}}');
      const removed = await docker('rm', 'judged');
      outcomes.push({ said, listed, removed, seen: seen.map(comparable) });
    }
    expect(outcomes[1]).toEqual(outcomes[0]);
    expect(outcomes[0]?.said.stderr).toContain(`authorization denied by plugin ${name}: not here`);
    expect(seen.length).toBeGreaterThan(6);
  } finally {
    await rm(plugins, { recursive: true });
  }
});
