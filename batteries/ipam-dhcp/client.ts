import { randomInt } from 'node:crypto';
import { type Nak, type Offer, Refusal, readNak, readOffer } from './answers.js';
import { ask, type Patience } from './exchange.js';
import type { OpenPort } from './port.js';
import { addressBytes, encodeMessage, macBytes, messageType, option, typeOf } from './wire/message.js';

/** A client as its servers know it. */
export interface Client {
  readonly link: string;
  readonly mac: string;
  /** May be empty. */
  readonly hostName: string;
}

/** An address that is asked for by name. */
export interface Wanted {
  readonly address: string;
  readonly subnet: string;
  /** The server that is meant; empty: any. Others' refusals do not count. */
  readonly server: string;
}

/** A lease as far as its end needs it. */
export interface Held {
  readonly address: string;
  readonly server: string;
  readonly serverMac: string;
}

const asked = [option.subnetMask, option.router, option.leaseTime, option.renewalTime, option.rebindingTime];

/** The messages of a client (RFC 2131, 4.4), sent on behalf of containers from their host's interface. */
export class DhcpClient {
  readonly #open: OpenPort;

  constructor(open: OpenPort) {
    this.#open = open;
  }

  /**
   * Asks for an offer. Nothing is taken by it.
   * @param like the address that is preferred, or empty; and the subnet that the offer must be of, or empty
   * @param refuse says why an offer is not wanted; undefined: it is
   * @throws Unavailable when none is made in time, NotFound without the interface
   */
  discover(
    client: Client,
    { address, subnet }: { address: string; subnet: string },
    patience: Patience,
    refuse: (offer: Offer) => string | undefined = () => undefined,
  ): Promise<Offer> {
    const options = optionsOf(client, messageType.discover);
    if (address) options.set(option.requestedAddress, addressBytes(address));
    const read = (message: Parameters<typeof readOffer>[0], serverMac: string) => {
      if (typeOf(message) !== messageType.offer) return undefined;
      const offer = readOffer(message, serverMac, subnet);
      const reason = offer instanceof Refusal ? undefined : refuse(offer);
      return reason === undefined ? offer : new Refusal(reason);
    };
    return ask(this.#open, { ...client, options, read }, patience);
  }

  /**
   * Takes an address that was offered, or asks for more time for one that the client has: then as after a reboot
   * (INIT-REBOOT), because an answer to the address itself would go to the container.
   * @throws as {@link discover}
   */
  request(
    client: Client,
    { address, subnet, server }: Wanted,
    patience: Patience,
    how: 'offered' | 'had',
  ): Promise<Offer | Nak> {
    const options = optionsOf(client, messageType.request);
    options.set(option.requestedAddress, addressBytes(address));
    if (how === 'offered') options.set(option.serverIdentifier, addressBytes(server));
    return ask<Offer | Nak>(
      this.#open,
      {
        ...client,
        options,
        read(message, serverMac) {
          const nak = readNak(message);
          if (nak) return nak.server && (!server || nak.server === server) ? nak : undefined;
          if (typeOf(message) !== messageType.ack) return undefined;
          const given = readOffer(message, serverMac, subnet);
          if (given instanceof Refusal || given.address === address) return given;
          return new Refusal(`server ${given.server}: the address ${given.address}, not ${address}`);
        },
      },
      patience,
    );
  }

  /** Gives an address back. The protocol has no answer to that. @throws NotFound, Unavailable as {@link discover} */
  release({ link, mac }: Client, { address, server, serverMac }: Held): void {
    const port = this.#open(link, { onMessage() {}, onEnd() {} });
    try {
      const options = new Map([
        [option.messageType, Buffer.from([messageType.release])],
        [option.serverIdentifier, addressBytes(server)],
        [option.clientIdentifier, identifier(mac)],
      ]);
      const message = encodeMessage({
        operation: 'request',
        transaction: randomInt(2 ** 32),
        seconds: 0,
        broadcast: false,
        clientAddress: address,
        yourAddress: '0.0.0.0',
        mac,
        options,
      });
      port.send(message, { mac, address }, { mac: serverMac, address: server });
    } finally {
      port.close();
    }
  }
}

function optionsOf({ mac, hostName }: Client, type: number): Map<number, Buffer> {
  const options = new Map<number, Buffer>([
    [option.messageType, Buffer.from([type])],
    [option.clientIdentifier, identifier(mac)],
    [option.wanted, Buffer.from(asked)],
  ]);
  if (hostName) options.set(option.hostName, Buffer.from(hostName, 'latin1'));
  return options;
}

/** The kind of the link, and the address: as clients do by default, so that a server's list has one entry for both. */
const identifier = (mac: string): Buffer => Buffer.concat([Buffer.from([1]), macBytes(mac)]);
