import { invalidParameter } from './errors.js';
import type { LogInfo } from './kinds/log.js';

/** Names that a tag's template may use (moby `daemon/logger/loginfo.go`). */
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
  refuseUnclosed(template);
  return template.replaceAll(/\{\{(.*?)\}\}/g, (whole, expression: string, at: number) => {
    const name = expression.trim();
    const field = name.startsWith('.') ? fields[name.slice(1)] : undefined;
    if (field) return field(info, hostname);
    if (/^\.\w+$/.test(name)) {
      const column = Buffer.byteLength(template.slice(0, at)) + whole.indexOf('.');
      const why = `can't evaluate field ${name.slice(1)} in type *logger.Info`;
      throw invalidParameter(`template: log-tag:1:${column}: executing "log-tag" at <${name}>: ${why}`);
    }
    const known = Object.keys(fields).map((each) => `{{.${each}}}`);
    throw invalidParameter(`log tag: ${whole} is not one of ${known.join(', ')}`);
  });
}

/** The error of Go's `text/template` for braces that are not closed. */
function refuseUnclosed(template: string): void {
  const open = template.replaceAll(/\{\{(.*?)\}\}/g, '');
  const start = open.indexOf('{{');
  if (start < 0) return;
  const [, before = '', odd] = /^(\s*[.\w]*\s*)(.)?/su.exec(open.slice(start + 2)) ?? [];
  throw invalidParameter(`template: log-tag:1: ${odd === undefined ? 'unclosed action' : unexpected(before, odd)}`);
}

function unexpected(before: string, character: string): string {
  const code = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
  if (/\w$/.test(before)) return `bad character U+${code} '${character}'`;
  return `unexpected "${character}" in ${before.trim() === '' ? 'command' : 'operand'}`;
}
