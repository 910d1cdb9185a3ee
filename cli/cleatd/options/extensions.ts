import { option } from './option.js';

const group = 'Extensions';

export const extensionOptions = [
  option('extension', 'extensions', {
    group,
    key: 'extensions',
    help: 'How to run an extension of the manifest: NAME=in-process, NAME=process or NAME=off',
  }),
  option('extension-manifest', 'list', {
    group,
    key: 'extension-manifests',
    help: 'Further manifest of extensions (YAML); the one of the batteries always comes first',
  }),
  option('plugin-dir', 'list', {
    group,
    key: 'plugin-dirs',
    default: ['/run/docker/plugins', '/etc/docker/plugins', '/usr/lib/docker/plugins'],
    help: 'Directory in which plugins (.sock, .spec, .json) are discovered',
  }),
  option('authorization-plugin', 'list', {
    group,
    key: 'authorization-plugins',
    reload: 'authorizationPlugins',
    help: 'Plugin that must allow every request and its answer; several are asked in order, one that is gone denies',
  }),
  option('hooks', 'string', {
    group,
    reload: 'hooks',
    help: 'File of request hooks (YAML): extensions that change, answer or refuse requests, in the order in which they are asked',
  }),
  option('metrics-collector', 'list', {
    group,
    key: 'metrics-collectors',
    help: 'Plugin that collects metrics, started with the engine or as soon as it is there',
  }),
  option('plugin-trust', 'json', {
    group,
    reload: 'pluginTrust',
    help: 'Who must have signed managed plugins, a list of rules: {"name": "REGISTRY/*", "keys": ["/FILE.pub"]}; the first whose pattern fits counts, {"name": "*", "unsigned": true} takes all, and what none fits is refused. Absent: all plugins are taken',
  }),
  option('default-volume-driver', 'string', { group, default: 'local', help: 'Driver of volumes that name none' }),
  option('default-network-driver', 'string', { group, default: 'bridge', help: 'Driver of networks that name none' }),
  option('default-ipam-driver', 'string', {
    group,
    default: 'default',
    help: 'Address management of networks that name none',
  }),
  option('builder-driver', 'string', {
    group,
    default: 'dockerfile',
    reload: 'defaultBuilder',
    help: 'Builder that makes images of Dockerfiles',
  }),
  option('log-driver', 'string', { group, default: 'json-file', help: 'Log driver of containers that name none' }),
  option('log-opt', 'map', { group, key: 'log-opts', help: 'Default option of the log driver, as key=value' }),
  option('log-backlog', 'bytes', {
    group,
    default: 1024 * 1024 * 1024,
    help: 'Output of one container that may wait for its log driver; of what is more, the oldest is dropped (default 1GiB)',
  }),
] as const;
