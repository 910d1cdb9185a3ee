import type { ContainerConfig } from './container.js';

/**
 * A container's configuration in which nothing is set, with every field that Go's struct always writes (moby
 * `api/types/container`, what has no `omitempty`): docker-py, for one, reads `Config.Tty` without asking.
 */
export const emptyConfig = {
  Hostname: '',
  Domainname: '',
  User: '',
  AttachStdin: false,
  AttachStdout: false,
  AttachStderr: false,
  Tty: false,
  OpenStdin: false,
  StdinOnce: false,
  Env: null,
  Cmd: null,
  Image: '',
  Volumes: null,
  WorkingDir: '',
  Entrypoint: null,
  OnBuild: null,
  Labels: null,
} as const satisfies ContainerConfig;
