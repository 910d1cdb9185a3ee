import { invalidParameter } from '@cleat/protocol/errors';
import { type ExtensionModule, implement } from '@cleat/protocol/extension';
import { networkKind } from '@cleat/protocol/kinds/network';
import { BridgeDriver, type BridgeOptions } from './driver.js';

/** See README.md for the options. */
export default {
  async start({ options, log }) {
    const driver = new BridgeDriver(readOptions(options), log);
    await driver.restore();
    return { implementations: [implement(networkKind, driver.handlers())], close: () => driver.close() };
  },
} satisfies ExtensionModule;

function readOptions(options: Readonly<Record<string, unknown>>): BridgeOptions {
  const text = (key: string, otherwise: string) => {
    const value = options[key] ?? '';
    if (typeof value !== 'string') throw invalidParameter(`network-bridge: option ${key} must be text`);
    return value || otherwise;
  };
  const flag = (key: string, otherwise: boolean) => {
    const value = options[key] ?? otherwise;
    if (typeof value === 'boolean') return value;
    if (value === 'true' || value === 'false') return value === 'true';
    throw invalidParameter(`network-bridge: option ${key} must be true or false`);
  };
  const engineId = text('engineId', '');
  const stateDir = text('stateDir', '');
  if (!engineId || !stateDir) throw invalidParameter('network-bridge needs the options engineId and stateDir');
  const mtu = Number(options.mtu || 1500);
  if (!Number.isInteger(mtu) || mtu <= 0) throw invalidParameter('network-bridge: option mtu must be a number');
  return {
    engineId,
    stateDir,
    firewall: flag('iptables', true),
    ipForward: flag('ipForward', true),
    defaultDevice: text('defaultDevice', 'cleat0'),
    defaults: { icc: flag('icc', true), masquerade: flag('ipMasq', true), hostIp: text('hostIp', '0.0.0.0'), mtu },
  };
}
