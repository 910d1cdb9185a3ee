import type { Readable } from 'node:stream';
import { isClass, systemError } from '@cleat/protocol/errors';
import type { Client } from './client.js';
import { directoriesOf, isObject, stringList, textAt } from './shapes.js';

/** An image's configuration, in the API's words. */
export interface ImageConfig {
  Env?: string[];
  Cmd?: string[];
  Entrypoint?: string[];
  Labels?: Record<string, string>;
  ExposedPorts?: Record<string, object>;
  Volumes?: Record<string, object>;
  WorkingDir?: string;
  User?: string;
  OnBuild?: string[];
  Shell?: string[];
  StopSignal?: string;
  Healthcheck?: { readonly Test?: readonly string[] };
}

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

export interface Image {
  readonly id: string;
  readonly config: ImageConfig;
  /** Diff IDs of its layers, the lowest first. */
  readonly layers: readonly string[];
  /** Their directories on this host, the top first. */
  readonly directories: readonly string[];
  readonly platform: Platform;
  readonly created: string;
  readonly author: string;
  /** Bytes in all its layers. */
  readonly size: number;
}

/** A record that nobody sees: an image of layers. */
export interface LayerRecord {
  readonly id: string;
  readonly layers: readonly string[];
}

export interface HistoryEntry {
  created?: string;
  created_by?: string;
  author?: string;
  comment?: string;
  empty_layer?: boolean;
}

export interface Composition {
  readonly parent: string;
  readonly base: string;
  readonly config: ImageConfig;
  readonly history: readonly HistoryEntry[];
  readonly created: string;
  readonly author?: string;
  readonly platform: Platform;
  /** Only so many layers of the parent. */
  readonly depth?: number;
  /** Steps that another build may take from the image. */
  readonly cache?: string;
}

/** A cache that the engine has opened. */
export interface OpenedCache {
  readonly digest: string;
  readonly text: string;
  /** Diff IDs of the layers that it has. */
  readonly layers: readonly string[];
}

/** Images, as far as a build needs them. */
export class Images {
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  /** @returns undefined when it is not here, or not for that platform */
  async find(reference: string, platform?: Platform): Promise<Image | undefined> {
    let found: unknown;
    try {
      // A name may have images for several platforms.
      const query = { platform: platform && JSON.stringify(platform) };
      found = await this.#client.call('GET', `/images/${encodeURIComponent(reference)}/json`, { query });
    } catch (error) {
      if (isClass(error, 'NotFound')) return undefined;
      throw error;
    }
    const image = imageOf(found);
    const fits = (wanted: Platform) =>
      wanted.os === image.platform.os &&
      wanted.architecture === image.platform.architecture &&
      (!wanted.variant || !image.platform.variant || wanted.variant === image.platform.variant);
    return platform && !fits(platform) ? undefined : image;
  }

  /**
   * @param onLine is given each line of progress
   * @throws System with the engine's words when it cannot be pulled
   */
  async pull(
    reference: string,
    options: { platform?: string; auth?: string; onLine: (line: PullLine) => Promise<void>; signal: AbortSignal },
  ): Promise<void> {
    const answer = await this.#client.open('POST', '/images/create', {
      query: { fromImage: reference, platform: options.platform },
      ...(options.auth !== undefined && { headers: { 'X-Registry-Auth': options.auth } }),
      signal: options.signal,
    });
    await eachLine(answer, options.onLine);
  }

  /** A new layer of a tar on top of `parent`; empty: of none. */
  async addLayer(parent: string, tar: Readable, signal: AbortSignal): Promise<LayerRecord> {
    const answer = await this.#client.call('POST', '/build-records/layer', { query: { parent }, upload: tar, signal });
    return recordOf(answer);
  }

  /** A new layer of what was changed in a container. */
  async commit(container: string, signal: AbortSignal): Promise<LayerRecord & { size: number }> {
    const answer = await this.#client.call('POST', '/commit', { query: { container, pause: '0' }, body: {}, signal });
    const id = textAt(answer, 'Id');
    const image = await this.find(id);
    if (!image) throw systemError(`the engine has lost what it has just committed: ${id}`);
    return { id, layers: image.layers, size: image.size };
  }

  async compose(given: Composition, signal: AbortSignal): Promise<LayerRecord> {
    const body = {
      Parent: given.parent,
      Base: given.base,
      Config: given.config,
      History: given.history,
      Created: given.created,
      Author: given.author,
      Platform: given.platform,
      Depth: given.depth,
      Cache: given.cache,
    };
    return recordOf(await this.#client.call('POST', '/build-records', { body, signal }));
  }

  /** How an image came to be: the steps that it has brought along (empty: none), and its history, the oldest first. */
  async origin(id: string): Promise<{ text: string; history: HistoryEntry[] }> {
    const answer = await this.#client.call('GET', '/build-records/cache', { query: { image: id } });
    const history = isObject(answer) && Array.isArray(answer.History) ? answer.History : [];
    const told = (entry: unknown) => ({
      created_by: textAt(entry, 'created_by'),
      ...(textAt(entry, 'created') && { created: textAt(entry, 'created') }),
    });
    return { text: textAt(answer, 'Cache'), history: history.map(told) };
  }

  /** Opens the cache `CacheFrom[from]` of the build. */
  async openCache(build: string, from: number, signal: AbortSignal): Promise<OpenedCache> {
    const query = { build, from: `${from}` };
    const answer = await this.#client.call('GET', '/build-records/caches', { query, signal });
    return {
      digest: textAt(answer, 'Digest'),
      text: textAt(answer, 'Cache'),
      layers: stringList(isObject(answer) ? answer.Layers : []),
    };
  }

  /** A layer of that cache on top of `parent`. @throws NotFound when neither the cache nor the engine has it */
  async addCachedLayer(
    { build, from, layer, parent }: { build: string; from: number; layer: string; parent: string },
    signal: AbortSignal,
  ): Promise<LayerRecord> {
    const query = { build, from: `${from}`, layer, parent };
    return recordOf(await this.#client.call('POST', '/build-records/caches/layer', { query, signal }));
  }

  /** Writes the cache `CacheTo[to]` of the build. @returns its digest */
  async writeCache(
    { build, to, text, layers }: { build: string; to: number; text: string; layers: readonly string[] },
    signal: AbortSignal,
  ): Promise<string> {
    const body = { Cache: text, Layers: layers };
    const query = { build, to: `${to}` };
    return textAt(await this.#client.call('POST', '/build-records/caches', { query, body, signal }), 'Digest');
  }

  /** Lets go of a record. What is used still, or has become somebody's image, stays. */
  async remove(id: string): Promise<void> {
    await this.#client.call('DELETE', `/build-records/${encodeURIComponent(id)}`);
  }
}

export interface PullLine {
  readonly id: string;
  readonly status: string;
  readonly current?: number;
  readonly total?: number;
}

/** Reads progress to its end. @throws System for a line that says why it ends */
async function eachLine(answer: Readable, onLine: (line: PullLine) => Promise<void>): Promise<void> {
  let rest = '';
  for await (const chunk of answer.setEncoding('utf8') as AsyncIterable<string>) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line.trim() !== '') await onLine(pullLine(line));
  }
  if (rest.trim() !== '') await onLine(pullLine(rest));
}

/** @throws System for a line that says why it cannot be pulled */
function pullLine(text: string): PullLine {
  const line: unknown = JSON.parse(text);
  const error = textAt(line, 'error');
  if (error !== '') throw systemError(error);
  const detail = isObject(line) ? line.progressDetail : undefined;
  const number = (key: string) => (isObject(detail) && typeof detail[key] === 'number' ? detail[key] : undefined);
  const [current, total] = [number('current'), number('total')];
  return {
    id: textAt(line, 'id'),
    status: textAt(line, 'status'),
    ...(current !== undefined && { current }),
    ...(total !== undefined && { total }),
  };
}

function recordOf(answer: unknown): LayerRecord {
  return { id: textAt(answer, 'Id'), layers: stringList(isObject(answer) ? answer.Layers : []) };
}

function imageOf(found: unknown): Image {
  if (!isObject(found)) throw systemError('the engine describes an image in a way that nobody understands');
  const { upper, lower } = directoriesOf(found);
  const variant = textAt(found, 'Variant');
  return {
    id: textAt(found, 'Id'),
    config: configOf(found.Config),
    layers: stringList(isObject(found.RootFS) ? found.RootFS.Layers : []),
    directories: [...(upper ? [upper] : []), ...(lower ? lower.split(':') : [])],
    platform: { os: textAt(found, 'Os'), architecture: textAt(found, 'Architecture'), ...(variant && { variant }) },
    created: textAt(found, 'Created'),
    author: textAt(found, 'Author'),
    size: typeof found.Size === 'number' ? found.Size : 0,
  };
}

/** Only what an image's configuration has, and is set. */
function configOf(found: unknown): ImageConfig {
  if (!isObject(found)) return {};
  const keys = [
    ...['Env', 'Cmd', 'Entrypoint', 'Labels', 'ExposedPorts', 'Volumes', 'WorkingDir', 'User', 'OnBuild', 'Shell'],
    ...['StopSignal', 'Healthcheck', 'ArgsEscaped', 'StopTimeout'],
  ];
  const isSet = (value: unknown) => value !== undefined && value !== null && value !== '' && value !== false;
  const entries = keys.map((key) => [key, found[key]] as const).filter(([, value]) => isSet(value));
  return Object.fromEntries(entries) as ImageConfig;
}
