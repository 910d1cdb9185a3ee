import type { OptionDeclarations, OptionsOf } from '@cleat/protocol/options';
import { type AddressPool, readPools } from '@cleat/sdk/addresses';

export const options = {
  stateDir: { required: true, help: 'directory for its file' },
  addressPools: {
    json: true,
    help: "list of {base, size}: base is split into networks of /size; default: Docker's pools",
  },
} as const satisfies OptionDeclarations;

export interface IpamOptions {
  /** Where the pools are kept, so that a killed process knows what it gave away. */
  readonly stateDir: string;
  /** From which pools are chosen; empty: Docker's defaults, plus a unique local block for IPv6. */
  readonly pools: readonly AddressPool[];
}

/** @throws InvalidParameter */
export function ipamOptions({ stateDir, addressPools }: OptionsOf<typeof options>): IpamOptions {
  return { stateDir, pools: readPools(addressPools) };
}
