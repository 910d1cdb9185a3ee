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
] as const;
