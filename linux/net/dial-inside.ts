import { addressBytes } from '@cleat/protocol/cidr';
import { inNetworkNamespace } from '../syscall/namespace.js';
import { bindPort, connectStream } from '../syscall/socket.js';

/**
 * A UDP socket in another network namespace, bound to any free port, as a file descriptor. Who gets it closes it.
 * @param address whom it will talk to; decides between IPv4 and IPv6
 * @throws CleatError System
 */
export function datagramsInside(path: string, address: string): number {
  const any = new Uint8Array(addressBytes(address).length);
  return inNetworkNamespace(path, () => bindPort('udp', any, 0));
}

/**
 * Begins a TCP connection from another network namespace, without waiting for it. Who gets the descriptor closes it.
 * @throws CleatError System with ECONNREFUSED, ENETUNREACH, … when that is known at once
 */
export function connectInside(path: string, address: string, port: number): number {
  const bytes = addressBytes(address);
  return inNetworkNamespace(path, () => connectStream(bytes, port));
}
