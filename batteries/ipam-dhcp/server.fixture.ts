import type { OpenPort, PortHandlers } from './port.js';
import type { Ends } from './wire/frame.js';
import {
  addressBytes,
  addressOption,
  type DhcpMessage,
  decodeMessage,
  encodeMessage,
  messageType,
  option,
  typeOf,
} from './wire/message.js';

export const serverMac = '02:00:00:00:00:fe';

/** An answer: its kind, the address, and what differs from the usual. */
export interface Answer {
  readonly type: number;
  readonly address: string;
  readonly options?: Readonly<Record<number, Buffer | undefined>>;
  readonly message?: Partial<DhcpMessage>;
  /** Changes the bytes that are sent. */
  readonly mangle?: (bytes: Buffer) => Buffer;
}

const seconds = (number: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(number);
  return bytes;
};

/** A DHCP server without a network: it gives `10.1.2.50` and those after it, one to each MAC address. */
export class FakeServer {
  /** All that it was sent, as `TYPE ADDRESS MAC`. */
  readonly heard: string[] = [];
  /** The frames’ ends of the last message. */
  ends: { from: Ends; to: Ends } | undefined;
  /** Host names, as the last message of each MAC address had it. */
  readonly names = new Map<string, string>();
  readonly #addresses = new Map<string, string>();
  leaseSeconds = 100;
  silent = false;
  /** Open sockets. */
  open = 0;
  /** Changes its answers; several, or none. */
  answers: (usual: Answer, asked: DhcpMessage) => readonly Answer[] = (usual) => [usual];
  readonly #handlers = new Set<PortHandlers>();

  readonly openPort: OpenPort = (_, handlers) => {
    this.open++;
    this.#handlers.add(handlers);
    return {
      send: (bytes, from, to) => {
        this.ends = { from, to };
        this.#hear(bytes);
      },
      close: () => {
        if (this.#handlers.delete(handlers)) this.open--;
      },
    };
  };

  /** As if the interface went down. */
  unplug(): void {
    for (const { onEnd } of [...this.#handlers]) onEnd();
  }

  #hear(bytes: Buffer): void {
    const asked = decodeMessage(bytes);
    if (typeof asked === 'string') throw new Error(asked);
    const { mac, clientAddress } = asked;
    const wanted = addressOption(asked, option.requestedAddress);
    const kind = Object.entries(messageType).find(([, type]) => type === typeOf(asked))?.[0] ?? '?';
    this.heard.push(`${kind} ${wanted || clientAddress} ${mac}`);
    this.names.set(mac, asked.options.get(option.hostName)?.toString() ?? '');
    if (kind === 'release' && this.#addresses.get(mac) === clientAddress) this.#addresses.delete(mac);
    if (this.silent || (kind !== 'discover' && kind !== 'request')) return;
    const usual = kind === 'discover' ? this.#offer(mac, wanted) : this.#acknowledge(mac, wanted);
    // A server does not answer before it was asked.
    setImmediate(() => {
      for (const answer of this.answers(usual, asked)) this.#send(answer, asked);
    });
  }

  #offer(mac: string, wanted: string): Answer {
    const taken = new Set(this.#addresses.values());
    const free = Array.from({ length: 100 }, (_, at) => `10.1.2.${50 + at}`).find((one) => !taken.has(one)) ?? '';
    const address = this.#addresses.get(mac) ?? (wanted && !taken.has(wanted) ? wanted : free);
    this.#addresses.set(mac, address);
    return { type: messageType.offer, address };
  }

  #acknowledge(mac: string, wanted: string): Answer {
    const type = this.#addresses.get(mac) === wanted ? messageType.ack : messageType.nak;
    return { type, address: type === messageType.ack ? wanted : '0.0.0.0' };
  }

  #send({ type, address, options = {}, message = {}, mangle = (bytes) => bytes }: Answer, asked: DhcpMessage): void {
    const all: Record<number, Buffer | undefined> = {
      [option.messageType]: Buffer.from([type]),
      [option.serverIdentifier]: addressBytes('10.1.2.1'),
      [option.subnetMask]: addressBytes('255.255.255.0'),
      [option.router]: addressBytes('10.1.2.254'),
      [option.leaseTime]: seconds(this.leaseSeconds),
      ...options,
    };
    const given = Object.entries(all).flatMap(([code, value]): [number, Buffer][] =>
      value ? [[Number(code), value]] : [],
    );
    const { transaction, mac } = asked;
    const reply: DhcpMessage = {
      ...{ operation: 'reply', seconds: 0, broadcast: true, clientAddress: '0.0.0.0' },
      ...{ transaction, mac, yourAddress: address, options: new Map(given), ...message },
    };
    const bytes = mangle(encodeMessage(reply));
    for (const { onMessage } of [...this.#handlers]) onMessage(bytes, serverMac);
  }
}
