import type { HistoryEntry, ImageConfig, LayerRecord, Platform } from '../api/images.js';
import type { TrailStep } from '../cache/store.js';

/** A stage's image as far as it is made. */
export interface State {
  /** The image whose history goes on; empty: none. */
  base: string;
  /** Its files. */
  layers: LayerRecord;
  /** The image after the last step, where each has one (`StepImages`); empty: none. */
  image: string;
  /** The steps below and its own, for a cache that goes with its image. */
  readonly trail: TrailStep[];
  config: ImageConfig;
  /** Variables of RUN and of everything that is expanded: the image's own, and arguments. */
  readonly variables: Map<string, string>;
  /** Arguments that were declared, in their order; they are told in the history of RUN. */
  readonly args: Map<string, string | undefined>;
  /** After the base's. An entry without a time gets that of the result. */
  history: HistoryEntry[];
  author: string | undefined;
  platform: Platform;
  /** A CMD has been given in this stage: then ENTRYPOINT does not take it away. */
  hasCmd: boolean;
}

export const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The files of no image. */
export const noLayers: LayerRecord = { id: '', layers: [] };

/** A state of an image's configuration. PATH is always set, as BuildKit does. */
export function stateOf(
  base: string,
  layers: LayerRecord,
  given: ImageConfig,
  platform: Platform,
  author?: string,
): State {
  const config = structuredClone(given);
  const env = config.Env ?? [];
  if (!env.some((one) => one.startsWith('PATH='))) env.push(`PATH=${defaultPath}`);
  config.Env = env;
  const variables = new Map(env.map((one) => [nameIn(one), valueIn(one)]));
  return {
    base,
    layers,
    image: base,
    trail: [],
    config,
    variables,
    args: new Map(),
    history: [],
    author: author || undefined,
    platform,
    hasCmd: false,
  };
}

/** For a stage that goes on with another one. That one runs its triggers. */
export function continued(state: State): State {
  const config = structuredClone(state.config);
  delete config.OnBuild;
  return {
    ...state,
    config,
    trail: [...state.trail],
    variables: new Map(state.variables),
    args: new Map(state.args),
    history: structuredClone(state.history),
    hasCmd: false,
  };
}

/** Sets a variable of the image. */
export function setEnv(state: State, name: string, value: string): void {
  const env = state.config.Env ?? [];
  const at = env.findIndex((one) => nameIn(one) === name);
  if (at < 0) env.push(`${name}=${value}`);
  else env[at] = `${name}=${value}`;
  state.config.Env = env;
  state.variables.set(name, value);
}

function nameIn(variable: string): string {
  const at = variable.indexOf('=');
  return at < 0 ? variable : variable.slice(0, at);
}

function valueIn(variable: string): string {
  const at = variable.indexOf('=');
  return at < 0 ? '' : variable.slice(at + 1);
}
