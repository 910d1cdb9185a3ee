import { ContainerConfig } from '@cleat/protocol/api/container';
import { invalidParameter, systemError } from '@cleat/protocol/errors';
import { decode, isRecord } from '@cleat/protocol/json';
import { checkFields } from '../config-fields.js';
import type { Platform } from '../content/platform.js';
import { isDigest } from '../content/references.js';

/** Layers that an image may have, as in Docker: overlayfs takes no more by much. */
const maxLayers = 125;

/** Steps without a layer count, too: they are only text, and somebody else's. */
const maxHistory = 100_000;

/** @throws System with Docker's text */
export function refuseTooDeep(layers: number): void {
  if (layers > maxLayers) throw systemError('max depth exceeded');
}

/** The image configuration (OCI image-spec `config.md`, and Docker's additions). Its SHA-256 is the image's ID. */
export interface ImageConfig {
  architecture?: string;
  os?: string;
  'os.version'?: string;
  variant?: string;
  /** RFC 3339 */
  created?: string;
  author?: string;
  comment?: string;
  docker_version?: string;
  config?: ContainerConfig | null;
  rootfs: { type: 'layers'; diff_ids: string[] };
  history?: HistoryEntry[];
}

export interface HistoryEntry {
  created?: string;
  created_by?: string;
  author?: string;
  comment?: string;
  empty_layer?: boolean;
}

/**
 * Reads an image configuration that somebody else made: nothing in it is believed until it has the right type.
 * @throws InvalidParameter
 */
export function parseImageConfig(text: string): ImageConfig {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw invalidParameter('the image configuration is not JSON', { cause });
  }
  if (!isRecord(parsed)) throw invalidParameter('the image configuration is not a JSON object');
  const { rootfs } = parsed;
  const diffIds = isRecord(rootfs) ? (rootfs.diff_ids ?? []) : undefined;
  if (!Array.isArray(diffIds) || !diffIds.every((id): id is string => typeof id === 'string' && isDigest(id))) {
    throw invalidParameter('invalid rootfs in image configuration');
  }
  const text_ = (key: string): string | undefined => {
    const value = parsed[key];
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const config = parsed.config;
  return {
    ...optional('architecture', text_('architecture')),
    ...optional('os', text_('os')),
    ...optional('os.version', text_('os.version')),
    ...optional('variant', text_('variant')),
    ...optional('created', text_('created')),
    ...optional('author', text_('author')),
    ...optional('comment', text_('comment')),
    ...optional('docker_version', text_('docker_version')),
    config: config === null || config === undefined ? {} : decode(ContainerConfig, config, 'image configuration'),
    rootfs: { type: 'layers', diff_ids: diffIds },
    history: Array.isArray(parsed.history) ? parsed.history.filter(isRecord).map(historyEntry) : [],
  };
}

/**
 * The same of an image that is new here, whose fields are checked, too.
 * @throws InvalidParameter
 */
export function parseNewImageConfig(text: string): ImageConfig {
  const image = parseImageConfig(text);
  const history = image.history ?? [];
  if (history.length > maxHistory) throw invalidParameter(`the image's history has more than ${maxHistory} steps`);
  // As in Docker: which step made which layer could not be told.
  if (history.filter((step) => !step.empty_layer).length > image.rootfs.diff_ids.length)
    throw invalidParameter('too many non-empty layers in History section');
  checkFields(image.config ?? {});
  return image;
}

function historyEntry(entry: Record<string, unknown>): HistoryEntry {
  const text = (key: 'created' | 'created_by' | 'author' | 'comment') => {
    const value = entry[key];
    return optional(key, typeof value === 'string' ? value : undefined);
  };
  return {
    ...text('created'),
    ...text('created_by'),
    ...text('author'),
    ...text('comment'),
    ...(entry.empty_layer === true && { empty_layer: true }),
  };
}

function optional<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return (value === undefined ? {} : { [key]: value }) as { [P in K]?: V };
}

/** The platform that an image names. */
export function platformOf({ os = 'linux', architecture = '', variant }: ImageConfig): Platform {
  return { os, architecture, ...(variant !== undefined && { variant }) };
}

/** The configuration's moment of creation in seconds since the epoch; 0 when it names none. */
export function createdSeconds(created: string | undefined): number {
  const millis = created === undefined ? Number.NaN : Date.parse(created);
  return Number.isNaN(millis) ? 0 : Math.floor(millis / 1000);
}
