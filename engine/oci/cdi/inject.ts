import { posix } from 'node:path';
import type { Helper } from '@cleat/linux/helper/helper';
import type { HostConfig } from '@cleat/protocol/api/container';
import { invalidParameter, messageOf, systemError } from '@cleat/protocol/errors';
import { devicesAt } from '../devices.js';
import type { OciDevice, OciSpec } from '../types.js';
import { findCdiDevices } from './registry.js';
import { type CdiEdits, isHookName } from './spec.js';

type DeviceRequests = NonNullable<HostConfig['DeviceRequests']>;

export const cdiDriver = 'cdi';

/** @throws InvalidParameter for a request that no CDI device can meet, in the words of moby `daemon/cdi.go` */
export function checkCdiRequest({ Count = 0, Options }: DeviceRequests[number]): void {
  if (Count !== 0) throw invalidParameter('unexpected count in CDI device request');
  if (Object.keys(Options ?? {}).length > 0) throw invalidParameter('unexpected options in CDI device request');
}

/**
 * Puts the CDI devices that a container asks for into its configuration: what their files say, and once for each file
 * what it says for all of its devices.
 * @throws System for a device that no file describes; InvalidParameter for one that is not there
 */
export async function injectCdiDevices(
  spec: OciSpec,
  requests: DeviceRequests,
  directories: readonly string[],
  helper: Pick<Helper, 'call'>,
): Promise<void> {
  const wanted = requests.filter(({ Driver }) => Driver === cdiDriver).flatMap(({ DeviceIDs }) => DeviceIDs ?? []);
  if (wanted.length === 0) return;
  const failed = (why: string, cause?: unknown) => systemError(`CDI device injection failed: ${why}`, { cause });
  const { devices, problems } = await findCdiDevices(directories, helper);
  const found = wanted.flatMap((id) => devices.get(id) ?? []);
  const missing = wanted.filter((id) => !devices.has(id));
  if (missing.length > 0) {
    throw failed([`unresolvable CDI devices ${missing.join(', ')}`, ...problems].join('; '));
  }
  try {
    for (const general of new Set(found.map((device) => device.spec))) apply(spec, general.containerEdits ?? {});
    for (const { edits } of found) apply(spec, edits);
  } catch (cause) {
    throw failed(`failed to inject devices: ${messageOf(cause)}`, cause);
  }
}

function apply(spec: OciSpec, edits: CdiEdits): void {
  if (edits.netDevices?.length) throw invalidParameter('network devices are not supported');
  if (edits.intelRdt !== undefined) throw invalidParameter('intelRdt is not supported');
  const { process, linux } = spec;
  for (const variable of edits.env ?? []) {
    const name = variable.slice(0, variable.indexOf('=') + 1);
    process.env = [...process.env.filter((other) => !other.startsWith(name)), variable];
  }
  for (const node of edits.deviceNodes ?? []) {
    const device = deviceOf(node, process.user);
    linux.devices = [...(linux.devices ?? []).filter(({ path }) => path !== device.path), device];
    const { type, major, minor } = device;
    if (type === 'p') continue;
    const rule = { allow: true, type, major, minor, access: node.permissions || 'rwm' };
    linux.resources.devices = [...(linux.resources.devices ?? []), rule];
  }
  for (const { hostPath, containerPath, options = [], type = '' } of edits.mounts ?? []) {
    spec.mounts = spec.mounts.filter(({ destination }) => destination !== containerPath);
    // The runtime knows a bind by its options.
    const isBind = options.some((option) => option === 'bind' || option === 'rbind');
    spec.mounts.push({
      destination: containerPath,
      source: hostPath,
      options,
      type: type || (isBind ? 'bind' : 'none'),
    });
  }
  // A mount must not hide one that lies below it.
  if (edits.mounts?.length) spec.mounts.sort((a, b) => depth(a.destination) - depth(b.destination));
  for (const { hookName, path, args, env, timeout } of edits.hooks ?? []) {
    if (!isHookName(hookName)) continue;
    spec.hooks ??= {};
    spec.hooks[hookName] = [...(spec.hooks[hookName] ?? []), { path, args, env, timeout }];
  }
  const groups = (edits.additionalGids ?? []).filter((gid) => gid !== 0);
  if (groups.length > 0) {
    process.user.additionalGids = [...new Set([...(process.user.additionalGids ?? []), ...groups])];
  }
}

const depth = (path: string): number => posix.normalize(path).split('/').length;

/** A device node; whatever its file leaves out is the host's. */
function deviceOf(
  { path, hostPath, type, major, minor, fileMode, uid, gid }: NonNullable<CdiEdits['deviceNodes']>[number],
  user: OciSpec['process']['user'],
): OciDevice {
  const own = { fileMode, uid: uid ?? (user.uid || undefined), gid: gid ?? (user.gid || undefined) };
  // `u` is an older word for `c`.
  if (type && (type === 'p' || major !== undefined)) {
    const known = type === 'b' || type === 'p' ? type : 'c';
    return { path, type: known, major: major ?? 0, minor: minor ?? 0, ...own };
  }
  const [device] = devicesAt(hostPath || path, path);
  if (!device || device.path !== path) throw invalidParameter(`${hostPath || path} is not a device node`);
  if (type && device.type !== (type === 'u' ? 'c' : type)) {
    throw invalidParameter(`CDI device (${path}), host type mismatch (${type}, ${device.type})`);
  }
  return { ...device, fileMode: fileMode ?? device.fileMode, uid: own.uid, gid: own.gid };
}
