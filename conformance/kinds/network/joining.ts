import { isIP } from 'node:net';
import { netlabel, networkKind } from '@cleat/protocol/kinds/network';
import { isCidr } from '../../verify/blocks.js';
import { cases, type Need } from '../../verify/case.js';
import { Finding } from '../../verify/finding.js';
import { hardwareAddress, interfaceNames, Sandbox } from '../../verify/links.js';
import { Inapplicable } from '../../verify/trial.js';
import { capabilities } from './networks.js';
import { attached, joined, joining, linked, made, present } from './steps.js';

const changes: readonly Need[] = ['changes'];
const host: readonly Need[] = ['changes', 'host'];

/** Join: what it answers. */
export const joiningCases = cases(
  networkKind,
  {
    id: 'network/join',
    title: 'Join answers with an interface of this host, or with none',
    why: 'The engine moves it into the container at once; what is not there is “no such device” in `docker run`.',
    needs: host,
    async run(trial) {
      const link = await joined(trial, await attached(trial, await made(trial)));
      if (link !== '') present(trial, link);
    },
  },
  {
    id: 'network/join-names',
    title: 'The names that Join answers are names of interfaces',
    why: 'The kernel takes 15 characters. The engine adds a number to DstPrefix; without a DstPrefix the container’s interface is called `0`.',
    needs: changes,
    async run(trial) {
      const endpoint = await attached(trial, await made(trial));
      const { InterfaceName } = await trial.succeeds('Join', joining(endpoint), 'the endpoint to be joined');
      const { SrcName = '', DstPrefix = '' } = InterfaceName ?? {};
      if (SrcName === '') return;
      endpoint.network.links.push(SrcName);
      trial.holds(/^[^\s/:]{1,15}$/.test(SrcName), 'a SrcName of at most 15 characters, without blanks and slashes');
      trial.holds(/^[^\s/:]{1,12}$/.test(DstPrefix), 'a DstPrefix such as `eth`, of at most 12 characters');
    },
  },
  {
    id: 'network/join-routes',
    title: 'Gateways and routes that Join answers are addresses as dockerd reads them',
    why: 'A Gateway with a mask, or a Destination without one, ends `docker run`.',
    needs: changes,
    async run(trial) {
      const endpoint = await attached(trial, await made(trial));
      const said = await trial.ask('Join', joining(endpoint));
      const { InterfaceName, Gateway, GatewayIPv6, StaticRoutes } = trial.read('Join', said, 'it to be joined');
      if (InterfaceName?.SrcName) endpoint.network.links.push(InterfaceName.SrcName);
      trial.holds(!Gateway || isIP(Gateway) === 4, 'a Gateway such as 10.0.0.1, without a mask, or none', said);
      trial.holds(!GatewayIPv6 || isIP(GatewayIPv6) === 6, 'a GatewayIPv6 without a mask, or none', said);
      for (const { Destination, NextHop, RouteType = 0 } of StaticRoutes ?? []) {
        trial.holds(isCidr(Destination), 'a Destination such as 10.0.0.0/8', said);
        trial.holds(RouteType === 0 || RouteType === 1, 'a RouteType of 0 (by NextHop) or 1 (connected)', said);
        trial.holds(RouteType === 1 || isIP(NextHop ?? '') !== 0, 'a NextHop, which is an address', said);
      }
    },
  },
  {
    id: 'network/join-two',
    title: 'Two containers on one network have interfaces and MAC addresses of their own',
    why: 'The second would take the first one’s interface, or its packets.',
    needs: host,
    async run(trial) {
      const network = await made(trial);
      const first = await linked(trial, network);
      const second = await linked(trial, network);
      trial.holds(first.link !== second.link, `another interface than ${first.link}`);
      const [mine, others] = [hardwareAddress(first.link), hardwareAddress(second.link)];
      trial.holds(mine === '' || mine !== others, 'another MAC address', undefined, `both have ${mine}`);
    },
  },
  {
    id: 'network/join-unknown',
    title: 'Join of an endpoint that is not there makes no interface',
    why: 'An interface for nobody stays until somebody finds it.',
    weight: 'should',
    needs: changes,
    async run(trial) {
      const network = await made(trial);
      const ids = { NetworkID: network.id, EndpointID: trial.freshId() };
      trial.defer(async () => void (await trial.ask('Leave', ids)));
      const said = await trial.ask('Join', joining({ ids }));
      if (!trial.succeeded('Join', said)) return;
      const link = trial.read('Join', said).InterfaceName?.SrcName ?? '';
      if (link === '') return;
      network.links.push(link);
      throw new Finding('an error in words, or an answer without an interface', said);
    },
  },
  {
    id: 'network/join-in-sandbox',
    title: 'A plugin that declares JoinsInSandbox makes its interface where it is told, and here when it is not told',
    why: 'Cleat tells those that ask for it a process in the container’s namespace; a stock dockerd does not.',
    needs: host,
    async run(trial) {
      const { JoinsInSandbox } = await capabilities(trial);
      if (!JoinsInSandbox) throw new Inapplicable('it does not declare JoinsInSandbox');
      await using sandbox = await Sandbox.make();
      const network = await made(trial);
      const endpoint = await attached(trial, network);
      const Options = { ...joining(endpoint).Options, [netlabel.sandboxPid]: sandbox.pid };
      const said = await trial.ask('Join', { ...joining(endpoint), Options });
      const { SrcName = '', InSandbox } = trial.read('Join', said, 'it to be joined').InterfaceName ?? {};
      if (InSandbox) {
        trial.holds(sandbox.has(SrcName), 'the interface to be in the sandbox', said);
        trial.holds(!interfaceNames().has(SrcName), 'the interface not to be on the host as well', said);
      }
      await linked(trial, network);
    },
  },
);
