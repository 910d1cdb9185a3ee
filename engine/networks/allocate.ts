import { outcomeUnknown } from '@cleat/protocol/kinds/kind';
import { netlabel } from '@cleat/protocol/kinds/network';
import { Answer } from './answers.js';
import type { NetworksContext } from './context.js';
import { networkRequest } from './driver-request.js';
import type { NetworkRecord } from './record.js';

/** How much a driver may have kept with a network: it is part of every answer that shows the network. */
const maxBytes = 16 * 1024;

/**
 * Has a driver that asks for it reserve what the network needs on all hosts, and keeps what it answers. On record
 * before the call is made: whatever becomes of the network, the driver is told to free it.
 * @throws what the driver says
 */
export async function allocate(
  context: Pick<NetworksContext, 'building' | 'drivers'>,
  record: NetworkRecord,
): Promise<void> {
  const { allocatesNetworks } = await context.drivers.networkCapabilities(record.driver);
  if (!allocatesNetworks) return;
  const driver = await context.drivers.network(record.driver);
  const { NetworkID, IPv4Data, IPv6Data } = networkRequest(record);
  const Options = { ...record.options, [netlabel.networkName]: record.name };
  record.allocation = {};
  context.building.put(record.id, record);
  try {
    const said = await driver.AllocateNetwork({ NetworkID, Options, IPv4Data, IPv6Data });
    record.allocation = checked(record.driver, said?.Options ?? {});
  } catch (error) {
    if (!outcomeUnknown(error)) delete record.allocation;
    throw error;
  }
  context.building.put(record.id, record);
}

function checked(driver: string, options: Record<string, string>): Record<string, string> {
  const bytes = Buffer.byteLength(JSON.stringify(options));
  if (bytes <= maxBytes) return options;
  const said = new Answer(driver, 'NetworkDriver.AllocateNetwork');
  throw said.wrong(`options of ${bytes} bytes, of which at most ${maxBytes} are kept`);
}
