import { once } from 'node:events';
import { createServer } from 'node:net';
import { freePort } from '../../../bench/free-port.js';

export { freePort };

/** The first of some ports in a row on which nobody listens just now. */
export async function freePortsFrom(count: number): Promise<number> {
  for (;;) {
    const first = await freePort();
    const all = Array.from({ length: count }, (_, at) => isFree(first + at));
    if ((await Promise.all(all)).every(Boolean)) return first;
  }
}

async function isFree(port: number): Promise<boolean> {
  if (port > 65_535) return false;
  const server = createServer();
  try {
    await once(server.listen(port, '127.0.0.1'), 'listening');
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}
