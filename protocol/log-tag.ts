import { invalidParameter } from './errors.js';
import type { LogInfo } from './kinds/log.js';

/** What a tag's template may name (moby `daemon/logger/loginfo.go`). */
const fields: Readonly<Record<string, (info: LogInfo, hostname: string) => string>> = {
  ID: (info) => info.ContainerID.slice(0, 12),
  FullID: (info) => info.ContainerID,
  Name: (info) => info.ContainerName.replace(/^\//, ''),
  ImageID: (info) => (info.ContainerImageID ?? '').replace(/^sha256:/, '').slice(0, 12),
  ImageFullID: (info) => info.ContainerImageID ?? '',
  ImageName: (info) => info.ContainerImageName ?? '',
  Hostname: (_, hostname) => hostname,
  DaemonName: (info) => info.DaemonName ?? '',
  Command: (info) => [info.ContainerEntrypoint ?? '', ...(info.ContainerArgs ?? [])].join(' '),
};

/**
 * Fills the fields of a tag such as `{{.ImageName}}/{{.Name}}`.
 * @param hostname of the host that the container runs on
 * @throws InvalidParameter for anything else in braces
 */
export function renderTag(template: string, info: LogInfo, hostname: string): string {
  return template.replaceAll(/\{\{(.*?)\}\}/g, (whole, expression: string) => {
    const field = fields[expression.trim().replace(/^\./, '')];
    if (!field || !expression.trim().startsWith('.')) {
      throw invalidParameter(
        `log tag: ${whole} is not one of ${Object.keys(fields)
          .map((name) => `{{.${name}}}`)
          .join(', ')}`,
      );
    }
    return field(info, hostname);
  });
}
