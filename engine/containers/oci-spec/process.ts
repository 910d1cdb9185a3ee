import type { HostConfig } from '@cleat/protocol/api/container';
import type { ContainersConfig } from '../../config.js';
import { allCapabilities, effectiveCapabilities, processCapabilities } from '../../oci/capabilities.js';
import { defaultPath, mergeEnvironment } from '../../oci/environment.js';
import type { RequestedExec } from '../../oci/exec-target.js';
import type { OciProcess } from '../../oci/types.js';
import { type ResolvedUser, resolveUser } from '../../oci/user.js';
import type { ContainerRecord } from '../state/record.js';
import { initPath } from './mounts.js';
import type { SecurityOptions } from './security-options.js';

/** Docker's variables in every environment, overridden by the container's own. */
export function environment(
  hostname: string,
  tty: boolean,
  links: readonly string[],
  own: readonly string[],
): string[] {
  const base = [`PATH=${defaultPath}`, `HOSTNAME=${hostname}`, ...(tty ? ['TERM=xterm'] : []), ...links];
  return mergeEnvironment(base, own);
}

/** Runtimes add it where it is missing or empty, but not all of them to further processes. */
function withHome(env: string[], { home }: ResolvedUser): string[] {
  const own = env.filter((entry) => entry !== 'HOME=');
  return own.some((entry) => entry.startsWith('HOME=')) ? own : [...own, `HOME=${home || '/'}`];
}

/** The container's first process. @throws InvalidParameter (user or group not found) */
export function processFor(
  record: ContainerRecord,
  rootfs: string,
  options: {
    config: ContainersConfig;
    security: SecurityOptions;
    init: boolean;
    apparmorProfile: string;
    links: readonly string[];
    hidden: readonly string[];
  },
): OciProcess {
  const { config, hostConfig } = record;
  const user = resolveUser(rootfs, config.User ?? '', hostConfig.GroupAdd ?? []);
  const own = mergeEnvironment(config.Env ?? [], options.hidden);
  const capabilities = effectiveCapabilities(
    hostConfig.Privileged === true,
    asList(hostConfig.CapAdd),
    asList(hostConfig.CapDrop),
  );
  const command = [record.path, ...record.args];
  const [height = 0, width = 0] = hostConfig.ConsoleSize ?? [];
  return {
    terminal: config.Tty === true,
    consoleSize: config.Tty && height > 0 && width > 0 ? { height, width } : undefined,
    user: ociUser(user, hostConfig),
    args: options.init ? [initPath, '--', ...command] : command,
    env: withHome(environment(config.Hostname ?? '', config.Tty === true, options.links, own), user),
    cwd: config.WorkingDir || '/',
    capabilities: processCapabilities(capabilities, user.uid),
    rlimits: rlimits(record, options.config),
    noNewPrivileges: options.security.noNewPrivileges,
    apparmorProfile: options.apparmorProfile || undefined,
    oomScoreAdj: hostConfig.OomScoreAdj ?? 0,
  };
}

/** A further process in a running container: its first process's limits, and what the exec asks for. */
export function execProcessFor(
  record: ContainerRecord,
  rootfs: string,
  requested: RequestedExec,
  options: { config: ContainersConfig; security: SecurityOptions; links: readonly string[] },
): OciProcess {
  const { config, hostConfig } = record;
  const user = resolveUser(rootfs, requested.user || config.User || '', hostConfig.GroupAdd ?? []);
  const privileged = requested.privileged === true || hostConfig.Privileged === true;
  const capabilities = privileged
    ? allCapabilities()
    : effectiveCapabilities(false, asList(hostConfig.CapAdd), asList(hostConfig.CapDrop));
  const env = environment(config.Hostname ?? '', requested.tty, options.links, config.Env ?? []);
  return {
    terminal: requested.tty,
    consoleSize: requested.consoleSize,
    user: ociUser(user, hostConfig),
    args: requested.command,
    env: withHome(mergeEnvironment(env, requested.env ?? []), user),
    cwd: requested.workingDir || config.WorkingDir || '/',
    capabilities: processCapabilities(capabilities, user.uid),
    rlimits: rlimits(record, options.config),
    noNewPrivileges: options.security.noNewPrivileges,
    apparmorProfile: privileged ? undefined : record.appArmorProfile || undefined,
    oomScoreAdj: hostConfig.OomScoreAdj ?? 0,
  };
}

/** Without a umask of its own the runtime's applies. */
function ociUser(
  { uid, gid, additionalGids }: ResolvedUser,
  { Umask: umask }: Pick<HostConfig, 'Umask'>,
): OciProcess['user'] {
  return { uid, gid, additionalGids, ...(typeof umask === 'number' && { umask }) };
}

function rlimits(record: ContainerRecord, config: ContainersConfig): OciProcess['rlimits'] {
  const limits = new Map(Object.values(config.defaultUlimits).map((limit) => [limit.Name, limit]));
  for (const { Name, Soft = 0, Hard = 0 } of record.hostConfig.Ulimits ?? []) limits.set(Name, { Name, Soft, Hard });
  return [...limits.values()].map(({ Name, Soft, Hard }) => ({
    type: `RLIMIT_${Name.toUpperCase()}`,
    soft: limitValue(Soft),
    hard: limitValue(Hard),
  }));
}

/** -1 is "unlimited": RLIM_INFINITY, which a double cannot hold. */
function limitValue(value: number): number | bigint {
  return value < 0 ? 2n ** 64n - 1n : value;
}

/** Go's strslice: a string stands for a list of one. */
export function asList(value: string[] | string | null | undefined): string[] {
  if (value === null || value === undefined) return [];
  return typeof value === 'string' ? [value] : value;
}
