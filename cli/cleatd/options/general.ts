import { option } from './option.js';

const group = 'General';

export const generalOptions = [
  option('config-file', 'string', {
    group,
    key: null,
    default: '/etc/cleat/daemon.json',
    help: 'Daemon configuration file (JSON); need not exist unless named here',
  }),
  option('data-root', 'string', { group, default: '/var/lib/cleat', help: 'Root directory of persistent state' }),
  option('exec-root', 'string', { group, default: '/run/cleat', help: 'Root directory of execution state' }),
  option('pidfile', 'string', { group, short: 'p', default: '/run/cleat.pid', help: 'File that holds the process ID' }),
  option('debug', 'bool', { group, short: 'D', reload: 'debug', help: 'Log at level debug' }),
  option('log-level', 'string', {
    group,
    short: 'l',
    default: 'info',
    choices: ['debug', 'info', 'warn', 'error', 'fatal', 'trace'],
    reload: 'debug',
    help: 'Level of the log: debug, info, warn, error or fatal',
  }),
  option('log-format', 'string', {
    group,
    choices: ['text', 'json'],
    help: 'Format of the log: text or json (default: text on a terminal, else json)',
  }),
  option('label', 'list', { group, key: 'labels', reload: 'labels', help: 'Label of this engine, as key=value' }),
  option('live-restore', 'bool', {
    group,
    reload: 'liveRestore',
    help: 'Leave containers running when the daemon is asked to stop',
  }),
  option('shutdown-timeout', 'int', {
    group,
    default: 15,
    reload: 'shutdownTimeout',
    help: 'Seconds that containers have to stop when the daemon stops',
  }),
  option('events-max-size', 'bytes', {
    group,
    default: 64 * 1024 * 1024,
    reload: 'eventsMaxBytes',
    help: 'Disk space for events, the oldest of which go first (default 64MiB)',
  }),
  option('events-max-age', 'duration', {
    group,
    reload: 'eventsMaxAgeMs',
    help: 'How long events are kept, such as 720h (default: as long as there is space)',
  }),
  option('metrics-addr', 'string', {
    group,
    help: 'Serve metrics for Prometheus at http://HOST:PORT/metrics, without TLS; best on loopback: 127.0.0.1:9323',
  }),
  option('validate', 'bool', { group, key: null, help: 'Check flags and configuration file, then exit' }),
  option('version', 'bool', { group, short: 'v', key: null, help: 'Print the version, then exit' }),
  option('help', 'bool', { group, short: 'h', key: null, help: 'Print this help, then exit' }),
] as const;
