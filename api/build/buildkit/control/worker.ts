import { arch } from 'node:os';

const architectures: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' };

/** The one worker: this engine. */
export function workerOf(version: string) {
  return {
    ID: 'cleat',
    Labels: new Map([
      ['org.mobyproject.buildkit.worker.executor', 'cleat'],
      ['org.mobyproject.buildkit.worker.hostname', 'cleat'],
      // By this buildx knows that the exporters docker and oci are served.
      ['org.mobyproject.buildkit.worker.snapshotter', 'overlayfs'],
    ]),
    platforms: [{ Architecture: architectures[arch()] ?? arch(), OS: 'linux' }],
    BuildkitVersion: { package: 'cleat', version, revision: '' },
  };
}
