import type { EngineConfig } from '@cleat/engine/config';

/**
 * An option of the daemon, written once: the command line, `daemon.json`, `--help` and the reference derive from it.
 * Names are dockerd's wherever dockerd has the option.
 */
export interface Option<T extends OptionType = OptionType, F extends string = string> {
  /** Without dashes. */
  readonly flag: F;
  readonly short?: string;
  /** The key in `daemon.json` when it is not the flag's name (dockerd's plurals); `null`: not allowed in the file. */
  readonly key?: string | null;
  /** Older spellings of the key that the file may use. */
  readonly oldKeys?: readonly string[];
  readonly type: T;
  /** Absent: the type's zero value. */
  readonly default?: ValueOf<T>;
  readonly group: Group;
  readonly help: string;
  /** All values that it takes, where they are few. */
  readonly choices?: readonly string[];
  /** Taken so that scripts written for dockerd start, without effect; the reason is the warning's text. */
  readonly ignored?: string;
  /** Applied again by SIGHUP: the setting of the engine that it changes. */
  readonly reload?: Reloadable;
  /** May stand in the file and on the command line at once: entries are merged. */
  readonly merge?: true;
}

/** A setting that may change while the engine runs: rooms read it each time that they use it. */
export type Reloadable = keyof Omit<EngineConfig, 'engineId' | 'dataRoot' | 'execRoot'>;

export type Group =
  | 'General'
  | 'API'
  | 'Extensions'
  | 'Containers'
  | 'Networks'
  | 'Images and registries'
  | 'Accepted for compatibility with dockerd, without effect';

/** The parsed value of each type. */
export interface ValueTypes {
  bool: boolean;
  int: number;
  string: string;
  list: string[];
  /** `key=value`, repeatable. */
  map: Record<string, string>;
  /** `64m`; in bytes. */
  bytes: number;
  /** `36h`, as Go's; in ms. */
  duration: number;
  /** `name=path`. */
  runtimes: Record<string, RuntimeValue>;
  /** `nofile=1024:2048`. */
  ulimits: Record<string, { Name: string; Soft: number; Hard: number }>;
  /** `driver=key=value`, repeatable. */
  'driver-options': Record<string, Record<string, string>>;
  /** `base=10.0.0.0/8,size=24`. */
  pools: { base: string; size: number }[];
  /** `name=in-process|process|off`. */
  extensions: Record<string, ExtensionValue>;
  /** Any JSON, in the file only: kept as it is. */
  json: unknown;
}

export type OptionType = keyof ValueTypes;
export type ValueOf<T extends OptionType> = ValueTypes[T];

export interface RuntimeValue {
  path: string;
  runtimeArgs?: string[];
}

export interface ExtensionValue {
  enabled?: boolean;
  carrier?: 'in-process' | 'process';
  options?: Record<string, unknown>;
  /** ms by method name. */
  deadlines?: Record<string, number>;
}

/** Keeps an option's literal types. */
export function option<const F extends string, const T extends OptionType>(
  flag: F,
  type: T,
  rest: Omit<Option<T, F>, 'flag' | 'type'>,
): Option<T, F> {
  return { flag, type, ...rest };
}

export function keyOf({ flag, key }: Option): string | null {
  return key === undefined ? flag : key;
}
