import { enterNamespace, inNamespace } from '@cleat/linux/net/namespace';

/** A network namespace that stands for a host: its path, and its address on the cable, a CIDR. */
export interface CableEnd {
  readonly namespace: string;
  readonly address: string;
}

/** The name of a cable's end. */
export const uplink = 'uplink';

/** Joins two hosts by a pair of interfaces; it goes with either of them. */
export async function cable(here: CableEnd, there: CableEnd): Promise<void> {
  const session = await enterNamespace(there.namespace);
  const up = ({ address }: CableEnd) => [`address add ${address} dev ${uplink}`, `link set dev ${uplink} up`];
  try {
    const peer = `peer name ${uplink} netns ${session.pid}`;
    await inNamespace(here.namespace, [`link add ${uplink} type veth ${peer}`, ...up(here)]);
  } catch (error) {
    session.abandon();
    throw error;
  }
  await session.configure(up(there));
}
