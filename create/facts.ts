import type { KindLabel } from '@cleat/protocol/kinds/index';
import { template } from './template.js';

/** Differences between the templates beside the code: `templates/LABEL/facts.json`. */
export interface TemplateFacts {
  /** One line for people: what it does as it is made. */
  readonly what: string;
  /** How it is used while it runs. */
  readonly use: readonly string[];
  /** Flags with which the test starts it; `${directory}` is the test's. */
  readonly testFlags: string;
  /** Options in the manifest, where Cleat gives it a directory of its own. */
  readonly options: Readonly<Record<string, string>>;
  /** It uses `@cleat/sdk/linux`, and so needs `@cleat/linux`. */
  readonly linux: boolean;
  /** Its manifest as a managed plugin, beyond what every plugin says. What it keeps is below `/data`, which outlives an upgrade. */
  readonly managed: Readonly<Record<string, unknown>>;
  /** Programs of the host that it starts: its package takes them along. */
  readonly programs: readonly string[];
  /**
   * Restrictions of the systemd unit. None for a plugin that mounts or makes interfaces: the engine must see them; and
   * FIFOs of logs are the engine's, wherever it has them.
   */
  readonly sandbox: readonly string[];
}

export function factsOf(label: KindLabel): TemplateFacts {
  return JSON.parse(template(`${label}/facts.json`)) as TemplateFacts;
}
