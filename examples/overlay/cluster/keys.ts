/** Names of all keys, below one prefix: several clusters may share an etcd. Parts are encoded, so that `/` separates. */
export class Keys {
  constructor(readonly prefix: string) {}

  /** All networks, as one value. */
  get networks(): string {
    return `${this.prefix}/networks`;
  }

  get hosts(): string {
    return `${this.prefix}/hosts/`;
  }

  host(id: string): string {
    return `${this.hosts}${encodeURIComponent(id)}`;
  }

  readHost(key: string): string {
    return decodeURIComponent(key.slice(this.hosts.length));
  }

  /** Below it: which address is whose. */
  get addresses(): string {
    return `${this.prefix}/addresses/`;
  }

  addressesOf(network: string): string {
    return `${this.addresses}${encodeURIComponent(network)}/`;
  }

  address(network: string, address: string): string {
    return `${this.addressesOf(network)}${encodeURIComponent(address)}`;
  }

  /** Below it: whose an address was. */
  keptOf(network: string): string {
    return `${this.prefix}/kept/${encodeURIComponent(network)}/`;
  }

  kept(network: string, address: string): string {
    return `${this.keptOf(network)}${encodeURIComponent(address)}`;
  }

  /** The network and the address in a key below {@link addresses}. */
  readAddress(key: string): { network: string; address: string } {
    const [network = '', address = ''] = key.slice(this.addresses.length).split('/').map(decodeURIComponent);
    return { network, address };
  }
}
