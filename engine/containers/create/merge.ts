import type { ContainerConfig } from '@cleat/protocol/api/container';
import { asList } from '../oci-spec/process.js';

/**
 * The container's configuration over its image's (moby `daemon/commit.go` merge): what the user left out comes from
 * the image; environment, labels, ports and volumes are put together.
 */
export function mergeConfig(own: ContainerConfig, image: ContainerConfig): ContainerConfig {
  const merged: ContainerConfig = { ...own };
  merged.User = own.User || image.User || '';
  merged.ExposedPorts = union(image.ExposedPorts, own.ExposedPorts);
  merged.Volumes = union(image.Volumes, own.Volumes);
  const names = new Set((own.Env ?? []).map((entry) => entry.split('=', 1)[0]));
  merged.Env = [...(own.Env ?? []), ...(image.Env ?? []).filter((entry) => !names.has(entry.split('=', 1)[0]))];
  merged.Labels = { ...image.Labels, ...own.Labels };
  merged.Cmd = own.Cmd === null || own.Cmd === undefined ? null : asList(own.Cmd);
  merged.Entrypoint = own.Entrypoint === null || own.Entrypoint === undefined ? null : asList(own.Entrypoint);
  if (asList(merged.Entrypoint).length === 0) {
    if (asList(merged.Cmd).length === 0) {
      merged.Cmd = image.Cmd ?? null;
      merged.ArgsEscaped = image.ArgsEscaped;
    }
    // An empty list, or [""], resets the image's entrypoint.
    if (merged.Entrypoint === null) merged.Entrypoint = image.Entrypoint ?? null;
  } else if (merged.Entrypoint?.length === 1 && merged.Entrypoint[0] === '') merged.Entrypoint = null;
  merged.Healthcheck = mergeHealthcheck(own.Healthcheck, image.Healthcheck);
  merged.WorkingDir = own.WorkingDir || image.WorkingDir || '';
  merged.StopSignal = own.StopSignal || image.StopSignal || undefined;
  merged.StopTimeout = own.StopTimeout ?? image.StopTimeout;
  merged.Shell = own.Shell?.length ? own.Shell : image.Shell;
  merged.OnBuild = own.OnBuild ?? null;
  return merged;
}

function union<V>(a: Record<string, V> | null | undefined, b: Record<string, V> | null | undefined) {
  const all = { ...a, ...b };
  return Object.keys(all).length > 0 ? all : undefined;
}

function mergeHealthcheck(own: ContainerConfig['Healthcheck'], image: ContainerConfig['Healthcheck']) {
  if (!image) return own ?? undefined;
  if (!own) return image;
  return {
    Test: own.Test?.length ? own.Test : image.Test,
    Interval: own.Interval || image.Interval,
    Timeout: own.Timeout || image.Timeout,
    StartPeriod: own.StartPeriod || image.StartPeriod,
    StartInterval: own.StartInterval || image.StartInterval,
    Retries: own.Retries || image.Retries,
  };
}

/** Entrypoint and command as one: what runs, and its arguments. */
export function commandOf(config: ContainerConfig): string[] {
  return [...asList(config.Entrypoint), ...asList(config.Cmd)];
}
