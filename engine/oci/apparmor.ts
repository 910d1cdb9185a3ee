import { readlinkSync } from 'node:fs';

/** Whether AppArmor confines processes on this host. */
export function hasAppArmor(): boolean {
  try {
    readlinkSync('/sys/kernel/security/apparmor/policy');
    return true;
  } catch (error) {
    // EINVAL: it is there and a directory; anything else: no AppArmor.
    return error instanceof Error && 'code' in error && error.code === 'EINVAL';
  }
}
