import { expect, test } from 'vitest';
import type { CgroupHierarchy } from '../cgroup/hierarchy.js';
import { hiddenFrom, type LaunchHost, launcherOf } from './launcher.js';

const hierarchy = (hybrid: boolean): CgroupHierarchy => ({
  version: hybrid ? 1 : 2,
  hybrid,
  controllers: new Map(),
  unified: '/c',
});
const host = (own: Partial<LaunchHost> = {}): LaunchHost => ({
  hierarchy: hierarchy(false),
  hasUnified: true,
  oomScore: '0',
  find: (command) => `/bin/${command}`,
  ...own,
});
const crun = '/usr/bin/crun';
const covered = ['/bin/unshare', '--propagation=unchanged', '--mount-proc=/sys/fs/cgroup/unified'];
const mounting = '/bin/busybox mount -t tmpfs none /sys/fs/cgroup/unified';

test('runc, and what has another name, is started as it is', () => {
  const worst = host({ hierarchy: hierarchy(true), oomScore: '-500' });
  for (const use of ['create', 'exec', 'other'] as const) {
    expect(launcherOf('/usr/sbin/runc', use, worst)).toEqual(['/usr/sbin/runc']);
    expect(launcherOf('/opt/crun-wrapper', use, worst)).toEqual(['/opt/crun-wrapper']);
  }
});

test('crun: a session of its own for a further process', () => {
  expect(launcherOf(crun, 'create', host())).toEqual([crun]);
  expect(launcherOf(crun, 'other', host())).toEqual([crun]);
  expect(launcherOf(crun, 'exec', host())).toEqual(['/bin/busybox', 'setsid', crun]);
  const plain = host({ find: (command) => (command === 'busybox' ? undefined : `/bin/${command}`) });
  expect(launcherOf(crun, 'exec', plain)).toEqual(['/bin/setsid', crun]);
});

test('crun on a hybrid host: version 2 is covered', () => {
  const hybrid = host({ hierarchy: hierarchy(true) });
  expect(launcherOf(crun, 'other', hybrid)).toEqual([...covered, crun]);
  expect(launcherOf(crun, 'signal', hybrid)).toEqual([crun]);
  expect(launcherOf(crun, 'exec', hybrid)).toEqual([...covered, '/bin/busybox', 'setsid', crun]);
  expect(launcherOf(crun, 'create', hybrid)).toEqual([
    ...covered,
    '/bin/busybox',
    'sh',
    '-c',
    `${mounting} && exec "$0" "$@"`,
    crun,
  ]);
  expect(hiddenFrom(crun, hybrid)).toBe('/sys/fs/cgroup/unified');
  expect(hiddenFrom('/usr/sbin/runc', hybrid)).toBe(undefined);
  // Version 2 somewhere else does not disturb it.
  expect(launcherOf(crun, 'create', { ...hybrid, hasUnified: false })).toEqual([crun]);
});

test('crun below a service with OOMScoreAdjust: containers do not inherit it', () => {
  const favoured = host({ hierarchy: hierarchy(true), oomScore: '-500' });
  const reset = 'echo 0 >/proc/self/oom_score_adj';
  expect(launcherOf(crun, 'create', favoured)).toContain(`${mounting} && ${reset} && exec "$0" "$@"`);
  expect(launcherOf(crun, 'exec', favoured)).toContain(`${reset} && exec "$0" "$@"`);
  expect(launcherOf(crun, 'other', favoured)).toEqual([...covered, crun]);
  expect(launcherOf(crun, 'signal', favoured)).toEqual([crun]);
});
