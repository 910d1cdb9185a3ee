import type { HostConfig } from '@cleat/protocol/api/container';
import { conflict, invalidParameter, isClass, notFound, systemError } from '@cleat/protocol/errors';
import type { Context } from '../context.js';
import { sharedWith } from '../oci-spec/namespaces.js';
import type { Container } from '../state/container.js';
import type { ContainerLink } from '../state/record.js';

/*
 * Legacy links (moby `daemon/links.go`): on the default network a container finds others by aliases of its own. A link
 * is to a container, whatever that one, or another, is called later.
 */

/** Links of a network of the user's own are that network's aliases; these are the default network's. */
export const hasLegacyLinks = ({ NetworkMode = 'default' }: HostConfig): boolean =>
  ['default', 'bridge', 'none'].includes(NetworkMode);

/** `name:alias`, `name`, or as inspect shows it: `/name:/container/alias`. @throws InvalidParameter */
export function parseLink(text: string): { name: string; alias: string } {
  if (text === '') throw invalidParameter('empty string specified for links');
  const parts = text.split(':');
  if (parts.length > 2) throw invalidParameter(`bad format for links: ${text}`);
  const name = (parts[0] ?? '').replace(/^\//, '');
  const alias = (parts[1] ?? name).split('/').pop() ?? '';
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(alias)) throw invalidParameter(`invalid alias in the link ${text}`);
  return { name, alias };
}

/**
 * The targets of a create request's links.
 * @throws InvalidParameter for one that is not there, or has the host's network
 */
export function resolveLinks(context: Pick<Context, 'registry'>, host: HostConfig): ContainerLink[] {
  if (!hasLegacyLinks(host)) return [];
  const links: ContainerLink[] = [];
  for (const text of host.Links ?? []) {
    const { name, alias } = parseLink(text);
    const target = linkTarget(context, name);
    const same = links.find((link) => link.alias === alias);
    if (same && same.containerId !== target.id) {
      throw conflict(`Conflict. The alias "${alias}" of a link is already in use by container "${same.containerId}".`);
    }
    if (!same) links.push({ containerId: target.id, alias, name: target.record.name });
  }
  return links;
}

/** A container that shares another's network is reached where that one is. */
function linkTarget(context: Pick<Context, 'registry'>, name: string): Container {
  let target: Container;
  try {
    if (name === '') throw invalidParameter('invalid name or ID supplied: ""');
    target = context.registry.get(name);
    for (let other = sharedWith(mode(target)); other !== undefined; other = sharedWith(mode(target))) {
      target = context.registry.get(other);
    }
  } catch (error) {
    // Not found would read as: the image was not found, and clients would pull.
    if (!isClass(error, 'NotFound') && !isClass(error, 'InvalidParameter')) throw error;
    throw invalidParameter(`could not get container for ${name}: ${error.message}`, { cause: error });
  }
  if (mode(target) === 'host') {
    throw invalidParameter(
      "conflicting options: host type networking can't be used with links. This would result in undefined behavior",
    );
  }
  return target;
}

const mode = ({ record }: Container): string | undefined => record.hostConfig.NetworkMode;

/**
 * `HostConfig.Links` of inspect: `/name:/container/alias`, by the names of today; those of another network are there.
 */
export function shownLinks(context: Pick<Context, 'registry'>, { record }: Container): string[] | null {
  if (!hasLegacyLinks(record.hostConfig)) return null;
  const links = (record.links ?? []).map((link) => `/${nameOf(context, link)}:/${record.name}/${link.alias}`);
  return links.length > 0 ? links : null;
}

/** For a container that is gone, the last known one. */
function nameOf(context: Pick<Context, 'registry'>, link: ContainerLink): string {
  return context.registry.find(link.containerId)?.record.name ?? link.name;
}

/** @throws System in Docker's words where a container cannot start with its links */
export function checkLinks(context: Pick<Context, 'networks' | 'registry'>, container: Container): void {
  const onDefault = (id: Container['id']) => context.networks.settings(id).networks[context.networks.defaultNetwork];
  for (const link of isOnDefault(container) ? (container.record.links ?? []) : []) {
    const target = context.registry.find(link.containerId);
    const name = nameOf(context, link);
    if (!target?.running) {
      const alias = `/${container.record.name}/${link.alias}`;
      throw systemError(`Cannot link to a non running container: /${name} AS ${alias}`);
    }
    if (!onDefault(target.id)) {
      throw systemError(`Cannot link to /${name}, as it does not belong to the default network`);
    }
  }
}

const isOnDefault = ({ record }: Container): boolean => Object.hasOwn(record.endpoints, 'bridge');

/** `docker rm --link parent/alias`: the link goes, and neither container. @throws NotFound, Conflict */
export async function removeLink(context: Pick<Context, 'networks' | 'registry'>, ref: string): Promise<void> {
  context.registry.get(ref);
  const name = ref.replace(/^\//, '');
  const at = name.lastIndexOf('/');
  if (at < 0) throw conflict('Conflict, cannot remove the default link name of the container');
  const parent = context.registry.get(name.slice(0, at));
  await parent.lock.run(async () => {
    parent.checkKept();
    const links = parent.record.links ?? [];
    const left = links.filter(({ alias }) => alias !== name.slice(at + 1));
    if (left.length === links.length) throw notFound(`No such container: ${ref}`);
    parent.record.links = left;
    parent.save();
    await context.networks.relink(parent.id, left);
  });
}
