import type { HistoryEntry, Image, Images, LayerRecord, Platform } from '../api/images.js';
import type { State } from '../build/state.js';
import { type SharedStep, stepsIn } from './steps.js';
import type { Cache, StepFacts } from './store.js';

interface Source {
  readonly image: Image;
  /** The oldest first. */
  readonly history: readonly HistoryEntry[];
  readonly steps: ReadonlyMap<string, SharedStep>;
}

/** A step as an image has it. */
type Found = LayerRecord & StepFacts;

/**
 * The images that the classic builder's `--cache-from` names: a step is taken from the cache only if one of them has
 * it, in its layers and in its history (moby `daemon/internal/image/cache`). Those that are not here have nothing.
 */
export class CacheSources {
  readonly #images: Images;
  readonly #cache: Cache;
  readonly #sources: readonly Source[];
  /** The histories of base images. */
  readonly #bases = new Map<string, readonly HistoryEntry[]>();

  private constructor(images: Images, cache: Cache, sources: readonly Source[]) {
    this.#images = images;
    this.#cache = cache;
    this.#sources = sources;
  }

  static async of(images: Images, cache: Cache, references: readonly string[], platform?: Platform) {
    const sources: Source[] = [];
    for (const reference of references) {
      const image = await images.find(reference, platform);
      if (!image) continue;
      const { text, history } = await images.origin(image.id);
      const steps = text === '' ? [] : stepsIn(text);
      sources.push({ image, history, steps: new Map(steps.flatMap((step) => step.keys.map((key) => [key, step]))) });
    }
    return new CacheSources(images, cache, sources);
  }

  /** The result of a step, whose line of history the state has already. */
  async take(key: string, state: State, signal: AbortSignal): Promise<Found | undefined> {
    for (const { image, steps } of this.#sources) {
      const step = steps.get(key);
      if (!step) continue;
      const { keys: all, layer, ...facts } = step;
      const layers = step.isEmpty ? state.layers.layers : [...state.layers.layers, layer];
      if (!(await this.created(state, layers))) continue;
      const depth = layers.length;
      const given = { parent: image.id, base: '', config: {}, history: [], created: '1970-01-01T00:00:00Z' };
      const record = await this.#images.compose({ ...given, depth, platform: image.platform }, signal);
      // It does not come to this host's own cache: another build has not said that it trusts the image.
      return { ...record, ...facts, all };
    }
    const kept = this.#cache.get(key);
    if (!kept || !(await this.created(state, kept.layers))) return undefined;
    this.#cache.use(key);
    return { ...kept, id: kept.image };
  }

  /** When the state's last step was made, if one of the images has it, and those before it. */
  async created(state: Pick<State, 'base' | 'history'>, layers: readonly string[]): Promise<string | undefined> {
    const entries = [...(await this.#historyOf(state.base)), ...state.history];
    const found = this.#sources.find(
      ({ image, history }) =>
        layers.every((layer, index) => image.layers[index] === layer) &&
        entries.every(({ created_by = '' }, index) => history[index]?.created_by === created_by),
    );
    return found && (found.history[entries.length - 1]?.created ?? found.image.created);
  }

  async #historyOf(base: string): Promise<readonly HistoryEntry[]> {
    if (base === '') return [];
    const known = this.#bases.get(base) ?? (await this.#images.origin(base)).history;
    this.#bases.set(base, known);
    return known;
  }
}
