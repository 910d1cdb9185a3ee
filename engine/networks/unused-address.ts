import { parseAddress, tryParseAddress } from '@cleat/protocol/cidr';
import { abortable } from '../async/abortable.js';
import { newId } from '../ids.js';
import { addressRelease, takeAddress } from './addresses.js';
import { Answer } from './answers.js';
import type { NetworksContext } from './context.js';
import type { NetworkRecord } from './record.js';
import { replayPools } from './restore.js';

type Requested = Parameters<typeof takeAddress>[3];
type Taken = Awaited<ReturnType<typeof takeAddress>>;

/**
 * Takes an address for an endpoint. The addresses that users chose for other containers (`--ip`) are passed over while
 * these do not run, so that they can start again: after a reboot all start in any order. If nothing else is left, they
 * are taken.
 */
export async function takeFreeAddress(
  context: NetworksContext,
  network: NetworkRecord,
  requested: Requested,
): Promise<Taken> {
  // Text that is no address is for the container that has it to hear of.
  const promised = context.containers.promised(network).flatMap((text) => tryParseAddress(text)?.value ?? []);
  if (promised.length === 0) return await takeUnused(context, network, requested);
  // For a moment an address that is passed over is taken: its container is not to ask for it just then.
  const { signal } = requested.calls;
  const taking = context.choosing.run(network.id, async () => {
    signal?.throwIfAborted();
    return requested.address
      ? await takeUnused(context, network, requested)
      : await takeUnpromised(context, network, requested, new Set(promised));
  });
  // A start that is stopped does not wait for its turn behind a driver that hangs.
  return signal ? await abortable(taking, signal, (late) => giveBack(context, network, [late])) : await taking;
}

async function takeUnpromised(
  context: NetworksContext,
  network: NetworkRecord,
  requested: Requested,
  promised: ReadonlySet<bigint>,
): Promise<Taken> {
  const passedOver: Taken[] = [];
  let chosen: Taken | undefined;
  try {
    while (!chosen) {
      const taken = await takeUnused(context, network, requested);
      // Some drivers have one address only for each endpoint, and give it again.
      const isAgain = passedOver.some(({ address }) => address === taken.address);
      if (isAgain || !taken.address || !promised.has(numberOf(taken.address))) chosen = taken;
      else passedOver.push(taken);
    }
  } catch (error) {
    if (requested.calls.signal?.aborted) throw error;
    chosen = passedOver.at(-1);
    if (!chosen) throw error;
  } finally {
    const unused = passedOver.filter(({ address }) => address !== chosen?.address);
    if (unused.length > 0) await giveBack(context, network, unused);
  }
  return chosen;
}

async function giveBack({ outbox }: NetworksContext, { ipam }: NetworkRecord, all: readonly Taken[]): Promise<void> {
  const given = all.filter(({ address }) => address);
  if (given.length > 0) await outbox.send([addressRelease(ipam.driver, newId(), given)]);
}

const numberOf = (address: string): bigint => parseAddress(address.split('/')[0] ?? '').value;

/** An address that somebody has already shows that the driver forgot: it is reminded, and asked again. */
async function takeUnused(context: NetworksContext, network: NetworkRecord, requested: Requested): Promise<Taken> {
  for (let reminded = false; ; reminded = true) {
    const taken = await takeAddress(context.drivers, context.outbox, network, requested);
    const { driver } = network.ipam;
    const user = taken.address && context.userOf(driver, taken);
    if (!user) return taken;
    if (reminded) {
      throw new Answer(driver, 'IpamDriver.RequestAddress').wrong(`the address ${taken.address}, which ${user}`);
    }
    context.log.warn('an IPAM driver gave an address away twice; it is told what is in use', { driver, ...taken });
    await replayPools(context, network);
  }
}
