import { invalidParameter } from '@cleat/protocol/errors';
import type { OptionDeclarations, OptionsOf } from '@cleat/protocol/options';
import type { Defaults } from './network-options.js';

export const options = {
  engineId: { required: true, help: 'tags what is left on the host' },
  stateDir: { required: true, help: 'directory for its files' },
  iptables: { default: 'true', help: 'make firewall rules at all' },
  ipForward: { default: 'true', help: 'switch IP forwarding on' },
  icc: { default: 'true', help: 'containers of a network reach each other; for networks that do not say themselves' },
  ipMasq: {
    default: 'true',
    help: "hide containers behind the host's address; for networks that do not say themselves",
  },
  hostIp: { default: '0.0.0.0', help: 'address of published ports; for networks that do not say themselves' },
  mtu: { default: '1500', help: 'largest packet; for networks that do not say themselves' },
  allowDirectRouting: {
    default: 'false',
    help: "other hosts reach published ports by the containers' own addresses",
  },
  acceptMark: { default: '', help: 'packets with this firewall mark are let through to containers: mark or mark/mask' },
  defaultDevice: { default: 'cleat0', help: 'device that is never taken over from somebody else' },
} as const satisfies OptionDeclarations;

export interface BridgeOptions {
  readonly engineId: string;
  readonly stateDir: string;
  /** Rules for translation, ports and isolation; without them containers reach only each other and the host. */
  readonly firewall: boolean;
  readonly ipForward: boolean;
  /** Other hosts reach published ports by the containers' own addresses. */
  readonly directRouting: boolean;
  /** Packets with this firewall mark are let through to containers; empty: none. */
  readonly acceptMark: string;
  /** Name of the device that an engine uses unless told otherwise: never taken over from somebody else. */
  readonly defaultDevice: string;
  readonly defaults: Defaults;
}

/** @throws InvalidParameter */
export function bridgeOptions(given: OptionsOf<typeof options>): BridgeOptions {
  const flag = (name: 'iptables' | 'ipForward' | 'icc' | 'ipMasq' | 'allowDirectRouting'): boolean => {
    const value = given[name] || options[name].default;
    if (value === 'true' || value === 'false') return value === 'true';
    throw invalidParameter(`network-bridge: option ${name} must be true or false`);
  };
  // The engine says 0 where the operator said nothing.
  const mtu = Number(given.mtu) || Number(options.mtu.default);
  if (!/^\d*$/.test(given.mtu)) throw invalidParameter('network-bridge: option mtu must be a number');
  return {
    engineId: given.engineId,
    stateDir: given.stateDir,
    firewall: flag('iptables'),
    ipForward: flag('ipForward'),
    directRouting: flag('allowDirectRouting'),
    acceptMark: given.acceptMark,
    defaultDevice: given.defaultDevice || options.defaultDevice.default,
    defaults: { icc: flag('icc'), masquerade: flag('ipMasq'), hostIp: given.hostIp || options.hostIp.default, mtu },
  };
}
