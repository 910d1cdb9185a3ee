import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { type ScriptedKind, type Surroundings, text } from './kind.js';

/**
 * Gives each container an interface that leads nowhere. `option` is what its interfaces' names begin with. Open in its
 * account: networks, endpoints, joined endpoints.
 */
export function networkKind({ account, option: prefix }: Surroundings): ScriptedKind {
  const networkKey = (request: Record<string, unknown>) => `network ${text(request, 'NetworkID')}`;
  const endpointKey = (request: Record<string, unknown>) => `endpoint ${text(request, 'EndpointID')}`;
  const joinKey = (request: Record<string, unknown>) => `join ${text(request, 'EndpointID')}`;
  const link = (request: Record<string, unknown>) =>
    prefix + createHash('sha256').update(text(request, 'EndpointID')).digest('hex').slice(0, 8);
  const removeLink = (name: string): void => {
    if (existsSync(`/sys/class/net/${name}`)) ip('link', 'delete', name);
  };
  return {
    capability: 'NetworkDriver',
    errorKey: 'Err',
    methods: {
      'NetworkDriver.GetCapabilities': () => ({ Scope: 'local' }),
      'NetworkDriver.CreateNetwork': (request) => {
        account.begin(networkKey(request));
        return {};
      },
      'NetworkDriver.DeleteNetwork': (request) => {
        account.end(networkKey(request));
        return {};
      },
      'NetworkDriver.CreateEndpoint': (request) => {
        if (!account.has(networkKey(request))) throw new Error(`no such network: ${text(request, 'NetworkID')}`);
        if (account.has(endpointKey(request))) account.problem(`a second ${endpointKey(request)}`);
        account.begin(endpointKey(request));
        return {};
      },
      'NetworkDriver.DeleteEndpoint': (request) => {
        removeLink(link(request));
        account.end(endpointKey(request));
        return {};
      },
      'NetworkDriver.EndpointOperInfo': () => ({ Value: {} }),
      'NetworkDriver.Join': (request) => {
        if (!account.has(endpointKey(request))) throw new Error(`no such endpoint: ${text(request, 'EndpointID')}`);
        const name = link(request);
        account.begin(joinKey(request));
        removeLink(name);
        ip('link', 'add', name, 'type', 'veth', 'peer', 'name', `${name}p`);
        return { InterfaceName: { SrcName: name, DstPrefix: 'eth' } };
      },
      'NetworkDriver.Leave': (request) => {
        removeLink(link(request));
        account.end(joinKey(request));
        return {};
      },
    },
  };
}

function ip(...args: string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'], timeout: 5000 });
}
