import type { Address } from '@cleat/extensions/carriers/address';
import type { Control } from './control.js';
import type { Wire } from './wire.js';

/** The author's facts about the plugin. */
export interface Settings {
  /** Nothing is made or changed: fit for a plugin in production. Default false. */
  readOnly?: boolean;
  /**
   * Paths and interfaces that the plugin answers are not of this host (it runs elsewhere, or in a container): they are
   * not looked at.
   */
  elsewhere?: boolean;
  /**
   * Options without which the plugin makes nothing: `--opt` of a volume or network, `--log-opt` of a log driver. Of a
   * provider of secrets, `secret` names one that there is, and the others are its labels.
   */
  options?: Readonly<Record<string, string>>;
  /** Options of subnets, as `--ipam-opt`. */
  ipamOptions?: Readonly<Record<string, string>>;
  /**
   * The address plugin whose subnets networks are made with: its address, the path of a socket or of a description, or a
   * name. Default: subnets of the verifier's choice; for a plugin that refuses those, and gives some itself, its own.
   */
  ipamDriver?: string;
  /** How long any one call, and a start of the plugin, may take, in ms; default 20,000. */
  deadlineMs?: number;
  /** IDs of cases, or their beginnings (`volume/`): only these. */
  only?: readonly string[];
  /** IDs of cases, or their beginnings: not these. */
  skip?: readonly string[];
}

export const defaultDeadlineMs = 20_000;

/** A plugin while it is verified. */
export interface Session {
  /** The plugin's, for people. */
  readonly name: string;
  readonly wire: Wire;
  /** Where it listens now. */
  address(): Address;
  readonly settings: Settings;
  /** The kinds that it says it implements. */
  readonly kinds: readonly string[];
  /** Absent where nobody said how the plugin is started. */
  readonly control: Control | undefined;
  /** The address plugin that the author named for networks; it may be this one. */
  readonly ipam: Session | undefined;
  /** Begins the names of all that is made, and no name of anybody else's. */
  readonly prefix: string;
  /** A number that this session has not given yet. */
  next(): number;
}
