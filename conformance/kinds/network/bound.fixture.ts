import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { invalidParameter } from '@cleat/protocol/errors';
import { HealthyAddresses } from '../ipam/healthy.fixture.js';
import { HealthyNetworks } from './healthy.fixture.js';

/** A network plugin that does everything right, and takes only subnets and addresses that its own IPAM half gave. */
export class BoundNetworks extends HealthyNetworks {
  readonly addresses: HealthyAddresses;

  constructor(root: string) {
    super(root);
    const directory = join(root, 'addresses');
    mkdirSync(directory, { recursive: true });
    this.addresses = new HealthyAddresses(directory);
    const { CreateNetwork, CreateEndpoint } = this;
    this.CreateNetwork = (request, context) => {
      const foreign = [...request.IPv4Data, ...request.IPv6Data].find(({ Pool = '' }) => !this.addresses.pools[Pool]);
      if (foreign) throw invalidParameter(`${foreign.Pool} is not of my --ipam-driver`);
      return CreateNetwork(request, context);
    };
    this.CreateEndpoint = (request, context) => {
      const [address = ''] = request.Interface?.Address?.split('/') ?? [];
      if (address && !this.#isGiven(address)) throw invalidParameter(`${address} is not of my --ipam-driver`);
      return CreateEndpoint(request, context);
    };
  }

  #isGiven(address: string): boolean {
    return Object.values(this.addresses.pools).some(({ addresses }) => addresses[address] !== undefined);
  }
}
