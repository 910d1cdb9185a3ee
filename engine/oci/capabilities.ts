import { readFileSync } from 'node:fs';
import { invalidParameter } from '@cleat/protocol/errors';
import { linuxCapabilities } from '@cleat/protocol/linux-capabilities';

/** Capabilities of a container by default (moby `daemon/pkg/oci/caps/defaults.go`). */
const defaults = new Set(
  `CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE`
    .split(' ')
    .map((name) => `CAP_${name}`),
);

let known: string[] | undefined;

/** Those that this kernel has and this process may hand out. */
export function allCapabilities(): string[] {
  known ??= readKnown();
  return known;
}

function readKnown(): string[] {
  const status = readFileSync('/proc/self/status', 'utf8');
  const bounding = BigInt(`0x${/^CapBnd:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? '0'}`);
  return linuxCapabilities.filter((_, at) => (bounding >> BigInt(at)) & 1n);
}

/** `net_admin` → `CAP_NET_ADMIN`; `all` stays `ALL`. @throws InvalidParameter `unknown capability: "X"` */
export function normalizeCapabilities(list: readonly string[], option: 'CapAdd' | 'CapDrop'): string[] {
  return list.map((given) => {
    const upper = given.toUpperCase();
    if (upper === 'ALL' || upper === 'CAP_ALL') return 'ALL';
    const name = upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
    if (!linuxCapabilities.includes(name)) throw invalidParameter(`invalid ${option}: unknown capability: "${name}"`);
    return name;
  });
}

/** The capabilities that result from `--privileged`, `--cap-add` and `--cap-drop`. */
export function effectiveCapabilities(privileged: boolean, add: readonly string[], drop: readonly string[]): string[] {
  const all = allCapabilities();
  if (privileged) return all;
  const adds = new Set(normalizeCapabilities(add, 'CapAdd'));
  const drops = new Set(normalizeCapabilities(drop, 'CapDrop'));
  if (adds.has('ALL')) return all.filter((name) => !drops.has(name));
  if (drops.has('ALL')) return all.filter((name) => adds.has(name));
  return all.filter((name) => adds.has(name) || (defaults.has(name) && !drops.has(name)));
}

/** For the OCI process. A user other than root starts without any, as execve(2) would have it. */
export function processCapabilities(list: string[], uid: number) {
  const held = uid === 0 ? list : [];
  return { bounding: list, effective: held, permitted: held, inheritable: [], ambient: [] };
}
