import { statSync } from 'node:fs';
import { basename, dirname, extname, resolve } from 'node:path';
import { type Address, parseAddress } from '@cleat/extensions/carriers/address';
import { SocketCarrier } from '@cleat/extensions/carriers/socket';
import { find } from '@cleat/extensions/discovery/directories';
import { invalidParameter, notFound } from '@cleat/protocol/errors';

/** Where engines look for plugins (moby `pkg/plugins`). */
export const pluginDirectories: readonly string[] = [
  '/run/docker/plugins',
  '/etc/docker/plugins',
  '/usr/lib/docker/plugins',
];

/** A plugin's place. Opened anew after the plugin was started again. */
export class Reached {
  /** The name that users say in `--driver`, as far as it can be told from the place. */
  readonly name: string;
  /** For people: a path or an address. */
  readonly origin: string;
  /** Where it listens now. @throws InvalidParameter for a description that cannot be read, NotFound */
  readonly address: () => Address;

  constructor(name: string, origin: string, address: () => Address) {
    this.name = name;
    this.origin = origin;
    this.address = address;
  }

  /** @throws as `address` does */
  open(): SocketCarrier {
    return new SocketCarrier(this.address());
  }
}

/**
 * Finds a plugin by what a person calls it: an address (`unix:///path`, `tcp://host:port`, `https://host:port`), the path
 * of a socket, of a `.spec` or of a `.json` file, or a name that is looked up where engines look.
 * @throws InvalidParameter, NotFound
 */
export function reach(where: string, directories: readonly string[] = pluginDirectories): Reached {
  if (where.includes('://')) {
    const address = parseAddress(where);
    const name = address.type === 'unix' ? basename(address.path, extname(address.path)) : where;
    return new Reached(name, where, () => address);
  }
  if (!where.includes('/'))
    return found(where, directories, `there is no plugin '${where}' in ${directories.join(', ')}`);
  const path = resolve(where);
  const ending = extname(path);
  if (ending === '.spec' || ending === '.json') {
    const name = basename(path, ending);
    if (statSync(path, { throwIfNoEntry: false }) === undefined) throw notFound(`there is no ${path}`);
    return found(name, [dirname(path)], `${path} describes no plugin`);
  }
  // It need not be there yet: the user who is going to start the plugin says where it will listen.
  return new Reached(basename(path, ending), path, () => ({ type: 'unix', path }));
}

/** Where a plugin of this name listens. @throws InvalidParameter for what is no name */
export function socketOfName(flag: string, name: string): string {
  if (name === '') throw invalidParameter(`${flag} takes the name of a plugin, or the path of a socket`);
  return `${pluginDirectories[0]}/${name}.sock`;
}

function found(name: string, directories: readonly string[], otherwise: string): Reached {
  const place = find(directories, name);
  if (!place) throw name === '' ? invalidParameter('name a plugin') : notFound(otherwise);
  return new Reached(name, place.origin, () => {
    const now = find(directories, name);
    if (!now) throw notFound(`${place.origin} is gone`);
    if (!now.address) throw invalidParameter(`${now.origin}: that is no description of a plugin`);
    return now.address;
  });
}
