import { isDeepStrictEqual } from 'node:util';
import { decode } from '@cleat/protocol/json';
import { netlabel, networkKind, PortBinding } from '@cleat/protocol/kinds/network';
import { cases, type Need } from '../../verify/case.js';
import { Finding } from '../../verify/finding.js';
import { Inapplicable } from '../../verify/trial.js';
import { capabilities, type NetworkTrial, networkOptions } from './networks.js';
import { attached, type Endpoint, joined, made } from './steps.js';

const needs: readonly Need[] = ['changes'];

/** Gateways, published ports and links, as a driver declares them. */
export const publishing = cases(
  networkKind,
  {
    id: 'network/gateway-check',
    title: 'A plugin that declares GwAllocChecker answers GwAllocCheck, and the same each time',
    why: 'Engines ask before each network whether its gateways need addresses. Where it fails, the network is not made.',
    needs: [],
    async run(trial) {
      await declared(trial, 'GwAllocChecker');
      const Options = networkOptions(trial, 'four');
      const first = await trial.succeeds('GwAllocCheck', { Options }, 'which gateways need no address');
      const second = await trial.succeeds('GwAllocCheck', { Options }, 'the same answer');
      trial.holds(isDeepStrictEqual(first, second), `the same answer: ${JSON.stringify(first)}`);
    },
  },
  {
    id: 'network/published-ports',
    title: 'A plugin that declares ServesPublishedPorts tells which ports it opened, until they are revoked',
    why: 'Cleat shows them in `docker ps`, and takes a port that is not told for one that is not open.',
    needs,
    async run(trial) {
      await declared(trial, 'ServesPublishedPorts');
      const endpoint = await attached(trial, await made(trial));
      await joined(trial, endpoint);
      await published(trial, endpoint, { [netlabel.gatewayFor]: families });
      const ports = await portsOf(trial, endpoint);
      const is80 = ports.length > 0 && ports.every(({ Proto, Port }) => Proto === 6 && Port === 80);
      trial.holds(is80, `port 80 of TCP, and no other, under ${netlabel.portMap}`);
      await trial.succeeds('RevokeExternalConnectivity', endpoint.ids, 'the ports to be revoked');
      const left = await portsOf(trial, endpoint);
      trial.holds(left.length === 0, 'no port left');
    },
  },
  {
    id: 'network/published-per-family',
    title: 'A plugin that declares PublishesPerFamily closes the ports of a family that is left out, and no others',
    why: 'A container may reach the world by another network over one family. Connections over the other one go on.',
    needs,
    async run(trial) {
      await declared(trial, 'PublishesPerFamily');
      const endpoint = await attached(trial, await made(trial));
      await joined(trial, endpoint);
      await published(trial, endpoint, { [netlabel.gatewayFor]: families });
      const four = (await portsOf(trial, endpoint)).filter(({ HostIP = '' }) => !HostIP.includes(':'));
      await published(trial, endpoint, { [netlabel.gatewayFor]: ['ipv4'] });
      const ports = await portsOf(trial, endpoint);
      trial.holds(isDeepStrictEqual(ports, four), `those of IPv4 as they were: ${JSON.stringify(four)}`);
      await published(trial, endpoint, { [netlabel.gatewayFor]: [] });
      trial.holds((await portsOf(trial, endpoint)).length === 0, 'no ports: the endpoint is no way out');
      await trial.succeeds('RevokeExternalConnectivity', endpoint.ids, 'the ports to be revoked');
    },
  },
  {
    id: 'network/links',
    title: 'A plugin that declares OpensLinks takes OpenLinks, also when it is repeated, or takes links away',
    why: 'Cleat tells it all links of a container whenever a linked one starts.',
    needs,
    async run(trial) {
      await declared(trial, 'OpensLinks');
      const network = await made(trial);
      const [from, to] = [await attached(trial, network), await attached(trial, network)];
      for (const endpoint of [from, to]) await joined(trial, endpoint);
      const link = { EndpointID: to.ids.EndpointID, Ports: [{ Proto: 6, Port: 80 }] };
      for (const Links of [[link], [link], []]) {
        await trial.succeeds('OpenLinks', { ...from.ids, Links }, 'the links to be opened');
      }
    },
  },
);

const families = ['ipv4', 'ipv6'];

/** @throws Inapplicable for a plugin that does not */
async function declared(
  trial: NetworkTrial,
  name: 'GwAllocChecker' | 'OpensLinks' | 'PublishesPerFamily' | 'ServesPublishedPorts',
): Promise<void> {
  if (!(await capabilities(trial))[name]) throw new Inapplicable(`it does not declare ${name}`);
}

/** Port 80 at any port of the host. */
const ports80 = {
  [netlabel.exposedPorts]: [{ Proto: 6, Port: 80 }],
  [netlabel.portMap]: [{ Proto: 6, IP: '', Port: 80, HostIP: '', HostPort: 0, HostPortEnd: 0 }],
};

async function published(trial: NetworkTrial, endpoint: Endpoint, more: Record<string, unknown>): Promise<void> {
  const request = { ...endpoint.ids, Options: { ...ports80, ...more } };
  trial.defer(async () => void (await trial.ask('RevokeExternalConnectivity', endpoint.ids)));
  await trial.succeeds('ProgramExternalConnectivity', request, 'the ports to be opened');
}

/** @throws Finding where they are no port bindings */
async function portsOf(trial: NetworkTrial, endpoint: Endpoint): Promise<PortBinding[]> {
  const { Value } = await trial.succeeds('EndpointOperInfo', endpoint.ids, 'facts of the endpoint');
  const said = Value?.[netlabel.portMap] ?? [];
  if (!Array.isArray(said)) throw new Finding(`a list under ${netlabel.portMap}`, trial.calls.at(-1));
  return said.map((port: unknown) => decode(PortBinding, port, 'PortBinding'));
}
