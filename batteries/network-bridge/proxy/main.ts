import type { PublishedPort } from '@cleat/linux/firewall/ruleset';
import { errnoOf } from '@cleat/linux/syscall/errno';
import { keyOf, type ProxyReply, type ProxyRequest } from './messages.js';
import { openTcp } from './tcp.js';
import { openUdp } from './udp.js';

/**
 * The process that serves published ports which the kernel cannot translate: `[::1]`, and IPv6 to a container without
 * it. It knows nothing but the ports that it is told, and ends with the process that started it.
 */
const open = new Map<string, () => Promise<void>>();

async function obey(request: ProxyRequest): Promise<void> {
  if ('open' in request) open.set(keyOf(request.open), await opened(request.open));
  else {
    const close = open.get(keyOf(request.close));
    open.delete(keyOf(request.close));
    await close?.();
  }
}

const opened = (port: PublishedPort) => (port.protocol === 'tcp' ? openTcp(port) : openUdp(port));

function reply(message: ProxyReply): void {
  // The caller is gone; `disconnect` tells.
  process.send?.(message, undefined, undefined, () => {});
}

process.on('message', (request: ProxyRequest) => {
  obey(request).then(
    () => reply({ id: request.id }),
    (error: unknown) => reply({ id: request.id, code: errnoOf(error) ?? String(error) }),
  );
});
process.on('disconnect', () => process.exit(0));
