import type { LogInfo } from '@cleat/protocol/kinds/log';
import type { Context } from '../context.js';
import { logPath } from '../log-path.js';
import { asList } from '../oci-spec/process.js';
import type { Container } from '../state/container.js';

/** A log driver's facts about a container (moby `daemon/logger/loginfo.go`). */
export function logInfo(context: Pick<Context, 'paths'>, { record }: Container): LogInfo {
  const { config, hostConfig } = record;
  return {
    Config: hostConfig.LogConfig?.Config ?? {},
    ContainerID: record.id,
    ContainerName: `/${record.name}`,
    ContainerEntrypoint: record.path,
    ContainerArgs: record.args.length > 0 ? record.args : asList(config.Cmd),
    ContainerImageID: record.imageId,
    ContainerImageName: config.Image ?? '',
    ContainerCreated: record.created,
    ContainerEnv: config.Env ?? [],
    ContainerLabels: config.Labels ?? {},
    LogPath: logPath(context.paths.directory(record.id), record.id, record.hostConfig.LogConfig?.Type),
    // As Docker, whatever the host is called: tags name it `{{.DaemonName}}`.
    DaemonName: 'docker',
  };
}
