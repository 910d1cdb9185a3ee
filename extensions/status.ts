export interface Provider {
  /** A container's. */
  readonly id: string;
  readonly name: string;
}

/**
 * How a call ended. `error` is an answer, too: the extension works and said no. `timeout`: it was there and did not
 * answer within the deadline; `unreachable`: nobody was there, or the connection broke; `blocked`: it was not even
 * asked, because it hung before; `cancelled`: its caller went away.
 */
export const callResults = ['ok', 'error', 'timeout', 'unreachable', 'blocked', 'cancelled'] as const;
export type CallResult = (typeof callResults)[number];

/**
 * Durations of the calls that were sent, in ms from the caller's point of view: waiting for a restart is part of it.
 */
export interface Latency {
  readonly count: number;
  readonly sumMs: number;
  readonly maxMs: number;
  /** How many took at most so many ms, cumulative; the last key is `+Inf`. */
  readonly atMostMs: Readonly<Record<string, number>>;
}

export interface MethodStatistics {
  /** As on the wire: `VolumeDriver.Mount`; `Plugin.Activate` for the handshake. */
  readonly method: string;
  readonly results: Readonly<Record<CallResult, number>>;
  readonly latency: Latency;
}

export interface ExtensionFailure {
  readonly method: string;
  readonly result: CallResult;
  readonly message: string;
  readonly at: Date;
}

/**
 * `healthy`: it answered the last call, if only to say no. `failing`: it did not. `suspended`: it hung several times in
 * a row and is not asked for a while. `unknown`: it was not asked yet.
 */
export const extensionHealths = ['unknown', 'healthy', 'failing', 'suspended'] as const;
export type ExtensionHealth = (typeof extensionHealths)[number];

/** The process of an extension that the engine runs as one. */
export interface ProcessStatus {
  /** Undefined between its end and its next start. */
  readonly pid: number | undefined;
  /** When it started, was found running, or ended. */
  readonly since: Date;
  /** How often it was started again. */
  readonly restarts: number;
  /** How it last ended, as a phrase; empty when it never did. */
  readonly lastEnd: string;
}

/** A line of an extension in the engine's log. */
export interface KeptLine {
  /** Grows from line to line; to go on after it. */
  readonly number: number;
  readonly at: Date;
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  /** The message, and its fields as `key=value`. */
  readonly text: string;
}

/** `missing`: nothing of that name is there, and somebody waits for it. */
export const extensionStates = ['discovered', 'activating', 'active', 'unreachable', 'disabled', 'missing'] as const;
export type ExtensionState = (typeof extensionStates)[number];

export interface ExtensionStatus {
  /** The driver's name, as users say it. */
  readonly name: string;
  /** Other names that it is found by. */
  readonly aliases?: readonly string[];
  /** Its entry in the manifest, by which the operator configures it; undefined for a discovered one. */
  readonly entry: string | undefined;
  /** Empty until activated, unless the manifest says. */
  readonly kinds: readonly string[];
  /** `managed`: it was registered while the engine runs, as managed plugins are. */
  readonly carrier: 'in-process' | 'process' | 'socket' | 'managed';
  /** Where it was found: a manifest entry, a socket path, a URL. */
  readonly origin: string;
  readonly state: ExtensionState;
  /** Why it is in this state, as a sentence; empty when there is nothing to say. */
  readonly reason: string;
  readonly since: Date;
  /** It is not there and waited for, until then; callers that are patient wait with it. */
  readonly waitsUntil?: Date | undefined;
  readonly health: ExtensionHealth;
  /** It is suspended, and asked again by the first call after that. */
  readonly suspendedUntil?: Date | undefined;
  /** The last call that did not succeed; an answer such as "no such volume" may be among an extension's duties. */
  readonly lastError: ExtensionFailure | undefined;
  /** Only of the carriers `process` and `managed`. */
  readonly process?: ProcessStatus;
  /** Calls that wait for an answer now. */
  readonly underWay: number;
  /** Messages that were sent once more because the connection broke, since the engine's start. */
  readonly retries: number;
  /** Since the engine's start, one entry for each method that was called. */
  readonly methods: readonly MethodStatistics[];
  /** The operator's deadlines, in ms by `Kind.Method`, `Method` or `*`; else the contract's hold. */
  readonly deadlines: Readonly<Record<string, number>>;
  /** Entries of the manifest, or names of registered ones, that must answer before it is started; absent for a discovered one. */
  readonly needs?: readonly string[];
  /** Those that are started before it. */
  readonly after?: readonly string[];
  /** The container that it runs in, if it is one of this engine's. */
  readonly provider?: Provider;
  /** Those who wait until it answers; absent when nobody does. */
  readonly awaitedBy?: readonly string[];
}

/** The numbers of an extension that was never asked for anything. */
export const idle = {
  health: 'unknown',
  lastError: undefined,
  underWay: 0,
  retries: 0,
  methods: [],
  deadlines: {},
} as const satisfies Partial<ExtensionStatus>;
