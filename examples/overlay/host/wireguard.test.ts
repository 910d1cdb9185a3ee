import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { interfaceNames } from '@cleat/linux/net/facts';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Wireguard } from './wireguard.js';

let root: string;
let wireguard: Wireguard;

/** A command that does what a host without the real one has to. */
function command(name: string, script: string): void {
  const path = join(root, 'bin', name);
  writeFileSync(path, `#!/bin/sh\necho "${name} $*" >>${root}/said\n${script}\n`);
  chmodSync(path, 0o755);
}

beforeEach(() => {
  root = mkdtempSync('/tmp/cleat-overlay-');
  mkdirSync(join(root, 'bin'));
  wireguard = new Wireguard({ link: 'none-wg', directory: root, cluster: '/c', port: 51_820, vxlanPort: 4790 });
  vi.stubEnv('PATH', join(root, 'bin'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(root, { recursive: true });
});

test('a host without WireGuard says what is missing', async () => {
  await expect(wireguard.make(1420)).rejects.toThrow(/^there is no encryption on this host: wg is not installed/);
  command('wg', '');
  command('nft', 'exec /bin/cat >/dev/null');
  command('ip', 'echo "Error: Unknown device type." >&2; exit 2');
  await expect(wireguard.make(1420)).rejects.toThrow(
    'its kernel has no WireGuard (Error: Unknown device type.), and wireguard-go is not installed',
  );
  command('wireguard-go', 'echo "no tun here"; exit 1');
  await expect(wireguard.make(1420)).rejects.toThrow('wireguard-go none-wg: no tun here');
  expect(wireguard.isThere).toBe(false);
  expect(interfaceNames().has('none-wg')).toBe(false);
  // The rule that was made first goes, too.
  rmSync(join(root, 'said'));
  await wireguard.remove();
  expect(readFileSync(join(root, 'said'), 'utf8')).toBe('nft -f -\n');
});
