import { option } from './option.js';

const group = 'API';

export const apiOptions = [
  option('host', 'list', {
    group,
    short: 'H',
    key: 'hosts',
    help: 'Where to listen: unix://PATH, tcp://ADDRESS:PORT or fd:// (default unix:///run/docker.sock)',
  }),
  option('group', 'string', {
    group,
    short: 'G',
    help: 'Group of the UNIX socket (default docker, where that group exists)',
  }),
  option('tls', 'bool', { group, help: 'Use TLS on TCP; implied by --tlsverify. --tls=false: plain TCP is intended' }),
  option('tlsverify', 'bool', { group, help: 'Use TLS on TCP and verify the client' }),
  option('tlscacert', 'string', {
    group,
    help: 'Trust only clients whose certificate this CA signed (default ca.pem in $DOCKER_CERT_PATH or ~/.docker)',
  }),
  option('tlscert', 'string', {
    group,

    help: 'TLS certificate (default cert.pem there)',
  }),
  option('tlskey', 'string', { group, help: 'TLS key (default key.pem there)' }),
  option('insecure-tcp', 'bool', {
    group,
    help: "Allow TCP without TLS beyond loopback, and on a bridge's address: anybody who reaches it is root here",
  }),
  option('audit', 'bool', {
    group,
    default: true,
    reload: 'audit',
    help: 'Record every request to the API in DATA-ROOT/audit; see "cleat audit"',
  }),
  option('audit-opt', 'map', {
    group,
    key: 'audit-opts',
    reload: 'audit',
    help: 'Bounds of that journal: max-size of a file (8m), max-file (8), max-age (720h)',
  }),
  option('min-api-version', 'string', { group, default: '1.20', help: 'Lowest API version that is served' }),
] as const;
