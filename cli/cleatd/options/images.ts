import { option } from './option.js';

const group = 'Images and registries';

export const imageOptions = [
  option('insecure-registry', 'list', {
    group,
    key: 'insecure-registries',
    reload: 'insecureRegistries',
    help: 'Registry (HOST:PORT or CIDR) that may speak plain HTTP or show an unknown certificate',
  }),
  option('registry-mirror', 'list', {
    group,
    key: 'registry-mirrors',
    reload: 'registryMirrors',
    help: 'Mirror (URL) that is asked before the Docker Hub',
  }),
  option('max-concurrent-downloads', 'int', {
    group,
    default: 3,
    reload: 'maxConcurrentDownloads',
    help: 'Layers that one pull downloads at once',
  }),
  option('keep-layer-archives', 'bool', {
    group,
    help: 'Keep layers as they came beside the unpacked ones: more disk, and a push elsewhere sends the same bytes',
  }),
  option('http-proxy', 'string', {
    group,
    help: 'Proxy (URL) for plain HTTP to registries and other servers; otherwise HTTP_PROXY of the environment',
  }),
  option('https-proxy', 'string', {
    group,
    help: 'Proxy (URL) for HTTPS; otherwise HTTPS_PROXY of the environment',
  }),
  option('no-proxy', 'string', {
    group,
    help: 'Hosts, .domains, addresses and networks that no proxy is asked for, with commas; otherwise NO_PROXY',
  }),
  option('proxies', 'json', {
    group,
    help: 'Object with the keys http-proxy, https-proxy and no-proxy, as in dockerd’s file',
  }),
] as const;
