import type { Exchange } from '../http/exchange.js';

type Info = Record<string, unknown> & { RegistryConfig?: object };

/** `GET /info` in the shape of the client's version; `info` has the newest. */
export function infoFor(x: Exchange, info: Info): Info {
  const shaped = { ...info };
  if (x.before('1.50')) delete shaped.DiscoveredDevices;
  else for (const name of ['BridgeNfIptables', 'BridgeNfIp6tables']) delete shaped[name];
  if (x.before('1.49')) {
    delete shaped.FirewallBackend;
    shaped.RegistryConfig = {
      AllowNondistributableArtifactsCIDRs: null,
      AllowNondistributableArtifactsHostnames: null,
      ...shaped.RegistryConfig,
    };
    for (const name of ['ContainerdCommit', 'RuncCommit', 'InitCommit']) {
      const commit = shaped[name] as { ID?: string } | undefined;
      if (commit) shaped[name] = { ...commit, Expected: commit.ID ?? '' };
    }
  }
  if (x.before('1.46')) delete shaped.Containerd;
  if (x.before('1.44') && shaped.Runtimes !== null && typeof shaped.Runtimes === 'object') {
    shaped.Runtimes = Object.fromEntries(
      Object.entries(shaped.Runtimes).map(([name, runtime]) => [name, { ...runtime, status: undefined }]),
    );
  }
  // `name=seccomp,profile=…` was `seccomp` before 1.25.
  if (x.before('1.25') && Array.isArray(shaped.SecurityOptions)) {
    shaped.SecurityOptions = shaped.SecurityOptions.map((option: unknown) =>
      String(option)
        .replace(/^name=/, '')
        .replace(/,.*$/, ''),
    );
  }
  // Clients of Docker 1.8 and 1.9 decode these as they were then.
  if (x.before('1.22')) shaped.ExecutionDriver ??= 'native';
  else if (x.before('1.25')) shaped.ExecutionDriver ??= '<not supported>';
  return shaped;
}
