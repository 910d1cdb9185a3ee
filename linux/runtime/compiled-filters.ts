import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from '@cleat/protocol/json';
import { errnoOf } from '../syscall/errno.js';

/** The part of the OCI runtime specification's configuration that matters here. */
export interface FilteredSpec {
  annotations?: Record<string, string>;
  linux: { seccomp?: object };
}

/** crun takes the filter from here, as base64, and the rules only when there is none (its `crun.1`). */
const annotation = 'run.oci.seccomp_bpf_data';

/** Few profiles are in use at a time; each takes some 20 KB. */
const mostKept = 16;
/** A libseccomp that was upgraded is used that soon. */
const keptMs = 10 * 60_000;

interface Compiled {
  filter: string;
  until: number;
}

/**
 * The system call filters that crun compiled for earlier containers, to be handed to it for later ones with the same
 * rules: compiling is a third of what creating a container costs. A filter comes from crun itself, which leaves it in its
 * state directory for `exec`; so it is the one that crun would make again.
 */
export class CompiledFilters {
  readonly #root: string;
  readonly #now: () => number;
  readonly #kept = new Map<string, Compiled>();

  /** @param root crun's state directory */
  constructor(root: string, now: () => number = Date.now) {
    this.#root = root;
    this.#now = now;
  }

  /** Adds the filter for the rules in `spec`, when it is known and the user did not bring one. */
  give(spec: FilteredSpec): void {
    const { seccomp } = spec.linux;
    if (seccomp === undefined || hasOwnFilter(spec)) return;
    const known = this.#kept.get(stringify(seccomp));
    if (known && known.until > this.#now()) spec.annotations = { ...spec.annotations, [annotation]: known.filter };
  }

  /** Keeps the filter of a container that was created with `spec`, unless crun was given it. */
  learn(id: string, spec: FilteredSpec): void {
    const { seccomp } = spec.linux;
    if (seccomp === undefined || hasOwnFilter(spec)) return;
    const filter = readIfPresent(join(this.#root, id, 'seccomp.bpf'));
    if (filter === undefined || filter.length === 0) return;
    const rules = stringify(seccomp);
    // Last in the map is what was learned last.
    this.#kept.delete(rules);
    this.#kept.set(rules, { filter: filter.toString('base64'), until: this.#now() + keptMs });
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > mostKept && oldest !== undefined) this.#kept.delete(oldest);
  }
}

const hasOwnFilter = ({ annotations = {} }: FilteredSpec): boolean => Object.hasOwn(annotations, annotation);

function readIfPresent(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    // The container is gone already, or this crun keeps its filters elsewhere.
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
