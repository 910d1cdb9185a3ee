import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cgroupInfo } from '@cleat/linux/cgroup/info';
import { hostFacts, missingCapabilities, namespaceSupport } from '@cleat/linux/host';
import { unmount } from '@cleat/linux/mount/mount';
import { mountOverlay } from '@cleat/linux/mount/overlay';
import { messageOf } from '@cleat/protocol/errors';
import { type Check, fail, ok, warn } from './check.js';

/** Checks what the kernel, and the program that started us, allow. */
export const kernelChecks: readonly Check[] = [
  {
    name: 'user',
    look() {
      if (process.getuid?.() !== 0) {
        return fail(
          this.name,
          `user ${process.getuid?.()}`,
          'the engine needs root to run containers',
          'run it with sudo, or as root',
        );
      }
      const missing = missingCapabilities();
      const needed = missing.filter((one) => one !== 'CAP_SYS_RESOURCE');
      if (needed.length > 0) {
        return fail(
          this.name,
          `root without ${needed.join(', ')}`,
          'mounts, namespaces or networks cannot be made: this looks like a container without privileges',
          'run outside of that container, or give it --privileged',
        );
      }
      if (missing.length > 0) {
        return warn(
          this.name,
          `root without ${missing.join(', ')}`,
          "containers run, but limits (--ulimit) cannot be raised above the engine's own",
          'give the engine CAP_SYS_RESOURCE if limits matter',
        );
      }
      return ok(this.name, 'root');
    },
  },
  {
    name: 'kernel',
    look() {
      const { kernelVersion, architecture, operatingSystem } = hostFacts();
      const found = `${kernelVersion} ${architecture}, ${operatingSystem}`;
      const [major = 0, minor = 0] = kernelVersion.split('.').map(Number);
      if (major > 5 || (major === 5 && minor >= 6)) return ok(this.name, found);
      return fail(
        this.name,
        found,
        'openat2(2) is missing, on which paths inside containers rely',
        'use Linux 5.6 or later',
      );
    },
  },
  {
    name: 'namespaces',
    look() {
      const support = namespaceSupport();
      const missing = Object.entries(support).flatMap(([kind, has]) => (has || kind === 'user' ? [] : [kind]));
      if (missing.length > 0) {
        return fail(
          this.name,
          `without ${missing.join(', ')}`,
          'containers cannot be isolated',
          'use a kernel with namespaces',
        );
      }
      const words = ['--mount', '--net', '--pid', '--ipc', '--uts', '--fork', 'true'];
      const tried = spawnSync('unshare', words, { encoding: 'utf8' });
      if (tried.status === 0) return ok(this.name, 'mount, network, PID, IPC, UTS, cgroup');
      if (tried.stderr?.includes('root filesystem propagation')) {
        return fail(
          this.name,
          'this is a plain chroot: its root directory is not a mount point',
          'nothing can be mounted for containers',
          'mount --bind the directory on itself before chroot, with /proc, /sys and /dev below it; or use systemd-nspawn',
        );
      }
      return fail(
        this.name,
        `they cannot be made: ${tried.error?.message ?? tried.stderr.trim()}`,
        'containers cannot be isolated',
        'run outside of a restricted container, or allow unshare(2)',
      );
    },
  },
  {
    name: 'overlayfs',
    look() {
      const directory = mkdtempSync(join(tmpdir(), 'cleat-doctor-'));
      const [lower = '', upper = '', work = '', target = ''] = ['l', 'u', 'w', 't'].map((name) =>
        join(directory, name),
      );
      try {
        for (const path of [lower, upper, work, target]) mkdirSync(path);
        mountOverlay({ lower: [lower], upper, work, target });
        unmount(target, { detach: true });
        return ok(this.name, 'can be mounted');
      } catch (error) {
        return fail(
          this.name,
          messageOf(error),
          'root file systems of containers are overlays',
          'modprobe overlay; in a container keep the data root on a volume that is not itself an overlay',
        );
      } finally {
        rmSync(directory, { recursive: true, force: true });
      }
    },
  },
  {
    name: 'cgroups',
    look() {
      const { version, hybrid, controllers, memoryLimit, pidsLimit, cpuCfsQuota } = cgroupInfo();
      const found = `version ${version}${hybrid ? ' (hybrid)' : ''}: ${controllers.join(', ') || 'no controllers'}`;
      if (controllers.length === 0) {
        return fail(this.name, found, 'the runtime refuses to start containers', 'mount the cgroup file systems');
      }
      const missing = Object.entries({ memory: memoryLimit, pids: pidsLimit, 'CPU time': cpuCfsQuota });
      const names = missing.flatMap(([name, has]) => (has ? [] : [name]));
      if (names.length === 0) return ok(this.name, found);
      return warn(this.name, found, `containers run without limits of ${names.join(', ')}`, 'enable these controllers');
    },
  },
  {
    name: 'security modules',
    look() {
      const { seccomp, apparmor, selinux } = hostFacts().security;
      const found = Object.entries({ seccomp, apparmor, selinux }).flatMap(([name, has]) => (has ? [name] : []));
      if (seccomp) return ok(this.name, found.join(', '));
      return warn(
        this.name,
        found.join(', ') || 'none',
        'system calls of containers are not filtered',
        'use a kernel with seccomp',
      );
    },
  },
  {
    name: 'FUSE',
    look() {
      if (existsSync('/dev/fuse')) return ok(this.name, '/dev/fuse');
      return warn(
        this.name,
        'no /dev/fuse',
        'volume plugins that mount with FUSE (rclone, sshfs) fail',
        'modprobe fuse',
      );
    },
  },
];
