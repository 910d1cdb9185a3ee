import type { Exchange } from '../http/exchange.js';

/**
 * `docker plugin upgrade` looks at the plugin, then asks on the same connection what the new one wants, without saying
 * for which plugin: the request is that of an installation. So the plugin that a client has just looked at there is
 * remembered, and it is shown what is new. A guess that is wrong costs an error: what a client grants is compared exactly.
 */
const looked = new WeakMap<object, string>();

/** A stock client has looked at a plugin. */
export function rememberLook(x: Pick<Exchange, 'request' | 'headers'>, name: string): void {
  if (isStockClient(x)) looked.set(x.request.socket, name);
}

/** The plugin that the client's connection was used to look at just before; once. */
export function upgradeOf(x: Pick<Exchange, 'request' | 'headers'>): string | undefined {
  const name = looked.get(x.request.socket);
  looked.delete(x.request.socket);
  return name;
}

const isStockClient = ({ headers }: Pick<Exchange, 'headers'>): boolean =>
  /^Docker-Client\//.test(headers['user-agent'] ?? '');
