import type { PluginMount } from '../api/plugin.js';
import { type Faults, quoted } from './faults.js';

/** File systems that a runtime mounts for a plugin; `bind` is the one that others know by its options. */
const types = new Set(
  `bind none tmpfs proc sysfs devpts mqueue cgroup cgroup2 hugetlbfs debugfs tracefs securityfs configfs bpf fuse nfs nfs4
cifs ext4 xfs btrfs`.split(/\s+/),
);

/** Options that the kernel or runc knows for any file system (runtime-spec `config.md`). */
const words = new Set(
  `async atime bind defaults dev diratime dirsync exec iversion lazytime loud mand noatime nodev nodiratime noexec
noiversion nolazytime nomand norelatime nostrictatime nosuid nosymfollow private ratime rbind rdev rdiratime relatime
remount rexec rnoatime rnodev rnodiratime rnoexec rnorelatime rnostrictatime rnosuid rnosymfollow ro rprivate rrelatime
rro rrw rshared rslave rstrictatime rsuid rsymfollow runbindable rw shared silent slave strictatime suid symfollow sync
tmpcopyup unbindable`.split(/\s+/),
);

const isBind = ({ Type, Options }: PluginMount): boolean =>
  Type === 'bind' ||
  ((Type === '' || Type === 'none') && (Options ?? []).some((one) => one === 'bind' || one === 'rbind'));

export function checkMounts(mounts: readonly PluginMount[], faults: Faults): void {
  const destinations = new Map<string, number>();
  for (const [at, mount] of mounts.entries()) {
    const path = `Mounts[${at}]`;
    const destination = mount.Destination.replace(/\/+/g, '/').replace(/(.)\/$/, '$1');
    const before = destinations.get(destination);
    if (before !== undefined) faults.add(`${path}.Destination`, `is that of Mounts[${before}], too`);
    destinations.set(destination, at);
    if (destination === '/') faults.add(`${path}.Destination`, 'must not be the root directory');
    checkMount(mount, path, faults);
  }
}

function checkMount(mount: PluginMount, path: string, faults: Faults): void {
  const { Type, Source, Settable, Options } = mount;
  if (!isBind(mount) && !types.has(Type)) {
    const hint = Type === '' ? '; or give the option rbind' : '';
    faults.add(`${path}.Type`, `must be a known type, for example bind or tmpfs, not ${quoted(Type)}${hint}`);
  }
  for (const [at, field] of (Settable ?? []).entries()) {
    if (field !== 'source') {
      faults.add(`${path}.Settable[${at}]`, `must be "source", which is all that can be set, not ${quoted(field)}`);
    }
  }
  if (Source === null || (Source === '' && !Settable?.includes('source'))) {
    faults.add(`${path}.Source`, 'must be given; it may be "" where users can set it');
  } else if (isBind(mount) && Source !== '' && !Source.startsWith('/')) {
    faults.add(`${path}.Source`, `must be an absolute path, not ${quoted(Source)}`);
  }
  checkOptions(mount, `${path}.Options`, Options ?? [], faults);
}

function checkOptions(mount: PluginMount, path: string, options: readonly string[], faults: Faults): void {
  for (const [at, option] of options.entries()) {
    // Other words go to the file system itself; a bind mount has none that would read them.
    const isData = !isBind(mount) && /^[\w.-]+(=.*)?$/.test(option);
    if (!words.has(option) && !isData) faults.add(`${path}[${at}]`, `unknown mount option ${quoted(option)}`);
  }
  if (options.includes('ro') && options.includes('rw')) faults.add(path, 'both ro and rw');
}
