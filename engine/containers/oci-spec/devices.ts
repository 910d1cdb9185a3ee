import type { HostConfig } from '@cleat/protocol/api/container';
import { invalidParameter } from '@cleat/protocol/errors';
import { defaultDeviceRules, devicesAt, everyDevice, hostDevices } from '../../oci/devices.js';
import type { OciDevice, OciDeviceRule } from '../../oci/types.js';

/** Device nodes and device rules of a container. @throws InvalidParameter for a device that is not there */
export function devicesFor(host: HostConfig): { devices: OciDevice[]; rules: OciDeviceRule[] } {
  if (host.Privileged) return { devices: hostDevices('/dev'), rules: [everyDevice] };
  const devices: OciDevice[] = [];
  const rules = [...defaultDeviceRules];
  for (const mapping of host.Devices ?? []) {
    const source = mapping.PathOnHost ?? '';
    const found = devicesAt(source, mapping.PathInContainer || source);
    devices.push(...found);
    for (const { type, major, minor } of found) {
      rules.push({ allow: true, type, major, minor, access: mapping.CgroupPermissions || 'rwm' });
    }
  }
  for (const rule of host.DeviceCgroupRules ?? []) rules.push(parseRule(rule));
  return { devices, rules };
}

/** `c 1:3 rwm`, with `a` for the type and `*` for a number. @throws InvalidParameter */
export function parseRule(text: string): OciDeviceRule {
  const match = /^([acb]) ([0-9]+|\*):([0-9]+|\*) ([rwm]{1,3})$/.exec(text);
  if (!match) throw invalidParameter(`invalid device cgroup rule format: '${text}'`);
  const [, type, major, minor, access = 'rwm'] = match;
  const rule: OciDeviceRule = { allow: true, type, access };
  if (major !== '*') rule.major = Number(major);
  if (minor !== '*') rule.minor = Number(minor);
  return rule;
}
