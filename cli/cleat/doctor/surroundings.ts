import { existsSync, readdirSync, readFileSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { findCommand, sysctl } from '@cleat/linux/host';
import { run } from '@cleat/linux/process/run';
import { answersOn } from '../../docker-socket.js';
import { type Check, ok, warn } from './check.js';

const gigabyte = 1024 ** 3;

/** Checks the neighbours on this host: other engines, firewalls, disks, sockets. */
export const surroundingChecks: readonly Check[] = [
  {
    name: 'forwarding',
    look() {
      const value = sysctl('net.ipv4.ip_forward');
      if (value === '1') return ok(this.name, 'net.ipv4.ip_forward=1');
      return ok(
        this.name,
        `net.ipv4.ip_forward=${value ?? 'unknown'}: the engine enables it, unless --ip-forward=false`,
      );
    },
  },
  {
    name: 'firewall',
    async look() {
      if (findCommand('iptables') === undefined) return ok(this.name, 'no iptables');
      const { code, stdout, stderr } = await run('iptables', ['-w', '2', '-S', 'FORWARD'], { deadlineMs: 5000 });
      if (code !== 0) return ok(this.name, `iptables cannot be asked: ${stderr.trim().split('\n')[0]}`);
      const policy = /^-P FORWARD (\w+)/m.exec(stdout)?.[1] ?? 'unknown';
      if (policy !== 'DROP') return ok(this.name, `policy of FORWARD is ${policy}`);
      return ok(this.name, 'policy of FORWARD is DROP: the engine adds two tagged rules per bridge, and removes them');
    },
  },
  {
    name: 'other engines',
    look() {
      const others = readdirSync('/proc')
        .filter((pid) => /^\d+$/.test(pid))
        .flatMap(engineAt);
      return ok(this.name, others.length === 0 ? 'none run' : `${others.join(', ')}: they are left alone`);
    },
  },
  {
    name: 'socket',
    async look() {
      const path = '/run/docker.sock';
      if (!existsSync(path)) return ok(this.name, `${path} is free`);
      if (!(await answersOn(path))) return ok(this.name, `${path} is stale: it will be replaced`);
      return warn(
        this.name,
        `an engine answers on ${path}`,
        'a cleatd that is told no other socket refuses to start',
        'start it with -H unix:///run/cleat.sock, and set DOCKER_HOST accordingly',
      );
    },
  },
  {
    name: 'disk',
    look() {
      let path = '/var/lib/cleat';
      while (!existsSync(path)) path = dirname(path);
      const { bavail, bsize } = statfsSync(path);
      const free = (bavail * bsize) / gigabyte;
      const found = `${free.toFixed(1)} GB free at ${path}`;
      if (free >= 1) return ok(this.name, found);
      return warn(this.name, found, 'a full disk costs output of containers', 'free some, or name another --data-root');
    },
  },
];

function engineAt(pid: string): string[] {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0');
    // Node's own options stand before the program's name.
    const name = words
      .filter((word) => !word.startsWith('-'))
      .slice(0, 3)
      .map((word) => /(?:^|\/)(dockerd|cleatd)(?:\/main)?(?:\.js)?$/.exec(word)?.[1])
      .find(Boolean);
    return name === undefined ? [] : [`${name} (process ${pid})`];
  } catch {
    // It ended meanwhile.
    return [];
  }
}
