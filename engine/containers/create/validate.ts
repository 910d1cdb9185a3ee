import { isIP } from 'node:net';
import { availableParallelism } from 'node:os';
import { posix } from 'node:path';
import { isWithin, onlineCpus, onlineMemoryNodes } from '@cleat/linux/cgroup/cpuset';
import type { ContainerConfig, ContainerUpdateRequest, HostConfig } from '@cleat/protocol/api/container';
import { invalidParameter } from '@cleat/protocol/errors';
import { checkFields, refuseNul } from '../../config-fields.js';
import { checkPorts } from '../../networks/ports.js';
import { normalizeCapabilities } from '../../oci/capabilities.js';
import { cdiDriver, checkCdiRequest } from '../../oci/cdi/inject.js';
import { parseSignal } from '../../signals.js';
import { parseRule } from '../oci-spec/devices.js';
import { asList } from '../oci-spec/process.js';
import { parseSecurityOptions } from '../oci-spec/security-options.js';
import { discardUnsupported } from './discard.js';
import { checkRestartPolicy } from './restart.js';

const minMemory = 6 * 1024 * 1024;
const minDuration = 1_000_000;
const maxHostname = 64;

/**
 * Refuses what no container may be configured with, in Docker's words (moby `daemon/container.go`).
 * @throws InvalidParameter
 */
export function checkConfig(config: ContainerConfig): void {
  if (config.WorkingDir && !posix.isAbsolute(config.WorkingDir)) {
    throw invalidParameter(`the working directory '${config.WorkingDir}' is invalid, it needs to be an absolute path`);
  }
  if (config.StopSignal) parseSignal(config.StopSignal);
  checkFields(config);
  if ((config.Hostname?.length ?? 0) > maxHostname) {
    throw invalidParameter(`hostname "${config.Hostname}" is too long (maximum ${maxHostname} bytes)`);
  }
  const health = config.Healthcheck;
  for (const field of ['Interval', 'Timeout', 'StartPeriod', 'StartInterval'] as const) {
    const value = health?.[field] ?? 0;
    if (value !== 0 && value < minDuration) throw invalidParameter(`${field} in Healthcheck cannot be less than 1ms`);
  }
  if ((health?.Retries ?? 0) < 0) throw invalidParameter('Retries in Healthcheck cannot be negative');
}

/** @returns warnings. @throws InvalidParameter */
export function checkHostConfig(config: ContainerConfig, host: HostConfig): string[] {
  const warnings: string[] = [];
  refuseNul(host);
  checkRestartPolicy(host);
  normalizeCapabilities(asList(host.CapAdd), 'CapAdd');
  normalizeCapabilities(asList(host.CapDrop), 'CapDrop');
  if (host.Capabilities?.length) {
    throw invalidParameter(
      'the HostConfig.Capabilities field is not supported by this daemon; use CapAdd and CapDrop to set capabilities',
    );
  }
  parseSecurityOptions(host.SecurityOpt ?? [], false);
  checkDevices(host);
  if (host.Isolation && host.Isolation !== 'default')
    throw invalidParameter(`invalid isolation '${host.Isolation}' on linux`);
  if (Object.keys(host.Annotations ?? {}).includes('')) {
    throw invalidParameter('invalid Annotations: the empty string is not permitted as an annotation key');
  }
  for (const entry of host.ExtraHosts ?? []) {
    const [, address = ''] = /^[^:=]+[:=](.+)$/s.exec(entry) ?? [];
    if (address === '') throw invalidParameter(`bad format for add-host: "${entry}"`);
    if (address !== 'host-gateway' && isIP(address.replace(/^\[(.*)\]$/, '$1')) === 0) {
      throw invalidParameter(`invalid IP address in add-host: ${JSON.stringify(address)}`);
    }
  }
  for (const server of host.Dns ?? []) {
    // The words of Go's netip, which names no reason as exactly as it might.
    if (isIP(server) === 0) {
      throw invalidParameter(
        `bad nameserver address ${server}: ParseAddr(${JSON.stringify(server)}): unable to parse IP`,
      );
    }
  }
  checkPorts(Object.keys(config.ExposedPorts ?? {}), host.PortBindings ?? {});
  checkModes(config, host);
  checkTmpfs(host);
  warnings.push(...checkResources(host));
  if (host.NetworkMode === 'host' && Object.keys(host.PortBindings ?? {}).length > 0) {
    warnings.push('Published ports are discarded when using host network mode');
  }
  const storageOptions = Object.keys(host.StorageOpt ?? {});
  const unknownOption = storageOptions.find((option) => option.toLowerCase() !== 'size');
  if (unknownOption !== undefined) throw invalidParameter(`Unknown option ${unknownOption.toLowerCase()}`);
  if (storageOptions.length > 0) {
    throw invalidParameter("--storage-opt is supported only for overlay over xfs with 'pquota' mount option");
  }
  if (host.UsernsMode && host.UsernsMode !== 'host') throw invalidParameter(`invalid USER mode: ${host.UsernsMode}`);
  if (host.Cgroup) throw invalidParameter(`invalid cgroup mode: ${host.Cgroup}: sharing a cgroup is not supported`);
  return warnings;
}

/** Refuses options that a container with users of its own cannot have (moby `daemon/daemon_unix.go`). @throws InvalidParameter */
export function checkRemapped(host: Pick<HostConfig, 'NetworkMode' | 'PidMode' | 'Privileged'>): void {
  if (host.Privileged) {
    throw invalidParameter(
      'privileged mode is incompatible with user namespaces.  You must run the container in the host namespace when running privileged mode',
    );
  }
  if (host.NetworkMode === 'host') {
    throw invalidParameter("cannot share the host's network namespace when user namespaces are enabled");
  }
  if (host.PidMode === 'host') {
    throw invalidParameter('cannot share the host PID namespace when user namespaces are enabled');
  }
}

/** For `docker update` too. @throws InvalidParameter */
export function checkDevices(host: Pick<HostConfig, 'DeviceCgroupRules' | 'DeviceRequests'>): void {
  for (const rule of host.DeviceCgroupRules ?? []) parseRule(rule);
  for (const request of host.DeviceRequests ?? []) {
    const { Driver = '', Capabilities } = request;
    if (Driver === cdiDriver) {
      checkCdiRequest(request);
      continue;
    }
    const capabilities = (Capabilities ?? []).map((all) => `[${(all ?? []).join(' ')}]`).join(' ');
    throw invalidParameter(`could not select device driver "${Driver}" with capabilities: [${capabilities}]`);
  }
}

function checkModes(config: ContainerConfig, host: HostConfig): void {
  const container = /^container:.+$/;
  if (!/^(private|host|shareable|none)$/.test(host.IpcMode ?? '') && !container.test(host.IpcMode ?? '')) {
    throw invalidParameter(`invalid IPC mode: ${host.IpcMode}`);
  }
  if (host.PidMode && host.PidMode !== 'host' && !container.test(host.PidMode)) {
    throw invalidParameter(`invalid PID mode: ${host.PidMode}`);
  }
  if (host.UTSMode && host.UTSMode !== 'host') throw invalidParameter(`invalid UTS mode: ${host.UTSMode}`);
  if (host.CgroupnsMode !== 'host' && host.CgroupnsMode !== 'private') {
    throw invalidParameter(`invalid cgroup namespace mode: ${host.CgroupnsMode}`);
  }
  if ((host.ShmSize ?? 0) < 0) throw invalidParameter('SHM size can not be less than 0');
  const oom = host.OomScoreAdj ?? 0;
  if (oom < -1000 || oom > 1000) {
    throw invalidParameter(`Invalid value ${oom}, range for oom score adj is [-1000, 1000]`);
  }
  const umask = host.Umask ?? 0;
  if (umask < 0 || umask > 0o777) throw invalidParameter(`invalid umask ${umask}: it must be between 0 and 511 (0777)`);
  const conflicts = (what: string) => invalidParameter(`conflicting options: ${what}`);
  if (host.NetworkMode?.startsWith('container:')) {
    if (config.Hostname) throw conflicts('hostname and the network mode');
    if (host.Links?.length) {
      throw conflicts("container type network can't be used with links. This would result in undefined behavior");
    }
    if (host.Dns?.length) throw conflicts('dns and the network mode');
    if (host.ExtraHosts?.length) throw conflicts('custom host-to-IP mapping and the network mode');
    if (Object.keys(host.PortBindings ?? {}).length > 0 || host.PublishAllPorts) {
      throw conflicts('port publishing and the container type network mode');
    }
    if (Object.keys(config.ExposedPorts ?? {}).length > 0) {
      throw conflicts('port exposing and the container type network mode');
    }
  }
  if (host.NetworkMode === 'host' && host.Links?.length) {
    throw conflicts("host type networking can't be used with links. This would result in undefined behavior");
  }
  if (host.UTSMode === 'host' && config.Hostname) throw conflicts('hostname and the UTS mode');
}

function checkTmpfs(host: HostConfig): void {
  for (const path of Object.keys(host.Tmpfs ?? {})) {
    if (posix.normalize(path) === '/') throw invalidParameter("invalid specification: destination can't be '/'");
    if (!posix.isAbsolute(path)) throw invalidParameter(`invalid mount path: '${path}' mount path must be absolute`);
  }
}

/** Limits that make no sense; for `docker update` too. @returns warnings. @throws InvalidParameter */
export function checkResources(host: ContainerUpdateRequest, options: { update?: boolean } = {}): string[] {
  const warnings = discardUnsupported(host);
  const { Memory = 0, MemorySwap = 0, MemoryReservation = 0, NanoCpus = 0, CpuPeriod = 0, CpuQuota = 0 } = host;
  const fail = invalidParameter;
  if (Memory !== 0 && Memory < minMemory) throw fail('Minimum memory limit allowed is 6MB');
  if (Memory > 0 && MemorySwap > 0 && MemorySwap < Memory) {
    throw fail('Minimum memoryswap limit should be larger than memory limit, see usage');
  }
  if (Memory === 0 && MemorySwap > 0 && !options.update) {
    throw fail('You should always set the Memory limit when using Memoryswap limit, see usage');
  }
  const swappiness = host.MemorySwappiness ?? 0;
  if (swappiness < 0 || swappiness > 100) {
    throw fail(`Invalid value: ${swappiness}, valid memory swappiness range is 0-100`);
  }
  if (MemoryReservation > 0 && MemoryReservation < minMemory) {
    throw fail('Minimum memory reservation allowed is 6MB');
  }
  if (Memory > 0 && MemoryReservation > 0 && Memory < MemoryReservation) {
    throw fail('Minimum memory limit can not be less than memory reservation limit, see usage');
  }
  if (host.OomKillDisable && Memory === 0) {
    warnings.push(
      'OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources.',
    );
  }
  if (NanoCpus > 0 && CpuPeriod > 0) throw fail('Conflicting options: Nano CPUs and CPU Period cannot both be set');
  if (NanoCpus > 0 && CpuQuota > 0) throw fail('Conflicting options: Nano CPUs and CPU Quota cannot both be set');
  const cpus = availableParallelism();
  if (NanoCpus < 0 || NanoCpus > cpus * 1e9) {
    throw fail(`range of CPUs is from 0.01 to ${cpus}.00, as there are only ${cpus} CPUs available`);
  }
  if (CpuPeriod !== 0 && (CpuPeriod < 1000 || CpuPeriod > 1_000_000)) {
    throw fail('CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)');
  }
  if (CpuQuota > 0 && CpuQuota < 1000) throw fail('CPU cfs quota can not be less than 1ms (i.e. 1000)');
  if ((host.CpuShares ?? 0) < 0) throw fail('shares: invalid argument');
  const weight = host.BlkioWeight ?? 0;
  if (weight > 0 && (weight < 10 || weight > 1000)) throw fail('Range of blkio weight is from 10 to 1000');
  if (host.IOMaximumBandwidth || host.IOMaximumIOps) {
    throw fail('Invalid QoS settings: linux does not support Maximum IO Bandwidth or Maximum IO IOps');
  }
  checkCpusets(host);
  return warnings;
}

/** Processors and memory nodes that the host does not have (moby `pkg/sysinfo`). @throws InvalidParameter */
function checkCpusets(host: Pick<HostConfig, 'CpusetCpus' | 'CpusetMems'>): void {
  for (const [value, what, name, available] of [
    [host.CpusetCpus, 'cpuset cpus', 'CPUs', onlineCpus()],
    [host.CpusetMems, 'cpuset mems', 'memory nodes', onlineMemoryNodes()],
  ] as const) {
    if (!value) continue;
    const within = isWithin(value, available ?? value);
    if (within === undefined) throw invalidParameter(`Invalid value ${value} for ${what}: invalid format: ${value}`);
    if (!within) {
      throw invalidParameter(`Requested ${name} are not available - requested ${value}, available: ${available}`);
    }
  }
}
