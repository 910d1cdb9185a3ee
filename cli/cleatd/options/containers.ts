import { option } from './option.js';

const group = 'Containers';

export const containerOptions = [
  option('add-runtime', 'runtimes', {
    group,
    key: 'runtimes',
    merge: true,
    reload: 'runtimes',
    help: 'Further OCI runtime, as NAME=PATH (in the file also with runtimeArgs)',
  }),
  option('cdi-spec-dir', 'list', {
    group,
    key: 'cdi-spec-dirs',
    default: ['/etc/cdi', '/var/run/cdi'],
    help: 'Directory of CDI specifications; an empty text turns CDI off',
  }),
  option('default-runtime', 'string', {
    group,
    reload: 'defaultRuntime',
    help: 'OCI runtime of containers that name none (default: crun where it works, else runc)',
  }),
  option('cgroup-parent', 'string', { group, help: 'Parent cgroup of all containers' }),
  option('default-cgroupns-mode', 'string', {
    group,
    choices: ['private', 'host'],
    help: 'cgroup namespace of containers: host or private (default private on cgroup v2, else host)',
  }),
  option('default-ipc-mode', 'string', {
    group,
    default: 'private',
    choices: ['private', 'shareable'],
    help: 'IPC namespace of containers: private or shareable',
  }),
  option('default-shm-size', 'bytes', { group, default: 64 * 1024 * 1024, help: 'Size of /dev/shm (default 64MiB)' }),
  option('default-ulimit', 'ulimits', {
    group,
    key: 'default-ulimits',
    help: 'Limit of containers, as NAME=SOFT:HARD',
  }),
  option('exec-opt', 'list', {
    group,
    key: 'exec-opts',
    help: 'Runtime execution option: native.cgroupdriver=cgroupfs or systemd',
  }),
  option('init', 'bool', { group, help: 'Run an init in every container that forwards signals and reaps processes' }),
  option('init-path', 'string', {
    group,
    help: 'The init to use (default: docker-init or tini-static on the PATH)',
  }),
  option('no-new-privileges', 'bool', { group, help: 'Set no-new-privileges for containers by default' }),
  option('userns-remap', 'string', {
    group,
    help: 'Users and groups of containers are those of /etc/subuid and /etc/subgid: default, or USER[:GROUP]',
  }),
  option('seccomp-profile', 'string', {
    group,
    default: 'builtin',
    help: 'Default seccomp profile: a path, builtin or unconfined',
  }),
] as const;
