import type { AuditRecord, NewAuditRecord } from '@cleat/protocol/audit';

/** Which records a reader wants; each member that is there must fit. */
export interface AuditQuery {
  /** Milliseconds since the epoch; of the request's begin. */
  readonly since?: number;
  readonly until?: number;
  /** A user's name, or the digits of one. */
  readonly user?: string;
  /** A container that is asked about, or that asks: its name, or the first digits of its ID. */
  readonly container?: string;
  readonly method?: string;
  /** A pattern: `/containers/*` + `/start`; a star stands for anything. */
  readonly route?: string;
  /** `404`, or `4xx`. */
  readonly status?: string;
  readonly decision?: string;
  readonly id?: string;
  /** Only the latest so many. */
  readonly last?: number;
  /** Go on as records come. */
  readonly follow?: boolean;
}

/** The journal of the API's requests: who asked for what, who decided, what came of it. */
export interface Audit {
  /** Whether requests are recorded at this moment. */
  readonly enabled: boolean;

  /** Never waits, and never fails: what the disk does not take is counted, and said in the next record that it takes. */
  note(record: NewAuditRecord): void;

  /** Kept records in the order of their numbers, until `signal` aborts where it is followed. */
  read(query: AuditQuery, signal: AbortSignal): AsyncIterable<AuditRecord>;

  /** The container that a client means, if there is one. */
  container(ref: string): { readonly ID: string; readonly Name: string } | undefined;

  /** The container in which an exec is, if it is known here. */
  containerOfExec(execId: string): { readonly ID: string; readonly Name: string } | undefined;

  /** Requests that could not be written down since the engine's start. */
  readonly lost: number;
}
