import { closeSync } from 'node:fs';
import { addressBytes } from '@cleat/protocol/cidr';
import { conflict, systemError } from '@cleat/protocol/errors';
import { errnoOf } from '../syscall/errno.js';
import { bindPort } from '../syscall/socket.js';

/**
 * Holds a port of the host, so that nobody else takes a port whose packets the kernel sends to a container.
 * @param address `0.0.0.0` and `::` stand for all
 * @returns a function that frees the port
 * @throws Conflict `failed to bind host port 0.0.0.0:80/tcp: address already in use`; System for other reasons, for which
 * another port would be refused, too
 */
export function reservePort(protocol: 'tcp' | 'udp' | 'sctp', address: string, port: number): () => void {
  const bytes = addressBytes(address);
  try {
    const fd = bindPort(protocol, bytes, port);
    return () => closeSync(fd);
  } catch (error) {
    const errno = errnoOf(error);
    const host = bytes.length === 16 ? `[${address}]` : address;
    if (errno === 'EPROTONOSUPPORT') {
      const why = `this kernel has no ${protocol.toUpperCase()} (module ${protocol})`;
      throw systemError(`failed to bind host port ${host}:${port}/${protocol}: protocol not supported: ${why}`);
    }
    const failed = `failed to bind host port ${host}:${port}/${protocol}`;
    if (errno === 'EADDRNOTAVAIL') throw systemError(`${failed}: cannot assign requested address`, { cause: error });
    if (errno !== 'EADDRINUSE') throw error;
    throw conflict(`${failed}: address already in use`, { cause: error });
  }
}
