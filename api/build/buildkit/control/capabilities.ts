/** Capabilities that BuildKit's clients are told of, by the names of moby/buildkit `frontend/gateway/pb/caps.go`. */
const frontend = [
  'solve.base',
  'return',
  'returnmap',
  'proto.refarray',
  'reference.output',
  'frontend.inputs',
  'frontend.caps',
  'gateway.solve.metadata',
  'gateway.solve.evaluate',
  'gateway.evaluate',
  'gateway.warnings',
  'importcaches',
];

/** And by those of `solver/pb/caps.go`, as far as clients look at them. */
const build = [
  'source.image',
  'source.local',
  'source.local.unique',
  'source.local.sessionid',
  'source.local.includepatterns',
  'source.local.followpaths',
  'source.local.excludepatterns',
  'source.local.sharedkeyhint',
  'source.git',
  'source.http',
  'exec.meta.base',
  'exec.meta.network',
  'exec.meta.security',
  'exec.meta.ulimit',
  'exec.mount.bind',
  'exec.mount.cache',
  'exec.mount.cache.sharing',
  'exec.mount.secret',
  'exec.mount.ssh',
  'exec.mount.tmpfs',
  'file.base',
  'constraints',
  'platform',
  'meta.ignorecache',
  'meta.description',
  'exporter.sourcedateepoch',
  'exporter.multiple',
  'gc.freespacefilter',
];

const enabled = (ID: string) => ({ ID, Enabled: true });

export const capabilities = { FrontendAPICaps: frontend.map(enabled), LLBCaps: build.map(enabled) };
