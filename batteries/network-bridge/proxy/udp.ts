import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { isIPv6 } from 'node:net';
import type { PublishedPort } from '@cleat/linux/firewall/ruleset';
import { setTimeout } from '@cleat/protocol/guard';

/** As long as docker-proxy remembers a client that says nothing. */
const idleMs = 90_000;
/** Clients of one port that are remembered; the one that came first makes room. */
const maxFlows = 1_000;

interface Flow {
  inside: Socket;
  idle: NodeJS.Timeout;
}

/** Carries datagrams to the container's port, and its answers back to the client. @throws what `bind` says */
export async function openUdp(port: PublishedPort): Promise<() => Promise<void>> {
  const outside = createSocket({ type: 'udp6', ipv6Only: true });
  outside.bind({ address: port.hostIp, port: port.hostPort, exclusive: true });
  await once(outside, 'listening');
  // A datagram that cannot be delivered is lost, as datagrams are.
  outside.on('error', () => {});
  const flows = new Map<string, Flow>();
  const drop = (key: string) => {
    const flow = flows.get(key);
    if (!flow) return;
    clearTimeout(flow.idle);
    flow.inside.close();
    flows.delete(key);
  };
  outside.on('message', (message, from) => {
    const key = `${from.address} ${from.port}`;
    const flow = flows.get(key) ?? begin(key, from);
    flow.idle.refresh();
    flow.inside.send(message, port.containerPort, port.containerIp, () => {
      // See above.
    });
  });
  return async () => {
    for (const key of [...flows.keys()]) drop(key);
    const closed = once(outside, 'close');
    outside.close();
    await closed;
  };

  function begin(key: string, from: RemoteInfo): Flow {
    const [first] = flows.keys();
    if (flows.size >= maxFlows && first !== undefined) drop(first);
    const inside = createSocket(isIPv6(port.containerIp) ? 'udp6' : 'udp4');
    inside.on('error', () => drop(key));
    inside.on('message', (answer, { address, port: answering }) => {
      if (address !== port.containerIp || answering !== port.containerPort) return;
      outside.send(answer, from.port, from.address, () => {
        // See above.
      });
    });
    const flow: Flow = { inside, idle: setTimeout(() => drop(key), idleMs) };
    flows.set(key, flow);
    return flow;
  }
}
