import { option } from './option.js';

const group = 'API';
const certificates = process.env.DOCKER_CERT_PATH || `${process.env.HOME ?? ''}/.docker`;

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
    default: `${certificates}/ca.pem`,
    help: 'Trust only clients whose certificate this CA signed',
  }),
  option('tlscert', 'string', { group, default: `${certificates}/cert.pem`, help: 'TLS certificate' }),
  option('tlskey', 'string', { group, default: `${certificates}/key.pem`, help: 'TLS key' }),
  option('insecure-tcp', 'bool', {
    group,
    help: "Allow TCP without TLS beyond loopback, and on a bridge's address: whoever reaches it is root here",
  }),
  option('min-api-version', 'string', { group, default: '1.20', help: 'Lowest API version that is served' }),
] as const;
