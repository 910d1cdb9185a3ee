import type { ScriptedVolumePlugin } from './scripted-volume.js';

export interface Bench {
  plugin: ScriptedVolumePlugin;
  driver: string;
  /** A step: the command, what it printed, and the calls that it led to. */
  docker(...args: string[]): Promise<void>;
  /** Everything until the command prints this belongs to the step before. */
  eventually(command: string[], printed: string): Promise<void>;
  /** Everything until nothing is mounted belongs to the step before. */
  unmounted(): Promise<void>;
  /** A step: volumes of this driver and those of the default one; others' plugins may be on this host. */
  list(...args: string[]): Promise<void>;
}

export type Story = (bench: Bench) => Promise<void>;

/** The fields of any driver's volume that `docker volume inspect` shows. */
const whole = '{{.Driver}} {{.Scope}} {{json .Labels}} {{json .Options}} {{json .Status}}';
/** The beginnings of some commands, and what runs until it is stopped. */
export const run = ['run', '--network=none', '--rm'];
export const start = ['run', '-d', '--network=none'];
export const sleep = ['busybox', 'sleep', '1000'];

/** Everything that makes dockerd call a volume plugin, told through the client. */
export const stories: Record<string, Story> = {
  async 'volumes are made, shown and removed'({ plugin, driver, docker, list }) {
    const volume = (...args: string[]) => docker('volume', ...args);
    const show = (name: string) => volume('inspect', `--format=${whole}`, name);
    await volume('create', '-d', driver, 'plain');
    await volume('create', '-d', driver, '-o', 'size=1', '-o', 'kind=a<b', '--label=l=1', '--label=empty', 'full');
    await volume('create', '-d', driver);
    await list('--format={{.Driver}} {{.Name}} {{.Scope}} {{.Label "l"}} {{.Mountpoint}}');
    await list('-q', '--filter=label=l=1');
    await list('-q', '--filter=dangling=true');
    await show('plain');
    await show('full');
    // Again: with other options, another driver, and none.
    await volume('create', '-d', driver, '-o', 'size=2', 'full');
    await volume('create', '-d', 'local', 'full');
    await volume('create', 'full');
    await show('full');
    // A volume that the driver has and the engine does not know.
    plugin.make('theirs');
    await volume('create', '-d', driver, '-o', 'size=3', '--label=mine', 'theirs');
    await show('theirs');
    plugin.make('other');
    await show('other');
    plugin.make('third');
    await volume('create', 'third');
    await show('third');
    plugin.make('fourth');
    await volume('rm', 'fourth');
    // A volume that the driver has lost.
    plugin.volumes.delete('plain');
    await list('-q');
    await show('plain');
    await volume('create', '-d', driver, '-o', 'size=4', 'plain');
    plugin.volumes.delete('plain');
    await volume('create', '-d', driver, '-o', 'size=5', 'plain');
    plugin.volumes.delete('plain');
    await volume('rm', 'plain');
    await volume('rm', 'plain');
    await volume('rm', '-f', 'plain');
    await volume('rm', 'full', 'theirs');
    await volume('rm', 'nope');
    await volume('create', '-d', driver, 'a/b');
  },

  async 'one Mount and one Unmount for each time that a container runs'({ plugin, driver, docker, eventually }) {
    await docker('volume', 'create', '-d', driver, 'vol');
    await docker(...run, '-v', 'vol:/data', 'busybox', 'sh', '-c', 'echo hello > /data/file');
    await docker(...run, '-v', 'vol:/data', 'busybox', 'cat', '/data/file');
    await docker(...start, '-v', 'vol:/data', '--name=one', ...sleep);
    await docker(...start, '-v', 'vol:/data', '--name=two', ...sleep);
    await docker('volume', 'rm', 'vol');
    await docker('volume', 'rm', '-f', 'vol');
    await docker('kill', 'two');
    await eventually(['wait', 'two'], '137');
    await docker('restart', '-t=0', 'one');
    await docker('stop', '-t=0', 'one');
    await docker('start', 'one');
    await docker('exec', 'one', 'cat', '/data/file');
    await docker('pause', 'one');
    await docker('unpause', 'one');
    await docker('rm', '-f', 'one');
    await docker('volume', 'rm', 'vol');
    await docker('rm', 'two');
    // Made by run itself, by either flag.
    await docker(...run, '-v', 'web:/data', `--volume-driver=${driver}`, 'busybox', 'true');
    const mount = 'type=volume,source=opt,target=/data';
    await docker(...run, `--mount=${mount},volume-driver=${driver},volume-opt=a=1,volume-label=l=2`, 'busybox', 'true');
    await docker(...run, '-v', 'web:/nothing', 'busybox', '/nonexistent');
    await docker(...run, '-v', 'web:/data', 'busybox', 'sh', '-c', 'exit 3');
    await docker(
      'run',
      '--network=none',
      '-d',
      '-v',
      'web:/data',
      '--restart=on-failure:1',
      '--name=again',
      'busybox',
      'false',
    );
    await eventually(['inspect', '--format={{.RestartCount}} {{.State.Status}}', 'again'], '1 exited');
    await eventually(['wait', 'again'], '1');
    await docker('rm', 'again');
    await docker('volume', 'rm', 'web', 'opt');
    plugin.make('found');
    await docker(...run, '-v', 'found:/data', 'busybox', 'true');
  },

  async 'several mounts in one container'({ driver, docker }) {
    await docker('volume', 'create', '-d', driver, 'vol');
    await docker('volume', 'create', '-d', driver, 'web');
    await docker(...run, '-v', 'vol:/a', '-v', 'vol:/b', 'busybox', 'sh', '-c', 'touch /a/x && ls /b');
    await docker(...run, '-v', 'vol:/a', '-v', 'web:/b', 'busybox', 'true');
    await docker(...run, '-v', 'vol:/a:ro', 'busybox', 'touch', '/a/y');
    await docker(...start, '-v', 'vol:/a', '-v', 'web:/b:ro', '--name=main', ...sleep);
    await docker(...run, '--volumes-from=main', 'busybox', 'ls', '/a');
    await docker(...run, '--volumes-from=main:ro', 'busybox', 'touch', '/a/z');
    await docker('create', '--volumes-from=main', '--name=made', 'busybox', 'true');
    await docker('rm', '-f', 'main');
    await docker('volume', 'rm', 'vol');
    await docker('start', '-a', 'made');
    await docker('rm', 'made');
    await docker('volume', 'rm', 'vol', 'web');
  },

  async 'files of containers that do not run'({ plugin, driver, docker, unmounted }) {
    await docker('volume', 'create', '-d', driver, 'vol');
    const file = plugin.path('vol');
    await docker('create', '-v', 'vol:/data', '--name=made', 'busybox', 'true');
    await docker('cp', '/etc/passwd', 'made:/data/passwd');
    await docker('cp', 'made:/data/passwd', `${file}/copy`);
    // The client has everything, and does not wait for the end.
    await unmounted();
    await docker('cp', 'made:/data/missing', `${file}/group`);
    await docker('export', '-o', plugin.path('exported'), 'made');
    await docker('commit', 'made', 'committed');
    await docker('rm', 'made');
    await docker('create', '-v', 'vol:/data', '--name=never', 'busybox', 'true');
    await docker('rm', '-v', 'never');
    await docker(...start, '-v', 'vol:/data', '--name=runs', ...sleep);
    await docker('exec', 'runs', 'ls', '/data');
    await docker('rm', '-f', 'runs');
    await docker('volume', 'rm', 'vol');
  },

  async 'what the image has where a volume is to be'({ driver, docker }) {
    const list = (name: string, path = '/else') =>
      docker(...run, '-v', `${name}:${path}:nocopy`, 'busybox', 'ls', path);
    for (const name of ['vol', 'web', 'opt', 'raw', 'log']) await docker('volume', 'create', '-d', driver, name);
    await docker('create', '-v', 'vol:/stuff', '--name=made', 'stocked');
    await list('vol');
    await docker('start', '-a', 'made');
    await docker('rm', 'made');
    await docker(...run, '-v', 'web:/stuff', 'stocked', 'ls', '/stuff');
    await docker(...run, '-v', 'web:/stuff', 'stocked', 'ls', '/stuff');
    await docker(...run, '-v', 'opt:/stuff:nocopy', 'stocked', 'ls', '/stuff');
    // Files that come before the first start add to those of the image.
    await docker('create', '-v', 'raw:/stuff', '--name=filled', 'stocked', 'ls', '/stuff');
    await docker('cp', '/etc/passwd', 'filled:/stuff/');
    await docker('start', '-a', 'filled');
    // Emptied, it stays empty.
    await docker(
      'run',
      '--network=none',
      '-v',
      'log:/stuff',
      '--name=emptied',
      'stocked',
      'sh',
      '-c',
      'ls /stuff; rm -r /stuff/*',
    );
    await docker('start', '-a', 'emptied');
    await docker('rm', 'filled', 'emptied');
    // A container for the data alone.
    await docker('create', `--volume-driver=${driver}`, '-v', 'data:/stuff', '--name=data', 'stocked');
    await docker(...run, '--volumes-from=data', 'busybox', 'ls', '/stuff');
    await docker('rm', '-v', 'data');
    await docker('volume', 'rm', 'vol', 'web', 'opt', 'raw', 'log', 'data');
  },

  async 'volumes that nobody named'({ driver, docker, list }) {
    const show = () => list('--format={{.Name}} {{.Label "l"}}');
    const driverFlag = `--volume-driver=${driver}`;
    await docker(...run, driverFlag, '-v', '/data', 'busybox', 'true');
    await show();
    await docker(...run, driverFlag, 'anonymous', 'true');
    await show();
    await docker('create', driverFlag, '--name=made', 'anonymous');
    await show();
    await docker('start', '-a', 'made');
    await docker(...run, '--volumes-from=made', 'busybox', 'true');
    await docker('rm', 'made');
    await show();
    await docker(
      'run',
      '--network=none',
      driverFlag,
      '-v',
      '/data',
      '-v',
      'named:/named',
      '--name=mixed',
      'busybox',
      'true',
    );
    await docker('rm', '-v', 'mixed');
    await show();
    const mount = `type=volume,target=/data,volume-driver=${driver},volume-opt=a=1,volume-label=l=2`;
    await docker('run', '--network=none', `--mount=${mount}`, '--name=mount', 'busybox', 'true');
    await show();
    await docker('rm', '-v', 'mount');
    await show();
    await docker('create', driverFlag, '-v', '/data', '--name=owner', 'busybox', 'true');
    await docker('create', '--volumes-from=owner', '--name=heir', 'busybox', 'true');
    await docker('rm', '-v', 'owner');
    await show();
    await docker('rm', '-v', 'heir');
    await show();
  },

  async 'a driver that refuses'({ plugin, driver, docker, list }) {
    const refuse = (...methods: string[]) => {
      plugin.answers.clear();
      for (const method of methods) plugin.answers.set(method, `${method} is out of luck`);
    };
    refuse('Create');
    await docker('volume', 'create', '-d', driver, 'vol');
    await list('-q');
    await docker(...run, `--volume-driver=${driver}`, '-v', 'vol:/data', 'busybox', 'true');
    await docker('create', `--volume-driver=${driver}`, '-v', 'vol:/data', '--name=refused', 'busybox', 'true');
    refuse();
    await docker('ps', '-aq');
    await docker('volume', 'create', '-d', driver, 'vol');

    refuse('Mount');
    await docker(...run, '-v', 'vol:/data', 'busybox', 'true');
    await docker('create', '-v', 'vol:/data', '--name=made', 'busybox', 'true');
    await docker('start', 'made');
    await docker('ps', '-a', '--format={{.Names}} {{.State}}');
    await docker('inspect', '--format={{.State.Error}} {{.State.ExitCode}}', 'made');
    await docker('cp', 'made:/data/file', plugin.path('out'));
    await docker('cp', '/etc/passwd', 'made:/data/');
    await docker('rm', 'made');

    refuse('Unmount');
    await docker(...run, '-v', 'vol:/data', 'busybox', 'true');
    await docker(...start, '-v', 'vol:/data', '--name=stopped', ...sleep);
    await docker('stop', '-t=0', 'stopped');
    await docker('rm', 'stopped');
    await docker(...start, '-v', 'vol:/data', '--name=killed', ...sleep);
    await docker('rm', '-f', 'killed');
    await docker('ps', '-aq');

    refuse('Remove');
    await docker('volume', 'rm', 'vol');
    await docker('volume', 'inspect', '--format={{.Driver}}', 'vol');
    await docker('volume', 'rm', '-f', 'vol');
    await list('-q');
    await docker('volume', 'create', '-d', driver, 'vol');
    refuse();
    await docker('volume', 'rm', 'vol');
    await docker('create', `--volume-driver=${driver}`, '-v', '/data', '--name=anonymous', 'busybox', 'true');
    refuse('Remove');
    await docker('rm', '-v', 'anonymous');
    await docker('ps', '-aq');
    await list('-q');

    // A volume made for a container that cannot exist is removed.
    refuse('Mount');
    await docker(
      'create',
      `--volume-driver=${driver}`,
      '-v',
      'named:/named',
      '-v',
      '/stuff',
      '--name=refused',
      'stocked',
    );
    await docker('ps', '-aq');
    await list('-q');

    refuse('Get');
    await docker('volume', 'create', '-d', driver, 'new');
    await docker('volume', 'inspect', '--format={{.Driver}}', 'none');
    refuse('List');
    await list('-q');
    refuse('Capabilities');
    await docker('volume', 'create', '-d', driver, 'more');
    await docker('volume', 'inspect', '--format={{.Scope}}', 'more');
  },

  async 'prune and what it spares'({ driver, docker, list }) {
    const show = () => list('--format={{.Driver}} {{.Name}}');
    await docker('volume', 'create', '-d', driver, 'vol');
    await docker('volume', 'create', '-d', driver, '-o', 'a=1', 'options');
    await docker('volume', 'create', 'ours');
    await docker('volume', 'create', '--label=keep', 'kept');
    const mounts = ['-v', '/data', '-v', 'used:/used'];
    await docker('run', '--network=none', `--volume-driver=${driver}`, ...mounts, '--name=spared', 'busybox', 'true');
    await docker('volume', 'prune', '-f', '--filter=label!=keep');
    await show();
    await docker('volume', 'prune', '-f');
    await show();
    await docker('system', 'prune', '-f', '--volumes');
    await show();
  },

  async 'a driver whose volumes are everywhere'({ plugin, driver, docker, list }) {
    plugin.answers.set('Capabilities', { Capabilities: { Scope: 'global' } });
    await docker('volume', 'create', '-d', driver, 'vol');
    await list('--format={{.Name}} {{.Scope}}');
    await docker('volume', 'inspect', `--format=${whole}`, 'vol');
    await docker(...run, '-v', 'vol:/data', 'busybox', 'true');
    plugin.make('theirs');
    await list('--format={{.Name}} {{.Scope}}');
    await docker(...run, '-v', 'theirs:/data', 'busybox', 'true');
    await docker('volume', 'prune', '-f');
    await list('-q');
    await docker('volume', 'rm', 'vol');
  },
};
