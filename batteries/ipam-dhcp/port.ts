import { notFound, unavailable } from '@cleat/protocol/errors';
import { errnoOf } from '@cleat/sdk/linux';
import { LinkFrames } from '@cleat/sdk/linux/frames';
import { clientPort, decodeFrame, type Ends, encodeFrame } from './wire/frame.js';

/** A place on a link from which messages go to DHCP servers. */
export interface Port {
  send(message: Buffer, from: Ends, to: Ends): void;
  close(): void;
}

export interface PortHandlers {
  onMessage(message: Buffer, serverMac: string): void;
  /** The link went down or away. */
  onEnd(): void;
}

/** @throws NotFound without the link, Unavailable when it is down */
export type OpenPort = (link: string, handlers: PortHandlers) => Port;

/** On a link of this host, which needs no address of its own there. */
export const openPort: OpenPort = (link, handlers) =>
  inWords(link, () => {
    const frames = new LinkFrames(link, clientPort, {
      onFrame(frame) {
        const decoded = decodeFrame(frame);
        if (decoded) handlers.onMessage(decoded.payload, decoded.mac);
      },
      onEnd: handlers.onEnd,
    });
    return {
      send: (message, from, to) => inWords(link, () => frames.send(encodeFrame(message, from, to))),
      close: () => frames.close(),
    };
  });

function inWords<T>(link: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    const errno = errnoOf(cause) ?? '';
    if (['ENODEV', 'ENXIO'].includes(errno)) throw notFound(`there is no interface ${link} on this host`, { cause });
    if (errno === 'ENETDOWN') throw unavailable(`the interface ${link} is down: ip link set ${link} up`, { cause });
    throw cause;
  }
}
