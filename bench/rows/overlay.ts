import type { Across, OverlayName } from '../overlay-pair.js';
import type { Row } from '../row.js';
import { latency, type Transport, throughput, trafficPrograms } from '../traffic.js';

const usual = {
  between: ['vxlan', 'overlay'],
  needs: { ...trafficPrograms, etcd: 'etcd-server' },
  samples: 9,
  paired: true,
} as const;
const share = 0.9;

const stream = (transport: Transport): Row<Across, OverlayName> => ({
  ...usual,
  name: `across two hosts: ${transport.toUpperCase()} stream (\`iperf3\`)`,
  unit: 'Gbit/s',
  atLeast: share,
  sample: ({ entering, address }) => throughput(entering, address, transport),
});

const pings = (transport: Transport, percentile: 50 | 99): Row<Across, OverlayName> => ({
  ...usual,
  name: `across two hosts: ${transport.toUpperCase()} latency, percentile ${percentile} (\`sockperf\`)`,
  unit: 'µs',
  atMost: 1 / share,
  sample: ({ entering, address }) => latency(entering, address, transport, percentile),
});

/** Containers on two hosts, beside what the kernel does for two hosts alone. */
export const overlayRows: readonly Row<Across, OverlayName>[] = [
  stream('tcp'),
  stream('udp'),
  pings('tcp', 50),
  pings('tcp', 99),
  pings('udp', 50),
];
