import { run, type Story, sleep, start } from './volume-stories.js';

export interface Difference {
  title: string;
  /** Why Cleat keeps it. */
  why: string;
  story: Story;
  /** All that the steps printed, and their calls. */
  docker: readonly string[];
  cleat: readonly string[];
}

/** The deliberate differences of Cleat. The test fails when one of them becomes equal, on either side. */
export const differences: readonly Difference[] = [
  {
    title: 'a driver that is not there',
    why: 'the names of the drivers that exist help a person who mistyped one',
    story: ({ docker, driver }) => docker('volume', 'create', '-d', `${driver}-not`, 'vol'),
    docker: [
      'Error response from daemon: create vol: error looking up volume plugin DRIVER-not: plugin "DRIVER-not" not found',
    ],
    cleat: [
      'Error response from daemon: create vol: error looking up volume plugin DRIVER-not: plugin "DRIVER-not" not found (known for VolumeDriver: local, tmpfs, DRIVER)',
    ],
  },
  {
    title: 'volumes that nobody named have a label',
    why: 'newer versions of Docker have it, and prune spares all others unless asked for',
    async story({ docker, driver, list }) {
      await docker('create', `--volume-driver=${driver}`, '-v', '/data', '--name=made', 'busybox', 'true');
      await list('-q', '--filter=label=com.docker.volume.anonymous');
      await docker('rm', '-v', 'made');
    },
    docker: ['Create {"Name":"<0>","Opts":null}', '<1>', 'Remove {"Name":"<0>"}', 'made'],
    cleat: ['Create {"Name":"<0>","Opts":null}', '<1>', '<0>', 'Remove {"Name":"<0>"}', 'made'],
  },
  {
    title: 'a directory of the image that is as empty as a new volume',
    why: 'there is nothing to copy: its driver need not be troubled',
    story: ({ docker, driver }) =>
      docker('create', `--volume-driver=${driver}`, '-v', 'vol:/empty', '--name=empty', 'stocked'),
    docker: [
      'Create {"Name":"vol","Opts":null}',
      'Mount {"Name":"vol","ID":"<0>"}',
      'Unmount {"Name":"vol","ID":"<0>"}',
      '<1>',
    ],
    cleat: ['Create {"Name":"vol","Opts":null}', '<0>'],
  },
  {
    title: 'files elsewhere in a container that does not run, and those of one that does',
    why: 'what is not looked at need not be mounted; what is mounted already need not be either, and Docker mounts and unmounts it under the ID that the container holds',
    async story({ docker, driver, plugin }) {
      await docker('create', `--volume-driver=${driver}`, '-v', 'vol:/data', '--name=made', 'busybox', 'sleep', '1000');
      await docker('cp', 'made:/etc/group', plugin.path('copy'));
      await docker('start', 'made');
      await docker('cp', '/etc/group', 'made:/data/group');
      await docker('rm', '-f', 'made');
    },
    docker: [
      'Create {"Name":"vol","Opts":null}',
      '<0>',
      'Mount {"Name":"vol","ID":"<1>"}',
      'Unmount {"Name":"vol","ID":"<1>"}',
      'Mount {"Name":"vol","ID":"<2>"}',
      'made',
      'Mount {"Name":"vol","ID":"<2>"}',
      'Unmount {"Name":"vol","ID":"<2>"}',
      'Mount {"Name":"vol","ID":"<2>"}',
      'Unmount {"Name":"vol","ID":"<2>"}',
      'Unmount {"Name":"vol","ID":"<2>"}',
      'made',
    ],
    cleat: [
      'Create {"Name":"vol","Opts":null}',
      '<0>',
      'Mount {"Name":"vol","ID":"<1>"}',
      'made',
      'Unmount {"Name":"vol","ID":"<1>"}',
      'made',
    ],
  },
  {
    title: 'one of several Mounts is refused',
    why: 'Docker asks for one after the other, Cleat for all at once',
    async story({ docker, driver, plugin }) {
      await docker('volume', 'create', '-d', driver, 'vol');
      plugin.answers.set('Mount', 'out of luck');
      await docker(...run, '-v', 'vol:/a', '-v', 'vol:/b', 'busybox', 'true');
    },
    docker: [
      'Create {"Name":"vol","Opts":null}',
      'vol',
      'Mount {"Name":"vol","ID":"<0>"}',
      "docker: Error response from daemon: error while mounting volume '…': VolumeDriver.Mount: out of luck",
      "Run 'docker run --help' for more information",
    ],
    cleat: [
      'Create {"Name":"vol","Opts":null}',
      'vol',
      'Mount {"Name":"vol","ID":"<0>"}',
      'Mount {"Name":"vol","ID":"<1>"}',
      "docker: Error response from daemon: error while mounting volume '…': VolumeDriver.Mount: out of luck",
      "Run 'docker run --help' for more information",
    ],
  },
  {
    title: 'a Mount without a path',
    why: 'a container that would lose what it writes does not start',
    async story({ docker, driver, plugin }) {
      await docker('volume', 'create', '-d', driver, 'vol');
      plugin.answers.set('Mount', {});
      await docker(...run, '-v', 'vol:/data', 'busybox', 'touch', '/data/file');
    },
    docker: [
      'Create {"Name":"vol","Opts":null}',
      'vol',
      'Mount {"Name":"vol","ID":"<0>"}',
      'Unmount {"Name":"vol","ID":"<0>"}',
    ],
    cleat: [
      'Create {"Name":"vol","Opts":null}',
      'vol',
      'Mount {"Name":"vol","ID":"<0>"}',
      'Unmount {"Name":"vol","ID":"<0>"}',
      'docker: Error response from daemon: error while mounting volume \'…\': plugin "DRIVER" answered VolumeDriver.Mount of volume vol with the mount point "", which is no plain absolute path of a directory',
      "Run 'docker run --help' for more information",
    ],
  },
  {
    title: 'an Unmount that is refused, and the next start',
    why: 'each start has an ID of its own; Docker mounts again under the ID that it could not unmount',
    async story({ docker, driver, plugin }) {
      await docker('volume', 'create', '-d', driver, 'vol');
      await docker(...start, '-v', 'vol:/data', '--name=made', ...sleep);
      plugin.answers.set('Unmount', 'out of luck');
      await docker('stop', '-t=0', 'made');
      plugin.answers.clear();
      await docker('start', 'made');
      await docker('rm', '-f', 'made');
    },
    docker: [
      'Create {"Name":"vol","Opts":null}',
      'vol',
      'Mount {"Name":"vol","ID":"<0>"}',
      '<1>',
      'Unmount {"Name":"vol","ID":"<0>"}',
      'made',
      'Mount {"Name":"vol","ID":"<0>"}',
      'made',
      'Unmount {"Name":"vol","ID":"<0>"}',
      'made',
    ],
    cleat: [
      'Create {"Name":"vol","Opts":null}',
      'vol',
      'Mount {"Name":"vol","ID":"<0>"}',
      '<1>',
      'Unmount {"Name":"vol","ID":"<0>"}',
      'made',
      'Mount {"Name":"vol","ID":"<2>"}',
      'made',
      'Unmount {"Name":"vol","ID":"<2>"}',
      'made',
    ],
  },
  {
    title: 'a Get of a known volume that fails, but not because there is none',
    why: 'a bad moment of the back end must not cost the volume its labels, nor a container its data',
    async story({ docker, driver, plugin, list }) {
      await docker('volume', 'create', '-d', driver, '--label=l=1', 'vol');
      plugin.answers.set('Get', 'out of luck');
      await docker('volume', 'inspect', '--format={{.Labels}}', 'vol');
      await list('-q', '--filter=label=l');
      await docker('volume', 'create', '-d', driver, 'vol');
      await docker('create', '-v', 'vol:/data', '--name=made', 'busybox', 'true');
      await docker('volume', 'rm', 'vol');
      await docker('volume', 'rm', '-f', 'vol');
    },
    docker: [
      'Create {"Name":"vol","Opts":null}',
      'vol',
      'Error response from daemon: get vol: no such volume',
      'Create {"Name":"vol","Opts":null}',
      'vol',
      '<0>',
      'Error response from daemon: remove vol: in use: <0>',
      'Error response from daemon: remove vol: in use: <0>',
    ],
    cleat: [
      'Create {"Name":"vol","Opts":null}',
      'vol',
      'Error response from daemon: get vol: VolumeDriver.Get: out of luck',
      'vol',
      "Error response from daemon: create vol: found reference to volume 'vol' in driver 'DRIVER', but got an error while checking the driver: VolumeDriver.Get: out of luck: volume name must be unique",
      "Error response from daemon: create vol: found reference to volume 'vol' in driver 'DRIVER', but got an error while checking the driver: VolumeDriver.Get: out of luck: volume name must be unique",
      'Error response from daemon: remove vol: VolumeDriver.Get: out of luck',
      'Error response from daemon: remove vol: VolumeDriver.Get: out of luck',
    ],
  },
];
