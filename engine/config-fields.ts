import { posix } from 'node:path';
import type { ContainerConfig, HostConfig } from '@cleat/protocol/api/container';
import { invalidParameter } from '@cleat/protocol/errors';

/**
 * Checks what a configuration says of the containers made from it, from any source: an image (loaded, pulled,
 * imported), a body of the API, or an instruction of `--change`. All of it is looked at here, so that no field means
 * more when it comes on another way.
 * @throws InvalidParameter
 */
export function checkFields(config: ContainerConfig): void {
  for (const key of Object.keys(config.Volumes ?? {})) volumeDestination(key);
  for (const key of Object.keys(config.ExposedPorts ?? {})) checkExposedPort(key);
  for (const entry of config.Env ?? []) {
    if (entry === '' || entry.startsWith('=')) throw invalidParameter(`invalid environment variable: ${entry}`);
  }
  for (const [field, texts] of argumentFields(config)) {
    // The kernel ends a text there, so that what runs would differ from what inspect shows.
    if (texts.some((text) => text.includes('\0'))) throw invalidParameter(`${field} has a NUL byte in it`);
  }
}

/**
 * Checks a `HostConfig`, keys included: for the kernel a text ends at a NUL byte, so that what is mounted or joined
 * would differ from what inspect shows.
 * @throws InvalidParameter
 */
export function refuseNul(host: HostConfig): void {
  for (const [field, value] of Object.entries(host)) {
    // Ports are read by a grammar that has no place for one, and says so in Docker's words.
    if (field !== 'PortBindings' && hasNul(value)) throw invalidParameter(`${field} has a NUL byte in it`);
  }
}

function hasNul(value: unknown): boolean {
  if (typeof value === 'string') return value.includes('\0');
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(value).some(([key, inner]) => key.includes('\0') || hasNul(inner));
}

/**
 * A key of `Volumes`: one absolute destination in the container, and nothing else. The grammar of `-v` is that of
 * somebody who may bind the host's paths; the author of an image is not.
 * @returns it without `..`, double and trailing slashes
 * @throws InvalidParameter
 */
export function volumeDestination(key: string): string {
  const refused = (why: string) => invalidParameter(`invalid volume specification: '${key}': ${why}`);
  if (key === '') throw refused('field Target must not be empty');
  if (!posix.isAbsolute(key)) throw refused(`invalid mount path: '${key}' mount path must be absolute`);
  if (/[:\0]/.test(key)) throw refused('a volume of a configuration is one path in the container, without : in it');
  const clean = posix.normalize(key).replace(/(.)\/+$/, '$1');
  if (clean === '/') throw refused("invalid specification: destination can't be '/'");
  return clean;
}

/** `80`, `80/tcp`: one port, without an address, and no range, which clients resolve. */
function checkExposedPort(key: string): void {
  const [, port = ''] = /^(\d{1,5})(?:\/(?:tcp|udp|sctp))?$/i.exec(key) ?? [];
  if (Number(port) < 1 || Number(port) > 65_535) throw invalidParameter(`invalid port specification: "${key}"`);
}

/** Texts that become an argument, a variable or a path of a process. */
function argumentFields(config: ContainerConfig): [string, readonly string[]][] {
  const list = (value: string | string[] | null | undefined) => (typeof value === 'string' ? [value] : (value ?? []));
  return [
    ['Env', list(config.Env)],
    ['Cmd', list(config.Cmd)],
    ['Entrypoint', list(config.Entrypoint)],
    ['Shell', list(config.Shell)],
    ['Healthcheck', list(config.Healthcheck?.Test)],
    ['User', list(config.User)],
    ['WorkingDir', list(config.WorkingDir)],
    ['StopSignal', list(config.StopSignal)],
    ['Hostname', list(config.Hostname)],
    ['Domainname', list(config.Domainname)],
  ];
}
